"""What a decision must know of users and domains, read from the store at one revision.

A `Snapshot` is one transaction's view of one organization; every query is bound to it and uses an index, and no
query reads tasks or members in bulk. Its one rule: reads only, and every value names the revision it was read at.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from sys import intern
from typing import Any, NamedTuple, Protocol, TypeVar

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

from rbac.clock import kept_instant
from rbac.database import tables as t
from rbac.errors import StoreError
from rbac.names import parse_domain, parse_id
from rbac.policy.roles import DomainPath, Subject
from rbac.snapshot.records import (
    NOTHING,
    Asked,
    Instant,
    MemberRecord,
    OrganizationRecord,
    Place,
    ProjectRecord,
    TaskRecord,
    WorkspaceRecord,
    memberships_of,
)
from rbac.vocabulary import MANAGER_OR_ABOVE, Distribution, Domain, Kind, Permission, Request, Role, State

_ORGANIZATION: BindParameter[str] = bindparam("organization")
_USER: BindParameter[str] = bindparam("user")
_ID: BindParameter[str] = bindparam("id")
_TASK: BindParameter[str] = bindparam("task")
_TARGET: BindParameter[str] = bindparam("target")
_NOW: BindParameter[int] = bindparam("now")


_ENDS = frozenset({"w", "p"})
Reads = Mapping[tuple[Role, Permission], frozenset[str]]
"""Which facts decide which cell, as the policy says: only those are looked up."""


class Stand(NamedTuple):
    """Where an organization stands in its history: its revision, the hash that seals it, and the life of the store."""

    revision: int
    head: str
    epoch: str


class Source(Protocol):
    """Where the records of one organization come from, all of one revision: a transaction, or the cache.

    A name that cannot be one raises UnknownName; one that is not there is None.
    """

    def organization(self) -> OrganizationRecord | None: ...
    def member(self, user: str) -> MemberRecord | None: ...
    def place(self, domain: str) -> Place | None: ...
    def asked(self, request: Request, permission: Permission, user: MemberRecord, place: Place, role: Role, now: Instant) -> Asked: ...
    def task(self, task: str, project: str, user: str) -> TaskRecord: ...
    def assigned(self, user: MemberRecord, project: ProjectRecord) -> tuple[bool, bool]: ...
    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool: ...

    def settle(self) -> None:
        """Called once all records of a question are gathered: raises unless they belong to one revision."""


ASSIGNED = frozenset({"assigned_as_annotator", "assigned_as_reviewer"})


def gather(source: Source, reads: frozenset[str], request: Request, user: MemberRecord, place: Place, now: Instant) -> Asked:
    """The loose facts of a question: only those that the lines of its cell read, and this question names."""
    target = task = assigned = shares = None
    if request.target is not None:
        target = source.member(request.target)
        if target is not None and "shares_domain_with_target" in reads:
            shares = source.shares(user, target, now)
    if request.task is not None:
        task = source.task(parse_id(request.task, "task"), place.id, user.user)
    if type(place) is ProjectRecord and not ASSIGNED.isdisjoint(reads):
        assigned = source.assigned(user, place)
    return Asked(target, task, assigned, shares)


class Snapshot:
    """One organization as one transaction sees it; lives as long as that transaction.

    `seen` is where the last member or place was read at, None where there is no such organization.
    """

    def __init__(self, connection: Connection, organization: str, reads: Reads) -> None:
        self._connection = connection
        self._organization = organization
        self._reads = reads
        self.seen: Stand | None = None

    def organization(self) -> OrganizationRecord | None:
        """The organization's own facts, None when there is none of that name."""
        row = self._one(_organization_query)
        if row is None:
            return None
        restrictions = {str(_permission(each.permission)): _one_of(Role, each.level) for each in self._all(_restriction_query)}
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
        rows = self._all(_member_query, user=parse_id(user, "user"))
        links: dict[str, dict[str, Any]] = {}
        role, state, self.seen = None, None, None
        for part, where, word, until in rows:
            if part == "v":
                self.seen = Stand(until, where, word)
            elif part == "m":
                role, state = _one_of(Role, word) if word else None, _one_of(State, where)
            else:  # hundreds of members share a domain: its id is kept once
                end = kept_instant(until)
                value = end if part in _ENDS else (_one_of(Role, word) if part == "r" else word, end)
                links.setdefault(part, {})[intern(where)] = value
        if state is None:
            return None
        workspaces, projects, roles, pauses = (links.get(part, NOTHING) for part in "wprx")
        own = Subject(user, role)
        return MemberRecord(user, role, state, memberships_of(workspaces), memberships_of(projects), roles, pauses, own)

    def place(self, domain: str) -> Place | None:
        """The facts of the domain at an address, None when there is no such domain."""
        where = parse_domain(domain)
        if where.kind is Kind.ORGANIZATION:
            return self.organization()
        return self.workspace(where.id) if where.kind is Kind.WORKSPACE else self.project(where.id)

    def workspace(self, workspace: str) -> WorkspaceRecord | None:
        """A workspace, None when there is none."""
        row = self._one(_workspace_query, id=parse_id(workspace, "workspace"))
        self.seen = None if row is None else Stand(row.revision, row.head, row.epoch)
        if row is None or row.id is None:
            return None
        path = DomainPath(Domain(Kind.WORKSPACE, row.id).path(self._organization))
        return WorkspaceRecord(row.id, path, row.created_by, bool(row.personal), not row.holds)

    def project(self, project: str) -> ProjectRecord | None:
        """A project with its workspace's creator, None when there is none."""
        row = self._one(_project_query, id=parse_id(project, "project"))
        self.seen = None if row is None else Stand(row.revision, row.head, row.epoch)
        if row is None or row.id is None:
            return None
        shown = ((Role.ANNOTATOR, row.show_to_annotators), (Role.REVIEWER, row.show_to_reviewers))
        return ProjectRecord(
            id=row.id,
            path=DomainPath(Domain(Kind.PROJECT, row.id).path(self._organization)),
            workspace=row.workspace,
            workspace_created_by=row.workspace_created_by,
            personal=bool(row.personal),
            created_by=row.created_by,
            published=bool(row.published),
            distribution=_one_of(Distribution, row.distribution),
            show_data_manager_to=frozenset(role for role, on in shown if on),
            review_only_assigned=bool(row.review_only_assigned),
        )

    def asked(self, request: Request, permission: Permission, user: MemberRecord, place: Place, role: Role, now: Instant) -> Asked:
        """The loose facts of a question."""
        return gather(self, self._reads[role, permission], request, user, place, now)

    def settle(self) -> None:
        """Nothing: a transaction sees one revision."""

    def task(self, task: str, project: str, user: str) -> TaskRecord:
        """A task of a project and what the user has to do with it, in one query."""
        row = self._one(_task_query, id=project, task=task, user=user)
        return TaskRecord(False, False, False, False) if row is None else TaskRecord(True, *map(bool, row))

    def assigned(self, user: MemberRecord, project: ProjectRecord) -> tuple[bool, bool]:
        """Whether the user has a task there as annotator, and as reviewer."""
        row = self._one(_assigned_query, id=project.id, user=user.user)
        return (bool(row[0]), bool(row[1])) if row else (False, False)

    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool:
        """Whether for some workspace or project, not personal, `created_or_invited` holds for both."""
        counts = {
            f"{who}_counts": member.active and member.role in MANAGER_OR_ABOVE for who, member in (("user", user), ("target", target))
        }
        row = self._one(_shares_query, user=user.user, target=target.user, now=now, **counts)
        return bool(row and row[0])

    def stand(self) -> Stand | None:
        """Where the organization stands, None when there is none."""
        row = self._one(_stand_query)
        return None if row is None else Stand(*row)

    def changed_since(self, stand: Stand, limit: int) -> list[Any] | None:
        """The changed facts after an earlier stand, at most `limit`; None when the history has no such stand.

        Each is kind, user, domain, before, after. A restored backup can reach the same revision by another way: the
        hash tells.
        """
        row = self._one(_hash_query, after=stand.revision)
        if row is None or row.hash != stand.head:
            return None
        return self._all(_changed_query, after=stand.revision, limit=limit)  # type: ignore[no-any-return]

    def _one(self, query: Any, **values: Any) -> Any:
        return self._connection.execute(query, {"organization": self._organization, **values}).first()

    def _all(self, query: Any, **values: Any) -> Any:
        return self._connection.execute(query, {"organization": self._organization, **values}).all()


