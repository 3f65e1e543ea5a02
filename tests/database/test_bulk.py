"""Many rows at once are what they would be one by one."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from rbac.database import tables
from rbac.database.bulk import insert_many
from rbac.database.engine import changing, reading
from rbac.errors import Refused


def memberships(*users: str) -> list[dict[str, object]]:
    return [{"organization": "acme", "user": user, "workspace": "w1", "until": None, "personal": False} for user in users]


def test_many_rows_keep_every_type_and_every_character(acme: Engine) -> None:
    texts = [chr(code) * 2 for code in range(32, 127)]
    rows = [
        {"organization": "acme", "id": 2**53 + number, "at": number, "actor": "ada", "operation": text, "reason": text}
        for number, text in enumerate(texts)
    ]

    with changing(acme) as connection:
        insert_many(connection, tables.refusal, rows)

    with reading(acme) as connection:
        found = connection.execute(select(tables.refusal)).mappings().all()
    assert sorted(map(str, found)) == sorted(map(str, rows))


@pytest.mark.parametrize("count", [1, 500])
def test_one_bad_row_refuses_all_of_them(acme: Engine, count: int) -> None:
    with pytest.raises(Refused, match="the store refused the change"), changing(acme) as connection:
        insert_many(connection, tables.task, [{"organization": "acme", "project": "p1", "id": f"n{number}"} for number in range(count)])
        insert_many(connection, tables.workspace_member, memberships("max", *["otto"] * count))

    with reading(acme) as connection:
        assert connection.scalars(select(tables.task.c.id).where(tables.task.c.id.like("n%"))).all() == []


def test_no_rows_are_no_error(acme: Engine) -> None:
    with changing(acme) as connection:
        insert_many(connection, tables.task, [])
