"""Engines: how a store is reached, read in one snapshot and changed in one transaction, and what its errors mean.

Outside this package nobody sees a driver's error: `translating` makes each a StoreError that says what to do, and no
message has a password in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Pool, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from rbac.clock import ticks
from rbac.database import after_fork, postgresql, sqlite
from rbac.database.after_fork import Stage
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
    """The file of a SQLite store; None for PostgreSQL and for a memory."""
    return sqlite.file_of(engine) if is_sqlite(engine) else None


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
def reporting_corruption(engine: Engine) -> Iterator[None]:
    """Turn an error about an impossible value into a StoreError: a database does not notice every damage of its file."""
    try:
        yield
    except RBACError:
        raise
    except (ValueError, OverflowError) as error:
        raise StoreError(f"{place(engine)} is damaged: restore a backup: {error}") from error


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection; its errors are translated, and on SQLite a fork waits until it is returned."""
    with translating(engine), _use_of(engine), engine.connect() as connection:
        yield connection


@contextmanager
def single(engine: Engine) -> Iterator[Connection]:
    """A connection on which every statement is a transaction of its own: for one that reads, a snapshot without BEGIN and ROLLBACK."""
    with _use_of(engine), engine.connect() as connection:
        if is_sqlite(connection):
            yield connection.execution_options(begin="")
        else:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")


def ask(engine: Engine, statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
    """The rows of one statement that reads, in one round trip; asked again, on another connection, where one turns out to be broken."""
    with translating(engine), reporting_corruption(engine):
        began = ticks()
        try:
            with single(engine) as connection:
                return _rows(connection, statement, parameters)
        except DBAPIError as error:
            if not error.connection_invalidated or ticks() - began > _AT_ONCE:  # a server that is slow is not asked twice
                raise
        with single(engine) as connection:
            return _rows(connection, statement, parameters)


def _use_of(engine: Engine) -> AbstractContextManager[None]:
    return after_fork.using_sqlite() if is_sqlite(engine) else nullcontext()


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
    with connected(engine) as connection:
        if not is_sqlite(connection):
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin() as transaction, reporting_corruption(engine):
            yield connection
            transaction.rollback()


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """A connection in one writing transaction, committed at a normal exit, rolled back at an exception.

    SQLite takes the write lock at once (BEGIN IMMEDIATE): a reader that turns writer fails instead of waiting.
    PostgreSQL reads what is committed, so that a statement after a lock sees what the one before it wrote.
    """
    with connected(engine) as connection:
        if not is_sqlite(connection):
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                yield connection
            return
        connection.execution_options(begin="BEGIN IMMEDIATE")
        with connection.begin():
            sqlite.stamp(connection)
            yield connection
        sqlite.ensure_kept(connection)


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


def _adopted(engine: Engine) -> Engine:
    """The engine with our listeners on it, once."""
    setup = sqlite.set_up if is_sqlite(engine) else postgresql.set_up
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise StoreError(f"a store in {engine.dialect.name!r} is not supported: SQLite and PostgreSQL are")
    if event.contains(engine, "connect", setup):
        return engine
    (sqlite if is_sqlite(engine) else postgresql).listen(engine)
    if sqlite.is_replaceable(engine):
        engine.dispose()  # connections made before the listeners would go without them
        before = _close_idle if file_of(engine) is not None else None
        after_fork.register(engine, Stage.ENGINES, before=before, in_child=_leave_to_the_parent)
    return engine


_of_parents: list[Pool] = []


def _close_idle(engine: Engine, _: float) -> bool:
    """Before a fork: nothing of SQLite may be open during it."""
    engine.dispose()
    return True


def _leave_to_the_parent(engine: Engine) -> None:
    """After a fork: the child neither uses nor closes a connection of its parent."""
    _of_parents.append(engine.pool)
    engine.dispose(close=False)
    if not is_sqlite(engine):
        postgresql.disconnect_after_fork()
