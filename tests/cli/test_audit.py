"""audit and audit --verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Rbac
from tests.cli.test_start import tamper


@pytest.fixture
def changed(rbac: Rbac, here: Path) -> Rbac:
    """acme after a grant, a pause and a transfer: revisions 2 to 4."""
    for line in (
        "grant andy reviewer --as ada",
        "pause rita project:p1 --as max",
        "transfer-ownership ada --ticket '[bold]SUP :smile:' --operator root",
    ):
        assert rbac(line).exit_code == 0
    return rbac


def test_the_audit_says_who_did_what_when_and_under_which_ticket(changed: Rbac) -> None:
    lines = changed("audit --first 2").stdout.splitlines()

    assert [line.split("  ")[-1] for line in lines if not line.startswith(" ")] == [
        "ada (member): grant",
        "max (member): pause",
        "root (operator): transfer_ownership, ticket [bold]SUP :smile:",
    ]
    assert "   ~ member andy: role annotator -> reviewer" in lines


@pytest.mark.parametrize(
    ("filters", "revisions"),
    [
        ("", [1, 2, 3, 4]),
        ("--first 2 --last 3", [2, 3]),
        (f"--first -{'9' * 40} --last {'9' * 40}", [1, 2, 3, 4]),
        (f"--first {'9' * 19}", []),
        ("--since 0001-01-01T00:00:00Z --until 9999-12-31T23:59:59.999999Z", [1, 2, 3, 4]),
        ("--actor max", [3]),
        ("--user rita --first 2", [3]),
        ("--kind owner", [4]),
        ("--newest-first --first 3", [4, 3]),
        ("--since 2000-01-01T00:00:00Z --until 2000-01-02T00:00:00+01:00", []),
    ],
)
def test_filters_choose_revisions(changed: Rbac, filters: str, revisions: list[int]) -> None:
    answer = changed(f"audit --json {filters}")

    assert answer.exit_code == 0
    assert [json.loads(line)["revision"] for line in answer.stdout.splitlines()] == revisions


def test_a_chain_that_holds_is_said_to_be_whole(changed: Rbac) -> None:
    text, data = changed("audit --verify"), changed("audit --verify --json")

    assert (text.exit_code, data.exit_code) == (0, 0)
    assert text.stdout.startswith("acme is whole: 25 changes in 4 revisions, head ")
    assert json.loads(data.stdout)["whole"] is True


def test_a_chain_that_was_edited_exits_1_and_says_where(changed: Rbac) -> None:
    tamper("UPDATE rbac_audit SET ticket = 'SUP-999' WHERE revision = 4")

    text, data = changed("audit --verify"), changed("audit --verify --json")

    assert (text.exit_code, data.exit_code) == (1, 1)
    assert text.stdout == "acme: revision 4 was edited: its hash is another\n"
    assert json.loads(data.stdout)["problems"] == ["revision 4 was edited: its hash is another"]


def test_verify_takes_no_filter(changed: Rbac) -> None:
    assert changed("audit --verify --first 2").exit_code == 2
    assert changed("audit --verify --newest-first").exit_code == 2
