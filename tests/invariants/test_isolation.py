"""Invariant 3: nothing of one organization can be reached, seen or changed from another."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from sqlalchemy import event

import rbac
from rbac.database import tables
from rbac.organization import Organization
from tests.conftest import ACME
from tests.invariants.everything import answers, rows

BOUND = [table for table in tables.metadata.tables.values() if table.name not in ("rbac_store", "rbac_organization")]


@pytest.mark.parametrize("table", BOUND, ids=lambda table: table.name)
def test_the_organization_comes_first_in_every_key_and_is_part_of_every_foreign_key(table: Any) -> None:
    assert next(iter(table.primary_key.columns)).name == "organization"
    assert table.foreign_key_constraints
    for key in table.foreign_key_constraints:
        first = key.elements[0]
        assert key.columns[0].name == "organization"
        assert first.column.name in ("organization", "id") and (first.column.table.name == "rbac_organization") == (
            first.column.name == "id"
        )
    for index in table.indexes:
        assert next(iter(index.columns)).name == "organization"


@pytest.fixture
def twin(store: rbac.Store, acme: Organization) -> Organization:
    """An organization with the same ids, where everybody has another role."""
    state = copy.deepcopy(ACME)
    organization = state["organizations"][0]
    organization["id"], organization["owner"] = "twin", "andy"
    organization["members"] |= {"olga": "annotator", "ada": "reviewer", "max": "administrator"}
    del organization["members"]["andy"]
    organization["workspaces"][0]["members"] = ["rita"]
    organization["workspaces"][0]["projects"][1]["tasks"] = {"t1": None}
    store.import_state(state)
    return store.organization("twin")


def test_equal_ids_in_two_organizations_are_never_confused(acme: Organization, twin: Organization) -> None:
    assert (acme.role_of("andy"), twin.role_of("andy")) == ("annotator", "owner")
    assert not acme.can("andy", "billing:configure") and twin.can("andy", "billing:configure")
    with pytest.raises(rbac.Refused):
        twin.acting("olga").grant("rita", "manager")
    with pytest.raises(rbac.Refused):
        acme.acting("andy").grant("rita", "manager")
    assert len(list(acme.refusals())) == len(list(twin.refusals())) == 1


def test_memberships_of_equal_ids_in_two_organizations_are_never_confused(acme: Organization, twin: Organization) -> None:
    """andy is in w1 of acme, and of no workspace in twin; max is in p4 of both."""
    assert acme.can("andy", "workspace:view", "workspace:w1")
    member = twin.member("andy")

    assert member is not None and (member.workspaces, member.projects, member.project_roles, member.pauses) == ({}, {}, {}, {})
    acme.acting("max").pause("rita", "project:p1")
    assert [each.member("rita").pauses.keys() for each in (acme, twin)] == [{"p1"}, set()]  # type: ignore[union-attr]


def test_changes_of_one_organization_change_no_answer_row_audit_or_refusal_of_another(
    store: rbac.Store, acme: Organization, twin: Organization
) -> None:
    with pytest.raises(rbac.Refused):
        twin.acting("olga").create_workspace("w9")
    before = answers(twin), list(twin.audit()), list(twin.refusals()), twin.head()

    with acme.acting("olga") as olga:
        olga.grant("andy", "administrator")
        olga.deactivate("rita")
        olga.add("mia", "workspace:w1")
        olga.configure("organization", plugins_enabled=False)
        olga.delete_project("p2")
        olga.move_project("p1", workspace="w2")
        olga.restrict("plugin:view", "administrator")
    store.record("acme", project="p4", tasks=["t1"])
    acme.transfer_ownership(to="ada", ticket="T", operator="root")
    with pytest.raises(rbac.Refused):
        acme.acting("zoe").create_workspace("w9")

    assert (answers(twin), list(twin.audit()), list(twin.refusals()), twin.head()) == before
    assert twin.verify()


def test_every_statement_of_a_question_or_a_change_is_bound_to_its_organization(store: rbac.Store, acme: Organization) -> None:
    told: list[tuple[str, str]] = []
    event.listen(
        store._store.engine,
        "before_cursor_execute",
        lambda connection, cursor, statement, parameters, *_: told.append((statement, repr(parameters))),
    )

    answers(acme)
    acme.standings("max")
    acme.can("max", "annotator_dashboard:view", target="andy")
    with acme.acting("ada") as ada:
        ada.grant("andy", "reviewer")
        ada.add("andy", "workspace:w2")
        ada.pause("rita", "project:p1")
        ada.delete_project("p3")
    list(acme.audit())
    acme.verify()
    acme.as_of(1)

    asked = [each for each in told if "rbac_version" not in each[0] and not each[0].startswith(("BEGIN", "PRAGMA"))]
    assert len(asked) > 40
    unbound = [statement for statement, parameters in asked if "'acme" not in parameters]
    assert unbound == []


def test_the_rows_of_another_organization_stay_as_they_are(store: rbac.Store, acme: Organization, twin: Organization) -> None:
    def of_twin() -> list[str]:
        return [row for table in rows(store).values() for row in table if "'twin'" in row]

    before = of_twin()
    acme.acting("olga").delete_project("p1")

    assert before and of_twin() == before
