"""A restriction that an edited policy makes ineffective: imported with a warning, listed, found by doctor, and never set anew."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Rbac


@pytest.fixture
def edited(here: Path) -> str:
    """A policy in which managers delete projects whatever the Owner restricts."""
    lines = (ROOT / "policy.csv").read_text().splitlines()
    number = next(at for at, line in enumerate(lines) if line.replace(" ", "").startswith("p,manager,project,project,delete,"))
    lines[number] = "p, manager, project, project, delete, created_or_invited, allow"
    (here / "edited.csv").write_text("\n".join(lines) + "\n")
    return f"edited.csv:{number + 1} manager"


def test_an_ineffective_restriction_is_imported_with_a_warning_that_names_the_line(rbac: Rbac, here: Path, edited: str) -> None:
    state = {"organizations": [{"id": "beta", "owner": "ben", "restrictions": {"project:delete": "owner", "plugin:view": "administrator"}}]}
    (here / "beta.json").write_text(json.dumps(state))

    plain = rbac("import beta.json --dry-run --policy edited.csv")
    done = rbac("import beta.json --policy edited.csv --json")

    says = f"beta: the restriction of project:delete to owner has no full effect: {edited}: this line carries no unless_restricted"
    assert (plain.exit_code, plain.stderr) == (0, f"rbac: warning: {says}\n")
    assert (done.exit_code, json.loads(done.stdout)["warnings"]) == (0, [says])


def test_an_edit_that_defeats_a_restriction_is_found_by_doctor_and_listed_by_restrict(rbac: Rbac, edited: str) -> None:
    assert rbac("restrict project:delete owner --as olga").exit_code == 0
    assert rbac("restrict plugin:view administrator --as olga").exit_code == 0
    assert rbac("doctor").exit_code == 0

    found, listed = rbac("doctor --policy edited.csv"), rbac("restrict --policy edited.csv --json")

    says = f"{edited}: this line carries no unless_restricted"
    assert found.exit_code == 1
    assert f"problem: acme: the restriction of project:delete has no full effect: {says}" in found.stdout
    assert [json.loads(line) for line in listed.stdout.splitlines()] == [
        {"permission": "plugin:view", "level": "administrator", "ineffective": None},
        {"permission": "project:delete", "level": "owner", "ineffective": says},
    ]
    assert says in rbac("restrict --policy edited.csv").stdout


def test_setting_one_that_would_have_no_effect_stays_refused_with_the_lines_that_defeat_it(rbac: Rbac, edited: str) -> None:
    refused = rbac("restrict project:delete owner --as olga --policy edited.csv")

    assert (refused.exit_code, refused.stdout) == (4, "")
    assert f"cannot be restricted to owner: {edited}: this line carries no unless_restricted" in refused.stderr
    both = rbac("restrict data:export owner --as olga")
    assert both.exit_code == 4
    assert re.search(r"policy\.csv:\d+ manager, policy\.csv:\d+ administrator: these lines carry no unless_restricted", both.stderr)
