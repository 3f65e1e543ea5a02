"""Names that no command would write, in an edited store and in file names: escaped on their one line, with the right exit code."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from rbac.policy.reader import PACKAGED
from tests.cli.conftest import Process, Rbac

EVIL = "\x1b[2Jx\nno problems\r\u202e"
FORGED = ("no problems", "acme is whole")


@pytest.fixture
def edited(here: Path) -> Path:
    """Acme's store with a user, a project, a workspace and audit rows renamed past every check."""
    connection = sqlite3.connect("rbac.db", isolation_level=None)
    connection.executescript("PRAGMA ignore_check_constraints = on; PRAGMA foreign_keys = off")
    for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f'DROP TRIGGER "{trigger}"')
    edits = 0
    for table, column, name in (
        *((table, "user", "andy") for table in ("rbac_member", "rbac_workspace_member", "rbac_assignment", "rbac_audit_change")),
        *((table, "workspace", "w1") for table in ("rbac_workspace_member", "rbac_project")),
        ("rbac_workspace", "id", "w1"),
        ("rbac_project", "id", "p2"),
    ):
        edits += connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE "{column}" = ?', (f"{name}{EVIL}", name)).rowcount
    edits += connection.execute("UPDATE rbac_audit SET ticket = ?, operation = ?, actor = ?", (EVIL, EVIL, EVIL)).rowcount
    connection.execute("DROP VIEW rbac_casbin_rule")
    connection.close()
    assert edits >= 10
    return here


SHOWN = [
    "doctor",
    "members organization",
    "members project:p1",
    "roles max",
    "audit",
    "audit --verify",
    "audit --refused",
    "export",
    "check max data:export project:p1",
    "explain max data:export project:p1",
    "what-can max project:p1",
    "matrix --user max",
    "matrix --user max --format markdown",
    "matrix --user max --format csv",
    "db upgrade",
]


@pytest.mark.parametrize("option", ["", " --json"])
@pytest.mark.parametrize("line", SHOWN)
def test_what_an_edited_store_holds_stays_on_its_line_and_drives_no_terminal(rbac: Rbac, edited: Path, line: str, option: str) -> None:
    answer = rbac(f"{line}{option}")

    lines = answer.output.split("\n")
    assert all(each.isprintable() for each in lines)
    assert not any(each.startswith(FORGED) for each in lines)
    assert answer.exit_code in (0, 1, 2, 6)


def test_the_edited_names_are_shown_escaped(rbac: Rbac, edited: Path) -> None:
    assert r"andy\x1b[2Jx\nno problems\r\u202e" in rbac("members organization").stdout
    assert r"problem: " in rbac("doctor").stdout and r"\x1b[2Jx\nno problems" in rbac("doctor").stdout


def test_a_store_that_was_edited_is_never_called_whole(rbac: Rbac, edited: Path) -> None:
    assert rbac("doctor").exit_code == 1
    assert rbac("audit --verify").exit_code == 1


FILES = [
    ("import {}.yaml", 3),
    ("check --from {}.jsonl", 2),
    ("audit --verify --head {}.txt", 2),
    ("matrix --policy {}.csv", 3),
    ("check max data:export project:p1 --model {}.conf", 3),
    ("policy lint {}.csv", 3),
    ("policy fmt {}.csv", 3),
    ("policy diff {0}.csv {0}.csv", 2),
    ("policy test {}.rbac.yaml", 3),
    ("policy claims {}.yaml", 3),
    ("doctor --db sqlite:///{}.db", 6),
    ("init --organization b --owner c --db sqlite:///nowhere/{}.db", 6),
]


@pytest.mark.parametrize("name", [os.fsdecode(b"\xff\x1b[2J"), "a\nno problems"], ids=["not UTF-8", "two lines"])
@pytest.mark.parametrize(("line", "code"), FILES)
def test_a_file_name_that_is_not_text_is_a_file_that_is_not_there(rbac: Rbac, here: Path, line: str, code: int, name: str) -> None:
    answer = rbac([word.format(name) for word in line.split()])

    said = answer.stderr.removeprefix("policy: policy.csv\n")

    assert (answer.exit_code, answer.stdout) == (code, "")
    assert said.count("\n") == 1 and said[:-1].isprintable()


