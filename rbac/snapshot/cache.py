"""Records kept in memory while they are true, so that a decision costs no query.

Nothing is loaded when a store is opened. A member or a domain is read the first time it is asked about, with one
indexed query, and is evicted when an audited change names it, or when the space is needed. Unknown names are not kept.

Every view belongs to one version of its organization: the mark of the store is taken first, the organization's cache is
refreshed if the mark moved, every record read later must come from the same version, and `ensure_unchanged` is called
once all records of a question are gathered.
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

from rbac.database.engine import place, reading, waiting
from rbac.database.watch.wal_index import Mark, Watch
from rbac.errors import StoreError
from rbac.names import parse_domain, parse_id
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
)
from rbac.snapshot.view import ASSIGNED, Reads, RevisionChanged, Version, load_request_records
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

    def drop_domain(self, address: str) -> None:
        """Drop one domain."""
        self.domains.pop(address, None)
        self.old_domains.pop(address, None)

    def drop_domains(self) -> None:
        """Drop every domain."""
        self.domains, self.old_domains = {}, {}

    def refresh(self, snapshot: Snapshot, mark: Mark) -> bool:
        """Make every record true of the snapshot, whose mark was taken before it; whether there is such an organization."""
        version = snapshot.present_version()
        if version != self.version:
            self.mark = None  # in this order: whoever gathers records across these lines is told to start again
            self.target = version
            self._evict_changed(snapshot, version)
            self.record = snapshot.organization()
            self.version = version
        self.mark = mark
        return version is not None

    def _evict_changed(self, snapshot: Snapshot, version: Version | None) -> None:
        """Drop what is no longer true; everything when the store's history does not contain the version we know."""
        changes = None
        if version is not None and self.version is not None and version.epoch == self.version.epoch:
            changes = snapshot.changed_since(self.version, FAR_BEHIND + 1)
        if changes is None or len(changes) > FAR_BEHIND:
            self.clear()
            if changes is None and self.version is not None:
                self.floor = 0  # a revision of another history means nothing in this one
        else:
            _evict(self, changes)


