"""Records kept in memory while they are true, so that a decision costs no query.

Nothing is loaded when a store is opened. A member or a domain is read the first time it is asked about, with one
indexed query, and leaves when an audited change names it, or when the space is needed. Unknown names leave nothing.

Its one rule: what is handed out belongs to one revision. The mark of the store is taken first, the shelf is brought
up to it, every record read later must come from the shelf's revision, and `settle` is asked once all are gathered.
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
from rbac.snapshot.reader import ASSIGNED, Reads, Snapshot, Stand, gather
from rbac.snapshot.records import NOTHING_ELSE, Asked, Instant, MemberRecord, OrganizationRecord, Place, ProjectRecord, TaskRecord
from rbac.vocabulary import Kind, Permission, Request, Role

CAPACITY = 500_000
"""How many facts are kept unless a store is opened with another number: a member counts one and one a membership."""

FAR_BEHIND = 10_000
"""More changed facts than this empty a shelf instead of being looked at."""


_ORGANIZATION = str(Kind.ORGANIZATION)


class Moved(Exception):
    """The organization changed while a question gathered its records; ask again."""


class Shelf:
    """What is kept of one organization, all of one revision. Young records were used since the last turn, old ones before."""

    __slots__ = (
        "at", "floor", "lock", "mark", "members", "old_members", "old_places", "organization", "places", "record", "stand",
    )  # fmt: skip

    def __init__(self, organization: str) -> None:
        self.organization = organization
        self.lock = threading.Lock()
        self.mark: Mark = None
        self.stand: Stand | None = None  # of which every record is true
        self.at: Stand | None = None  # the same, or the one it is being brought up to
        self.floor = 0
        self.record: OrganizationRecord | None = None
        self.forget()

    def forget(self) -> None:
        """Let go of every record but the organization's own."""
        self.members: dict[str, MemberRecord] = {}
        self.places: dict[str, Place] = {}
        self.old_members: dict[str, MemberRecord] = {}
        self.old_places: dict[str, Place] = {}

    def turn(self) -> bool:
        """Let go of what was not used since the last turn; whether anything is left. One that is being brought up is left alone."""
        if not self.lock.acquire(blocking=False):
            return True
        try:
            self.old_members, self.members = self.members, {}
            self.old_places, self.places = self.places, {}
            return bool(self.old_members or self.old_places)
        finally:
            self.lock.release()

    def drop_member(self, user: str) -> None:
        """Let go of one member."""
        self.members.pop(user, None)
        self.old_members.pop(user, None)

    def drop_place(self, domain: str) -> None:
        """Let go of one domain."""
        self.places.pop(domain, None)
        self.old_places.pop(domain, None)

    def drop_places(self) -> None:
        """Let go of every domain."""
        self.places, self.old_places = {}, {}

    def bring_up(self, snapshot: Snapshot, mark: Mark) -> bool:
        """Make every record true of the snapshot, whose mark was taken before it; whether there is such an organization."""
        stand = snapshot.stand()
        if stand != self.stand:
            self.mark = None  # in this order: whoever gathers across these lines is told to start again
            self.at = stand
            self._follow(snapshot, stand)
            self.record = snapshot.organization()
            self.stand = stand
        self.mark = mark
        return stand is not None

    def _follow(self, snapshot: Snapshot, stand: Stand | None) -> None:
        """Let go of what is no longer so; of everything when the store has another history than the one we know."""
        changes = None
        if stand is not None and self.stand is not None and stand.epoch == self.stand.epoch:
            changes = snapshot.changed_since(self.stand, FAR_BEHIND + 1)
        if changes is None or len(changes) > FAR_BEHIND:
            self.forget()
            if changes is None and self.stand is not None:
                self.floor = 0  # a revision of another history means nothing in this one
        else:
            _evict(self, changes)


