"""Records kept in memory while they are true, so that a decision costs no query.

Nothing is loaded when a store is opened. A member or a domain is read the first time it is asked about, together with
whatever else the question lacks, and is evicted when an audited change concerns it, or when the space is needed. Unknown
names are not kept.

Every view belongs to one version of its organization: the mark of the store is taken first, the organization's cache is
refreshed if the mark moved, every record read later must come from the same version, and `ensure_unchanged` is called
once all records of a question are gathered. Each statement that reads records reads the version with them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import msgspec
from sqlalchemy import Engine

from rbac.database.engine import ask, place, reading, reporting_corruption, waiting
from rbac.database.watch.marks import Mark, Watch
from rbac.errors import StoreError
from rbac.names import parse_domain, parse_id
from rbac.snapshot.found import Found, found_in, statement
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.records import (
    NO_REQUEST_RECORDS,
    DomainRecord,
    Instant,
    MemberRecord,
    OrganizationRecord,
    ProjectRecord,
    RequestRecords,
    TaskRecord,
    in_force,
)
from rbac.snapshot.statements import ASSIGNED, EXISTS
from rbac.snapshot.view import RevisionChanged, Version, load_request_records, task_record
from rbac.snapshot.wanted import UNKNOWN, Asked, CellNeeds, Wanted, lacking
from rbac.vocabulary import Kind, Permission, Request, Role

CAPACITY = 500_000
"""How many facts are kept unless a store is opened with another number: a member counts one and one a membership."""

FAR_BEHIND = 10_000
"""More changed facts than this empty an organization's cache instead of being followed one by one."""

_ORGANIZATION = str(Kind.ORGANIZATION)


class OrganizationCache:
    """The records kept of one organization, all of one version.

    Two generations: records used since the last rotation, and older ones; at a rotation the older are dropped.
    """

    __slots__ = (
        "domains", "floor", "id", "lock", "mark", "members", "old_domains", "old_members", "record", "target", "version",
    )  # fmt: skip

    def __init__(self, organization: str) -> None:
        self.id = organization
        self.lock = threading.Lock()
        self.mark: Mark = None
        self.version: Version | None = None  # of which every record is true
        self.target: Version | None = None  # the same, or the one that a refresh is bringing it to
        self.floor = 0
        self.record: OrganizationRecord | None = None
        self.clear()

    def clear(self) -> None:
        """Drop every record but the organization's own."""
        self.members: dict[str, MemberRecord] = {}
        self.domains: dict[str, DomainRecord] = {}
        self.old_members: dict[str, MemberRecord] = {}
        self.old_domains: dict[str, DomainRecord] = {}

    def rotate_generations(self) -> bool:
        """Drop what was not used since the last rotation; whether anything is left. One that is being refreshed is left alone."""
        if not self.lock.acquire(blocking=False):
            return True
        try:
            self.old_members, self.members = self.members, {}
            self.old_domains, self.domains = self.domains, {}
            return bool(self.old_members or self.old_domains)
        finally:
            self.lock.release()

    def drop_member(self, user: str) -> None:
        """Drop one member."""
        self.members.pop(user, None)
        self.old_members.pop(user, None)

    def drop_assigned(self, user: str, project: str, task: str) -> None:
        """Drop what is remembered of a member's assignments in a project and to a task; the rest of the member stays."""
        for generation in (self.members, self.old_members):
            member = generation.get(user)
            if member is not None:
                member.assigned.pop(project, None)
                member.assigned.pop((project, task), None)

    def drop_domain(self, address: str) -> None:
        """Drop one domain."""
        self.domains.pop(address, None)
        self.old_domains.pop(address, None)

    def drop_projects_of(self, workspace: str) -> None:
        """Drop the projects of a workspace: each carries who created it, and whether it is personal."""
        for generation in (self.domains, self.old_domains):
            for address, domain in list(generation.items()):
                if type(domain) is ProjectRecord and domain.workspace == workspace:
                    generation.pop(address, None)

    def refresh(self, found: Found, mark: Mark) -> bool:
        """Make every record true of what was read, before which the mark was taken; whether there is such an organization."""
        if found.version != self.version:
            self.mark = None  # in this order: whoever gathers records across these lines is told to start again
            self.target = found.version
            self._evict_changed(found)
            self.record = found.organization
            self.version = found.version
        self.mark = mark
        return found.version is not None

    def _evict_changed(self, found: Found) -> None:
        """Drop what is no longer true; everything when the store's history does not contain the version we know."""
        version, changes = found.version, None
        if version is not None and self.version is not None and version.epoch == self.version.epoch:
            changes = found.changes
        if changes is None or len(changes) > FAR_BEHIND:
            self.clear()
            if changes is None and self.version is not None:
                self.floor = 0  # a revision of another history means nothing in this one
        else:
            _evict(self, changes)

    def keep(self, found: Found) -> int:
        """Keep what was read of the version that every record is true of, each under its own name; how many facts that is."""
        weight = 0
        for member in found.members.values():
            if member is not None:
                self.members[member.user] = member
                weight += member.weight
        for domain in found.domains.values():
            if domain is not None:
                self.domains[str(domain.domain)] = domain
                weight += 1
        for (user, project), assigned in found.assigned.items():
            weight += self._keep_assigned(user, project, assigned)
        for (project, task, user), (read, bits) in found.tasks.items():
            if read & ASSIGNED and (bits & 7 or not read & EXISTS):  # of a task that does not exist nothing is kept
                weight += self._keep_assigned(user, (project, task), (bool(bits & 2), bool(bits & 4)))
        return weight

    def _keep_assigned(self, user: str, what: str | tuple[str, str], assigned: tuple[bool, bool]) -> int:
        member = self.members.get(user)
        if member is None:
            return 0
        member.remember_assigned(what, assigned)
        return 1


