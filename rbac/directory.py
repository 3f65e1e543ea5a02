"""What a decision must know of users and domains, read from the store at one revision.

A `Snapshot` is one transaction's view of one organization; every query is bound to it and uses an index, and no
query reads tasks or members in bulk. Its one rule: reads only, and every value names the revision it was read at.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
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

from rbac import tables as t
from rbac.errors import StoreError
from rbac.records import (
    Asked,
    Instant,
    MemberRecord,
    OrganizationRecord,
    Place,
    ProjectRecord,
    TaskRecord,
    Until,
    WorkspaceRecord,
)
from rbac.vocabulary import MANAGER_OR_ABOVE, WORKERS, Distribution, Domain, Kind, Permission, Request, Role, State

_ORGANIZATION: BindParameter[str] = bindparam("organization")
_USER: BindParameter[str] = bindparam("user")
_ID: BindParameter[str] = bindparam("id")
_TASK: BindParameter[str] = bindparam("task")
_TARGET: BindParameter[str] = bindparam("target")
_NOW: BindParameter[int] = bindparam("now")


class Snapshot:
    """One organization as one transaction sees it; lives as long as that transaction.

    `reads` is the policy's: which facts decide which permission. Only those are looked up.
    """

    def __init__(self, connection: Connection, organization: str, reads: dict[Permission, frozenset[str]]) -> None:
        self._connection = connection
        self._organization = organization
        self._reads = reads

    def organization(self) -> OrganizationRecord | None:
        """The organization's own facts, None when there is none of that name."""
        row = self._one(_organization_query)
        if row is None:
            return None
        restrictions = {str(_permission(each.permission)): Role(each.level) for each in self._all(_restriction_query)}
        return OrganizationRecord(
            id=row.id,
            owner=row.owner,
            revision=row.revision,
            plugins_enabled=bool(row.plugins_enabled),
            manual_role_management=bool(row.manual_role_management),
            administrators_make_administrators=bool(row.administrators_make_administrators),
            tokens_for_annotators_and_reviewers=bool(row.tokens_for_annotators_and_reviewers),
            restrictions=restrictions,
        )

    def member(self, user: str) -> MemberRecord | None:
        """A member with everything that hangs on them, in one query; None for whoever is not one."""
        rows = self._all(_member_query, user=user)
        if not rows:
            return None
        workspaces: dict[str, Until] = {}
        projects: dict[str, Until] = {}
        project_roles: dict[str, tuple[Role | None, Until]] = {}
        pauses: dict[str, tuple[str, Until]] = {}
        role, state = None, State.DEACTIVATED
        for part, where, word, until in rows:
            if part == "m":
                role, state = Role(word) if word else None, State(where)
            elif part == "w":
                workspaces[where] = until
            elif part == "p":
                projects[where] = until
            elif part == "r":
                project_roles[where] = Role(word), until
            else:
                pauses[where] = word, until
        return MemberRecord(user, role, state, workspaces, projects, project_roles, pauses, {})

    def place(self, domain: Domain) -> Place | None:
        """The domain's facts, None when there is no such domain."""
        if domain.kind is Kind.ORGANIZATION:
            return self.organization()
        return self.workspace(domain.id) if domain.kind is Kind.WORKSPACE else self.project(domain.id)

    def workspace(self, workspace: str) -> WorkspaceRecord | None:
        """A workspace, None when there is none."""
        row = self._one(_workspace_query, id=workspace)
        if row is None:
            return None
        path = Domain(Kind.WORKSPACE, row.id).path(self._organization)
        return WorkspaceRecord(row.id, path, row.created_by, bool(row.personal), not row.holds)

    def project(self, project: str) -> ProjectRecord | None:
        """A project with its workspace's creator, None when there is none."""
        row = self._one(_project_query, id=project)
        if row is None:
            return None
        shown = ((Role.ANNOTATOR, row.show_to_annotators), (Role.REVIEWER, row.show_to_reviewers))
        return ProjectRecord(
            id=row.id,
            path=Domain(Kind.PROJECT, row.id).path(self._organization),
            workspace=row.workspace,
            workspace_created_by=row.workspace_created_by,
            personal=bool(row.personal),
            created_by=row.created_by,
            published=bool(row.published),
            distribution=Distribution(row.distribution),
            show_data_manager_to=frozenset(role for role, on in shown if on),
            review_only_assigned=bool(row.review_only_assigned),
        )

    def asked(self, request: Request, user: MemberRecord, place: Place, role: Role | None, now: Instant) -> Asked:
        """The loose facts of a question: only those that its permission's lines read, and it can need."""
        reads = self._reads[request.permission]
        target = None if request.target is None else self.member(request.target)
        task = assigned = shares = None
        if request.task is not None:
            task = self.task(request.task, place.id, user.user)
        if "assigned_as_annotator" in reads and role in WORKERS and type(place) is ProjectRecord:
            assigned = self.assigned(user.user, place)
        if "shares_domain_with_target" in reads and target is not None and role in MANAGER_OR_ABOVE:
            shares = self.shares(user, target, now)
        return Asked(request.target is not None, target, request.task is not None, task, assigned, shares)

    def task(self, task: str, project: str, user: str) -> TaskRecord:
        """A task of a project and what the user has to do with it, in one query."""
        row = self._one(_task_query, id=project, task=task, user=user)
        return TaskRecord(False, False, False, False) if row is None else TaskRecord(True, *map(bool, row))

    def assigned(self, user: str, project: ProjectRecord) -> tuple[bool, bool]:
        """Whether the user has a task there as annotator, and as reviewer."""
        row = self._one(_assigned_query, id=project.id, user=user)
        return (bool(row[0]), bool(row[1])) if row else (False, False)

    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool:
        """Whether for some workspace or project, not personal, `created_or_invited` holds for both."""
        counts = {
            f"{who}_counts": member.active and member.role in MANAGER_OR_ABOVE for who, member in (("user", user), ("target", target))
        }
        row = self._one(_shares_query, user=user.user, target=target.user, now=now, **counts)
        return bool(row and row[0])

    def _one(self, query: Any, **values: Any) -> Any:
        return self._connection.execute(query, {"organization": self._organization, **values}).first()

    def _all(self, query: Any, **values: Any) -> Any:
        return self._connection.execute(query, {"organization": self._organization, **values}).all()


