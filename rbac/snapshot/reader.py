"""Records read from the store in one transaction: each once, and what a question lacks in one statement."""

from __future__ import annotations

from sqlalchemy import Connection

from rbac.names import parse_domain, parse_id
from rbac.snapshot.found import Found, found_in, statement
from rbac.snapshot.records import (
    DomainRecord,
    Instant,
    MemberRecord,
    OrganizationRecord,
    ProjectRecord,
    RequestRecords,
    TaskRecord,
    WorkspaceRecord,
    in_force,
)
from rbac.snapshot.view import Version, load_request_records, task_record
from rbac.snapshot.wanted import UNKNOWN, Asked, CellNeeds, Wanted, lacking
from rbac.vocabulary import Kind, Permission, Request, Role


class Snapshot:
    """One organization as one transaction sees it: a View. Lives as long as that transaction.

    `asked` are the questions it is made for.
    """

    def __init__(self, connection: Connection, organization: str, cells: CellNeeds, asked: Asked = None) -> None:
        self.organization_id = organization
        self.asked = asked
        self._connection = connection
        self._cells = cells
        self.found: Found | None = None

    @property
    def read(self) -> Found | None:
        """What was read so far."""
        return self.found

    @property
    def version(self) -> Version | None:
        """The version that the transaction sees, None where there is no such organization."""
        return self._known().version

    def made_for(self, asked: Asked) -> None:
        """Forget what was read; what these questions need is read together."""
        self.asked, self.found = asked, None

    def organization(self) -> OrganizationRecord | None:
        """The organization's own facts, None when there is none of that name."""
        return self._known().organization

    def member(self, user: str) -> MemberRecord | None:
        """A member with memberships, project roles and pauses; None for whoever is not one."""
        user = parse_id(user, "user")
        if self.known_member(user) is UNKNOWN:
            self._read(Wanted(members={user}))
        return self.known_member(user)

    def domain(self, address: str) -> DomainRecord | None:
        """The facts of the domain at an address, None when there is no such domain."""
        where = parse_domain(address)
        if where.kind is Kind.ORGANIZATION:
            return self.organization()
        if self.known_domain(str(where)) is UNKNOWN:
            wanted = Wanted()
            wanted.add_domain(where.kind, where.id)
            self._read(wanted)
        return self.known_domain(str(where))

    def workspace(self, workspace: str) -> WorkspaceRecord | None:
        """A workspace, None when there is none."""
        found = self.domain(f"workspace:{parse_id(workspace, 'workspace')}")
        assert found is None or type(found) is WorkspaceRecord
        return found

    def project(self, project: str) -> ProjectRecord | None:
        """A project with its workspace's creator, None when there is none."""
        found = self.domain(f"project:{parse_id(project, 'project')}")
        assert found is None or type(found) is ProjectRecord
        return found

    def request_records(
        self, request: Request, permission: Permission, user: MemberRecord, domain: DomainRecord, role: Role, now: Instant
    ) -> RequestRecords:
        """The records that only this request needs."""
        return load_request_records(self, self._cells.of(role, permission), request, user, domain, now)

    def ensure_unchanged(self) -> None:
        """Nothing: a transaction sees one revision."""

    def task(self, task: str, project: str, user: MemberRecord, what: int) -> TaskRecord:
        """A task of a project and what the user has to do with it, as far as `what` says."""
        more = self.unknown_of_task(task, project, user.user, what)
        if more:
            wanted = Wanted()
            wanted.add_task(project, task, user.user, more)
            self._read(wanted)
        return task_record(*self._known().tasks.get((project, task, user.user), (0, 0)))

    def assigned(self, user: MemberRecord, project: ProjectRecord) -> tuple[bool, bool]:
        """Whether the user has a task there as annotator, and as reviewer."""
        key = user.user, project.id
        if key not in self._known().assigned:
            self._read(Wanted(assigned={key}))
        return self._known().assigned[key]

    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool:
        """Whether for some workspace or project, not personal, `created_or_invited` holds for both."""
        key = user.user, target.user
        if key not in self._known().shares:
            self._read(Wanted(shares={key}))
        until = self._known().shares[key]
        return until is not None and in_force(until, now)

    # -- what has been read --------------------------------------------------------------------------------------------

    def known_member(self, user: str) -> MemberRecord | None:
        """A member that has been read, else UNKNOWN."""
        return UNKNOWN if self.read is None else self.read.members.get(user, UNKNOWN)

    def known_domain(self, address: str) -> DomainRecord | None:
        """A domain that has been read, else UNKNOWN."""
        if self.read is None:
            found: DomainRecord | None = UNKNOWN
            return found
        return self.read.organization if address == Kind.ORGANIZATION else self.read.domains.get(address, UNKNOWN)

    def knows_assigned(self, user: str, project: str) -> bool:
        """Whether it has been read if the user has a task there."""
        return self.read is not None and (user, project) in self.read.assigned

    def unknown_of_task(self, task: str, project: str, user: str, what: int) -> int:
        """What of `what` has not been read of a task."""
        return what if self.read is None else what & ~self.read.tasks.get((project, task, user), (0, 0))[0]

    def knows_shares(self, user: str, target: str) -> bool:
        """Whether it has been read if two members share a domain."""
        return self.read is not None and (user, target) in self.read.shares

    def _known(self) -> Found:
        if self.read is None:
            self._read(None)
        found = self.read
        assert found is not None
        return found

    def _read(self, needed: Wanted | None) -> None:
        """Read what is needed now, and with it everything that the questions lack."""
        wanted = lacking(self, self.asked, self._cells)
        if needed is not None:
            wanted.add(needed)
        text, values = statement(self._connection.dialect.name, self.organization_id, wanted, None, 0)
        found = found_in(self._connection.exec_driver_sql(text, values), self.organization_id, wanted, None)
        if self.read is None:
            self.found = found
        else:
            self.read.add(found)
