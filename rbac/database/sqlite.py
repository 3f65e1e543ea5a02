"""SQLite as a store needs it: one file, a writer at a time, every commit on the disk before it is acknowledged."""

from __future__ import annotations

import os
import random
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DisconnectionError

from rbac.database import store_files, write_ahead_log
from rbac.database.store_files import BUSY, Replaced, StoreConnection
from rbac.errors import StoreError

_SHARED_MEMORY = (3, 36)  # SQLite's version from which several connections can share a memory and wait for each other

_databases: WeakKeyDictionary[Engine, str] = WeakKeyDictionary()
"""The `file:` address that connections of an engine open; the path in it is absolute, whatever directory the process changes to."""


def make_engine(address: URL) -> Engine:
    """An engine for a file that is opened when it is needed, for SQLite's own `file:` address, or for a memory of its own."""
    path = address.database
    if address.query and not (path or "").startswith("file:"):  # they would be ignored, `mode=ro` too
        raise StoreError("sqlite:///FILE takes no options: sqlite:///file:FILE?mode=ro&uri=true does")
    if not path or path == ":memory:":
        return _memory_engine(address)
    if "\0" in unquote(path):
        raise StoreError("the name of a file has no null character")
    if path.startswith("file:"):
        options = "&".join(f"{key}={value}" for key, value in address.query.items() if key != "uri")
        database = f"{path}?{options}" if options else path
        if store_files.path_of(database, True) is None:
            raise StoreError("a file: address in memory is another memory for every connection: write sqlite://")
    else:
        _check_folder(Path(path))
        database = store_files.address(Path(path), "rw")  # SQLite makes an empty file of one that is not there
    return _kept_in(database, create_engine(address, pool_size=16, max_overflow=-1, creator=lambda: _opened(database)))


def file_of(engine: Engine) -> Path | None:
    """The file of an engine, by its absolute path; None for a memory."""
    return store_files.path_of(*address_of(engine))


def address_of(engine: Engine) -> tuple[str, bool]:
    """What to open for a connection of the same kind as the engine's: a name or a `file:` address, and whether it is the second."""
    database = _databases.get(engine)
    if database is not None:
        return database, True
    arguments, named = engine.dialect.create_connect_args(engine.url)
    return arguments[0], bool(named.get("uri"))


def _memory_engine(address: URL) -> Engine:
    """A memory of its own, which lives as long as the engine; a connection belongs to one thread at a time, as with a file."""
    if sqlite3.sqlite_version_info < _SHARED_MEMORY:
        alone: Any = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": BUSY}
        return create_engine(address, creator=lambda: _opened(":memory:"), **alone)
    name = f"file:/rbac-{uuid.uuid4().hex}?vfs=memdb"

    def connect(_kept: StoreConnection = _opened(name)) -> StoreConnection:  # noqa: B008  # lives as long as the engine
        return _opened(name)

    return _kept_in(name, create_engine(address, creator=connect, poolclass=QueuePool, pool_size=16, max_overflow=-1))


def _kept_in(database: str, engine: Engine) -> Engine:
    _databases[engine] = database
    return engine


def _opened(database: str) -> StoreConnection:
    return store_files.connect(database, uri=True, timeout=BUSY, check_same_thread=False, isolation_level=None)


def is_replaceable(engine: Engine) -> bool:
    """Whether an engine can do with new connections: one for a memory of the application's cannot."""
    return engine in _databases or engine.dialect.name != "sqlite" or file_of(engine) is not None


def _check_folder(path: Path) -> None:
    if os.path.isdir(path):  # path.is_dir() raises for a name that is too long
        raise StoreError(f"{path} is a directory: name a file in it")
    if not os.path.isdir(path.parent):
        raise StoreError(f"there is no directory {path.parent}: make it first")


def listen(engine: Engine) -> None:
    """Set up and check every connection of an engine from now on."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)
    event.listen(engine, "checkout", _check_out)
    event.listen(engine, "checkin", _check_in)


def _connect(_: object, __: object, arguments: Any, named: Any) -> StoreConnection:
    """For an engine of the application that has no `creator`: its connections are opened and closed as ours are."""
    return store_files.connect(*arguments, **named)


def set_up(connection: sqlite3.Connection, record: Any) -> None:
    """No BEGIN by the driver, foreign keys held, and a commit on the disk before it is acknowledged."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    if not isinstance(connection, StoreConnection):  # of an engine with a creator of its own: all we can do is to look at its name
        where = connection.execute("PRAGMA database_list").fetchone()[2]
        record.info["file"] = (where, store_files.identity(where)) if where else None


def _check_out(connection: sqlite3.Connection, record: Any, _: object) -> None:
    if not isinstance(connection, StoreConnection):
        if (named := record.info.get("file")) is not None and store_files.identity(named[0]) != named[1]:
            raise DisconnectionError
        return
    try:
        connection.ensure_in_place()
    except Replaced:
        raise DisconnectionError from None
    connection.in_use = True


def _check_in(connection: sqlite3.Connection | None, _: object) -> None:
    if isinstance(connection, StoreConnection):
        connection.in_use = False
        if connection.file is not None:
            connection.file.note_names()


def stamp(connection: Connection) -> None:
    """Begin a change: what the log will hold of it names the file it is for."""
    raw = connection.connection.driver_connection
    if isinstance(raw, StoreConnection) and raw.file is not None:
        write_ahead_log.stamp(raw, raw.file.identity[1])


def ensure_kept(connection: Connection) -> None:
    """End a change: it is acknowledged only if it was committed to the file that the path names."""
    raw = connection.connection.driver_connection
    if isinstance(raw, StoreConnection):
        try:
            raw.ensure_in_place()
        except Replaced:
            raise StoreError(
                "the file of the store was moved away or replaced in the middle of this change, which is not in the one that is there now"
            ) from None


def begin(connection: Connection) -> None:
    """Begin a transaction as its execution option `begin` says: `BEGIN` without one, none at all with an empty one."""
    statement = connection.get_execution_options().get("begin", "BEGIN")
    if statement == "BEGIN":
        connection.exec_driver_sql(statement)
    elif statement:
        _begin_with_retry(connection, statement)


def _begin_with_retry(connection: Connection, statement: str) -> None:
    """Begin to write within the busy timeout of the connection.

    SQLite's own wait retries every 0.1 s in the end, at any moment of which another change may be under way: among eight
    busy processes one starved for ten seconds. With a retry every few milliseconds each of them gets the lock in time.
    """
    raw: Any = connection.connection.driver_connection
    ((timeout,),) = raw.execute("PRAGMA busy_timeout").fetchall()
    deadline = time.monotonic() + timeout / 1000
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                raw.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
            time.sleep(random.uniform(0.002, 0.006))
    finally:
        raw.execute(f"PRAGMA busy_timeout = {timeout}")
