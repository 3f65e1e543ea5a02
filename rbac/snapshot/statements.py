"""The SQL of reading: one statement for each kind of record, built once, each bound to one organization and walking an index."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    literal,
    null,
    or_,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.sql.elements import BindParameter

from rbac.database import tables as t
from rbac.vocabulary import Role

_ORGANIZATION: BindParameter[str] = bindparam("organization")
_USER: BindParameter[str] = bindparam("user")
_ID: BindParameter[str] = bindparam("id")
_TASK: BindParameter[str] = bindparam("task")
_TARGET: BindParameter[str] = bindparam("target")
_NOW: BindParameter[int] = bindparam("now")
ORGANIZATION_ROW = select(t.organization).where(t.organization.c.id == _ORGANIZATION)
_AFTER: BindParameter[int] = bindparam("after", type_=BigInteger)
_epoch = select(t.store.c.epoch).scalar_subquery()
VERSION = select(t.organization.c.revision, t.organization.c.head, _epoch).where(t.organization.c.id == _ORGANIZATION)
HASH = select(t.audit.c.hash).where(t.audit.c.organization == _ORGANIZATION, t.audit.c.revision == _AFTER)
_CHANGED = t.audit_change.c
CHANGES = (
    select(_CHANGED.kind, _CHANGED.user, _CHANGED.domain, _CHANGED.before, _CHANGED.after)
    .where(_CHANGED.organization == _ORGANIZATION, _CHANGED.revision > _AFTER)
    .limit(bindparam("limit", type_=BigInteger))
)
RESTRICTIONS = select(t.restriction.c.permission, t.restriction.c.level).where(t.restriction.c.organization == _ORGANIZATION)


def _here(table: Any) -> ColumnElement[bool]:
    return table.c.organization == _ORGANIZATION  # type: ignore[no-any-return]


def _of_user(table: Any, part: str, where: str, word: str | None = None) -> Select[Any]:
    c = table.c
    return select(literal(part), c[where], c[word] if word else null(), c.until).where(_here(table), c.user == _USER)


_owner = select(t.organization.c.owner).where(t.organization.c.id == _ORGANIZATION).scalar_subquery()
_organization_role = case((t.member.c.user == _owner, literal(str(Role.OWNER))), else_=t.member.c.role)
"""The Owner's own row says administrator, so that a transfer is one UPDATE."""

_seen = t.organization.c.revision, t.organization.c.head, _epoch.label("epoch")
MEMBER: Any = union_all(
    select(literal("v"), t.organization.c.head, _epoch, t.organization.c.revision).where(t.organization.c.id == _ORGANIZATION),
    select(literal("m"), t.member.c.state, _organization_role, cast(null(), BigInteger)).where(_here(t.member), t.member.c.user == _USER),
    _of_user(t.workspace_member, "w", "workspace"),
    _of_user(t.project_member, "p", "project"),
    _of_user(t.project_role, "r", "project", "role"),
    _of_user(t.pause, "x", "project", "reason"),
)

_holds_projects = exists().where(_here(t.project), t.project.c.workspace == t.workspace.c.id)
_in_organization = t.organization.c.id == _ORGANIZATION
_named_workspace = t.organization.outerjoin(t.workspace, and_(_here(t.workspace), t.workspace.c.id == _ID))
WORKSPACE = select(*_seen, t.workspace, _holds_projects.label("holds")).select_from(_named_workspace).where(_in_organization)
_named_project = t.organization.outerjoin(t.project, and_(_here(t.project), t.project.c.id == _ID)).outerjoin(
    t.workspace, and_(_here(t.workspace), t.workspace.c.id == t.project.c.workspace)
)
PROJECT = (
    select(*_seen, t.project, t.workspace.c.created_by.label("workspace_created_by")).select_from(_named_project).where(_in_organization)
)


def _assignment(kind: str, *where: ColumnElement[bool]) -> ColumnElement[bool]:
    c = t.assignment.c
    return exists().where(_here(t.assignment), c.project == _ID, c.user == _USER, c.kind == kind, *where)


_of_task = t.assignment.c.task == _TASK
_worked_on = exists().where(_here(t.worked_on), t.worked_on.c.project == _ID, t.worked_on.c.task == _TASK, t.worked_on.c.user == _USER)
TASK = select(_assignment("annotator", _of_task), _assignment("reviewer", _of_task), _worked_on).where(
    exists().where(_here(t.task), t.task.c.project == _ID, t.task.c.id == _TASK)
)
ASSIGNED = select(_assignment("annotator"), _assignment("reviewer"))


def _reached(who: BindParameter[str], links: Any, column: str, created: Any) -> Subquery:
    """The ids of the domains, none personal, that somebody created or was invited to."""
    c = links.c
    counts: BindParameter[bool] = bindparam(f"{who.key}_counts", type_=Boolean)
    return union(
        select(c[column].label("id")).where(_here(links), c.user == who, or_(c.until.is_(None), c.until > _NOW)),
        select(created.c.id).where(_here(created), created.c.created_by == who, created.c.personal == false(), counts == true()),
    ).subquery()


def _shares() -> Select[Any]:
    workspaces = [_reached(who, t.workspace_member, "workspace", t.workspace) for who in (_USER, _TARGET)]
    projects = [_reached(who, t.project_member, "project", t.project) for who in (_USER, _TARGET)]

    def through(direct: Subquery, inherited: Subquery) -> ColumnElement[bool]:
        project = t.project.alias()
        joined = project.join(direct, direct.c.id == project.c.id).join(inherited, inherited.c.id == project.c.workspace)
        return exists(select(1).select_from(joined).where(project.c.organization == _ORGANIZATION))

    def both(one: Subquery, other: Subquery) -> ColumnElement[bool]:
        return exists(select(1).select_from(one.join(other, one.c.id == other.c.id)))

    return select(or_(both(*workspaces), both(*projects), through(projects[0], workspaces[1]), through(projects[1], workspaces[0])))


SHARES = _shares()
