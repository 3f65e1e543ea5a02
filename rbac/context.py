"""What an organization handle holds on to: the engine, the policy ready to answer, the clock, the directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from rbac.clock import Clock
from rbac.database import schema
from rbac.database.engine import reading
from rbac.deciding import Decider
from rbac.directory import Snapshot
from rbac.errors import StoreError
from rbac.questions import Source, revision_of


class Context:
    """The shared parts of an open store; lives as long as it, and may be shared between threads.

    Nothing is contacted before the first question, which looks once whether the store is there, ours, and current.
    """

    def __init__(self, engine: Engine, decider: Decider, clock: Clock) -> None:
        self.engine = engine
        self.decider = decider
        self.clock = clock
        self._checked = False

    def ready(self) -> Engine:
        """The engine of a store that is there; raises StoreError otherwise."""
        if not self._checked:
            schema.check(self.engine)
            self._checked = True
        return self.engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in one read snapshot."""
        with reading(self.ready()) as connection:
            yield connection

    @contextmanager
    def source(self, organization: str, at_least: int = 0) -> Iterator[Source]:
        """Records of one organization at one revision, not before `at_least`."""
        with self.reading() as connection:
            source = Snapshot(connection, organization, self.decider.policy.reads)
            if at_least and revision_of(source) < at_least:
                raise StoreError(f"revision {at_least} of {organization} has not been reached: this store is at {revision_of(source)}")
            yield source