class RecordCache:
    """The caches of the organizations of a store; lives as long as it and may be shared between threads.

    `patience` is how many seconds one read of the database may take.
    """

    def __init__(self, engine: Engine, watch: Watch, cells: CellNeeds, capacity: int = CAPACITY, patience: float = inf) -> None:
        self.engine = engine
        self.cells = cells
        self.patience = patience
        self._watch = watch
        self._half = max(1, capacity // 2)
        self._used = 0
        self._organizations: dict[str, OrganizationCache] = {}
        self._lock = threading.Lock()

    def view(self, organization: str, at_least: int = 0, asked: Asked = None) -> CachedView:
        """A view of one revision for the questions `asked`, not before `at_least` if the store has come that far."""
        mark = self._watch.mark(organization)
        kept = self._organizations.get(organization)
        if kept is not None:
            target = kept.target  # before the mark: one that is being refreshed has no mark
            if kept.mark == mark and target is not None and at_least <= target[0] >= kept.floor:  # its revision
                return CachedView(self, kept, target, kept.record, asked)
        return self._refreshed(organization, mark, asked)

    def refreshed(self, organization: str, asked: Asked = None) -> CachedView:
        """A view of the store as it is now: a restored backup can have the same revision with other facts."""
        return self._refreshed(organization, self._watch.mark(organization), asked)

    def wrote(self, organization: str, revision: int) -> None:
        """This process has committed a revision: no later answer is from before it, whatever the marks say."""
        with self._lock:
            kept = self._organizations.get(organization)
            if kept is None:
                kept = self._organizations[organization] = OrganizationCache(organization)
            kept.floor = max(kept.floor, revision)

    def abandon(self) -> None:
        """Start empty, without touching a lock that another thread may hold for ever: after a fork."""
        self._lock = threading.Lock()
        self._organizations = {}
        self._used = 0

    def charge(self, weight: int) -> None:
        """Count what is kept; at half the capacity, everything not used since the last time goes."""
        self._used += weight
        if self._used < self._half:
            return
        with self._lock:
            if self._used < self._half:
                return  # another thread was here first: what was counted since counts
            self._used = 0
            organizations = list(self._organizations.items())
        for name, kept in organizations:
            if not kept.rotate_generations():
                with self._lock:
                    if self._organizations.get(name) is kept:
                        del self._organizations[name]

    def read(self, organization: str, wanted: Wanted, since: Version | None = None) -> Found:
        """What is wanted, in one statement, which must not take longer than a node may go without news."""
        text, values = statement(self.engine.dialect.name, organization, wanted, since, FAR_BEHIND + 1)
        with waiting(self.engine, self.patience):
            rows = ask(self.engine, text, values)
        with reporting_corruption(self.engine):
            return found_in(rows, organization, wanted, since)

    @contextmanager
    def reading(self, organization: str, asked: Asked = None) -> Iterator[Snapshot]:
        """One read transaction, which must not take longer than a node may go without news."""
        with waiting(self.engine, self.patience), reading(self.engine) as connection:
            yield Snapshot(connection, organization, self.cells, asked)

    def _refreshed(self, organization: str, mark: Mark, asked: Asked) -> CachedView:
        """A view of an organization at the present revision. Nothing is kept of an unknown one."""
        with self._lock:
            kept = self._organizations.get(organization) or OrganizationCache(organization)
        if not kept.lock.acquire(blocking=False):
            if not kept.lock.acquire(timeout=min(self.patience, threading.TIMEOUT_MAX)):
                raise StoreError(f"{place(self.engine)} took too long to answer: try again")
            mark = None  # whoever waited until another read failed may be stale by now
        try:
            mark = self._watch.mark(organization) if mark is None else mark
            wanted = lacking(CachedView(self, kept, kept.version, kept.record, asked), asked, self.cells)
            found = self.read(organization, wanted, kept.version)
            exists = kept.refresh(found, mark)
            weight = kept.keep(found) if exists else 0
            view = CachedView(self, kept, kept.target, kept.record, asked, found)  # while nobody else can refresh it further
        finally:
            kept.lock.release()
        if exists:
            with self._lock:
                self._organizations.setdefault(organization, kept)
            self.charge(weight)
        return view


class CachedView(msgspec.Struct, gc=False):
    """A View over an organization's cache, all of whose records belong to one version; lives for the questions `asked`.

    A revision would not do: a restored backup reaches the same number with other facts. A struct, since one is made
    for every decision.
    """

    _cache: RecordCache
    _kept: OrganizationCache
    _version: Version | None
    _record: OrganizationRecord | None
    _asked: Asked = None
    _found: Found | None = None

    @property
    def organization_id(self) -> str:
        return self._kept.id

    @property
    def revision(self) -> int:
        """The revision it answers from; -1 where there is no organization."""
        return -1 if self._version is None else self._version.revision

    def organization(self) -> OrganizationRecord | None:
        return self._record

    def member(self, user: str) -> MemberRecord | None:
        try:
            found = self._kept.members.get(user)
        except TypeError:  # not a name: parsing it says so
            found = None
        return self._load_member(user) if found is None else found

    def domain(self, address: str) -> DomainRecord | None:
        try:
            found = self._kept.domains.get(address)
        except TypeError:  # not a name: parsing it says so
            found = None
        if found is None:
            return self._record if address == _ORGANIZATION else self._load_domain(address)
        return found

    def request_records(
        self, request: Request, permission: Permission, user: MemberRecord, domain: DomainRecord, role: Role, now: Instant
    ) -> RequestRecords:
        needs = self._cache.cells.of(role, permission)
        if request.target is None and request.task is None and not needs.assigned:
            return NO_REQUEST_RECORDS
        return load_request_records(self, needs, request, user, domain, now)

    def task(self, task: str, project: str, user: MemberRecord, what: int) -> TaskRecord:
        key = project, task, user.user
        kept = user.assigned.get((project, task)) if what & ASSIGNED else None
        more = what if kept is None else what & ~ASSIGNED
        read, bits = self._task_found(key)
        if more & ~read:
            wanted = Wanted()
            wanted.add_task(*key, more & ~read)
            self._read(wanted)
            read, bits = self._task_found(key)
        if kept is not None:
            read, bits = read | ASSIGNED, bits & ~6 | 2 * kept[0] | 4 * kept[1]
        return task_record(read, bits)

    def assigned(self, user: MemberRecord, project: ProjectRecord) -> tuple[bool, bool]:
        found = user.assigned.get(project.id)
        if found is not None:
            return found
        key = user.user, project.id
        if self._found is None or key not in self._found.assigned:
            self._read(Wanted(assigned={key}))
        assert self._found is not None
        return self._found.assigned[key]

    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool:
        key = user.user, target.user
        if self._found is None or key not in self._found.shares:
            self._read(Wanted(shares={key}))
        assert self._found is not None
        until = self._found.shares[key]
        return until is not None and in_force(until, now)

    def ensure_unchanged(self) -> None:
        if self._kept.target is not self._version:
            raise RevisionChanged

    # -- what is known already -------------------------------------------------------------------------------------------

    def known_member(self, user: str) -> MemberRecord | None:
        found = self._kept.members.get(user) or self._kept.old_members.get(user)
        if found is None:
            return UNKNOWN if self._found is None else self._found.members.get(user, UNKNOWN)
        return found

    def known_domain(self, address: str) -> DomainRecord | None:
        if address == _ORGANIZATION:
            return UNKNOWN if self._version is None and self._found is None else self._record
        found = self._kept.domains.get(address) or self._kept.old_domains.get(address)
        if found is None:
            return UNKNOWN if self._found is None else self._found.domains.get(address, UNKNOWN)
        return found

    def knows_assigned(self, user: str, project: str) -> bool:
        member = self._kept.members.get(user)
        return (member is not None and project in member.assigned) or (self._found is not None and (user, project) in self._found.assigned)

    def unknown_of_task(self, task: str, project: str, user: str, what: int) -> int:
        member = self._kept.members.get(user)
        kept = ASSIGNED if member is not None and (project, task) in member.assigned else 0
        return what & ~kept & ~self._task_found((project, task, user))[0]

    def knows_shares(self, user: str, target: str) -> bool:
        return self._found is not None and (user, target) in self._found.shares

    # -- what is not ---------------------------------------------------------------------------------------------------

    def _task_found(self, key: tuple[str, str, str]) -> tuple[int, int]:
        return (0, 0) if self._found is None else self._found.tasks.get(key, (0, 0))

    def _load_member(self, user: str) -> MemberRecord | None:
        user = parse_id(user, "user")
        if self._found is not None and user in self._found.members:
            return self._found.members[user]
        old = self._kept.old_members.get(user)
        if old is not None:
            old.forget_assigned()  # it was counted for the generation that ends: a member who is asked about for ever would grow
            self._keep(Found(members={user: old}))
            return old
        return self._read(Wanted(members={user})).members[user]

    def _load_domain(self, address: str) -> DomainRecord | None:
        where = parse_domain(address)
        address = str(where)
        if address == _ORGANIZATION:
            return self._record
        if self._found is not None and address in self._found.domains:
            return self._found.domains[address]
        old = self._kept.old_domains.get(address)
        if old is not None:
            self._keep(Found(domains={address: old}))
            return old
        wanted = Wanted()
        wanted.add_domain(where.kind, where.id)
        return self._read(wanted).domains[address]

    def _read(self, needed: Wanted) -> Found:
        """Read what is needed now, and with it everything that the questions lack, of this view's version."""
        wanted = lacking(self, self._asked, self._cache.cells)
        wanted.add(needed)
        found = self._cache.read(self._kept.id, wanted)
        if found.version != self._version:
            raise RevisionChanged
        self._keep(found)
        if self._found is None:
            self._found = found
        else:
            self._found.add(found)
        return self._found

    def _keep(self, found: Found) -> None:
        """Keep records unless the cache was refreshed since they were read."""
        with self._kept.lock:
            if self._kept.target is not self._version:
                raise RevisionChanged
            weight = self._kept.keep(found)
        self._cache.charge(weight)


def _evict(kept: OrganizationCache, changes: list[Any]) -> None:
    """Drop every record that one of these changes concerns."""
    for kind, user, domain, before, after in changes:
        sides = [json.loads(side) for side in (before, after) if side is not None]
        if kind == "assignment":
            for side in sides:
                kept.drop_assigned(user, domain.partition(":")[2], side["task"])
            continue
        if user is not None:
            kept.drop_member(user)
        if kind == "owner":
            for side in sides:
                kept.drop_member(side["user"])
        elif kind == "workspace":
            kept.drop_domain(domain)
            if len(sides) == 2:
                kept.drop_projects_of(domain.partition(":")[2])
        elif kind == "project":
            kept.drop_domain(domain)
            homes = {side["workspace"] for side in sides}
            if len(sides) == 1 or len(homes) == 2:  # made, deleted or moved: a workspace knows whether it is empty
                for home in homes:
                    kept.drop_domain(f"workspace:{home}")
