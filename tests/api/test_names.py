"""Names from outside: a mistake in one is a short sentence, however long the name, and costs no more than a short one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import rbac
from rbac.administration.settings import parse_settings
from rbac.clock import parse_instant
from rbac.names import nearest, parse_domain, parse_id, parse_permission, parse_role, parse_via, quoted
from rbac.organization import Organization
from rbac.statefile.check import check_state
from rbac.statefile.shape import read_state
from rbac.vocabulary import Kind, Role
from tests.work import steps

MEGABYTE = 1_000_000
ENTRANCES: dict[str, Callable[[str], object]] = {
    "id": lambda name: parse_id(name, "user"),
    "domain": parse_domain,
    "id in a domain": lambda name: parse_domain(f"project:{name}"),
    "role": parse_role,
    "permission": parse_permission,
    "via": parse_via,
    "instant": parse_instant,
    "setting": lambda name: parse_settings(Kind.PROJECT, {name: True}),
    "value of a setting": lambda name: parse_settings(Kind.PROJECT, {"published": name}),
    "distribution": lambda name: parse_settings(Kind.PROJECT, {"distribution": name}),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_a_name_of_a_megabyte_is_a_short_sentence(entrance: str) -> None:
    with pytest.raises(rbac.UnknownName) as caught:
        ENTRANCES[entrance]("manager" + "x" * MEGABYTE)

    assert len(str(caught.value)) < 1500  # there are 54 permissions to name


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_a_long_name_costs_what_a_short_one_costs(entrance: str) -> None:
    def refuse(name: str) -> None:
        with pytest.raises(rbac.UnknownName):
            ENTRANCES[entrance](name)

    few, many = (steps(lambda name=name: refuse(name)) for name in ("xxxxx " * 50, "xxxxx " * 5000))  # type: ignore[misc]
    assert many <= few * 1.05


def test_an_invalid_name_is_shown_whole_up_to_the_length_of_a_valid_one() -> None:
    longest = "é" * 128

    with pytest.raises(rbac.UnknownName, match=longest):
        parse_id(longest, "user")
    assert quoted("x" * 1000) == "'" + "x" * 72 + "..." + "x" * 73 + "'"


@pytest.mark.parametrize("wrong", [None, 5, 1.5, b"andy", [], ["andy"], {}, object(), ("a" * MEGABYTE,), [[[[]]]] * MEGABYTE])
def test_a_value_that_is_not_text_is_an_unknown_name(wrong: Any) -> None:
    for parse in (lambda name: parse_id(name, "user"), parse_domain, parse_role, parse_permission, parse_via, parse_instant):
        with pytest.raises(rbac.UnknownName) as caught:
            parse(wrong)
        assert len(str(caught.value)) < 1500


def test_the_nearest_name_is_found_and_a_long_one_is_near_nothing() -> None:
    assert nearest("managr", Role) == ": did you mean 'manager'?"
    assert nearest("manager" * 100, Role) == nearest("zzz", Role) == ""


def test_a_long_name_in_a_state_file_is_a_short_sentence_with_a_short_path() -> None:
    long = "x" * MEGABYTE
    for part in (
        {"members": {long: "manager"}},
        {"members": {"ada": long}},
        {"members": {"ada": {"state": long}}},
        {"members": {long: 5}},
        {"restrictions": {long: "manager"}},
        {"workspaces": [{"id": long}]},
        {"workspaces": [{"id": "w", "members": [long]}]},
        {"workspaces": [{"id": "w", "projects": [{"id": "p", "distribution": long}]}]},
        {"workspaces": [{"id": "w", "projects": [{"id": "p", "paused": {"olga": long}}]}]},
        {"workspaces": [{"id": "w", "projects": [{"id": "p", "tasks": {"t": {"annotators": [long]}}}]}]},
        {long: 1},
    ):
        with pytest.raises(rbac.StateError) as caught:
            check_state(read_state({"organizations": [{"id": "acme", "owner": "olga", **part}]}))
        assert len(str(caught.value)) < 1500


def test_a_change_repeats_no_long_name(acme: Organization) -> None:
    ada, long = acme.acting("ada"), "x" * MEGABYTE
    setting: Any = {long: True}
    for change in (
        lambda: ada.grant(long, "manager"),
        lambda: ada.grant("andy", long),
        lambda: ada.add("andy", long),
        lambda: ada.add("andy", "workspace:w2", until=long),
        lambda: ada.create_workspace(long),
        lambda: ada.configure("project:p1", **setting),
        lambda: acme.transfer_ownership(to="ada", ticket=long, operator="root"),
        lambda: acme.acting(long),
    ):
        with pytest.raises(rbac.UnknownName) as caught:
            change()
        assert len(str(caught.value)) < 500
