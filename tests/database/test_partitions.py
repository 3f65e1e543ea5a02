"""docs/partition.sql, which spreads a store over partitions by organization: the same store, one partition a question."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

import rbac
from tests.conftest import ACME, PARTITION

CATALOG = """
SELECT conname, pg_get_constraintdef(pg_constraint.oid) FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE NOT relispartition AND conparentid = 0 AND relname <> 'put_back'
UNION ALL SELECT tgname, replace(pg_get_triggerdef(pg_trigger.oid), 'public.', '') FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND NOT relispartition
UNION ALL SELECT pg_class.relname, replace(pg_get_indexdef(indexrelid), ' ONLY ', ' ') FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_class AS whole ON whole.oid = indrelid
WHERE NOT whole.relispartition AND whole.relnamespace = 'public'::regnamespace
UNION ALL SELECT 'rbac_casbin_rule', pg_get_viewdef('rbac_casbin_rule'::regclass)
"""


@pytest.fixture
def dialect() -> str:
    return "postgresql"


@pytest.fixture
def catalogs(url: str, store: rbac.Store) -> list[set[tuple[Any, ...]]]:
    """A store with three organizations, partitioned; its keys, indexes, triggers and view before and after."""
    for name in ("bolt", "core"):
        store.import_state({"organizations": [{**deepcopy(ACME["organizations"][0]), "id": name}]})
    found = []
    with connected(url) as connection:
        found.append(set(connection.execute(CATALOG).fetchall()))
        connection.execute(PARTITION.read_bytes())
        found.append(set(connection.execute(CATALOG).fetchall()))
    return found


def connected(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))


def test_keys_indexes_triggers_and_the_view_are_what_they_were(catalogs: list[set[tuple[Any, ...]]]) -> None:
    before, after = catalogs

    assert len(before) > 80
    assert after == before


def test_a_partitioned_store_keeps_what_it_has_and_works_as_before(catalogs: list[set[tuple[Any, ...]]], store: rbac.Store) -> None:
    store.import_state({"organizations": [{**deepcopy(ACME["organizations"][0]), "id": "dust"}]})
    for name in ("acme", "bolt", "core", "dust"):
        each = store.organization(name)
        each.acting("ada").grant("andy", "reviewer", on="project:p1")
        each.transfer_ownership(to="ada", ticket="T-1", operator="root")

        assert each.can("andy", "review:access", "project:p1")
        assert each.verify()
        with pytest.raises(rbac.Refused):
            each.acting("andy").grant("max", "annotator")
    assert store.export_state().organizations[0].owner == "ada"


def test_the_audit_is_append_only_through_the_table_and_through_each_partition(catalogs: object, url: str) -> None:
    with connected(url) as connection:
        places = connection.execute("SELECT DISTINCT tableoid::regclass::text FROM rbac_audit WHERE organization = 'acme'").fetchall()
        number = places[0][0].removeprefix("rbac_audit_")
        for table in ("rbac_audit", f"rbac_audit_{number}", "rbac_audit_change", f"rbac_audit_change_{number}"):
            for what in ("UPDATE {} SET organization = organization", "DELETE FROM {}", "TRUNCATE {} CASCADE"):
                with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
                    connection.execute(what.format(table).encode())
        for table in ("rbac_audit_change", f"rbac_audit_change_{number}"):
            insert = f"INSERT INTO {table} (organization, revision, position, kind, domain, after) "
            with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
                connection.execute(f"{insert} VALUES ('acme', 1, 999, 'settings', 'organization', '{{}}')".encode())


def test_a_question_looks_into_one_partition_of_each_table(catalogs: object, url: str) -> None:
    with connected(url) as connection:
        plan = connection.execute(
            "EXPLAIN SELECT * FROM rbac_organization o JOIN rbac_member m ON m.organization = o.id JOIN rbac_project p ON p.organization = o.id"  # noqa: E501
            " WHERE o.id = 'acme' AND m.organization = 'acme' AND p.organization = 'acme'"
        ).fetchall()

    assert sum(" on " in line for (line,) in plan) == 3
