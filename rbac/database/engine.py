"""Engines: how a store is reached, read in one snapshot, and what its errors mean.

One rule: outside this package nobody sees a driver's error. `translating` makes each a StoreError that says what to
do, and no message carries a password.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Pool, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from rbac.database.failures import translated
from rbac.errors import StoreError

BUSY = 10
"""Seconds a change waits for another one to finish before it gives up."""

_STATEMENT = 60  # seconds any one statement may take on PostgreSQL; migrations lift it
_IDLE = 300  # seconds a transaction may be left open there
_CONNECT = 5  # seconds to reach it


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
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        where = place(engine) if engine is not None else "the store"
        raise translated(error, where=where, secret=engine.url.password if engine is not None else None) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading in one snapshot, from the first statement to the last; nothing is committed."""
    with translating(engine), engine.connect() as connection:
        if not is_sqlite(connection):
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin() as transaction:
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
        # one connection for all: a second one would see another, empty memory
        return create_engine(address, creator=lambda: _connected(":memory:", uri=False), poolclass=StaticPool)
    if path.startswith("file:"):
        uri = path + ("?" + "&".join(f"{key}={value}" for key, value in address.query.items() if key != "uri") if address.query else "")
        return create_engine(address, creator=lambda: _connected(uri, uri=True), pool_size=16, max_overflow=-1)
    _check_file(Path(path))
    return create_engine(address, creator=lambda: _opened(Path(path)), pool_size=16, max_overflow=-1)


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
    if is_sqlite(engine):
        event.listen(engine, "begin", _begin)
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


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


_POSTGRESQL = f"""SELECT set_config('statement_timeout', '{_STATEMENT}s', false), set_config('lock_timeout', '{BUSY}s', false),
set_config('idle_in_transaction_session_timeout', '{_IDLE}s', false),
CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END"""


def _set_up_postgresql(connection: Any, _: object) -> None:
    """Nothing waits for ever, and a commit is on the disk before it is acknowledged; no options a pooler would refuse."""
    autocommit, connection.autocommit = connection.autocommit, True
    connection.execute(_POSTGRESQL)
    connection.autocommit = autocommit


_abandoned: list[Pool] = []


def _forget_after_fork() -> None:
    """A child must neither use nor close its parent's connections: closing one in SQLite drops the parent's locks."""
    for engine in _opened_engines:
        if not isinstance(engine.pool, StaticPool):
            _abandoned.append(engine.pool)
            engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
