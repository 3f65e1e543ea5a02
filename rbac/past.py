"""One organization as it was: its audit, replayed into tables in memory, asked by the code that asks the present.

The tables are those of every store, with every key and check, so no question has a second implementation, and an audit
that leads to an impossible state is refused instead of answered from. Nothing here can be changed.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, insert

from rbac.clock import parse_instant, write_instant
from rbac.database import tables as t
from rbac.database.audit.log import Entry, entry_at
from rbac.database.audit.replay import State, as_facts, replay
from rbac.database.changes import copy_all
from rbac.database.engine import changing, open_engine, reading
from rbac.database.stored_facts import ORDER, Fact, FactName
from rbac.database.task_facts import task_facts_at
from rbac.decisions.decider import Decider
from rbac.errors import Refused, StoreError, UnknownName
from rbac.open_store import OpenStore
from rbac.queries import Queries
from rbac.snapshot.cache import CachedView, RecordCache
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.records import Instant
from rbac.snapshot.wanted import Asked
from rbac.vocabulary import Revision

_OWNER = FactName("owner", "organization", "", "")


class Past(Queries):
    """An organization at one `revision`, judged at the instant `at`; 0 is before it was founded, and every answer is no.

    Holds every fact of then in memory until it is forgotten; may be shared between threads.
    """

    __slots__ = ("__weakref__", "_store", "at", "id", "revision")

    def __init__(self, decider: Decider, organization: str, state: State, tasks: Iterable[Fact], revision: int, at: Instant) -> None:
        self.id, self.revision, self.at = organization, revision, at
        self._store: PastStore = PastStore(decider, organization, state, tasks, revision, at)

    @property
    def owner(self) -> str | None:
        """The Owner of then; None before there was an organization."""
        found = self._store.view(self.id).organization()
        return None if found is None else found.owner


class PastStore:
    """The tables of one revision in memory, and the records read from them; lives as long as the Past it belongs to."""

    def __init__(self, decider: Decider, organization: str, state: State, tasks: Iterable[Fact], revision: int, at: Instant) -> None:
        self.decider = decider
        self._revision, self._at = revision, at
        self._engine = open_engine("sqlite://")
        weakref.finalize(self, self._engine.dispose)
        t.metadata.create_all(self._engine)
        with changing(self._engine) as connection:
            _fill(connection, organization, state, tasks, revision, at)
        self._cache = RecordCache(self._engine, _Unchanging(), decider.cells)

    def clock(self) -> Instant:
        """The instant that questions are judged at."""
        return self._at

    def view(self, organization: str, at_least: int | str = 0, asked: Asked = None) -> CachedView:
        """A view of the one revision; raises UnknownName for an `at_least` that is after it, or a token."""
        self._ensure_reached(at_least)
        return self._cache.view(organization, 0, asked)

    @contextmanager
    def snapshot(self, organization: str, at_least: int | str = 0, asked: Asked = None) -> Iterator[Snapshot]:
        """The same in a read transaction."""
        self._ensure_reached(at_least)
        with self._cache.reading(organization, asked) as snapshot:
            yield snapshot

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in one read transaction."""
        with reading(self._engine) as connection:
            yield connection

    def _ensure_reached(self, at_least: int | str) -> None:
        if type(at_least) is not int and type(at_least) is not Revision:
            raise UnknownName("the past is asked at its own revision: at_least is a number there and not a token")
        if at_least > self._revision:
            raise UnknownName(f"revision {self._revision} is asked about, and at_least is {at_least}")


class _Unchanging:
    """The mark of tables that nobody changes."""

    def mark(self, organization: str) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""


def as_of(store: OpenStore, organization: str, moment: int | str | datetime) -> Past:
    """The organization at a revision (a number) or an instant (text with a zone, or an aware datetime).

    A revision is judged at the instant it was made, an instant has the newest revision made up to it. Costs one walk
    over the audit up to there.
    """
    with store.reading() as connection:
        entry, at = _entry_at(connection, organization, moment, store.clock())
        revision = 0 if entry is None else entry.revision
        try:
            state, tasks = replay(connection, organization, upto=revision), task_facts_at(connection, organization, at)
            return Past(store.decider, organization, state, tasks, revision, at)
        except (Refused, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"the audit of {organization} leads to no state that can be: `rbac audit --verify` says where") from error


def _entry_at(connection: Connection, organization: str, moment: int | str | datetime, now: Instant) -> tuple[Entry | None, Instant]:
    """The revision that a moment is about, None before the first, and the instant to judge it at."""
    if isinstance(moment, int):
        found = entry_at(connection, organization, revision=moment) if 0 < moment < 2**63 else None
        if found is None:
            raise UnknownName(f"{organization} has no revision {moment}")
        return found, found.at
    at = parse_instant(moment)
    if at > now:
        raise UnknownName(f"{write_instant(at)} is in the future: nobody knows what is so then")
    return entry_at(connection, organization, at=at), at


def _fill(connection: Connection, organization: str, state: State, tasks: Iterable[Fact], revision: int, at: Instant) -> None:
    """Every fact of a state and of its tasks, into tables that are empty; a task that is assigned is there whatever its stamp says."""
    if _OWNER not in state.facts:
        return
    facts = list(as_facts(state))
    projects = {fact.domain for fact in facts if fact.kind == "project"}
    assigned = (Fact("task", None, fact.domain, {"task": fact.value["task"]}) for fact in facts if fact.kind == "assignment")
    there = {fact.key: fact for fact in (*assigned, *tasks) if fact.domain in projects}
    facts = sorted([*facts, *there.values()], key=lambda fact: ORDER[fact.kind, fact.domain.partition(":")[0]])
    switches = {name: value for fact in facts if fact.kind == "settings" for name, value in fact.value.items()}
    owner = state.value(_OWNER)["user"]
    row = {"id": organization, "owner": owner, "owner_state": "active", "revision": revision, "head": "0" * 64}
    connection.execute(insert(t.organization), row | t.SETTINGS | switches)
    copy_all(connection, organization, (fact for fact in facts if fact.kind != "settings"), at)
