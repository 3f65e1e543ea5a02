"""The schema of a store: making it, checking it at each open, bringing an older one up to date.

One rule: `create` and `upgrade` are the only ways a table comes to be, each in one transaction, so that an interrupted
one leaves what was there. Alembic is imported by them alone; opening a store does not pay for it.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from rbac.database import sqlite, store_files
from rbac.database.engine import changing, connected, file_of, is_sqlite, place, single, translating, waiting
from rbac.database.store_files import missing
from rbac.database.watch.listener import announce
from rbac.errors import StoreError

REVISIONS = ("0002",)
"""The revisions of the schema this program knows, oldest first."""

_UNRELEASED = "0001"  # tables without a prefix, of a program that was never released

HEAD = REVISIONS[-1]
"""The one it works with."""

VERSION_TABLE = "rbac_version"
"""Alembic's table of versions, under a name of ours: a database with another program's is not ours."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x5242_4143  # one migration at a time on PostgreSQL, whoever runs it


def check(engine: Engine) -> str:
    """The epoch of a store whose schema is exactly HEAD; one statement when all is well, else StoreError says what is wrong."""
    path = file_of(engine)
    if path is not None and not os.path.exists(path):
        raise StoreError(missing(place(engine)))
    with translating(engine), single(engine) as connection:
        try:
            found = connection.execute(text(f"SELECT version_num, epoch FROM {VERSION_TABLE}, rbac_store")).first()
        except (OperationalError, ProgrammingError):
            found = None
        if found is None or found.version_num != HEAD:
            raise StoreError(_diagnosis(connection, place(engine)))
        _keep_wal(connection)
        return str(found.epoch)


def create(engine: Engine) -> None:
    """Make an empty store; one that is there and current is left alone. Raises StoreError for anything else in its place."""
    path = file_of(engine)
    if path is not None:
        with translating(engine):
            store_files.create(path)
    with _migrating(engine) as connection:
        if _tables(connection) and _version(connection) != HEAD:
            raise StoreError(_diagnosis(connection, place(engine)))
        if _version(connection) is None:
            _migrate(connection)
    check(engine)


def upgrade(engine: Engine) -> None:
    """Bring an older store to HEAD; a current one is left alone. Raises StoreError for one that is missing, newer or not ours."""
    path = file_of(engine)
    if path is not None and not os.path.exists(path):
        raise StoreError(missing(place(engine)))
    with _migrating(engine) as connection:
        if _version(connection) not in REVISIONS:
            raise StoreError(_diagnosis(connection, place(engine)))
        _migrate(connection)
    check(engine)


def renew(engine: Engine) -> str:
    """Give a store another epoch, and notify the nodes that listen; returns it."""
    check(engine)
    epoch = uuid.uuid4().hex
    with changing(engine) as connection:
        connection.execute(text("UPDATE rbac_store SET epoch = :epoch"), {"epoch": epoch})
        announce(connection, "restored")
    return epoch


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """One transaction in which tables may be rebuilt; SQLite's foreign keys are off before it begins and checked before it ends."""
    if not is_sqlite(engine):
        with waiting(engine, inf), changing(engine) as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            yield connection
        return
    with connected(engine) as connection:
        connection.execution_options(begin="BEGIN IMMEDIATE")
        raw = _raw(connection)
        raw.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                if connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
                    raise StoreError(f"{place(engine)} has rows that point nowhere: nothing was changed, restore a backup")
                sqlite.stamp(connection)
            sqlite.ensure_kept(connection)
        finally:
            raw.execute("PRAGMA foreign_keys = ON")


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    command.upgrade(config, HEAD)


def _tables(connection: Connection) -> set[str]:
    found = inspect(connection)
    return {*found.get_table_names(), *found.get_view_names()}


def _version(connection: Connection) -> str | None:
    if VERSION_TABLE not in _tables(connection):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return version


def _diagnosis(connection: Connection, where: str) -> str:
    """Why what is there is not a store that can be used."""
    if not _tables(connection):
        return missing(where)
    version = _version(connection)
    if version is None:
        return f"{where} holds other tables and is no store of this program: name another database"
    if version == _UNRELEASED:
        return f"the store at {where} was made before version 0.2.0: export it with the program that made it, and import the file"
    if version in REVISIONS[:-1]:
        return f"the store at {where} has schema {version}, this program needs {HEAD}: run `rbac db upgrade`"
    if version == HEAD:
        return f"the store at {where} has lost tables or its first row: restore a backup"
    return f"the store at {where} has schema {version}, this program knows {HEAD}: a newer program made it, update this one"


def _keep_wal(connection: Connection) -> None:
    """Readers beside a writer. The mode is kept in the file, but a copy made by VACUUM INTO or a dump comes without it.

    Where the mode cannot change now (somebody reads, the file is read-only) the store works without it.
    """
    if is_sqlite(connection):
        raw = _raw(connection)
        if raw.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
            with suppress(sqlite3.OperationalError):
                raw.execute("PRAGMA journal_mode = WAL")


def _raw(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection, for pragmas that mean nothing inside a transaction."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
