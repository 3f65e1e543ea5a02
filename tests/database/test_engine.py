"""Engines: how connections are set up, what a snapshot is, and one helpful sentence for everything that can go wrong."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
import traceback
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import Connection, Engine, create_engine, func, insert, select, text
from sqlalchemy.exc import OperationalError

from rbac.database import schema, tables
from rbac.database.engine import changing, is_sqlite, open_engine, reading, translating
from rbac.database.failures import translated
from rbac.database.unit_of_work import transaction, writing
from rbac.errors import Conflict, Refused, StoreError
from tests.conftest import database, execute, migrate

ON_SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


def tasks(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(tables.task)) or 0


def add_a_task(engine: Engine, name: str) -> None:
    with writing(engine, "acme", actor="root", actor_kind="operator", operation="record", at=1) as work:
        work.connection.execute(insert(tables.task).values(organization="acme", project="p1", id=name, since=1))
        assignment = {"organization": "acme", "project": "p1", "task": name, "user": "andy", "kind": "reviewer"}
        work.connection.execute(insert(tables.assignment).values(**assignment))
        work.record("assignment", user="andy", domain="project:p1", after={"task": name, "as": "reviewer"})


def asked(url: str) -> None:
    """What every command does first."""
    engine = open_engine(url)
    try:
        schema.check(engine)
    finally:
        engine.dispose()


def test_a_reader_sees_one_snapshot_from_its_first_statement_to_its_last(acme: Engine) -> None:
    with reading(acme) as connection:
        before = tasks(connection)
        add_a_task(acme, "t2")

        assert tasks(connection) == before
    with reading(acme) as connection:
        assert tasks(connection) == before + 1


def test_every_connection_to_sqlite_holds_foreign_keys_and_syncs_its_commits(acme: Engine) -> None:
    if not is_sqlite(acme):
        with reading(acme) as connection:
            names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")
            found = [connection.scalar(text(f"SHOW {name}")) for name in names]
        assert found == ["1min", "10s", "5min", "on"]
        return

    with acme.connect() as first, acme.connect() as second:
        for connection in (first, second):
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("foreign_keys", "synchronous", "busy_timeout")]
            assert found == [1, 2, 10_000]
        assert first.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


@ON_SQLITE
def test_a_copy_that_lost_the_write_ahead_log_gets_it_back_at_the_next_opening(acme: Engine, tmp_path: Path) -> None:
    with closing(sqlite3.connect(str(acme.url.database))) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))

    asked(f"sqlite:///{tmp_path / 'copy.db'}")

    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_engine_of_the_application_is_set_up_alike(url: str) -> None:
    theirs = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with theirs.connect():
        pass  # a connection made before it is ours

    ours = open_engine(theirs)

    assert open_engine(ours) is theirs
    with pytest.raises(Refused), changing(ours) as connection:
        connection.execute(insert(tables.task).values(organization="nowhere", project="p1", id="t1", since=1))
    ours.dispose()


def connection_of(engine: Engine) -> tuple[object, object]:
    """What tells one connection from another: the object here, and the process that serves it on PostgreSQL."""
    with reading(engine) as connection:
        served = None if is_sqlite(engine) else connection.scalar(text("SELECT pg_backend_pid()"))
        return connection.connection.driver_connection, served


def test_a_child_of_fork_uses_no_connection_of_its_parent(acme: Engine) -> None:
    """On SQLite the parent's own is closed before the fork, on PostgreSQL it goes on."""
    mine = connection_of(acme)  # left in the pool, where a child would find it
    child = os.fork()
    if child == 0:
        failed = 1
        try:
            theirs = connection_of(acme)
            add_a_task(acme, "child")
            failed = int(theirs[0] == mine[0] or (theirs[1] is not None and theirs[1] == mine[1]))
        finally:
            os._exit(failed)

    assert os.waitpid(child, 0)[1] == 0
    assert connection_of(acme) == mine or is_sqlite(acme)
    add_a_task(acme, "parent")
    with reading(acme) as connection:
        assert tasks(connection) == 5


