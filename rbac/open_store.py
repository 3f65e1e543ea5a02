"""What an organization handle holds on to: the engine, the policy ready to answer, the clock, the directory."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, select

from rbac.clock import Clock
from rbac.database import schema
from rbac.database import tables as t
from rbac.database.columns import comparable
from rbac.database.engine import reading, waiting
from rbac.database.watch.listener import MAX_STALENESS, POLL, Bus, Following
from rbac.database.watch.wal_index import watch
from rbac.decisions.decider import Decider
from rbac.decisions.evaluate import revision_of
from rbac.errors import StoreError, UnknownName
from rbac.snapshot.cache import CAPACITY, Directory, Moved
from rbac.snapshot.reader import Snapshot, Source
from rbac.vocabulary import Revision

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")

_TRIES = 4
_SEAL = 16  # characters of the hash in a token


class Context:
    """The shared parts of an open store; lives as long as it, and may be shared between threads and after a fork.

    Nothing is contacted before the first question, which looks once whether the store is there, ours, and current.
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
        self._directory = None if self._watch is None else Directory(engine, self._watch, decider.policy.reads, capacity, max_staleness)
        _contexts.add(self)

    def ready(self) -> Engine:
        """The engine of a store that is there; raises StoreError otherwise."""
        if not self._checked:
            schema.check(self.engine)
            self._checked = True
        return self.engine

    def ask(
        self,
        organization: str,
        question: Callable[[Decider, Source, str, _Asked, int], _Answer],
        asked: _Asked,
        at_least: int | str = 0,
    ) -> _Answer:
        """The answer to a question over records of one revision, not before `at_least`.

        From memory while nothing has changed. Where the organization keeps changing under the question, or nothing is
        kept, from one read transaction.
        """
        if not self._checked:
            with waiting(self.engine, self._patience):
                self.ready()
        sealed = False
        if type(at_least) is not int and type(at_least) is not Revision:
            at_least, sealed = self._same_history(organization, str(at_least)), True
        if self._directory is not None:
            for _ in range(_TRIES):
                view = self._directory.anew(organization) if sealed else self._directory.view(organization, at_least)
                if at_least and view.revision < at_least:
                    break
                try:
                    return question(self.decider, view, organization, asked, self.clock())
                except Moved:
                    continue
        with waiting(self.engine, self._patience), self.reading() as connection:
            source = Snapshot(connection, organization, self.decider.policy.reads)
            if at_least and revision_of(source) < at_least:
                raise StoreError(f"revision {at_least} of {organization} has not been reached: this store is at {revision_of(source)}")
            return question(self.decider, source, organization, asked, self.clock())

    def token(self, organization: str, revision: int) -> str:
        """A revision with the hash that seals it; raises StoreError when it has not been reached."""
        with waiting(self.engine, self._patience), self.reading() as connection:
            query = select(t.audit.c.hash).where(t.audit.c.organization == organization, t.audit.c.revision == comparable(revision))
            found = connection.execute(query).scalar_one_or_none()
        if found is None:
            raise StoreError(f"revision {revision} of {organization} has not been reached")
        return f"{revision}@{found[:_SEAL]}"

    def _same_history(self, organization: str, token: str) -> int:
        """The revision of a token; raises StoreError when this store's history has another one at that place."""
        revision, at, seal = token.partition("@")
        if not (revision.isascii() and revision.isdecimal() and len(revision) < 19 and at and len(seal) == _SEAL):
            raise UnknownName(f"{token!r} is no revision: write a number, or what `token` gave")
        if self.token(organization, int(revision)) != token:
            raise StoreError(f"revision {token} of {organization} belongs to another life of this store: a backup was restored since")
        return int(revision)

    def bus(self, patience: float = 0.0) -> Bus | None:
        """How this node hears of changes, None on SQLite, which is looked at; with `patience` it starts to listen first."""
        return self._watch.bus(patience) if isinstance(self._watch, Following) else None

    def wrote(self, organization: str, revision: int) -> None:
        """This process has committed a revision: its next answer is not from before."""
        if self._directory is not None:
            self._directory.wrote(organization, revision)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in one read snapshot."""
        with reading(self.ready()) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection and forget every record."""
        if self._watch is not None:
            self._watch.close()
        if self._directory is not None:
            self._directory.abandon()
        self.engine.dispose()

    def abandon(self) -> None:
        """In a child after a fork: keep nothing of the parent's."""
        if self._directory is not None:
            self._directory.abandon()


_contexts: weakref.WeakSet[Context] = weakref.WeakSet()


def _after_fork() -> None:
    for context in _contexts:
        context.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
