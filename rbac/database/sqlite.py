"""SQLite as a store needs it: one file, held to its path, a writer at a time, every commit on the disk.

Its one rule: nobody uses a connection whose file is not the one at the path; what it wrote would be lost with it.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DisconnectionError

from rbac.errors import StoreError

BUSY = 10
"""Seconds a change waits for another one to finish before it gives up."""

_SHARED_MEMORY = (3, 36)  # SQLite's version from which several connections can share a memory and wait for each other


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
        if path in ("file:", "file::memory:") or "memory" in address.query.values() or "memdb" in address.query.values():
            raise StoreError("a file: address in memory is another memory for every connection: write sqlite://")
        uri = path + ("?" + "&".join(f"{key}={value}" for key, value in address.query.items() if key != "uri") if address.query else "")
        return create_engine(address, creator=lambda: _connected(uri, uri=True), pool_size=16, max_overflow=-1)
    _check_file(Path(path))
    engine = create_engine(address, pool_size=16, max_overflow=-1)
    event.listen(engine, "do_connect", lambda *_: _opened(Path(path)))
    return engine


def _memory_engine(address: URL) -> Engine:
    """A memory of its own, which lives as long as the engine; a connection belongs to one thread at a time, as with a file."""
    if sqlite3.sqlite_version_info < _SHARED_MEMORY:
        alone: Any = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": BUSY}
        return create_engine(address, creator=lambda: _connected(":memory:", uri=False), **alone)
    name = f"file:/rbac-{uuid.uuid4().hex}?vfs=memdb"

    def connect(_kept: sqlite3.Connection = _connected(name, uri=True)) -> sqlite3.Connection:  # noqa: B008  # gone with its last connection
        return _connected(name, uri=True)

    return create_engine(address, creator=connect, poolclass=QueuePool, pool_size=16, max_overflow=-1)


def _check_file(path: Path) -> None:
    if os.path.isdir(path):  # path.is_dir() raises for a name that is too long
        raise StoreError(f"{path} is a directory: name a file in it")
    if not os.path.isdir(path.parent):
        raise StoreError(f"there is no directory {path.parent}: make it first")


def _opened(path: Path) -> sqlite3.Connection:
    """A connection to a file that is there; `mode=rw` because SQLite makes an empty file of one that is not."""
    _check_file(path)
    if not os.path.exists(path):
        raise StoreError(missing(str(path)))
    return _connected(f"file:{quote(os.fsencode(path))}?mode=rw", uri=True)


def missing(where: str) -> str:
    """The sentence for a store that is not there yet."""
    return f"there is no store at {where} yet: `rbac init` or `rbac import` makes one"


def _connected(database: str, *, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(database, uri=uri, timeout=BUSY, check_same_thread=False, isolation_level=None)


def set_up(connection: sqlite3.Connection, _: object) -> None:
    """No BEGIN by the driver, foreign keys held, and a commit on the disk before it is acknowledged."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def stay_with(engine: Engine, path: Path | None) -> None:
    """Use a connection only while its file is the one at the path: SQLite would read and write one that was moved away for ever.

    The file is named before it is opened, so that one moved in between is taken for another and opened again.
    """

    def name(_: object, record: Any, *__: object) -> None:
        if path is not None:
            record.info["file"] = path, identity(path)

    def named(connection: sqlite3.Connection, record: Any) -> None:
        if "file" not in record.info:  # a `file:` address, or an engine with a creator of its own
            where = path or Path(connection.execute("PRAGMA database_list").fetchone()[2] or os.devnull)  # nowhere: in memory
            record.info["file"] = where, identity(where)

    def compare(connection: object, record: Any, _: object) -> None:
        where, known = record.info["file"]
        if identity(where) != known:
            raise DisconnectionError
        if known is not None:
            _compare_index(where, record.info)

    event.listen(engine, "do_connect", name, insert=True)
    event.listen(engine, "connect", named)
    event.listen(engine, "checkout", compare)


def _compare_index(path: Path, info: Any) -> None:
    found, known = identity(f"{path}-shm"), info.get("index")
    if known is not None and found != known:
        raise StoreError(deleted(path))
    if "used" in info:  # from the second use on, when SQLite surely has the index open
        info["index"] = found
    info["used"] = True


def identity(path: Path | str) -> tuple[int, int] | None:
    """What tells the file at a path from any other that may be moved there; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def index_of(path: Path) -> Path:
    """Where SQLite keeps the index of the log beside a file."""
    return Path(f"{path}-shm")


def deleted(path: Path) -> str:
    """The sentence for an index that was deleted under us: SQLite goes on with its own, and no program sees the other's commits."""
    return f"{index_of(path)} was deleted while {path} was in use: stop every program that uses it, then start them again"


def begin(connection: Connection) -> None:
    begin = connection.get_execution_options().get("begin", "BEGIN")
    if begin == "BEGIN":
        connection.exec_driver_sql(begin)
    else:
        _take_turn(connection, begin)


def _take_turn(connection: Connection, begin: str) -> None:
    """Begin to write within the busy timeout of the connection.

    SQLite's own wait looks every 0.1 s in the end, at any moment of which another change may be under way: among eight
    busy processes one starved for ten seconds. Looking every few milliseconds gives everybody a turn.
    """
    raw: Any = connection.connection.driver_connection
    ((patience,),) = raw.execute("PRAGMA busy_timeout").fetchall()
    deadline = time.monotonic() + patience / 1000
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                raw.execute(begin)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
            time.sleep(random.uniform(0.002, 0.006))
    finally:
        raw.execute(f"PRAGMA busy_timeout = {patience}")
