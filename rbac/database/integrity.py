"""What a database says of its own soundness, for whoever suspects the file and not the program.

One rule: it only reads. PostgreSQL holds its own foreign keys and pages; SQLite's file can be edited by anybody.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from rbac.database import schema
from rbac.database.engine import is_sqlite, open_engine

_SCHEMA = text("SELECT type, name, sql FROM sqlite_master ORDER BY name")


def damages(connection: Connection) -> Iterator[str]:
    """A sentence for each damaged page, each altered table or trigger, each kind of row that points nowhere; nothing on PostgreSQL."""
    if not is_sqlite(connection):
        return
    for said in connection.execute(text("PRAGMA quick_check(10)")).scalars():
        if said != "ok":
            yield f"the file is damaged: {' '.join(str(said).split())}"
    for what, name in _altered(connection):
        yield f"the {what} {name} is not as this program makes it: restore a backup"
    pointing = connection.execute(text('SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2'))
    for table, parent, rows in pointing:
        yield f"{rows} rows of {table} point to a {parent} that is not there"


def _altered(connection: Connection) -> Iterator[tuple[str, str]]:
    """Tables, indexes, views and triggers that are gone or say something else than those of a store made now.

    SQLite keeps its schema as text in the file, where a damaged byte changes what is refused.
    """
    fresh = open_engine("sqlite://")
    schema.create(fresh)
    with fresh.connect() as other:
        made = other.execute(_SCHEMA).all()
    fresh.dispose()
    there = {(what, name): sql for what, name, sql in connection.execute(_SCHEMA)}
    yield from ((what, name) for what, name, sql in made if there.get((what, name)) != sql)
