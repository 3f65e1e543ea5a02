"""What questions need of the store, before anything is read: one statement brings it all.

Which lines decide a question depends on the role of whoever asks. While the role is not known, what only some roles need is
asked for on the condition that the user has one of them, and the database looks it up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from rbac.names import ID, USER_ID
from rbac.snapshot.records import DomainRecord, MemberRecord, ProjectRecord
from rbac.snapshot.statements import ASSIGNED, EXISTS, WORKED_ON
from rbac.vocabulary import PERMISSIONS, WORKERS, Domain, Kind, Permission, Request, Role, Task

Reads = Mapping[tuple[Role, Permission], frozenset[str]]
"""Which facts decide which cell, by the lines of the policy: only those are loaded."""

Asked = Request | Sequence[Request] | None
"""The question, or the questions, that a view is made for."""

UNKNOWN: Any = object()
"""In place of a record that has not been read; None is one that does not exist."""

_FEW = 100
"""How many questions at most have everything read in one statement, for whatever role their users may have."""

_IN_PROJECT = frozenset({"assigned_as_annotator", "assigned_as_reviewer"})
_OF_TASK = {
    "task_exists": EXISTS,
    "task_annotator": ASSIGNED,
    "task_reviewer": ASSIGNED,
    "task_worked_on": WORKED_ON,
}
_SHARES = "shares_domain_with_target"


class Needs(msgspec.Struct, frozen=True):
    """What the lines of some cells read beyond the user, the domain and the target: `task` is the sum of what of a task."""

    assigned: bool
    task: int
    shares: bool


NO_NEEDS = Needs(False, 0, False)


class CellNeeds:
    """What every cell of a policy needs; lives as long as the policy is open, and may be shared between threads."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._of: dict[tuple[Role, Permission], Needs] = {}
        self._together: dict[tuple[frozenset[Role], Permission], Needs] = {}
        self._readers: dict[Permission, frozenset[Role]] = {}

    def of(self, role: Role, permission: Permission) -> Needs:
        """What one cell needs."""
        found = self._of.get((role, permission))
        if found is None:
            found = self._of[role, permission] = _needs(self._reads[role, permission])
        return found

    def of_any(self, roles: frozenset[Role], permission: Permission) -> Needs:
        """What the cells of several roles need together."""
        found = self._together.get((roles, permission))
        if found is None:
            each = [self.of(role, permission) for role in roles]
            task = 0
            for needs in each:
                task |= needs.task
            found = Needs(any(needs.assigned for needs in each), task, any(needs.shares for needs in each))
            self._together[roles, permission] = found
        return found

    def readers(self, permission: Permission) -> frozenset[Role]:
        """The organization roles that need anything but the existence of a task; as a row has them, where the Owner is administrator."""
        found = self._readers.get(permission)
        if found is None:
            roles = {role for role in Role if self._more_than_existence(role, permission)}
            roles |= WORKERS if roles & WORKERS else set()  # a worker may have the other role in the project
            found = self._readers[permission] = frozenset(Role.ADMINISTRATOR if role is Role.OWNER else role for role in roles)
        return found

    def _more_than_existence(self, role: Role, permission: Permission) -> bool:
        needs = self.of(role, permission)
        return needs.assigned or needs.shares or bool(needs.task & ~EXISTS)


def _needs(facts: frozenset[str]) -> Needs:
    task = 0
    for fact in facts:
        task |= _OF_TASK.get(fact, 0)
    return Needs(not _IN_PROJECT.isdisjoint(facts), task, _SHARES in facts)


class Wanted(msgspec.Struct):
    """What one statement is to read of one organization.

    `assigned` are pairs of user and project, `shares` of user and target; `tasks` go from project, task and user to what is
    read of them. With `readers` what belongs to a user there is read for these roles only.
    """

    members: set[str] = msgspec.field(default_factory=set)
    workspaces: set[str] = msgspec.field(default_factory=set)
    projects: set[str] = msgspec.field(default_factory=set)
    assigned: set[tuple[str, str]] = msgspec.field(default_factory=set)
    tasks: dict[tuple[str, str, str], int] = msgspec.field(default_factory=dict)
    shares: set[tuple[str, str]] = msgspec.field(default_factory=set)
    readers: frozenset[Role] | None = None

    def add_domain(self, kind: str, name: str) -> None:
        """A workspace or project by its id."""
        (self.workspaces if kind == Kind.WORKSPACE else self.projects).add(name)

    def add_task(self, project: str, task: str, user: str, what: int) -> None:
        """More of a task."""
        if what:
            self.tasks[project, task, user] = self.tasks.get((project, task, user), 0) | what

    def add(self, other: Wanted) -> None:
        """What another lacks, too; read whatever the role is."""
        self.members |= other.members
        self.workspaces |= other.workspaces
        self.projects |= other.projects
        self.assigned |= other.assigned
        self.shares |= other.shares
        for (project, task, user), what in other.tasks.items():
            self.add_task(project, task, user, what)
        if other.assigned or other.shares or other.tasks:
            self.readers = None


