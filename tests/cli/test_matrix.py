"""The published table derived from the policy, and what one member can do where."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from rbac.policy.reader import PACKAGED, parse_policy, read_policy
from rbac.reports.matrix import YES, as_csv, markdown, matrix
from rbac.vocabulary import ROWS, Permission, Role
from tests.cli.conftest import Rbac

TEXT = PACKAGED.read_text()


def _rows(policy: str = TEXT) -> dict[str, list[str]]:
    """The cells of each row of the Markdown, by its wording."""
    lines = markdown(matrix(parse_policy(policy))).splitlines()
    return {cells[1].strip(): [cell.strip() for cell in cells[2:-1]] for cells in (line.split("|") for line in lines) if len(cells) == 8}


def _without(text: str, *parts: str) -> str:
    """The policy without the lines that have all of these parts."""
    kept = [line for line in text.splitlines() if not all(f"{part}," in line.replace(" ", "") for part in parts)]
    assert len(kept) < len(text.splitlines())
    return "\n".join(kept)


def test_the_table_has_the_pages_rows_under_the_pages_headings() -> None:
    table = matrix(read_policy())

    assert [row.row for row in table.rows] == list(ROWS)
    assert list(_rows())[:4] == ["Action", "---", "**Organization Management**", "View the Organization page"]


def test_an_empty_cell_is_one_space_between_bars() -> None:
    assert f"\n| View the Organization page | | | | {YES} | {YES} |\n" in markdown(matrix(read_policy()))


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("Configure organization settings", ["", "", "", "Partial", YES]),
        ("Workspace access", ["R[^b]", "R[^b]", "CRUD[^1][^j]", "CRUD[^j]", "CRUD[^j]"]),
        ("Project access", ["R[^a]", "R[^a]", "CRUD[^1][^2]", "CRUD[^2]", "CRUD"]),
        (
            "View the Data Manager",
            ["Depends on project settings[^a][^c][^e]", "Depends on project settings[^a][^c][^f]", f"{YES}[^1]", YES, YES],
        ),
        ("View annotator dashboard", [f"{YES}[^2][^4]", f"{YES}[^2][^4]", f"{YES}[^2][^o]", f"{YES}[^2]", YES]),
    ],
)
def test_marks_and_footnotes_are_those_of_the_lines(row: str, cells: list[str]) -> None:
    assert _rows()[row] == cells


@pytest.mark.parametrize(
    ("lost", "row", "column", "was", "is_now"),
    [
        (("owner", "data", "export"), "Export data", 4, YES, ""),
        (("owner", "billing", "configure"), "Configure organization settings", 4, YES, "Partial"),
        (("administrator", "workspace", "workspace", "delete"), "Workspace access", 3, "CRUD[^j]", "CRU"),
        (("manager", "task", "delete"), "Project access", 2, "CRUD[^1][^2]", "CRUD[^1][^2]"),
        (("annotator", "data_manager", "view"), "View the Data Manager", 0, "Depends on project settings[^a][^c][^e]", ""),
    ],
)
def test_a_line_that_goes_shows_in_its_cell(lost: tuple[str, ...], row: str, column: int, was: str, is_now: str) -> None:
    assert _rows()[row][column] == was
    assert _rows(_without(TEXT, *lost))[row][column] == is_now


def test_a_footnote_nobody_refers_to_is_left_out() -> None:
    text = _without(_without(TEXT, "annotator", "workspace", "view"), "reviewer", "workspace", "view")

    assert "[^b]" not in markdown(matrix(parse_policy(text)))


def test_every_footnote_that_is_referred_to_is_explained_numbers_first() -> None:
    text = markdown(matrix(read_policy()))
    table, notes, _, _ = text.split("\n\n")

    marks = [line.partition("]")[0][2:] for line in notes.splitlines()]
    assert marks == sorted(marks) and marks[:4] == ["1", "2", "3", "4"]
    assert all(f"[^{mark}]" in table for mark in marks)
    assert "[^1]: For workspaces or projects they created or were invited to\n" in text


def test_the_csv_has_a_line_for_each_row_and_the_cells_of_the_markdown() -> None:
    head, *rows = csv.reader(io.StringIO(as_csv(matrix(read_policy()))))

    assert head == ["number", "heading", "action", *Role, "guards"]
    assert [int(row[0]) for row in rows] == [row.number for row in ROWS]
    assert {row[2]: [cell.replace("[^", "[").replace(" ", "") for cell in _rows()[row[2]]] for row in rows} == {
        row[2]: [cell.replace(" ", "") for cell in row[3:8]] for row in rows
    }


@pytest.mark.parametrize("line", ["matrix", "matrix --format markdown", "matrix --format csv", "matrix --json"])
def test_the_matrix_needs_no_store(rbac: Rbac, empty: Path, line: str) -> None:
    answer = rbac(f"{line} --policy packaged")

    assert (answer.exit_code, answer.stderr) == (0, "policy: the packaged policy.csv\n")
    assert all(row.wording in answer.stdout for row in ROWS)


def test_the_matrix_is_the_policys_that_was_named(rbac: Rbac, empty: Path) -> None:
    (empty / "mine.csv").write_text(_without(TEXT, "owner", "data", "export"))

    assert f"| Export data | | | {YES}[^1] | {YES} | |" in rbac("matrix --format markdown --policy mine.csv").stdout


def test_the_matrix_is_that_of_the_policy_that_is_here(rbac: Rbac, empty: Path) -> None:
    (empty / "policy.csv").write_text(_without(TEXT, "owner", "data", "export"))
    answer = rbac("matrix --format markdown")

    assert f"| Export data | | | {YES}[^1] | {YES} | |" in answer.stdout
    assert answer.stderr == "policy: policy.csv\n"


def test_the_matrix_of_no_policy_is_an_error(rbac: Rbac, empty: Path) -> None:
    answer = rbac("matrix")

    assert (answer.exit_code, answer.stdout) == (3, "")
    assert answer.stderr == "rbac: policy.csv:1:1: is not here: name a policy with --policy, or say --policy packaged\n"


def test_the_matrix_in_json_has_marks_and_footnotes_apart(rbac: Rbac, empty: Path) -> None:
    data = json.loads(rbac("matrix --json --policy packaged").stdout)

    told = {"mark": YES, "footnotes": ["1"], "answers": {"data_manager:view": "when created_or_invited"}}
    assert data["rows"][8]["cells"]["manager"] == told
    assert [guard["when"] for guard in data["guards"]] == ["unknown_task", "unknown_target", "foreign_sandbox", "paused"]
    assert data["footnotes"]["4"] == "For their own work/history"


@pytest.mark.parametrize("layout", ["table", "markdown", "csv", "html"])
def test_json_counts_more_than_a_format(rbac: Rbac, empty: Path, layout: str) -> None:
    assert rbac(f"matrix --json --format {layout} --policy packaged").stdout == rbac("matrix --json --policy packaged").stdout


# -- one member ------------------------------------------------------------------------------------------------------------


def test_a_members_matrix_lists_every_domain_they_can_enter_and_no_other(rbac: Rbac, here: Path) -> None:
    lines = rbac("matrix --user andy").stdout.splitlines()

    assert [line for line in lines if line and not line.startswith(" ")] == [
        "organization: andy is annotator",
        "workspace:w1: andy is annotator",
        "project:p1: andy is annotator",
        "project:p2: andy is annotator",
    ]


def test_a_members_matrix_agrees_with_check_in_every_domain(rbac: Rbac, here: Path) -> None:
    found = {each["domain"]: each["allowed"] for each in map(json.loads, rbac("matrix --user max --json").stdout.splitlines())}
    domains = ["organization", "workspace:w1", "workspace:w2", "workspace:max-sandbox", *(f"project:p{number}" for number in range(1, 6))]

    asked = [
        {"user": "max", "permission": permission, "domain": domain}
        for domain in domains
        for permission in Permission
        if permission.kind == domain.partition(":")[0]
    ]
    answers = rbac("check --from -", input="".join(f"{json.dumps(each)}\n" for each in asked)).stdout.splitlines()

    allowed = {(each["domain"], each["permission"]) for each, answer in zip(asked, answers, strict=True) if json.loads(answer)["allowed"]}
    assert allowed == {(domain, permission) for domain, permissions in found.items() for permission in permissions}
    assert len(allowed) > 50


@pytest.mark.parametrize("layout", ["markdown", "csv"])
def test_a_members_matrix_has_a_row_for_each_permission(rbac: Rbac, here: Path, layout: str) -> None:
    lines = rbac(f"matrix --user andy --format {layout}").stdout.splitlines()

    assert len(lines) == 1 + (layout == "markdown") + 3 + 1 + 3 + 3
    assert any("project:p1" in line and "labeling:access" in line and "annotator" in line for line in lines)


def test_whoever_can_enter_nothing_is_a_no(rbac: Rbac, here: Path) -> None:
    for user, says in (("dan", "dan is deactivated in acme"), ("zoe", "zoe is no member of acme")):
        answer = rbac(f"matrix --user {user}")

        assert (answer.exit_code, answer.stdout, answer.stderr) == (1, "", f"rbac: {says}\n")
