"""What the handles of an open store share: the engine, the policy ready to answer, the clock, the records in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, select

from rbac.clock import Clock
from rbac.database import after_fork, schema
from rbac.database import tables as t
from rbac.database.after_fork import Stage
from rbac.database.columns import comparable
from rbac.database.engine import reading, waiting
from rbac.database.watch.listener import MAX_STALENESS, POLL, Listener, ListenerState
from rbac.database.watch.marks import watch
from rbac.decisions.decider import Decider
from rbac.errors import StoreError, UnknownName
from rbac.names import quoted
from rbac.snapshot.cache import CAPACITY, CachedView, RecordCache
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.view import revision_of
from rbac.snapshot.wanted import Asked
from rbac.vocabulary import Revision

_SEAL = 16  # characters of the hash in a token


class OpenStore:
    """The shared parts of an open store; lives as long as it, and may be shared between threads and after a fork.

    Nothing is contacted before the first question, which checks once that the store exists, is ours, and is current.
    """

    def __init__(
        self,
        engine: Engine,
        decider: Decider,
        clock: Clock,
        capacity: int = CAPACITY,
        poll: float = POLL,
        max_staleness: float = MAX_STALENESS,
    ) -> None:
        self.engine = engine
        self.decider = decider
        self.clock = clock
        self._checked = False
        self._patience = max_staleness
        self._watch = watch(engine, poll=poll, max_staleness=max_staleness)
        self._cache = RecordCache(engine, self._watch, decider.cells, capacity, max_staleness)
        after_fork.register(self, Stage.CACHES, in_child=OpenStore.abandon)

    def ready(self) -> Engine:
        """The engine of a store that exists; raises StoreError otherwise."""
        if not self._checked:
            schema.check(self.engine)
            self._checked = True
        return self.engine

    def view(self, organization: str, at_least: int | str = 0, asked: Asked = None) -> CachedView:
        """A view of the present revision, from memory while nothing has changed; raises StoreError where it is before `at_least`."""
        if not self._checked:
            with waiting(self.engine, self._patience):
                self.ready()
        if type(at_least) is int or type(at_least) is Revision:
            view = self._cache.view(organization, at_least, asked)
        else:
            at_least = self._same_history(organization, at_least)
            view = self._cache.refreshed(organization, asked)
        if at_least and view.revision < at_least:
            raise _not_reached(organization, at_least, view.revision)
        return view

    @contextmanager
    def snapshot(self, organization: str, at_least: int | str = 0, asked: Asked = None) -> Iterator[Snapshot]:
        """The present revision in one read transaction; raises StoreError where it is before `at_least`."""
        wanted = at_least if type(at_least) is int or type(at_least) is Revision else self._same_history(organization, at_least)
        with waiting(self.engine, self._patience), self.reading() as connection:
            view = Snapshot(connection, organization, self.decider.cells, asked)
            if wanted and revision_of(view) < wanted:
                raise _not_reached(organization, wanted, revision_of(view))
            yield view

    def token(self, organization: str, revision: int) -> str:
        """A revision with the hash that seals it; raises StoreError when it has not been reached."""
        with waiting(self.engine, self._patience), self.reading() as connection:
            query = select(t.audit.c.hash).where(t.audit.c.organization == organization, t.audit.c.revision == comparable(revision))
            found = connection.execute(query).scalar_one_or_none()
        if found is None:
            raise StoreError(f"revision {revision} of {organization} has not been reached")
        return f"{revision}@{found[:_SEAL]}"

    def _same_history(self, organization: str, token: object) -> int:
        """The revision of a token; raises StoreError when this store's history has another one in its place."""
        text = token if isinstance(token, str) else ""
        revision, at, seal = text.partition("@")
        if not (revision.isascii() and revision.isdecimal() and len(revision) < 19 and at and len(seal) == _SEAL):
            raise UnknownName(f"{quoted(token)} is not a revision: write a number, or what `token` returned")
        if self.token(organization, int(revision)) != text:
            raise StoreError(f"revision {text} of {organization} was issued before a backup was restored: it is not in this history")
        return int(revision)

    def listener(self, timeout: float = 0.0) -> ListenerState | None:
        """How this node learns of changes, None on SQLite; with `timeout` it starts to listen first and waits at most so many seconds."""
        return self._watch.state(timeout) if isinstance(self._watch, Listener) else None

    def wrote(self, organization: str, revision: int) -> None:
        """This process has committed a revision: its next answer is not from before."""
        self._cache.wrote(organization, revision)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in one read transaction."""
        with reading(self.ready()) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection and drop every record."""
        self._watch.close()
        self._cache.abandon()
        self.engine.dispose()

    def abandon(self) -> None:
        """In a child after a fork: keep nothing of the parent's."""
        self._cache.abandon()


def open_store_of(handle: Any) -> OpenStore:
    """What a Store or an Organization is a handle on: for this package and its tests, not for applications."""
    opened: OpenStore = handle._store
    return opened


def _not_reached(organization: str, wanted: int, present: int) -> StoreError:
    return StoreError(f"revision {wanted} of {organization} has not been reached: this store is at {max(present, 0)}")
