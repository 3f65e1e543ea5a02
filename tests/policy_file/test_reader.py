"""The strict reader of policy.csv: every mistake at once, each with its place and what would be right."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbac.errors import PolicyError
from rbac.policy.reader import PACKAGED, parse_policy, read_policy
from rbac.vocabulary import Permission, Role
from tests.oracle import conditions

GOOD = "p, manager, project, data, export, created_or_invited, allow"


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    return [str(problem) for problem in caught.value.problems]


def test_the_packaged_policy_has_a_line_for_every_filled_cell() -> None:
    policy = read_policy()

    assert len(policy.lines) == len(policy.deny_lines) + sum(conditions(*cell) is not None for cell in product(Role, Permission))
    assert {line.permission for line in policy.lines if line.permission} == set(Permission)
    assert len(policy.deny_lines) == 7


def test_the_deny_lines_come_first() -> None:
    policy = read_policy()

    assert policy.lines[: len(policy.deny_lines)] == policy.deny_lines


def test_every_line_knows_its_number_in_the_file() -> None:
    text = PACKAGED.read_text().split("\n")

    for line in read_policy().lines:
        assert [part.strip() for part in text[line.number - 1].split(",")] == ["p", *line.tokens]


@pytest.mark.parametrize(
    ("line", "place", "says"),
    [
        ("p, Manager, project, data, export, always, allow", "1:4", "unknown role 'Manager': did you mean 'manager'?"),
        ("p, manager, projects, data, export, always, allow", "1:13", "unknown kind of domain 'projects': did you mean 'project'?"),
        ("p, manager, project, data, exprt, always, allow", "1:22", "unknown permission 'data:exprt': did you mean 'data:export'?"),
        ("p, manager, organization, data, export, always, allow", "1:13", "data:export is asked in project, not in organization"),
        ("p, manager, project, data, export, created, allow", "1:36", "unknown condition 'created'"),
        ("p, manager, project, data, export, not_personal & not_personal, allow", "1:51", "not_personal is repeated in this line"),
        ("p, manager, project, data, export, not_personal &, allow", "1:50", "a condition is missing"),
        ("p, manager, project, data, export, workspace_empty, allow", "1:36", "workspace_empty cannot be asked in project"),
        ("p, manager, project, data, export, paused, allow", "1:36", "paused is for deny lines"),
        ("p, manager, project, data, export, always, permit", "1:44", "unknown effect 'permit'"),
        ("p, *, project, data, export, always, allow", "1:4", "* in an allow line"),
        ("p, *, project, data, *, paused, deny", "1:16", "object and action are both *, or both named"),
        ("p, manager, project, data, export, always", "1:1", "5 columns after p, there must be 6"),
        ("p, manager, project, data, export, always, allow, x", "1:1", "7 columns after p, there must be 6"),
        ("g, andy, manager, acme", "1:1", "unknown line type 'g'"),
        ("q, manager, project, data, export, always, allow", "1:1", "unknown line type 'q'"),
        (GOOD + " # why", "1:62", "a comment behind a line"),
        ('p, "manager", project, data, export, always, allow', "1:4", "a quote"),
        ("p, manager, project, data,\texport, always, allow", "1:27", "a tab"),
        (GOOD + "\r", "1:61", "carriage return"),
        ("p, m\u0430nager, project, data, export, always, allow", "1:5", "CYRILLIC SMALL LETTER A"),
        ("p, manager\u200b, project, data, export, always, allow", "1:11", "ZERO WIDTH SPACE"),
        ("# harmless \u202e comment\n" + GOOD, "1:12", "RIGHT-TO-LEFT OVERRIDE"),
        ("p, manager, project, data, export\x00, always, allow", "1:34", "U+0000"),
        ("<<<<<<< HEAD\n" + GOOD, "1:1", "merge conflict marker"),
        (GOOD + "\n=======", "2:1", "merge conflict marker"),
        (GOOD + "\n" + GOOD.replace(", ", ","), "2:1", "says the same as line 1"),
        ("", "1:1", "has no policy line"),
        ("# nothing\n", "1:1", "has no policy line"),
    ],
)
def test_a_mistake_is_named_with_its_place(line: str, place: str, says: str) -> None:
    first = problems(line)[0]

    assert first.startswith(f"policy.csv:{place}: ")
    assert says in first


def test_conditions_in_another_order_are_the_same_line() -> None:
    one = "p, manager, project, plugin, view, created_or_invited & plugins_enabled, allow"
    other = "p, manager, project, plugin, view, plugins_enabled & created_or_invited, allow"

    assert "says the same as line 1" in problems(f"{one}\n{other}")[0]


def test_all_mistakes_are_reported_in_one_go_first_to_last() -> None:
    found = problems("p, boss, project, data, export, always, allow\n\np, owner, galaxy, data, export, always, alow\n")

    assert [each.split(": ")[0] for each in found] == ["policy.csv:1:4", "policy.csv:3:11", "policy.csv:3:41"]


def test_a_byte_order_mark_is_refused() -> None:
    assert "byte order mark" in problems(b"\xef\xbb\xbf" + GOOD.encode())[0]


def test_a_byte_that_is_not_utf8_is_named_with_its_place() -> None:
    assert problems(GOOD.encode() + b"\n# caf\xe9\n")[0] == "policy.csv:2:6: byte 0xe9 is not UTF-8: save the file as UTF-8"


def test_a_file_that_is_not_there_is_a_policy_error() -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.csv:1:1: cannot be read"):
        read_policy("nowhere.csv")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_never_crash(data: bytes) -> None:
    try:
        assert parse_policy(data).lines
    except PolicyError as error:
        assert error.problems


@given(st.lists(st.sampled_from([*"p,*&# \n", "manager", "project", "data", "export", "always", "allow", "paused", "deny"]), max_size=40))
def test_any_mixture_of_its_words_is_read_or_refused_and_never_crashes(parts: list[str]) -> None:
    try:
        assert parse_policy("".join(parts)).lines
    except PolicyError as error:
        assert error.problems


def test_restrictable_follows_the_lines_of_the_policy() -> None:
    policy = read_policy()

    assert policy.restrictable(Permission.PLUGIN_CONFIGURE, Role.ADMINISTRATOR)
    assert not policy.restrictable(Permission.PLUGIN_CONFIGURE, Role.OWNER)
    assert policy.restrictable(Permission.PROJECT_DELETE, Role.OWNER)
    assert not policy.restrictable(Permission.DATA_EXPORT, Role.OWNER)