class RecordCache:
    """The caches of the organizations of a store; lives as long as it and may be shared between threads.

    `patience` is how many seconds one read of the database may take.
    """

    def __init__(self, engine: Engine, watch: Watch, reads: Reads, capacity: int = CAPACITY, patience: float = inf) -> None:
        self.engine = engine
        self.reads = reads
        self.assigned = frozenset(cell for cell, facts in reads.items() if not ASSIGNED.isdisjoint(facts))
        self.patience = patience
        self._watch = watch
        self._half = max(1, capacity // 2)
        self._used = 0
        self._organizations: dict[str, OrganizationCache] = {}
        self._lock = threading.Lock()

    def view(self, organization: str, at_least: int = 0) -> CachedView:
        """A view of one revision, not before `at_least` if the store has come that far."""
        mark = self._watch.mark(organization)
        kept = self._organizations.get(organization)
        if kept is not None:
            target = kept.target  # before the mark: one that is being refreshed has no mark
            if kept.mark == mark and target is not None and at_least <= target[0] >= kept.floor:  # its revision
                return CachedView(self, kept, target, kept.record)
        return self._refreshed(organization, mark)

    def refreshed(self, organization: str) -> CachedView:
        """A view of the store as it is now: a restored backup can have the same revision with other facts."""
        return self._refreshed(organization, self._watch.mark(organization))

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

    @contextmanager
    def reading(self, organization: str) -> Iterator[Snapshot]:
        """One read transaction, which must not take longer than a node may go without news."""
        with waiting(self.engine, self.patience), reading(self.engine) as connection:
            yield Snapshot(connection, organization, self.reads)

    def _refreshed(self, organization: str, mark: Mark) -> CachedView:
        """A view of an organization at the present revision. Nothing is kept of an unknown one."""
        with self._lock:
            kept = self._organizations.get(organization) or OrganizationCache(organization)
        if not kept.lock.acquire(blocking=False):
            if not kept.lock.acquire(timeout=min(self.patience, threading.TIMEOUT_MAX)):
                raise StoreError(f"{place(self.engine)} took too long to answer: try again")
            mark = None  # whoever waited until another read failed may be stale by now
        try:
            mark = self._watch.mark(organization) if mark is None else mark
            with self.reading(organization) as snapshot:
                exists = kept.refresh(snapshot, mark)
                view = CachedView(self, kept, kept.target, kept.record)  # while nobody else can refresh it further
        finally:
            kept.lock.release()
        if exists:
            with self._lock:
                self._organizations.setdefault(organization, kept)
        return view


class CachedView(msgspec.Struct, gc=False):
    """A View over an organization's cache, all of whose records belong to one version; lives for one question.

    A revision would not do: a restored backup reaches the same number with other facts. A struct, since one is made
    for every decision.
    """

    _cache: RecordCache
    _kept: OrganizationCache
    _version: Version | None
    _record: OrganizationRecord | None

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
        if request.target is None and request.task is None and (role, permission) not in self._cache.assigned:
            return NO_REQUEST_RECORDS
        return load_request_records(self, self._cache.reads[role, permission], request, user, domain, now)

    def task(self, task: str, project: str, user: str) -> TaskRecord:
        with self._read() as snapshot:
            return snapshot.task(task, project, user)

    def assigned(self, user: MemberRecord, project: ProjectRecord) -> tuple[bool, bool]:
        found = user.assigned.get(project.id)
        if found is None:
            with self._read() as snapshot:
                found = snapshot.assigned(user, project)
            user.remember_assigned(project.id, found)
            self._cache.charge(1)
        return found

    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool:
        with self._read() as snapshot:
            return snapshot.shares(user, target, now)

    def ensure_unchanged(self) -> None:
        if self._kept.target is not self._version:
            raise RevisionChanged

    def _load_member(self, user: str) -> MemberRecord | None:
        user = parse_id(user, "user")
        found = self._kept.old_members.get(user)
        if found is None:
            with self._cache.reading(self._kept.id) as snapshot:
                found = snapshot.member(user)
            if snapshot.version != self._version:
                raise RevisionChanged
        else:
            found.forget_assigned()  # it was counted for the generation that ends: a member who is asked about for ever would grow
        if found is not None:
            self._keep(self._kept.members, found.user, found, found.weight)
        return found

    def _load_domain(self, address: str) -> DomainRecord | None:
        address = str(parse_domain(address))
        if address == _ORGANIZATION:
            return self._record
        found = self._kept.old_domains.get(address)
        if found is None:
            with self._cache.reading(self._kept.id) as snapshot:
                found = snapshot.domain(address)
            if snapshot.version != self._version:
                raise RevisionChanged
        if found is not None:
            self._keep(self._kept.domains, str(found.domain), found, 1)
        return found

    def _keep(self, kept: dict[Any, Any], name: str, record: Any, weight: int) -> None:
        """Keep a record, under its own name and not under what it was asked by, unless the cache was refreshed since it was read."""
        with self._kept.lock:
            if self._kept.target is not self._version:
                raise RevisionChanged
            kept[name] = record
        self._cache.charge(weight)

    @contextmanager
    def _read(self) -> Iterator[Snapshot]:
        """A read transaction at this view's version."""
        with self._cache.reading(self._kept.id) as snapshot:
            if snapshot.present_version() != self._version:
                raise RevisionChanged
            yield snapshot


def _evict(kept: OrganizationCache, changes: list[Any]) -> None:
    """Drop every record that one of these changes names."""
    for kind, user, domain, before, after in changes:
        sides = [json.loads(side) for side in (before, after) if side is not None]
        if user is not None:
            kept.drop_member(user)
        if kind == "owner":
            for side in sides:
                kept.drop_member(side["user"])
        elif kind == "workspace":
            kept.drop_domains()  # its projects carry who created it
        elif kind == "project":
            kept.drop_domain(domain)
            for side in sides:
                kept.drop_domain(f"workspace:{side['workspace']}")  # which knows whether it is empty