# What can go wrong, and what is said.


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("sqlite:////nowhere/at/all/rbac.db", "there is no directory /nowhere/at/all: make it first"),
        ("sqlite:////tmp", "/tmp is a directory: name a file in it"),
        ("rbac.db", "the address of the store is no URL"),
        ("", "the address of the store is no URL"),
        ("mysql://root:hunter2@localhost/rbac", "a store in 'mysql' is not supported: write sqlite:///FILE or postgresql+psycopg://..."),
        ("postgresql+asyncpg://root:hunter2@localhost/rbac", "a store in 'postgresql+asyncpg' is not supported"),
        ("postgresql://root:hunter2@localhost:nan/rbac", "the address of the store is no URL"),
        ("postgresql://root:hunter2@/rbac?host=a&host=b:x", "the options in the address of the store are none that its driver understands"),
        ("sqlite:///file:rbac.db?uri=true&timeout=x", "the options in the address of the store are none that its driver understands"),
        ("sqlite:///rbac.db?mode=ro", "sqlite:///FILE takes no options: sqlite:///file:FILE?mode=ro&uri=true does"),
        ("sqlite://?timeout=x", "sqlite:///FILE takes no options"),
    ],
)
def test_an_address_that_cannot_be_one_is_a_store_error(address: str, sentence: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_engine(address)

    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_a_database_is_a_store_error_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("This is no database. " * 100)

    with pytest.raises(StoreError, match=r"notes\.txt is not a database: name another file"):
        asked(f"sqlite:///{tmp_path / 'notes.txt'}")
    assert (tmp_path / "notes.txt").read_text().startswith("This is no database")


@ON_SQLITE
def test_a_damaged_file_is_a_store_error(acme: Engine) -> None:
    path = Path(str(acme.url.database))
    acme.dispose()
    content = bytearray(path.read_bytes())
    content[4096 : len(content) - 4096] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)

    with pytest.raises(StoreError, match=r"rbac\.db is damaged: restore a backup"), reading(acme) as connection:
        tasks(connection)


@ON_SQLITE
def test_a_full_disk_is_a_store_error_and_nothing_was_written(acme: Engine) -> None:
    with pytest.raises(StoreError, match=r"the disk of .* is full: nothing was written"), changing(acme) as connection:
        size = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {size}")
        for number in range(5000):
            connection.execute(insert(tables.task).values(organization="acme", project="p1", id=f"n{number}", since=1))

    with reading(acme) as connection:
        assert tasks(connection) == 3


def test_a_read_only_store_answers_and_refuses_to_write(acme: Engine, url: str) -> None:
    if is_sqlite(acme):
        address = f"sqlite:///file:{acme.url.database}?mode=ro&uri=true"
    else:
        address = url
        execute(url, f"ALTER DATABASE {acme.url.database} SET default_transaction_read_only = on")
    asked(address)
    engine = open_engine(address)

    with pytest.raises(StoreError, match="is read-only: "):
        add_a_task(engine, "t2")
    engine.dispose()


def test_a_store_locked_by_somebody_else_is_a_store_error(acme: Engine) -> None:
    with changing(acme) as holder:
        holder.execute(select(tables.organization).with_for_update())
        with pytest.raises(StoreError, match=r"try again"), translating(acme), acme.connect() as connection:
            if is_sqlite(acme):
                connection.connection.driver_connection.execute("PRAGMA busy_timeout = 50")  # type: ignore[union-attr]
                connection.execution_options(begin="BEGIN IMMEDIATE")
            else:
                connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
            connection.execute(select(tables.organization).with_for_update())


@ON_SQLITE
def test_a_store_that_vanished_is_a_store_error_and_is_not_made_anew(acme: Engine) -> None:
    path = Path(str(acme.url.database))
    acme.dispose()
    path.unlink()

    for ask in (lambda: schema.check(acme), lambda: add_a_task(acme, "t2")):
        with pytest.raises(StoreError, match=r"there is no store at .* yet"):
            ask()
    assert not path.exists()


