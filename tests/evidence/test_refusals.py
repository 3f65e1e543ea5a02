"""Refusals are recorded beside the audit: one row each, nothing else written, the error unchanged."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text

import rbac
from rbac.acting import Acting
from rbac.database.audit import refusals as module
from rbac.organization import Organization
from tests.conftest import ACME, Clock
from tests.invariants import everything


def rows(store: rbac.Store) -> dict[str, list[str]]:
    """Every row of every table but the one of refusals."""
    return everything.rows(store, "refusal")


REFUSED: dict[str, tuple[str, Callable[[Acting], object], str, str]] = {
    "by a rule": ("ada", lambda a: a.grant("olga", "annotator"), "grant olga annotator", "olga is the Owner of acme"),
    "by the policy": ("max", lambda a: a.add("andy", "workspace:w2"), "add andy workspace:w2", "may not workspace_member:manage"),
    "of somebody unknown": ("zoe", lambda a: a.create_workspace("w9"), "create_workspace w9", "zoe is no member of acme"),
    "of somebody deactivated": ("dan", lambda a: a.deactivate("ada"), "deactivate ada", "dan is deactivated in acme"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_leaves_one_row_and_nothing_else(store: rbac.Store, acme: Organization, clock: Clock, case: str) -> None:
    actor, change, operation, reason = REFUSED[case]
    before = rows(store)

    with pytest.raises(rbac.Refused, match=reason):
        change(acme.acting(actor))

    (kept,) = acme.refusals()
    assert (kept.organization, kept.actor, kept.at, kept.operation) == ("acme", actor, clock(), operation)
    assert reason in kept.reason
    assert rows(store) == before
    assert acme.verify()


def test_every_refusal_of_a_block_is_kept_also_when_the_block_then_fails(acme: Organization) -> None:
    with pytest.raises(ZeroDivisionError), acme.acting("ada") as ada:
        ada.grant("andy", "reviewer")
        for user in ("olga", "ada"):
            with pytest.raises(rbac.Refused):
                ada.grant(user, "annotator")
        raise ZeroDivisionError

    assert [each.operation for each in acme.refusals()] == ["grant olga annotator", "grant ada annotator"]
    assert acme.revision == 1


def test_a_block_that_goes_on_after_a_refusal_keeps_both_the_change_and_the_refusal(acme: Organization) -> None:
    with acme.acting("ada") as ada:
        with pytest.raises(rbac.Refused):
            ada.grant("olga", "annotator")
        ada.grant("andy", "reviewer")

    assert (acme.revision, acme.role_of("andy"), len(list(acme.refusals()))) == (2, rbac.Role.REVIEWER, 1)


def test_what_the_database_itself_refuses_is_kept_as_well(acme: Organization, store: rbac.Store) -> None:
    def owner_gone(connection: Any, *_: object) -> None:
        event.remove(store._store.engine, "before_execute", owner_gone)
        connection.execute(text("UPDATE rbac_organization SET owner_state = 'deactivated'"))

    with pytest.raises(rbac.Refused, match="the store refused the change"), acme.acting("ada") as ada:
        event.listen(store._store.engine, "before_execute", owner_gone)
        ada.grant("andy", "reviewer")

    (kept,) = acme.refusals()
    assert kept.reason.startswith("the store refused the change")


def test_refusals_of_the_operator_are_kept(acme: Organization, store: rbac.Store) -> None:
    other = copy.deepcopy(ACME)
    other["organizations"][0]["owner"] = "mallory"
    for change in (
        lambda: acme.transfer_ownership(to="dan", ticket="SUP 1", operator="root"),
        lambda: store.record("acme", project="p9", tasks=["t1"], operator="app"),
        lambda: store.import_state(other, update=True),
        lambda: store.create("acme", owner="mallory"),
    ):
        with pytest.raises(rbac.Refused):
            change()

    assert [(each.actor, each.operation) for each in acme.refusals()] == [
        ("root", "transfer_ownership dan SUP 1"),
        ("app", "record project:p9"),
        ("operator", "import"),
        ("operator", "init mallory"),
    ]
    assert acme.revision == 1


def test_mistakes_conflicts_and_changes_that_change_nothing_are_not_refusals(acme: Organization) -> None:
    acme.acting("ada").grant("andy", "annotator")
    with pytest.raises(rbac.UnknownName):
        acme.acting("ada").configure("project:p1", colour="red")  # type: ignore[call-arg]
    with pytest.raises(rbac.Conflict):
        acme.acting("ada", expect=9).grant("andy", "reviewer")

    assert list(acme.refusals()) == []


def test_only_the_newest_refusals_of_each_organization_stay(acme: Organization, store: rbac.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    store.create("beta", owner="ben")
    with pytest.raises(rbac.Refused):
        store.organization("beta").acting("zoe").create_workspace("w")
    for number in range(7):
        with pytest.raises(rbac.Refused):
            acme.acting("zoe").create_workspace(f"w{number}")

    assert [each.operation for each in acme.refusals()] == [f"create_workspace w{number}" for number in (4, 5, 6)]
    assert len(list(store.organization("beta").refusals())) == 1


def test_refusals_are_filtered(acme: Organization, clock: Clock) -> None:
    for actor in ("max", "zoe", "max"):
        clock.advance(10)
        with pytest.raises(rbac.Refused):
            acme.acting(actor).grant("andy", "manager")
    first, second, third = (each.at for each in acme.refusals())

    assert [each.at for each in acme.refusals(actor="max")] == [first, third]
    assert [each.at for each in acme.refusals(since=second)] == [second, third]
    assert [each.at for each in acme.refusals(until=second)] == [first]
    assert [each.at for each in acme.refusals(newest_first=True)] == [third, second, first]
    assert [each.at for each in acme.refusals(since=-(10**30), until=10**30)] == [first, second, third]
    assert [each.revision for each in acme.audit(since=-(10**30), until=10**30, first=-(10**30), last=10**30)] == [1]


def test_a_refusal_that_cannot_be_recorded_is_the_same_refusal(
    acme: Organization, store: rbac.Store, caplog: pytest.LogCaptureFixture
) -> None:
    with store._store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE rbac_refusal RENAME TO elsewhere"))

    with caplog.at_level(logging.WARNING, "rbac"), pytest.raises(rbac.Refused, match="olga is the Owner of acme"):
        acme.acting("ada").grant("olga", "annotator")

    assert "1 refusals could not be recorded" in caplog.text


def test_a_refusal_in_a_missing_organization_is_not_recorded(store: rbac.Store) -> None:
    with pytest.raises(rbac.Refused, match="there is no organization nowhere"):
        store.organization("nowhere").acting("ada").grant("olga", "annotator")

    assert list(store.organization("nowhere").refusals()) == []


def test_a_hostile_value_is_recorded_as_printable_text_of_bounded_length() -> None:
    hostile = "automatic\n2026-01-01 olga (member): grant\x1b[2J\u202e\U0001f600" + "x" * 5000
    attempt = module.Attempt("acme", "ada", f"configure {hostile}", 1)

    attempt.refused(rbac.Refused(hostile))

    (kept,) = attempt.refusals
    assert all(each.isascii() and each.isprintable() for each in (kept.operation, kept.reason))
    assert (len(kept.operation), len(kept.reason)) == (255, 1000)
