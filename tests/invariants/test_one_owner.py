"""Invariant 1: at every revision exactly one active member owns the organization, whoever tries what."""

from __future__ import annotations

import copy

import pytest

import rbac
from rbac import Role
from rbac.organization import Organization
from rbac.vocabulary import State
from tests.conftest import ACME


@pytest.mark.parametrize("actor", ["olga", "ada", "max", "andy", "zoe"])
@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.grant("olga", "administrator"),
        lambda a: a.grant("olga", "annotator"),
        lambda a: a.grant("ada", "owner"),
        lambda a: a.grant("zoe", "owner"),
        lambda a: a.invite("zoe", "owner"),
        lambda a: a.invite("olga", "manager"),
        lambda a: a.deactivate("olga"),
        lambda a: a.activate("olga"),
        lambda a: a.grant("olga", "annotator", on="project:p1"),
        lambda a: a.grant("andy", "owner", on="project:p1"),
        lambda a: a.remove("olga", "project:p1"),
    ],
)
def test_no_member_makes_removes_or_changes_an_owner(acme: Organization, actor: str, change: object) -> None:
    with pytest.raises(rbac.Refused):
        change(acme.acting(actor))  # type: ignore[operator]

    assert (acme.owner, acme.role_of("olga"), acme.revision) == ("olga", Role.OWNER, 1)


@pytest.mark.parametrize("to", ["dan", "nina", "zoe"])
def test_ownership_goes_to_active_members_only(acme: Organization, to: str) -> None:
    with pytest.raises(rbac.Refused, match="only an active member can become Owner"):
        acme.transfer_ownership(to=to, ticket="T", operator="root")

    assert acme.owner == "olga"


def test_an_import_makes_no_second_owner_and_removes_none(store: rbac.Store, acme: Organization) -> None:
    for change in ({"owner": "zoe"}, {"members": {**ACME["organizations"][0]["members"], "zoe": "owner"}}):
        state = copy.deepcopy(ACME)
        state["organizations"][0] |= change
        with pytest.raises((rbac.Refused, rbac.StateError)):
            store.import_state(state, update=True)

    assert (acme.owner, acme.revision) == ("olga", 1)


def test_there_is_exactly_one_owner_at_every_revision_of_many_transfers(acme: Organization) -> None:
    for number in range(12):
        to = ("ada", "max", "mia", "olga")[number % 4]
        acme.transfer_ownership(to=to, ticket=f"T-{number}", operator="root")
        if number % 3 == 0:
            with pytest.raises(rbac.Refused):
                acme.acting(to).deactivate(to)

    assert acme.revision == 13
    for revision in range(1, 14):
        then = acme.as_of(revision)
        owners = [each for each in then.members() if each.role is Role.OWNER]
        assert [(each.user, each.state) for each in owners] == [(then.owner, State.ACTIVE)]
