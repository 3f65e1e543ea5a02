"""Whether a store may have changed since we last looked, for less than a query. PostgreSQL: see listener.py. SQLite:

`PRAGMA data_version` answers that on SQLite, at about 4 us a call: two locks and a look into the WAL index. The look is
what tells. SQLite keeps the header of the WAL index twice in the first 96 bytes of the `-shm` file, rewrites it at each
commit of any process after the commit is on the disk, and itself takes its own page cache for valid exactly while those
bytes are the same. So we map the file and compare the bytes: 0.1 us, no lock, no connection a thread.

Its one rule: a mark is taken before facts are loaded and names them; equal marks mean that nothing was committed between.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Hashable
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from sqlalchemy import Engine

from rbac.database.engine import file_of, is_sqlite
from rbac.database.sqlite import BUSY, deleted, identity, index_of
from rbac.database.watch.listener import MAX_STALENESS, POLL, Listener
from rbac.errors import StoreError

HEADER = 96
"""Both copies of the WAL index header: a commit in the middle of being published changes one first, then the other."""

SAME_FILE = 0.25
"""Seconds between two looks at whether the path still names the file that was opened: a backup moved over it."""

Mark = Hashable
"""A moment of a store: equal to another mark only when nothing was committed between them."""


class Watch(Protocol):
    """Takes marks of one store."""

    def mark(self, organization: str) -> Mark:
        """The present moment of an organization, as far as it can be told without a query."""

    def close(self) -> None:
        """Let go of what taking marks needs."""


def watch(engine: Engine, *, poll: float = POLL, max_staleness: float = MAX_STALENESS) -> Watch:
    """What takes marks of a store."""
    if not is_sqlite(engine):
        return Listener(engine, poll, max_staleness)
    path = file_of(engine)
    return _Unmarked() if path is None else _File(path)


class _Unmarked:
    """SQLite in memory, and SQLite's own `file:` addresses: nothing can be told without a query, so no mark equals another."""

    def mark(self, organization: str) -> Mark:
        return object()

    def close(self) -> None:
        """Nothing to close."""


class _File:
    """One SQLite file; keeps one idle connection open, without which SQLite would delete the WAL index.

    Lives as long as its store, in one process: a child after a fork opens its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._due = 0.0
        self._index: mmap.mmap | None = None
        self._anchor: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._mapped: tuple[int, int] | None = None
        self._generation = 0
        _files.add(self)

    def mark(self, organization: str) -> Mark:
        if time.monotonic() >= self._due:
            self._look_again()
        index = self._index
        return index[:HEADER] if index is not None else self._data_version()

    def close(self) -> None:
        with self._lock:
            anchor, self._anchor, self._index, self._file, self._due = self._anchor, None, None, None, 0.0
            if anchor is not None:
                anchor.close()

    def abandon(self) -> None:
        """After a fork: the parent's lock does not hold for the child, so neither its map nor its connection is used."""
        self._lock = threading.Lock()
        if self._anchor is not None:
            _parents.append(self._anchor)
        self._index = self._anchor = self._file = None
        self._due = 0.0

    def _look_again(self) -> None:
        with self._lock:
            try:
                found = os.stat(self._path)
            except OSError as error:
                self._index = self._anchor = self._file = None
                raise StoreError(f"there is no store at {self._path} any more: {error.strerror}") from error
            if (found.st_dev, found.st_ino) != self._file:
                self._open((found.st_dev, found.st_ino))
            elif self._index is not None and identity(index_of(self._path)) != self._mapped:
                raise StoreError(deleted(self._path))
            self._due = time.monotonic() + SAME_FILE

    def _open(self, file: tuple[int, int]) -> None:
        self._index = None
        self._generation += 1
        self._anchor = self._file = None
        try:
            anchor = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=rw", uri=True, timeout=BUSY, check_same_thread=False, isolation_level=None
            )
            anchor.execute("SELECT count(*) FROM sqlite_master").fetchall()  # opens the WAL index
            ((journal,),) = anchor.execute("PRAGMA journal_mode").fetchall()
        except (sqlite3.Error, UnicodeDecodeError):
            return  # no mark equals another then, and the question that reads will say what is wrong
        self._mapped = identity(index_of(self._path))
        self._index = _map(index_of(self._path)) if journal == "wal" else None
        self._anchor, self._file = anchor, file

    def _data_version(self) -> Mark:
        """What SQLite offers where there is no WAL index to look at: one connection, used for nothing else, fetched to its end."""
        with self._lock:
            if self._anchor is None:
                return object()
            ((version,),) = self._anchor.execute("PRAGMA data_version").fetchall()
            return self._generation, version


_files: weakref.WeakSet[_File] = weakref.WeakSet()
_parents: list[sqlite3.Connection] = []
_maps: dict[tuple[int, int], tuple[int, mmap.mmap]] = {}
_maps_lock = threading.Lock()


def _map(path: Path) -> mmap.mmap | None:
    """The start of a WAL index, read only; None where it cannot be mapped.

    Its descriptor is never closed while the file has a name: closing any descriptor of a file drops every lock that
    this process holds on it, SQLite's included. One that was deleted is nobody's any more.
    """
    with _maps_lock:
        for other, (kept, _) in list(_maps.items()):
            if os.fstat(kept).st_nlink == 0:
                os.close(_maps.pop(other)[0])
        try:
            found = os.stat(path)
            key = (found.st_dev, found.st_ino)
            if key not in _maps:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                _maps[key] = descriptor, mmap.mmap(descriptor, HEADER, access=mmap.ACCESS_READ)
        except (OSError, ValueError, AttributeError):
            return None
        return _maps[key][1]


def _after_fork() -> None:
    global _maps_lock
    _maps_lock = threading.Lock()  # another thread of the parent may have held it
    for file in _files:
        file.abandon()
    _maps.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
