"""The table of the kinds of facts: complete, and the same in both directions."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from rbac.database import tables as t
from rbac.database.engine import reading
from rbac.database.stored_facts import STORED, StoredKind
from rbac.database.unit_of_work import writing
from tests.database import writer


def test_every_kind_of_the_audit_is_stored_and_no_other() -> None:
    assert {"organization", *(stored.kind for stored in STORED if stored.audited)} == set(t.KINDS)


def test_every_table_of_an_organization_s_facts_is_in_the_table_of_kinds() -> None:
    not_facts = {"rbac_store", "rbac_audit", "rbac_audit_change", "rbac_request_key", "rbac_refusal", "rbac_ended_task_fact"}

    assert {stored.table.name for stored in STORED} | not_facts == set(t.metadata.tables)


def test_what_a_kind_refers_to_comes_before_it() -> None:
    seen = {"rbac_organization", "rbac_member"}  # which refer to each other
    for stored in STORED:
        assert {key.referred_table.name for key in stored.table.foreign_key_constraints} - {"rbac_member"} <= seen | {stored.table.name}
        seen.add(stored.table.name)


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: f"{stored.kind} {stored.table.name}")
def test_a_row_read_as_a_fact_is_written_as_the_same_row(acme: Engine, stored: StoredKind) -> None:
    with writing(acme, "acme", actor="ada", actor_kind="member", operation="restrict", at=3_000_000) as work:
        writer.restrict(work, "plugin:configure", "administrator")

    with reading(acme) as connection:
        rows = connection.execute(select(stored.table).where(stored.of("acme"))).all()
        assert rows, "the store has a row of every kind"
        for row in rows:
            fact = stored.fact(row)
            written = stored.row("acme", fact.user, fact.domain, fact.value)

            kept = {name: value for name, value in row._mapping.items() if name in written}
            assert written == kept
            assert {column.name for column in stored.table.primary_key} <= written.keys()
            assert stored.table is t.organization or row._mapping.keys() - kept.keys() <= ({"personal"} if stored.audited else {"since"})
