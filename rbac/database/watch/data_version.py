"""Whether a SQLite file has changed: `PRAGMA data_version` on a connection that is used for nothing else.

SQLite promises two different values when another connection, of any process, committed a change in between. The value does
not move inside a transaction or while a result is half read, and means nothing on another connection: so each store has
one connection for it, each result is read to its end, and a new connection begins a new generation of marks.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Hashable
from typing import Any

from sqlalchemy import Engine

from rbac.database import after_fork, store_files
from rbac.database.after_fork import Stage
from rbac.database.failures import translated
from rbac.database.sqlite import address_of, file_of
from rbac.database.store_files import BUSY, Replaced, StoreConnection
from rbac.errors import StoreError

FILES_CHECKED = 0.25
"""Seconds between two checks that the path still names the file that was opened, with its log and its index."""


class DataVersion:
    """Takes marks of one SQLite file. Lives as long as its store; threads take turns, and each process opens its own connection."""

    def __init__(self, engine: Engine) -> None:
        path = file_of(engine)
        assert path is not None, "a memory has no data version that others could change"
        self._engine, self._path = engine, path
        self._lock = threading.Lock()
        self._connection: StoreConnection | None = None
        self._execute: Any = None
        self._generation = 0
        self._due = 0.0
        self._forking = False
        after_fork.register(
            self, Stage.WATCHES, before=DataVersion._before_fork, in_parent=DataVersion._in_parent, in_child=DataVersion._in_child
        )

    def mark(self, organization: str) -> Hashable:
        """The generation of the connection and its data version; raises StoreError when there is no file any more."""
        with self._lock:
            if time.monotonic() >= self._due:
                self._check()
            if self._execute is None:
                return object()  # the question that reads says what is wrong
            try:
                return self._generation, self._execute("PRAGMA data_version").fetchall()[0]
            except sqlite3.Error as error:
                raise translated(error, where=str(self._path)) from error

    def close(self) -> None:
        """Close the connection; the next mark opens another."""
        with self._lock:
            self._drop()

    def _check(self) -> None:
        """See that the connection's files are in their place; open a connection where there is none, or none any more."""
        if self._connection is not None:
            try:
                self._connection.ensure_in_place()
            except Replaced:
                self._drop()
        if not os.path.exists(self._path):
            raise StoreError(f"there is no store at {self._path} any more")
        if self._connection is None:
            self._open()
        self._due = time.monotonic() + FILES_CHECKED

    def _open(self) -> None:
        database, uri = address_of(self._engine)
        self._generation += 1
        try:
            connection = store_files.connect(database, uri=uri, timeout=BUSY, check_same_thread=False, isolation_level=None)
        except (sqlite3.Error, UnicodeDecodeError):
            return
        self._connection, self._execute = connection, connection.cursor().execute

    def _drop(self) -> None:
        connection, self._connection, self._execute, self._due = self._connection, None, None, 0.0
        if connection is not None:
            connection.close()

    def _before_fork(self, deadline: float) -> bool:
        self._forking = self._lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
        if self._forking:
            self._drop()
        return self._forking

    def _in_parent(self) -> None:
        if self._forking:
            self._forking = False
            self._lock.release()

    def _in_child(self) -> None:
        self._lock, self._forking = threading.Lock(), False
        self._connection, self._execute, self._due = None, None, 0.0
