"""Backing up and restoring a SQLite store that is in use, through SQLite's backup API; PostgreSQL has tools of its own.

A backup is one consistent file. A restore is one transaction of the store: programs that have it open see it as they see
any change. Copying or moving a file into the store's place does neither.
"""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine

from rbac.database import schema, sqlite, store_files, write_ahead_log
from rbac.database.engine import connected, file_of, is_sqlite, open_engine, place, translating
from rbac.database.integrity import damages
from rbac.database.store_files import BUSY
from rbac.errors import StoreError

_BETWEEN = 0.005  # seconds between two attempts to write into a store that is busy


def back_up(engine: Engine, target: Path) -> Path:
    """Write the store as it is now to a new file, which is returned; raises StoreError when there is one already."""
    if not is_sqlite(engine):
        raise StoreError(f"{place(engine)} is backed up by PostgreSQL's own tools, as a whole: pg_dump --format=custom --file={target}")
    schema.check(engine)
    with _new_file(target) as copy, connected(engine) as connection:
        _raw(connection).backup(copy)
        write_ahead_log.unstamp(copy)
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
    return target


def restore(engine: Engine, source: Path) -> str:
    """Make the store what a backup holds, in one transaction, and make the store if there is none; returns its new epoch.

    Raises StoreError for a file that is not a store of this program's schema, or is damaged.
    """
    if not is_sqlite(engine):
        raise StoreError(
            f"{place(engine)} is restored by PostgreSQL's own tools: pg_restore into an empty database, then `rbac db restored` on it"
        )
    path = file_of(engine)
    if path is None:
        raise StoreError("a store in memory cannot be restored into: name a file")
    if store_files.identity(source) == store_files.identity(path) is not None:
        raise StoreError(f"{source} is the store itself: name a backup of it")
    epoch = uuid.uuid4().hex
    with _working_copy(source, path) as copy:
        with translating(engine):
            store_files.create(path)
        with connected(engine) as connection:
            target = _raw(connection)
            _prepare(copy, target, epoch, os.stat(path).st_ino)
            copy.backup(target, sleep=_BETWEEN, progress=_until(time.monotonic() + BUSY, place(engine)))
            sqlite.ensure_kept(connection)
    schema.check(engine)
    return epoch


@contextmanager
def _working_copy(source: Path, beside: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a backup that was found whole, in a file beside the store that is gone afterwards."""
    backup = open_engine(f"sqlite:///{store_files.address(source, 'ro')}&uri=true")
    try:
        schema.check(backup)
        with connected(backup) as connection, _temporary(beside) as (_, copy):
            for damage in damages(connection):
                raise StoreError(f"{source} cannot be restored: {damage}")
            connection.rollback()
            _raw(connection).backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
            yield copy
    finally:
        backup.dispose()


def _prepare(copy: sqlite3.Connection, target: sqlite3.Connection, epoch: str, inode: int) -> None:
    """What becomes the store in one write: with its pages' size, a new epoch, and the stamp that follows the store's."""
    ((size,),), ((present,),) = (each.execute("PRAGMA page_size").fetchall() for each in (copy, target))
    if size != present:
        copy.execute(f"PRAGMA page_size = {present}")
        copy.execute("VACUUM")
    copy.execute("UPDATE rbac_store SET epoch = ?", (epoch,))
    write_ahead_log.stamp_after(copy, target, inode)


@contextmanager
def _new_file(target: Path) -> Iterator[sqlite3.Connection]:
    """A database that becomes a file of that name once it is whole; raises StoreError when there is one."""
    if os.path.lexists(target):
        raise StoreError(f"{target} is there already: name a file that is not")
    with _temporary(target) as (working, copy):
        yield copy
        copy.close()
        try:
            os.link(working, target)  # which replaces nothing
        except OSError as error:
            raise StoreError(f"cannot write {target}: {error.strerror}") from error


@contextmanager
def _temporary(beside: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """An empty database in a file of its own, gone afterwards."""
    if not os.path.isdir(beside.parent):
        raise StoreError(f"there is no directory {beside.parent}: make it first")
    working = beside.with_name(f".{beside.name[:40]}.{uuid.uuid4().hex}")
    try:
        with translating(), closing(store_files.connect_alone(working)) as copy:
            yield working, copy
    finally:
        working.unlink(missing_ok=True)


def _until(deadline: float, where: str) -> Callable[[int, int, int], None]:
    """Gives up on a store that others write to without a pause."""

    def progress(status: int, _: int, __: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise StoreError(f"{where} is busy with another change: try again")

    return progress


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
