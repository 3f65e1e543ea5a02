"""Engines: how a store is reached, read in one snapshot, and what its errors mean.

One rule: outside this package nobody sees a driver's error. `translating` makes each a StoreError that says what to
do, and no message carries a password.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Pool, QueuePool, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError

from rbac.database.failures import translated
from rbac.errors import RBACError, StoreError

BUSY = 10
"""Seconds a change waits for another one to finish before it gives up."""

_STATEMENT = 60  # seconds any one statement may take on PostgreSQL; migrations lift it
_IDLE = 300  # seconds a transaction may be left open there
_CONNECT = 5  # seconds to reach it
_SHARED_MEMORY = (3, 36)  # SQLite's version from which several connections can share a memory and wait for each other


def open_engine(url: str | Engine) -> Engine:
    """An engine for a store, set up as every connection of ours must be; nothing is created and nothing contacted.

    Takes `sqlite:///FILE`, `sqlite://` (in memory), `postgresql+psycopg://...`, or an Engine, whose connections are
    set up alike from then on. Raises StoreError for any other address and for a directory that is not there.
    """
    if isinstance(url, Engine):
        return _adopted(url)
    address = _parsed(url)
    make = _sqlite_engine if address.get_backend_name() == "sqlite" else _postgresql_engine
    try:
        return _adopted(make(address))
    except (ArgumentError, ValueError):
        raise StoreError("the options in the address of the store are none that its driver understands") from None


def is_sqlite(bind: Engine | Connection) -> bool:
    """Which of the two databases this is."""
    return bind.dialect.name == "sqlite"


def file_of(engine: Engine) -> Path | None:
    """The file of a SQLite store; None for PostgreSQL, for memory and for SQLite's own `file:` addresses."""
    path = engine.url.database
    return Path(path) if is_sqlite(engine) and path and path != ":memory:" and not path.startswith("file:") else None


def place(engine: Engine) -> str:
    """Where the store is, in words that may be printed: no password, no options."""
    if is_sqlite(engine):
        return engine.url.database or "memory"
    return engine.url.set(query={}).render_as_string(hide_password=True)


@contextmanager
def translating(engine: Engine | None = None) -> Iterator[None]:
    """Turn SQLAlchemy's and the drivers' errors into StoreError; Refused where a constraint spoke, Conflict for a lost race."""
    where = place(engine) if engine is not None else "the store"
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's own words, with the damaged text in them
        raise StoreError(f"{where} is damaged: restore a backup") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise translated(error, where=where, secret=engine.url.password if engine is not None else None) from error


@contextmanager
def waiting(engine: Engine, seconds: float) -> Iterator[None]:
    """Wait no longer than this for PostgreSQL's answers to what this thread asks inside; a StoreError then."""
    if is_sqlite(engine):
        yield
        return
    from rbac.database.patience import within

    with within(seconds):
        yield