def _permission(name: str) -> Permission:
    known = Permission.named(name)
    if known is None:
        raise StoreError(f"the store restricts {name}, which this program does not know: it is too old for this store")
    return known


# -- the queries, built once; each is bound to one organization and walks an index -------------------------------------------

_organization_query = select(t.organization).where(t.organization.c.id == _ORGANIZATION)
_restriction_query = select(t.restriction.c.permission, t.restriction.c.level).where(t.restriction.c.organization == _ORGANIZATION)


def _here(table: Any) -> ColumnElement[bool]:
    return table.c.organization == _ORGANIZATION  # type: ignore[no-any-return]


def _of_user(table: Any, part: str, where: str, word: str | None = None) -> Select[Any]:
    c = table.c
    return select(literal(part), c[where], c[word] if word else null(), c.until).where(_here(table), c.user == _USER)


_owner = select(t.organization.c.owner).where(t.organization.c.id == _ORGANIZATION).scalar_subquery()
_organization_role = case((t.member.c.user == _owner, literal(str(Role.OWNER))), else_=t.member.c.role)
"""The Owner's own row says administrator, so that a transfer is one UPDATE."""

_member_query = union_all(
    select(literal("m"), t.member.c.state, _organization_role, cast(null(), BigInteger)).where(_here(t.member), t.member.c.user == _USER),
    _of_user(t.workspace_member, "w", "workspace"),
    _of_user(t.project_member, "p", "project"),
    _of_user(t.project_role, "r", "project", "role"),
    _of_user(t.pause, "x", "project", "reason"),
)

_holds_projects = exists().where(_here(t.project), t.project.c.workspace == t.workspace.c.id)
_workspace_query = select(t.workspace, _holds_projects.label("holds")).where(_here(t.workspace), t.workspace.c.id == _ID)
_project_query = (
    select(t.project, t.workspace.c.created_by.label("workspace_created_by"))
    .join(t.workspace, and_(t.workspace.c.organization == t.project.c.organization, t.workspace.c.id == t.project.c.workspace))
    .where(_here(t.project), t.project.c.id == _ID)
)


def _assignment(kind: str, *where: ColumnElement[bool]) -> ColumnElement[bool]:
    c = t.assignment.c
    return exists().where(_here(t.assignment), c.project == _ID, c.user == _USER, c.kind == kind, *where)


_of_task = t.assignment.c.task == _TASK
_worked_on = exists().where(_here(t.worked_on), t.worked_on.c.project == _ID, t.worked_on.c.task == _TASK, t.worked_on.c.user == _USER)
_task_query = select(_assignment("annotator", _of_task), _assignment("reviewer", _of_task), _worked_on).where(
    exists().where(_here(t.task), t.task.c.project == _ID, t.task.c.id == _TASK)
)
_assigned_query = select(_assignment("annotator"), _assignment("reviewer"))


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


_shares_query = _shares()
