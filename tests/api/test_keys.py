"""Keys: a change made under a key is made once, and its retry is told the revision it led to, whatever came in between."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

import rbac
from rbac import Role
from rbac.administration.keys import KEPT_FOR
from rbac.clock import write_instant
from rbac.database import tables as t
from rbac.organization import Organization
from tests.conftest import Clock

HOUR = 3600


def kept(store: rbac.Store) -> int:
    """How many keys the store keeps."""
    with store._store.reading() as connection:
        return len(connection.execute(select(t.request_key)).all())


def test_a_key_belongs_to_its_actor(acme: Organization) -> None:
    first = acme.acting("ada", key="k").grant("andy", "reviewer")

    other = acme.acting("olga", key="k").grant("rita", "annotator")

    assert (first, other) == (2, 3)
    assert acme.acting("ada", key="k").grant("andy", "reviewer") == first
    assert acme.acting("olga", key="k").grant("rita", "annotator") == other


def test_a_key_whose_first_use_changed_nothing_is_kept_so_that_its_retry_undoes_nothing(acme: Organization, store: rbac.Store) -> None:
    first = acme.acting("ada", key="k").grant("andy", "annotator")
    acme.acting("olga").grant("andy", "manager")

    again = acme.acting("ada", key="k").grant("andy", "annotator")

    assert (first, again, again.changed, acme.revision) == (1, 1, False, 2)
    assert acme.role_of("andy") is Role.MANAGER
    assert kept(store) == 1
    assert acme.verify()


def test_a_key_whose_first_use_changed_nothing_is_a_conflict_for_another_change(acme: Organization) -> None:
    acme.acting("ada", key="k").grant("andy", "annotator")

    with pytest.raises(rbac.Conflict, match="the key 'k' was used for another change, at revision 1"):
        acme.acting("ada", key="k").grant("andy", "reviewer")

    assert acme.role_of("andy") is Role.ANNOTATOR


@pytest.mark.parametrize("change", ["add", "pause", "grant"])
def test_a_retry_after_the_end_that_it_names_is_told_the_revision(acme: Organization, clock: Clock, change: str) -> None:
    until = write_instant(clock.now + HOUR * 1_000_000)
    changes: dict[str, Any] = {
        "add": lambda max_: max_.add("mia", "workspace:w1", until=until),
        "pause": lambda max_: max_.pause("rita", "project:p1", until=until),
        "grant": lambda max_: max_.grant("andy", "reviewer", on="project:p1", until=until),
    }
    first = changes[change](acme.acting("max", key="k"))
    clock.advance(2 * HOUR)

    again = changes[change](acme.acting("max", key="k"))

    assert (first, again, again.changed) == (2, 2, False)
    with pytest.raises(rbac.UnknownName, match=f"{until} is in the past"):
        changes[change](acme.acting("max", key="another"))


def test_a_known_key_answers_no_one_who_is_not_an_active_member(acme: Organization) -> None:
    acme.acting("max", key="k").add("mia", "workspace:w1")
    acme.acting("ada").deactivate("max")

    with pytest.raises(rbac.Refused, match="max is deactivated in acme"):
        acme.acting("max", key="k").add("mia", "workspace:w1")
    with pytest.raises(rbac.Refused, match="zoe is no member of acme"):
        acme.acting("zoe", key="k").add("mia", "workspace:w1")

    assert [each.operation for each in acme.refusals()] == ["add mia workspace:w1"] * 2


def test_a_retry_is_told_the_revision_whatever_it_expects_and_whatever_became_forbidden(acme: Organization) -> None:
    def change() -> rbac.Revision:
        return acme.acting("max", key="k", expect=1).add("andy", "project:p4")

    first = change()
    acme.acting("mia").remove("max", "project:p4")
    acme.acting("ada").grant("andy", "reviewer")
    assert not acme.can("max", "project_member:manage", "project:p4")

    assert change() == first == 2


def test_a_change_that_is_refused_or_mistaken_leaves_its_key_unused(acme: Organization, store: rbac.Store, clock: Clock) -> None:
    with pytest.raises(rbac.Refused):
        acme.acting("mia", key="k").add("andy", "workspace:w1")
    with pytest.raises(rbac.UnknownName):
        acme.acting("mia", key="k").add("andy", "workspace:w1", until=write_instant(clock.now - 1))
    assert kept(store) == 0
    acme.acting("max").add("mia", "workspace:w1")

    assert acme.acting("mia", key="k").add("andy", "workspace:w1", until="2030-01-01T00:00:00Z").changed


def test_a_block_is_one_change_under_its_key(acme: Organization) -> None:
    def change(second: str) -> list[rbac.Revision]:
        with acme.acting("ada", key="k") as ada:
            return [ada.grant("andy", "annotator"), ada.grant("rita", second)]

    first = change("annotator")
    acme.acting("olga").grant("rita", "manager")

    assert (first, change("annotator")) == ([1, 2], [2, 2])
    assert acme.role_of("rita") is Role.MANAGER
    with pytest.raises(rbac.Conflict, match="was used for another change"):
        change("reviewer")


@pytest.mark.parametrize("key", ["retry 7", "ключ-7", "{'a': \"b\"}", "😀", "x" * 100_000, " "])
def test_any_printable_text_is_a_key(acme: Organization, key: str) -> None:
    acme.acting("ada", key=key).grant("andy", "reviewer")
    acme.acting("ada").grant("andy", "annotator")

    assert acme.acting("ada", key=key).grant("andy", "reviewer") == 2
    with pytest.raises(rbac.Conflict) as caught:
        acme.acting("ada", key=key).grant("andy", "manager")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("key", ["", "a\nb", "\x00", "\ud800", "a\u202eb", 7, b"k", ["k"]])
def test_a_key_that_is_not_printable_text_is_refused(acme: Organization, key: Any) -> None:
    with pytest.raises(rbac.UnknownName, match="a key is printable text"):
        acme.acting("ada", key=key)


def test_keys_are_kept_as_hashes(acme: Organization, store: rbac.Store) -> None:
    acme.acting("ada", key="a secret of the caller").grant("andy", "reviewer")

    with store._store.reading() as connection:
        (row,) = connection.execute(select(t.request_key)).mappings().all()
    assert (row["organization"], row["actor"], row["revision"]) == ("acme", "ada", 2)
    assert "secret" not in str(row)


def test_a_key_is_unknown_after_its_time_and_then_deleted(acme: Organization, store: rbac.Store, clock: Clock) -> None:
    days = KEPT_FOR.total_seconds()
    acme.acting("ada", key="first").grant("andy", "reviewer")
    clock.advance(days)
    acme.acting("ada", key="second").grant("andy", "annotator")
    assert (acme.acting("ada", key="first").grant("andy", "reviewer"), kept(store)) == (2, 2)

    clock.advance(1)

    assert (acme.acting("ada", key="first").grant("andy", "reviewer"), acme.role_of("andy"), kept(store)) == (4, Role.REVIEWER, 2)
    clock.advance(days + 1)
    acme.acting("ada", key="third").grant("andy", "reviewer")
    assert kept(store) == 1


def test_the_keys_of_another_organization_stay(acme: Organization, store: rbac.Store, clock: Clock) -> None:
    store.create("beta", owner="ben")
    store.organization("beta").acting("ben", key="k").invite("cy")
    clock.advance(2 * KEPT_FOR.total_seconds())

    acme.acting("ada", key="k").grant("andy", "reviewer")

    assert kept(store) == 2