@contextmanager
def understanding(engine: Engine) -> Iterator[None]:
    """Turn what a value of the store cannot be into a StoreError: a database does not notice every damage of its file."""
    try:
        yield
    except RBACError:
        raise
    except (ValueError, OverflowError) as error:
        raise StoreError(f"{place(engine)} is damaged: restore a backup: {error}") from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading in one snapshot, from the first statement to the last; nothing is committed."""
    with translating(engine), engine.connect() as connection:
        if not is_sqlite(connection):
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin() as transaction, understanding(engine):
            yield connection
            transaction.rollback()


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """A connection in one writing transaction, committed at a normal exit, rolled back at an exception.

    SQLite takes the write lock at once (BEGIN IMMEDIATE): a reader that turns writer fails instead of waiting.
    PostgreSQL reads what is committed, so that a statement after a lock sees what the one before it left.
    """
    with translating(engine), engine.connect() as connection:
        if is_sqlite(connection):
            connection.execution_options(begin="BEGIN IMMEDIATE")
        else:
            connection.execution_options(isolation_level="READ COMMITTED")
        with connection.begin():
            yield connection


def _parsed(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError("the address of the store is no URL: write sqlite:///FILE or postgresql+psycopg://...") from None
    if address.drivername in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        return address
    if address.drivername in ("postgres", "postgresql"):
        return address.set(drivername="postgresql+psycopg")
    raise StoreError(f"a store in {address.drivername!r} is not supported: write sqlite:///FILE or postgresql+psycopg://...")


def _sqlite_engine(address: URL) -> Engine:
    path = address.database
    if address.query and not (path or "").startswith("file:"):  # they would be ignored, `mode=ro` too
        raise StoreError("sqlite:///FILE takes no options: sqlite:///file:FILE?mode=ro&uri=true does")
    if not path or path == ":memory:":
        return _memory_engine(address)
    if path.startswith("file:"):
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
    return _connected(f"file:{quote(str(path))}?mode=rw", uri=True)


def missing(where: str) -> str:
    """The sentence for a store that is not there yet."""
    return f"there is no store at {where} yet: `rbac init` or `rbac import` makes one"


def _connected(database: str, *, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(database, uri=uri, timeout=BUSY, check_same_thread=False, isolation_level=None)


def _postgresql_engine(address: URL) -> Engine:
    arguments = {"connect_timeout": _CONNECT, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    arguments["tcp_user_timeout"] = _CONNECT * 1000  # a network that swallows everything is an error then, not a wait
    asked = {key: value for key, value in arguments.items() if key not in address.query}
    try:
        return create_engine(address, connect_args=asked, pool_pre_ping=True, pool_size=10, max_overflow=10, pool_timeout=BUSY)
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs its driver: pip install 'studio-rbac[postgres]'") from error


_opened_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def _adopted(engine: Engine) -> Engine:
    """The engine with our listeners on it, once."""
    setup = _set_up_sqlite if is_sqlite(engine) else _set_up_postgresql
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise StoreError(f"a store in {engine.dialect.name!r} is not supported: SQLite and PostgreSQL are")
    if event.contains(engine, "connect", setup):
        return engine
    event.listen(engine, "connect", setup)
    if not is_sqlite(engine):
        event.listen(engine, "do_connect", _patient)
        event.listen(engine, "checkin", _as_the_server_says)
    else:
        event.listen(engine, "begin", _begin)
        _stay_with(engine)
    if not isinstance(engine.pool, StaticPool):
        engine.dispose()  # connections made before the listeners would go without them
    _opened_engines.add(engine)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """No BEGIN by the driver, foreign keys held, and a commit on the disk before it is acknowledged."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _stay_with(engine: Engine) -> None:
    """Use a connection only while its file is the one at the path: SQLite would read and write one that was moved away for ever.

    The file is named before it is opened, so that one moved in between is taken for another and opened again.
    """
    path = file_of(engine)

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
    found, known = identity(index_of(path)), info.get("index")
    if known is not None and found != known:
        raise StoreError(deleted(path))
    if "used" in info:  # from the second use on, when SQLite surely has the index open
        info["index"] = found
    info["used"] = True


def identity(path: Path) -> tuple[int, int] | None:
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


def _begin(connection: Connection) -> None:
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


def _patient(_: object, __: object, arguments: Any, named: Any) -> Any:
    """A connection that does not wait for ever for a server that hangs."""
    from rbac.database.patience import Connection

    return Connection.connect(*arguments, **named)


_POSTGRESQL = f"""SELECT set_config('statement_timeout', '{_STATEMENT}s', false), set_config('lock_timeout', '{BUSY}s', false),
set_config('idle_in_transaction_session_timeout', '{_IDLE}s', false),
CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END"""


def _set_up_postgresql(connection: Any, _: object) -> None:
    """Nothing waits for ever, and a commit is on the disk before it is acknowledged; no options a pooler would refuse."""
    autocommit, connection.autocommit = connection.autocommit, True
    connection.execute(_POSTGRESQL)
    connection.autocommit = autocommit


def _as_the_server_says(connection: Any, _: object) -> None:
    """SQLAlchemy leaves `READ WRITE` behind after a read: it would overrule a server whose transactions are read-only by default."""
    if connection is not None and not connection.closed:
        connection.read_only = None


_abandoned: list[Pool] = []


def _forget_after_fork() -> None:
    """A child must neither use nor close its parent's connections: closing one in SQLite drops the parent's locks."""
    for engine in _opened_engines:
        if not isinstance(engine.pool, StaticPool):
            _abandoned.append(engine.pool)
            engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