@pytest.mark.parametrize(
    ("line", "content", "code"),
    [
        ("import {}.yaml", "organizations: [{id: beta, owner: ben}]", 0),
        ("import {}.yaml --dry-run --json", "organizations: [{id: beta, owner: ben}]", 0),
        ("check --from {}.jsonl", '{"user": "max", "permission": "data:export", "domain": "project:p1"}', 0),
        ("matrix --policy {}.csv", PACKAGED.read_text(), 0),
        ("matrix --format html --policy {}.csv", PACKAGED.read_text(), 0),
        ("check max data:export project:p1 --policy {}.csv", PACKAGED.read_text(), 0),
        ("explain max data:export project:p1 --json --policy {}.csv", PACKAGED.read_text(), 0),
        ("policy lint {}.csv", PACKAGED.read_text(), 0),
        ("policy lint {}.csv --json", PACKAGED.read_text(), 0),
        ("policy lint {}.csv --format github", PACKAGED.read_text().replace("p, owner,", "p, manager,", 1), 1),
        ("policy fmt {}.csv --check --json", PACKAGED.read_text(), 0),
        ("policy diff {0}.csv {0}.csv --format markdown", PACKAGED.read_text(), 0),
        ("policy test {}.rbac.yaml --junit out.xml", "cells: [{role: owner, permission: data:export, answer: never}]", 1),
        ("policy test {}.rbac.yaml --format markdown", "cells: [{role: owner, permission: data:export, answer: never}]", 1),
        ("policy test {}.rbac.yaml --format github", "cells: [{role: owner, permission: data:export, answer: never}]", 1),
        ("policy claims {}.yaml", "claims: [never owner data:export]", 1),
        ("init --organization b --owner c --db sqlite:///{}.db", "", 0),
    ],
)
def test_a_file_whose_name_is_not_utf_8_is_read_like_any_other(process: Process, here: Path, line: str, content: str, code: int) -> None:
    name = b"n\xff"
    for word in line.split():
        if "{" in word and "sqlite" not in word:
            Path(os.fsdecode(word.format(os.fsdecode(name)).encode("utf-8", "surrogateescape"))).write_text(content)

    answer = process([word.format(os.fsdecode(name)) for word in line.split()])

    assert answer.returncode == code, answer
    assert b"bug" not in answer.stderr
    answer.stdout.decode("utf-8")


def test_completion_offers_no_name_that_is_not_printable(process: Process, edited: Path) -> None:
    environment = {"_RBAC_COMPLETE": "bash_complete", "COMP_WORDS": "rbac check ", "COMP_CWORD": "2"}

    lines = process([], environment=environment).stdout.decode().splitlines()

    assert "plain,olga" in lines and not any("andy" in each or "no problems" in each for each in lines)


def _rename_organization() -> None:
    connection = sqlite3.connect("rbac.db", isolation_level=None)
    connection.executescript("PRAGMA ignore_check_constraints = on; PRAGMA foreign_keys = off")
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for column in ("organization", "id") if table == "rbac_organization" else ("organization",):
            if column in {row[1] for row in connection.execute(f"PRAGMA table_info('{table}')")}:
                connection.execute(f'UPDATE "{table}" SET "{column}" = ?', (f"acme{EVIL}",))
    connection.close()


@pytest.mark.parametrize("line", ["doctor", *(line for line in SHOWN if line not in ("doctor", "db upgrade"))])
def test_an_organization_whose_stored_name_cannot_be_one_is_damage_of_the_store_and_no_usage_error(
    rbac: Rbac, edited: Path, line: str
) -> None:
    _rename_organization()

    answer = rbac(line)

    assert answer.exit_code == (1 if line == "doctor" else 6), answer.output
    assert all(each.isprintable() for each in answer.output.split("\n"))


@pytest.mark.parametrize("line", ["matrix --user max", "matrix --user max --json", "matrix --user max --format csv"])
def test_a_domain_whose_stored_name_cannot_be_one_is_damage_of_the_store_and_no_usage_error(rbac: Rbac, edited: Path, line: str) -> None:
    answer = rbac(line)

    assert answer.exit_code == 6
    assert answer.stderr.startswith("rbac: the store is damaged, restore a backup: ")