def test_a_store_whose_tables_vanished_is_a_store_error(acme: Engine) -> None:
    with changing(acme) as connection:
        connection.execute(text("DROP TABLE rbac_worked_on"))

    with pytest.raises(StoreError, match="is not a store of this program, or an older one"), reading(acme) as connection:
        connection.execute(select(tables.worked_on))


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("postgresql+psycopg://root:hunter2@127.0.0.1:1/rbac", "cannot reach postgresql+psycopg://root:***@127.0.0.1:1/rbac: "),
        (
            "postgresql://root:hunter2@127.0.0.1:1/rbac?application_name=rbac",
            "cannot reach postgresql+psycopg://root:***@127.0.0.1:1/rbac: ",
        ),
        ("postgresql://127.0.0.1:1/rbac?password=hunter2&user=root", "cannot reach postgresql+psycopg://127.0.0.1:1/rbac: "),
    ],
)
def test_a_server_that_is_not_there_is_a_store_error_without_the_password(address: str, sentence: str) -> None:
    with pytest.raises(StoreError) as caught:
        asked(address)

    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_password_is_cut_out_of_what_a_driver_says() -> None:
    error = psycopg.OperationalError("bad option in 'host=db password=hunter2'\nmore")

    said = translated(OperationalError("SELECT 1", {}, error), where="db", secret="hunter2")

    assert str(said) == "cannot reach db: bad option in 'host=db password=***'"


def test_a_database_that_is_not_there_is_a_store_error(postgresql: str) -> None:
    with pytest.raises(StoreError, match=r'cannot reach .*: .*database "nothing_here" does not exist'):
        asked(database(postgresql, "nothing_here"))


@ON_POSTGRESQL
def test_a_connection_that_is_cut_is_a_store_error_and_the_next_one_works(acme: Engine, url: str) -> None:
    with pytest.raises(StoreError, match="cannot reach postgresql"), reading(acme) as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        execute(url, f"SELECT pg_terminate_backend({pid})")
        tasks(connection)

    with reading(acme) as connection:
        assert tasks(connection) == 3


@ON_POSTGRESQL
def test_a_connection_that_is_cut_while_nobody_looks_is_replaced(acme: Engine, url: str) -> None:
    with reading(acme) as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
    execute(url, f"SELECT pg_terminate_backend({pid})")

    add_a_task(acme, "t2")

    with reading(acme) as connection:
        assert tasks(connection) == 4


@ON_POSTGRESQL
def test_two_transactions_that_wait_for_each_other_end_in_a_conflict(acme: Engine) -> None:
    both, ends = threading.Barrier(2), []

    def lock(*organizations: str) -> None:
        try:
            with transaction(acme) as works:
                for each in organizations:
                    works.lock(each, actor="root", actor_kind="operator", operation="import", at=1)
                    both.wait(5) if each == organizations[0] else None
            ends.append("done")
        except Conflict as error:
            ends.append(str(error).partition(" changed ")[0])

    threads = [threading.Thread(target=lock, args=each) for each in (("acme", "other"), ("other", "acme"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ends) == ["done", "somebody else"]


@pytest.mark.skipif(sqlalchemy.__version__ < "2.1", reason="NOT RUN: SQLAlchemy 2.0 loses ? and % of a path")
def test_a_store_in_a_directory_with_odd_characters_works(tmp_path: Path, migrated_file: Path) -> None:
    odd = tmp_path / "50% ü ? #1"
    odd.mkdir()
    shutil.copy(migrated_file, odd / "rbac.db")
    engine = open_engine(create_engine("sqlite://").url.set(database=str(odd / "rbac.db")).render_as_string())

    schema.check(engine)
    schema.upgrade(engine)
    engine.dispose()


def test_a_pool_without_a_free_connection_says_that_the_store_is_busy(url: str) -> None:
    engine = open_engine(create_engine(url.replace("postgresql:", "postgresql+psycopg:"), pool_size=1, max_overflow=0, pool_timeout=0.05))

    with reading(engine), pytest.raises(StoreError, match="is busy with another change: try again"), reading(engine):
        raise AssertionError("not reached")
    engine.dispose()


def test_a_change_gets_its_turn_although_others_hardly_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself looks every 0.1 s once it has waited for a while, and may miss every pause of the others."""
    monkeypatch.setattr("rbac.database.sqlite.BUSY", 2)
    migrate(url := f"sqlite:///{tmp_path / 'rbac.db'}")
    engine, over, held = open_engine(url), threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(tmp_path / "rbac.db", isolation_level=None, timeout=60)) as other:
            while not over.is_set():
                other.execute("BEGIN IMMEDIATE")
                held.set()
                time.sleep(0.12)
                other.execute("COMMIT")
                time.sleep(0.006)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        for _ in range(10):
            held.clear()
            assert held.wait(10)
            with changing(engine) as connection:
                connection.exec_driver_sql("SELECT 1")
    finally:
        over.set()
        holder.join()
        engine.dispose()
