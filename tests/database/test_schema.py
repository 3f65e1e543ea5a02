"""Making a store, recognising one, and that the frozen SQL is what the tables say."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, inspect, text

from rbac.database import schema
from rbac.database.engine import changing, is_sqlite, open_engine, reading
from rbac.database.tables import metadata
from rbac.database.triggers import STATEMENTS
from rbac.errors import Refused, StoreError

_CATALOG = (
    """SELECT table_name, column_name, data_type, is_nullable, collation_name, column_default, ordinal_position
    FROM information_schema.columns WHERE table_schema = 'public'""",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
)


def described(connection: Connection) -> set[tuple[str, ...]]:
    """Everything there is in a database: tables, columns, constraints, indexes, triggers, functions, views."""
    if is_sqlite(connection):
        rows = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master")).all()
        found = {tuple(re.sub(r"\s+", " ", str(each)).strip() for each in row) for row in rows}
    else:
        found = {tuple(map(str, row)) for query in _CATALOG for row in connection.execute(text(query))}
    return {row for row in found if not any(schema.VERSION_TABLE in each for each in row)}


@pytest.fixture
def empty(nowhere: str) -> Iterator[Engine]:
    engine = open_engine(nowhere)
    yield engine
    engine.dispose()


def test_a_migrated_schema_is_what_the_tables_say_triggers_and_view_included(engine: Engine, empty: Engine) -> None:
    if is_sqlite(empty):
        Path(str(empty.url.database)).touch()
    with empty.begin() as connection:
        metadata.create_all(connection)
        for statement in STATEMENTS[connection.dialect.name]:
            connection.exec_driver_sql(statement)
        fresh = described(connection)

    with reading(engine) as connection:
        migrated = described(connection)

    assert len(migrated) > 30
    assert migrated == fresh


def test_a_new_store_is_empty_current_and_has_a_life_of_its_own(empty: Engine) -> None:
    schema.create(empty)

    epoch = schema.check(empty)
    assert re.fullmatch("[0-9a-f]{32}", epoch)
    with reading(empty) as connection:
        assert connection.scalar(text("SELECT count(*) FROM rbac_organization")) == 0


def test_foreign_keys_hold_on_the_connection_that_made_the_store(empty: Engine) -> None:
    schema.create(empty)

    with pytest.raises(Refused), changing(empty) as connection:
        connection.execute(text("INSERT INTO rbac_workspace VALUES ('nowhere', 'w1', NULL, FALSE)"))


def test_creating_a_store_twice_leaves_it_alone(engine: Engine) -> None:
    epoch = schema.check(engine)

    schema.create(engine)
    schema.upgrade(engine)

    assert schema.check(engine) == epoch


def test_a_store_that_is_not_there_yet_says_what_makes_one_and_is_not_made_by_asking(empty: Engine) -> None:
    for ask in (schema.check, schema.upgrade):
        with pytest.raises(StoreError, match=r"there is no store at .* yet: `rbac init` or `rbac import` makes one"):
            ask(empty)

    if is_sqlite(empty):
        assert not Path(str(empty.url.database)).exists()


def test_a_database_of_somebody_else_is_refused_and_left_alone(empty: Engine) -> None:
    if is_sqlite(empty):
        sqlite3.connect(str(empty.url.database)).execute("CREATE TABLE invoice (id INTEGER)").connection.close()
    else:
        with changing(empty) as connection:
            connection.execute(text("CREATE TABLE invoice (id INTEGER)"))

    for ask in (schema.check, schema.create, schema.upgrade):
        with pytest.raises(StoreError, match="holds other tables and is no store of this program"):
            ask(empty)
    with reading(empty) as connection:
        assert inspect(connection).get_table_names() == ["invoice"]


@pytest.mark.parametrize(
    ("version", "known", "sentence"),
    [
        ("0002", ("0002", "0003"), "has schema 0002, this program needs 0003: run `rbac db upgrade`"),
        ("0009", ("0002",), "has schema 0009, this program knows 0002: a newer program made it, update this one"),
        ("0001", ("0002",), "was made before version 0.2.0: export it with the program that made it, and import the file"),
    ],
)
def test_an_older_and_a_newer_store_say_so(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, version: str, known: tuple[str, ...], sentence: str
) -> None:
    with changing(engine) as connection:
        connection.execute(text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '{version}'"))
    monkeypatch.setattr(schema, "REVISIONS", known)
    monkeypatch.setattr(schema, "HEAD", known[-1])

    with pytest.raises(StoreError, match=re.escape(sentence)):
        schema.check(engine)
    with pytest.raises(StoreError, match=re.escape(sentence)):
        schema.create(engine)


def test_a_store_that_lost_its_first_row_is_not_taken_for_a_good_one(engine: Engine) -> None:
    with changing(engine) as connection:
        connection.execute(text("DELETE FROM rbac_store"))

    with pytest.raises(StoreError, match="has lost tables or its first row"):
        schema.check(engine)


def test_an_interrupted_creation_leaves_nothing_behind(empty: Engine) -> None:
    def pull_the_plug(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        if "INSERT INTO rbac_store" in statement:
            raise InterruptedError

    event.listen(empty, "before_cursor_execute", pull_the_plug)
    with pytest.raises(InterruptedError):
        schema.create(empty)
    event.remove(empty, "before_cursor_execute", pull_the_plug)

    with reading(empty) as connection:
        assert inspect(connection).get_table_names() == []
    schema.create(empty)
    schema.check(empty)


def test_a_store_knows_exactly_the_revisions_in_its_folder() -> None:
    folder = Path(schema.__file__).parent / "migrations" / "versions"

    assert tuple(sorted(path.name[:4] for path in folder.glob("*.py"))) == schema.REVISIONS


def test_a_store_in_memory_works() -> None:
    engine = open_engine("sqlite://")

    schema.create(engine)

    schema.check(engine)
    engine.dispose()