class PartialView(Protocol):
    """What a view has already: UNKNOWN for what it has not."""

    def known_member(self, user: str) -> MemberRecord | None: ...
    def known_domain(self, address: str) -> DomainRecord | None: ...
    def knows_assigned(self, user: str, project: str) -> bool: ...
    def unknown_of_task(self, task: str, project: str, user: str, what: int) -> int: ...
    def knows_shares(self, user: str, target: str) -> bool: ...


def lacking(known: PartialView, asked: Asked, cells: CellNeeds) -> Wanted:
    """What a view must still read for questions; names that cannot be names are left for `resolve` to refuse."""
    requests: Sequence[Request] = () if asked is None else (asked,) if isinstance(asked, Request) else asked
    search = _Search(known, cells, speculative=len(requests) <= _FEW)
    for request in requests:
        if type(request) is Request:
            search.look(request)
    if search.uncertain:
        search.wanted.readers = search.readers
    return search.wanted


class _Search:
    """What some requests lack; lives while it is found out. Users, domains and cells that are repeated are looked at once."""

    def __init__(self, known: PartialView, cells: CellNeeds, *, speculative: bool) -> None:
        self.wanted = Wanted()
        self.readers: frozenset[Role] = frozenset()
        self.uncertain = False
        self._known, self._cells, self._speculative = known, cells, speculative
        self._needs: dict[tuple[str, str, str], Needs] = {}

    def look(self, request: Request) -> None:
        """Add what one request lacks."""
        user, address, permission = _plain(request.user), _plain(request.domain), request.permission
        if user is None or address is None or not isinstance(permission, str):
            return
        needs = self._needs.get((user, permission, address))
        if needs is None:
            needs = self._needs[user, permission, address] = self._of(user, permission, address)
        given = request.task if isinstance(request.task, Task) else None
        task, target = _plain(request.task if given is None else given.id), _plain(request.target)
        if target is not None and USER_ID.fullmatch(target):
            if self._known.known_member(target) is UNKNOWN:
                self.wanted.members.add(target)
            if needs.shares and not self._known.knows_shares(user, target):
                self.wanted.shares.add((user, target))
        if needs is NO_NEEDS:
            return
        name = address.partition(":")[2]
        if needs.task and task is not None and ID.fullmatch(task):
            what = needs.task if given is None else not_given(given, needs.task)
            self.wanted.add_task(name, task, user, self._known.unknown_of_task(task, name, user, what))
        if needs.assigned and not self._known.knows_assigned(user, name):
            self.wanted.assigned.add((user, name))

    def _of(self, user: str, permission: str, address: str) -> Needs:
        """What the lines read beyond the records of the user and the domain, which are added here."""
        member, domain = self._known.known_member(user), self._known.known_domain(address)
        kind, _, name = address.partition(":")
        if member is UNKNOWN:
            if not USER_ID.fullmatch(user):
                return NO_NEEDS
            self.wanted.members.add(user)
        if domain is UNKNOWN and kind != Kind.ORGANIZATION:
            if kind not in (Kind.WORKSPACE, Kind.PROJECT) or not ID.fullmatch(name):
                return NO_NEEDS
            self.wanted.add_domain(kind, name)
        asked = PERMISSIONS.get(permission)
        if asked is None or member is None or domain is None or asked.kind != kind:
            return NO_NEEDS
        if not self._speculative and (member is UNKNOWN or domain is UNKNOWN):
            return NO_NEEDS  # once they are known, exactly what their lines read comes in a second statement
        needs = self._cells.of_any(_roles(member, domain), asked)
        if needs == NO_NEEDS:
            return NO_NEEDS
        self.readers |= self._cells.readers(asked)
        self.uncertain = self.uncertain or member is UNKNOWN
        return needs


def not_given(task: Task, what: int) -> int:
    """What must be read of a task of which something came with the question."""
    return what & ~(EXISTS if task.exists is not None else 0) & ~(WORKED_ON if task.worked_on is not None else 0)


def _plain(name: object) -> str | None:
    """A name as plain text, as records are kept under it; None for what is no name."""
    if type(name) is str:
        return name
    if isinstance(name, Domain):
        return str(name) if isinstance(name.kind, str) and isinstance(name.id, str) else None
    return str.__str__(name) if isinstance(name, str) else None


def _roles(member: MemberRecord, domain: DomainRecord) -> frozenset[Role]:
    """The roles that may be in force for a member in a domain, at whatever instant; every one for a member who is not known."""
    if member is UNKNOWN:
        return _EVERY_ROLE
    if member.role is None or not member.active:
        return frozenset()
    if member.role in WORKERS and (domain is UNKNOWN or (type(domain) is ProjectRecord and domain.id in member.project_roles)):
        return WORKERS
    return _ONLY[member.role]


_EVERY_ROLE = frozenset(Role)
_ONLY = {role: frozenset({role}) for role in Role}
