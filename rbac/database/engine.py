"""Engines: how a store is reached, read in one snapshot, and what its errors mean.

One rule: outside this package nobody sees a driver's error. `translating` makes each a StoreError that says what to
do, and no message carries a password.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Pool, StaticPool, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from rbac.clock import ticks
from rbac.database import postgresql, sqlite
from rbac.database.failures import translated
from rbac.errors import RBACError, StoreError


def open_engine(url: str | Engine) -> Engine:
    """An engine for a store, set up as every connection of ours must be; nothing is created and nothing contacted.

    Takes `sqlite:///FILE`, `sqlite://` (in memory), `postgresql+psycopg://...`, or an Engine, whose connections are
    set up alike from then on. Raises StoreError for any other address and for a directory that is not there.
    """
    if isinstance(url, Engine):
        return _adopted(url)
    address = _parsed(url)
    make = sqlite.make_engine if address.get_backend_name() == "sqlite" else postgresql.make_engine
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
    from rbac.database.client_timeouts import within

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
def single(engine: Engine) -> Iterator[Connection]:
    """A connection on which every statement is a transaction of its own: for one that reads, a snapshot without BEGIN and ROLLBACK."""
    with engine.connect() as connection:
        if is_sqlite(connection):
            yield connection.execution_options(begin="")
        else:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")


def ask(engine: Engine, statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
    """The rows of one statement that reads, in one round trip; asked again, on another connection, where one turns out to be broken."""
    with translating(engine), understanding(engine):
        began = ticks()
        try:
            with single(engine) as connection:
                return _rows(connection, statement, parameters)
        except DBAPIError as error:
            if not error.connection_invalidated or ticks() - began > _AT_ONCE:  # a server that is slow is not asked twice
                raise
        with single(engine) as connection:
            return _rows(connection, statement, parameters)


def _rows(connection: Connection, statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
    """Every row as the driver has it: SQLAlchemy's own rows take longer than reading them."""
    result = connection.exec_driver_sql(statement, parameters)
    assert result.cursor is not None, "a statement that reads has rows"
    return result.cursor.fetchall()


_AT_ONCE = 1.0
"""Seconds after which a connection that broke was not merely left over from before."""


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


_opened_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def _adopted(engine: Engine) -> Engine:
    """The engine with our listeners on it, once."""
    setup = sqlite.set_up if is_sqlite(engine) else postgresql.set_up
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise StoreError(f"a store in {engine.dialect.name!r} is not supported: SQLite and PostgreSQL are")
    if event.contains(engine, "connect", setup):
        return engine
    event.listen(engine, "connect", setup)
    if not is_sqlite(engine):
        event.listen(engine, "do_connect", postgresql.patient)
        event.listen(engine, "checkin", postgresql.as_the_server_says)
        event.listen(engine, "checkout", postgresql.ensure_open)
    else:
        event.listen(engine, "begin", _begin_on_sqlite)
        sqlite.stay_with(engine, file_of(engine))
    if not isinstance(engine.pool, StaticPool):
        engine.dispose()  # connections made before the listeners would go without them
    _opened_engines.add(engine)
    return engine


def _begin_on_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("begin") != "":
        sqlite.begin(connection)


_abandoned: list[Pool] = []


def _forget_after_fork() -> None:
    """A child must neither use nor close its parent's connections: closing one in SQLite drops the parent's locks."""
    for engine in _opened_engines:
        if not isinstance(engine.pool, StaticPool):
            _abandoned.append(engine.pool)
            engine.dispose(close=False)
    postgresql.disconnect_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