class Directory:
    """The shelves of a store; lives as long as it and may be shared between threads."""

    def __init__(self, engine: Engine, watch: Watch, reads: Reads, capacity: int = CAPACITY, patience: float = inf) -> None:
        self.engine = engine
        self.reads = reads
        self.assigned = frozenset(cell for cell, facts in reads.items() if not ASSIGNED.isdisjoint(facts))
        self.patience = patience  # seconds one look at the database may take
        self._watch = watch
        self._half = max(1, capacity // 2)
        self._used = 0
        self._shelves: dict[str, Shelf] = {}
        self._lock = threading.Lock()

    def view(self, organization: str, at_least: int = 0) -> View:
        """A source of records at one revision, not before `at_least` if the store has come that far."""
        mark = self._watch.mark(organization)
        shelf = self._shelves.get(organization)
        if shelf is not None:
            at = shelf.at  # before the mark: a shelf on its way to another stand has no mark
            if shelf.mark == mark and at is not None and at_least <= at[0] >= shelf.floor:  # its revision
                return View(self, shelf, at, shelf.record)
        return self._bring_up(organization, mark)

    def anew(self, organization: str) -> View:
        """A view brought up to the store as it is now: what memory holds may be of another life, at the same revision."""
        return self._bring_up(organization, self._watch.mark(organization))

    def wrote(self, organization: str, revision: int) -> None:
        """This process has committed a revision: nothing older is answered from, whatever the marks say."""
        with self._lock:
            shelf = self._shelves.get(organization)
            if shelf is None:
                shelf = self._shelves[organization] = Shelf(organization)
            shelf.floor = max(shelf.floor, revision)

    def abandon(self) -> None:
        """Start anew, without touching a lock that another thread may hold for ever: after a fork."""
        self._lock = threading.Lock()
        self._shelves = {}
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
            shelves = list(self._shelves.items())
        for name, shelf in shelves:
            if not shelf.turn():
                with self._lock:
                    if self._shelves.get(name) is shelf:
                        del self._shelves[name]

    @contextmanager
    def reading(self, organization: str) -> Iterator[Snapshot]:
        """One look at the database, which must not take longer than a node may be without news."""
        with waiting(self.engine, self.patience), reading(self.engine) as connection:
            yield Snapshot(connection, organization, self.reads)

    def _bring_up(self, organization: str, mark: Mark) -> View:
        """A view of an organization at the present revision. The shelf of an unknown one is not kept."""
        with self._lock:
            shelf = self._shelves.get(organization) or Shelf(organization)
        if not shelf.lock.acquire(blocking=False):
            if not shelf.lock.acquire(timeout=min(self.patience, threading.TIMEOUT_MAX)):
                raise StoreError(f"{place(self.engine)} took too long to answer: try again")
            mark = None  # whoever waited until another look failed may be stale by now
        try:
            mark = self._watch.mark(organization) if mark is None else mark
            with self.reading(organization) as snapshot:
                there = shelf.bring_up(snapshot, mark)
                view = View(self, shelf, shelf.at, shelf.record)  # while nobody else can bring it further
        finally:
            shelf.lock.release()
        if there:
            with self._lock:
                self._shelves.setdefault(organization, shelf)
        return view


class View(msgspec.Struct, gc=False):
    """One question's look at a shelf: a Source whose records all belong to one stand; lives for that question.

    A revision would not do: a restored backup reaches the same number with other facts. A struct, since one is made
    for every decision.
    """

    _directory: Directory
    _shelf: Shelf
    _at: Stand | None
    _record: OrganizationRecord | None

    @property
    def revision(self) -> int:
        """The revision it answers from; -1 where there is no organization."""
        return -1 if self._at is None else self._at.revision

    def organization(self) -> OrganizationRecord | None:
        return self._record

    def member(self, user: str) -> MemberRecord | None:
        found = self._shelf.members.get(user)
        return self._load_member(user) if found is None else found

    def place(self, domain: str) -> Place | None:
        found = self._shelf.places.get(domain)
        if found is None:
            return self._record if domain == _ORGANIZATION else self._load_place(domain)
        return found

    def asked(self, request: Request, permission: Permission, user: MemberRecord, place: Place, role: Role, now: Instant) -> Asked:
        if request.target is None and request.task is None and (role, permission) not in self._directory.assigned:
            return NOTHING_ELSE
        return gather(self, self._directory.reads[role, permission], request, user, place, now)

    def task(self, task: str, project: str, user: str) -> TaskRecord:
        with self._read() as snapshot:
            return snapshot.task(task, project, user)

    def assigned(self, user: MemberRecord, project: ProjectRecord) -> tuple[bool, bool]:
        found = user.assigned.get(project.id)
        if found is None:
            with self._read() as snapshot:
                found = snapshot.assigned(user, project)
            user.remember_assigned(project.id, found)
            self._directory.charge(1)
        return found

    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool:
        with self._read() as snapshot:
            return snapshot.shares(user, target, now)

    def settle(self) -> None:
        if self._shelf.at is not self._at:
            raise Moved

    def _load_member(self, user: str) -> MemberRecord | None:
        shelf = self._shelf
        found = shelf.old_members.get(user)
        if found is None:
            with self._directory.reading(shelf.organization) as snapshot:
                found = snapshot.member(user)
            if snapshot.seen != self._at:
                raise Moved
        if found is not None:
            self._keep(shelf.members, user, found, found.weight)
        return found

    def _load_place(self, domain: str) -> Place | None:
        shelf = self._shelf
        found = shelf.old_places.get(domain)
        if found is None:
            with self._directory.reading(shelf.organization) as snapshot:
                found = snapshot.place(domain)
            if snapshot.seen != self._at:
                raise Moved
        if found is not None:
            self._keep(shelf.places, domain, found, 1)
        return found

    def _keep(self, kept: dict[Any, Any], name: Any, record: Any, weight: int) -> None:
        """Keep a record unless the shelf has moved on since it was read."""
        with self._shelf.lock:
            if self._shelf.at is not self._at:
                raise Moved
            kept[name] = record
        self._directory.charge(weight)

    @contextmanager
    def _read(self) -> Iterator[Snapshot]:
        """A transaction at this view's revision."""
        with self._directory.reading(self._shelf.organization) as snapshot:
            if snapshot.stand() != self._at:
                raise Moved
            yield snapshot


def _evict(shelf: Shelf, changes: list[Any]) -> None:
    """Let go of every record that one of these changes names."""
    for kind, user, domain, before, after in changes:
        sides = [json.loads(side) for side in (before, after) if side is not None]
        if user is not None:
            shelf.drop_member(user)
        if kind == "owner":
            for side in sides:
                shelf.drop_member(side["user"])
        elif kind == "workspace":
            shelf.drop_places()  # its projects carry who created it
        elif kind == "project":
            shelf.drop_place(domain)
            for side in sides:
                shelf.drop_place(f"workspace:{side['workspace']}")  # which knows whether it is empty
