"""What a database says of its own soundness, for whoever suspects the file and not the program.

One rule: it only reads. PostgreSQL holds its own foreign keys and pages; SQLite's file can be edited by anybody.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from rbac.database.engine import is_sqlite


def damages(connection: Connection) -> Iterator[str]:
    """A sentence for each damaged page and each kind of row that points nowhere; nothing on PostgreSQL."""
    if not is_sqlite(connection):
        return
    for said in connection.execute(text("PRAGMA quick_check(10)")).scalars():
        if said != "ok":
            yield f"the file is damaged: {' '.join(str(said).split())}"
    pointing = connection.execute(text('SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2'))
    for table, parent, rows in pointing:
        yield f"{rows} rows of {table} point to a {parent} that is not there"
