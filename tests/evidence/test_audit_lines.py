"""The audit as a log collector reads it: filters, before and after, one line an entry whatever is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rbac
from rbac.organization import Organization
from tests.conftest import Clock
from tests.evidence.conftest import Run, edit

HOSTILE = (
    "SUP-1\n9  2026-01-01T00:00:00Z  olga (member): grant",
    "SUP-1\r\n",
    "SUP-1\u2028{}",
    "SUP-1\x1b[2K\x1b[1A",
    "SUP-1\x00",
    "SUP-1\u202e",
    "t\u00fcr",
    "",
    "x" * 256,
)
PRINTABLE = (
    '", "actor": "olga',
    "SUP-1, ticket SUP-2",
    "{}",
    "\\n",
    "9  2026-01-01T00:00:00Z  olga (member): grant",
    "x" * 255,
)


def objects(text: str) -> list[dict[str, Any]]:
    """Every line as the JSON object that it has to be."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def history(acme: Organization, clock: Clock) -> Organization:
    """Five revisions, ten seconds apart."""
    clock.advance(10)
    acme.acting("ada").grant("andy", "reviewer")
    clock.advance(10)
    acme.acting("max").add("mia", "workspace:w1", until="2099-01-01T00:00:00Z")
    clock.advance(10)
    acme.acting("ada").configure("project:p1", distribution="manual")
    clock.advance(10)
    acme.transfer_ownership(to="ada", ticket="SUP-104", operator="root")
    return acme


@pytest.mark.parametrize(
    ("words", "revisions"),
    [
        ((), [1, 2, 3, 4, 5]),
        (("--user", "andy"), [1, 2]),
        (("--user", "mia", "--first", "2"), [3]),
        (("--actor", "ada"), [2, 4]),
        (("--kind", "membership", "--first", "2"), [3]),
        (("--kind", "owner"), [5]),
        (("--user", "ada", "--first", "2"), [5]),
        (("--user", "olga", "--first", "2"), [5]),
        (("--since", "2027-01-15T08:00:20Z"), [3, 4, 5]),
        (("--since", "2027-01-15T08:00:20Z", "--until", "2027-01-15T08:00:40Z"), [3, 4]),
        (("--until", "2027-01-15T09:00:10+01:00"), [1]),
        (("--newest-first", "--last", "2"), [2, 1]),
        (("--actor", "nobody"), []),
    ],
)
def test_the_filters_of_the_command(history: Organization, run: Run, words: tuple[str, ...], revisions: list[int]) -> None:
    result = run("audit", "--json", *words)

    assert result.exit_code == 0
    assert [each["revision"] for each in objects(result.stdout)] == revisions


def test_before_and_after_are_shown_and_so_is_the_end_of_a_grant(history: Organization, run: Run) -> None:
    shown = run("audit", "--first", "2").stdout

    assert "~ member andy: role annotator -> reviewer" in shown
    assert "+ membership mia workspace:w1: until 2099-01-01T00:00:00Z" in shown
    assert "~ project project:p1: distribution automatic -> manual" in shown
    assert "~ owner: user olga -> ada" in shown
    (change,) = objects(run("audit", "--json", "--first", "2", "--last", "2").stdout)[0]["changes"]
    assert (change["before"]["role"], change["after"]["role"]) == ("annotator", "reviewer")


@pytest.mark.parametrize("ticket", HOSTILE)
def test_a_ticket_or_operator_that_could_forge_a_line_does_not_get_in(acme: Organization, ticket: str) -> None:
    with pytest.raises(rbac.UnknownName):
        acme.transfer_ownership(to="ada", ticket=ticket, operator="root")
    with pytest.raises(rbac.UnknownName):
        acme.transfer_ownership(to="ada", ticket="SUP-1", operator=ticket)

    assert acme.owner == "olga"


@pytest.mark.parametrize("ticket", PRINTABLE)
def test_a_printable_ticket_stays_inside_its_own_line_and_its_own_field(acme: Organization, run: Run, ticket: str) -> None:
    acme.transfer_ownership(to="ada", ticket=ticket, operator="root")

    assert len(run("audit", "--first", "2").stdout.splitlines()) == 2  # the revision, and its one change
    (entry,) = objects(run("audit", "--first", "2", "--json").stdout)
    assert (entry["ticket"], entry["actor"], entry["revision"]) == (ticket, "root", 2)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("hostile", [each for each in HOSTILE if "\0" not in each and each])
def test_even_an_edited_file_cannot_forge_a_line(acme: Organization, run: Run, tmp_path: Path, hostile: str) -> None:
    acme.acting("ada").grant("andy", "reviewer")
    with pytest.raises(rbac.Refused):
        acme.acting("ada").grant("olga", "reviewer")
    quoted = "'" + hostile.replace("'", "''") + "'"
    edit(
        tmp_path / "rbac.db",
        f"UPDATE rbac_audit SET ticket = {quoted}, operation = {quoted} WHERE revision = 2",
        f"UPDATE rbac_refusal SET reason = {quoted}, operation = {quoted}",
    )

    for words, lines in ((("audit", "--first", "2"), 2), (("audit", "--refused"), 1)):
        shown = run(*words).stdout
        assert len(shown.splitlines()) == lines
        assert shown.replace("\n", "").isascii() and shown.replace("\n", "").isprintable()
        (entry,) = objects(run(*words, "--json").stdout)
        assert entry["operation"] == hostile
    assert run("audit", "--verify").exit_code == 1


def test_refusals_are_shown_by_the_command(acme: Organization, run: Run, clock: Clock) -> None:
    for actor in ("ada", "zoe"):
        clock.advance(10)
        with pytest.raises(rbac.Refused):
            acme.acting(actor).grant("olga", "annotator")

    assert run("audit", "--refused", "--actor", "ada").stdout == (
        "2027-01-15T08:00:10Z  ada: grant olga annotator: olga is the Owner of acme: transfer the ownership first\n"
    )
    found = objects(run("audit", "--refused", "--json", "--newest-first").stdout)
    assert [(each["actor"], each["at"]) for each in found] == [("zoe", "2027-01-15T08:00:20Z"), ("ada", "2027-01-15T08:00:10Z")]
    assert [each["actor"] for each in objects(run("audit", "--refused", "--json", "--since", "2027-01-15T08:00:20Z").stdout)] == ["zoe"]
