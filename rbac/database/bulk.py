"""Many rows at once, in the fastest way each database has: COPY on PostgreSQL, one prepared INSERT on SQLite.

One rule: the same rows are refused, with the same errors, as one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.exc import DBAPIError

from rbac.database.engine import is_sqlite

_FEW = 20  # rows below which COPY has no advantage


def insert_many(connection: Connection, table: Table[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, which name all the same columns; some thousands in a call are a good number.

    Belongs inside `changing` or a unit of work: COPY does not begin a transaction that SQLAlchemy would know of.
    """
    if len(rows) < _FEW:
        if rows:
            connection.execute(insert(table), [*rows])
        return
    quoted = connection.dialect.identifier_preparer
    names = list(rows[0])
    columns = f"{quoted.format_table(table)} ({', '.join(quoted.format_column(table.c[name]) for name in names)})"
    values = list(map(itemgetter(*names), rows)) if len(names) > 1 else [(row[names[0]],) for row in rows]
    if is_sqlite(connection):
        # past SQLAlchemy's work on every row; our columns are texts, whole numbers and booleans, which SQLite takes as they are
        connection.exec_driver_sql(f"INSERT INTO {columns} VALUES ({', '.join('?' * len(names))})", values)
        return
    driver: Any = connection.connection.driver_connection
    _copy(driver, f"COPY {columns} FROM STDIN", values)


def _copy(driver: Any, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    import psycopg

    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # as SQLAlchemy does for its own statements, so that callers meet one kind of error
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error
