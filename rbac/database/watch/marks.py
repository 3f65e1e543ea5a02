"""Marks: whether a store may have changed since the last look at it.

A mark is taken before facts are loaded and names them; equal marks mean that nothing was committed in between.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from sqlalchemy import Engine

from rbac.database.engine import is_sqlite
from rbac.database.sqlite import file_of
from rbac.database.watch.data_version import DataVersion
from rbac.database.watch.listener import MAX_STALENESS, POLL, Listener

Mark = Hashable
"""A moment of a store: equal to another mark only when nothing was committed between them."""


class Watch(Protocol):
    """Takes marks of one store."""

    def mark(self, organization: str) -> Mark:
        """The present moment of an organization, as far as it can be told without reading it."""

    def close(self) -> None:
        """Close what taking marks needs."""


def watch(engine: Engine, *, poll: float = POLL, max_staleness: float = MAX_STALENESS) -> Watch:
    """What takes marks of a store."""
    if not is_sqlite(engine):
        return Listener(engine, poll, max_staleness)
    return _Unmarked() if file_of(engine) is None else DataVersion(engine)


class _Unmarked:
    """SQLite in memory: nothing can be told without reading, so no mark equals another."""

    def mark(self, organization: str) -> Mark:
        return object()

    def close(self) -> None:
        """Nothing to close."""