_Word = TypeVar("_Word", bound=StrEnum)


def _one_of(words: type[_Word], text: str) -> _Word:
    """A word of a closed set; the database's own checks let no other in, so another is damage of the file."""
    try:
        return words(text)
    except ValueError:
        raise StoreError(f"the store is damaged, restore a backup: {text!r} is no {words.__name__.lower()}") from None


def _permission(name: str) -> Permission:
    known = Permission.named(name)
    if known is None:
        raise StoreError(f"the store restricts {name}, which this program does not know: it is too old for this store")
    return known


# -- the queries, built once; each is bound to one organization and walks an index -------------------------------------------

_organization_query = select(t.organization).where(t.organization.c.id == _ORGANIZATION)
_AFTER: BindParameter[int] = bindparam("after", type_=BigInteger)
_epoch = select(t.store.c.epoch).scalar_subquery()
_stand_query = select(t.organization.c.revision, t.organization.c.head, _epoch).where(t.organization.c.id == _ORGANIZATION)
_hash_query = select(t.audit.c.hash).where(t.audit.c.organization == _ORGANIZATION, t.audit.c.revision == _AFTER)
_CHANGED = t.audit_change.c
_changed_query = (
    select(_CHANGED.kind, _CHANGED.user, _CHANGED.domain, _CHANGED.before, _CHANGED.after)
    .where(_CHANGED.organization == _ORGANIZATION, _CHANGED.revision > _AFTER)
    .limit(bindparam("limit", type_=BigInteger))
)
_restriction_query = select(t.restriction.c.permission, t.restriction.c.level).where(t.restriction.c.organization == _ORGANIZATION)


def _here(table: Any) -> ColumnElement[bool]:
    return table.c.organization == _ORGANIZATION  # type: ignore[no-any-return]


def _of_user(table: Any, part: str, where: str, word: str | None = None) -> Select[Any]:
    c = table.c
    return select(literal(part), c[where], c[word] if word else null(), c.until).where(_here(table), c.user == _USER)


_owner = select(t.organization.c.owner).where(t.organization.c.id == _ORGANIZATION).scalar_subquery()
_organization_role = case((t.member.c.user == _owner, literal(str(Role.OWNER))), else_=t.member.c.role)
"""The Owner's own row says administrator, so that a transfer is one UPDATE."""

_seen = t.organization.c.revision, t.organization.c.head, _epoch.label("epoch")
_member_query: Any = union_all(
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
_workspace_query = select(*_seen, t.workspace, _holds_projects.label("holds")).select_from(_named_workspace).where(_in_organization)
_named_project = t.organization.outerjoin(t.project, and_(_here(t.project), t.project.c.id == _ID)).outerjoin(
    t.workspace, and_(_here(t.workspace), t.workspace.c.id == t.project.c.workspace)
)
_project_query = (
    select(*_seen, t.project, t.workspace.c.created_by.label("workspace_created_by")).select_from(_named_project).where(_in_organization)
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
