"""init, import, export, doctor, db upgrade, demo."""

from __future__ import annotations

import json
import sqlite3
from importlib import metadata
from pathlib import Path

import pytest

from tests.cli.conftest import Rbac


def test_init_makes_the_store_and_an_organization(rbac: Rbac, empty: Path) -> None:
    answer = rbac("init --organization acme --owner olga")

    assert (answer.exit_code, answer.stdout) == (0, "acme is there and olga owns it, revision 1\n")
    assert rbac("check olga billing:configure organization").exit_code == 0


def test_import_makes_the_store_and_says_how_much_came_in(rbac: Rbac, here: Path) -> None:
    answer = rbac("import acme.yaml --db sqlite:///new.db")

    assert (answer.exit_code, answer.output) == (0, "acme: new, 22 facts, revision 1\n")


def test_a_dry_run_makes_no_store(rbac: Rbac, here: Path) -> None:
    answer = rbac("import acme.yaml --dry-run --db sqlite:///new.db")

    assert (answer.exit_code, answer.output) == (0, "acme: new, 22 facts, would be revision 1\n")
    assert not (here / "new.db").exists()


def test_an_update_shows_its_plan_and_is_one_revision(rbac: Rbac, here: Path) -> None:
    rbac("grant andy reviewer --as ada")
    plan = "acme: ~ member andy: role reviewer -> annotator\nacme: 1 change, "

    assert rbac("import acme.yaml --update --dry-run").output == f"{plan}would be revision 3\n"
    assert rbac("import acme.yaml --update").output == f"{plan}revision 3\n"
    assert rbac("import acme.yaml --update").output == "acme: no changes, revision 3\n"


def test_an_import_in_json_is_one_object_an_organization(rbac: Rbac, here: Path) -> None:
    rbac("grant andy reviewer --as ada")

    assert json.loads(rbac("import acme.yaml --update --json").stdout) == {
        "organization": "acme",
        "created": False,
        "facts": 1,
        "steps": ["~ member andy: role reviewer -> annotator"],
        "revision": 3,
        "dry_run": False,
        "warnings": [],
    }


@pytest.mark.parametrize(("options", "file"), [("", "again.yaml"), (" --json", "again.json")])
def test_what_export_prints_import_takes(rbac: Rbac, here: Path, options: str, file: str) -> None:
    exported = rbac(f"export{options}").stdout
    (here / file).write_text(exported)

    assert rbac(f"import {file} --db sqlite:///again.db").exit_code == 0
    assert rbac(f"export{options} --db sqlite:///again.db").stdout == exported


def test_export_prints_every_organization_or_the_one_named(rbac: Rbac, here: Path) -> None:
    rbac("init --organization beta --owner ben")

    both, one = json.loads(rbac("export --json").stdout), json.loads(rbac("export --json --org beta").stdout)

    assert [each["id"] for each in both["organizations"]] == ["acme", "beta"]
    assert [each["id"] for each in one["organizations"]] == ["beta"]


# -- doctor and db ---------------------------------------------------------------------------------------------------------


def test_doctor_finds_nothing_wrong_with_a_store_that_is_well(rbac: Rbac, here: Path) -> None:
    answer = rbac("doctor")

    assert (answer.exit_code, answer.output) == (0, "store rbac.db, schema 0002\nacme is at revision 1\nno problems\n")


def test_doctor_names_two_distributions_that_overwrite_each_other(
    rbac: Rbac, here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = tmp_path_factory.mktemp("site")
    for name in ("casbin", "pycasbin"):
        (site / f"{name}-9.9.dist-info").mkdir()
        (site / f"{name}-9.9.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(site))
    assert metadata.version("pycasbin") == "9.9"

    answer = rbac("doctor")

    assert answer.exit_code == 1
    assert "problem: casbin 9.9 and pycasbin 9.9 are both installed" in answer.stdout


def tamper(statement: str) -> None:
    """Edit the file as no program of ours would."""
    connection = sqlite3.connect("rbac.db")
    for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f'DROP TRIGGER "{trigger}"')
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM rbac_workspace WHERE id = 'w2'", "1 rows of rbac_project point to a rbac_workspace that is not there"),
        ("UPDATE rbac_member SET role = 'administrator' WHERE user = 'andy'", "acme: member organization andy is"),
        ("UPDATE rbac_audit SET actor = 'nobody'", "acme: revision 1 was edited: its hash is another"),
        ("SELECT 1", "the trigger rbac_audit_loses_no_rows is not as this program makes it: restore a backup"),
    ],
)
def test_doctor_finds_what_somebody_did_to_the_file(rbac: Rbac, here: Path, statement: str, says: str) -> None:
    tamper(statement)

    text, data = rbac("doctor"), rbac("doctor --json")

    assert (text.exit_code, data.exit_code) == (1, 1)
    assert f"problem: {says}" in text.stdout
    assert any(problem.startswith(says) for problem in json.loads(data.stdout)["problems"])


def test_upgrading_a_current_store_changes_nothing(rbac: Rbac, here: Path) -> None:
    answer = rbac("db upgrade")

    assert (answer.exit_code, answer.output) == (0, "store rbac.db, schema 0002\n")


# -- backup and restore ---------------------------------------------------------------------------------------------------


def test_a_backup_is_one_file_that_a_restore_brings_back(rbac: Rbac, here: Path) -> None:
    before = rbac("members organization").stdout

    made = rbac("db backup monday.db")
    rbac("grant andy reviewer --as ada")
    assert rbac("members organization").stdout != before
    restored = rbac("db restore monday.db")

    assert (made.exit_code, made.output) == (0, "monday.db is a backup of rbac.db\n")
    assert restored.exit_code == 0 and restored.stdout.splitlines()[1:] == ["acme is at revision 1"]
    assert rbac("members organization").stdout == before
    assert not [path.name for path in here.iterdir() if path.name.startswith((".rbac", ".monday", "monday.db-"))]
    assert rbac("doctor").exit_code == 0


def test_a_backup_and_a_restore_in_json_name_the_revisions(rbac: Rbac, here: Path) -> None:
    assert json.loads(rbac("db backup monday.db --json").stdout) == {"file": "monday.db", "organizations": {"acme": 1}}
    restored = json.loads(rbac("db restore monday.db --json").stdout)

    assert restored["organizations"] == {"acme": 1} and len(restored["epoch"]) == 32


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("db backup acme.yaml", "acme.yaml is there already"),
        ("db backup rbac.db", "rbac.db is there already"),
        ("db backup no/where.db", "there is no directory no"),
        ("db restore nowhere.db", "there is no store at "),
        ("db restore rbac.db", "rbac.db is the store itself"),
        ("db restore acme.yaml", "is not a database"),
    ],
)
def test_a_backup_replaces_nothing_and_only_a_store_is_restored(rbac: Rbac, here: Path, line: str, says: str) -> None:
    before = rbac("export").stdout

    answer = rbac(line)

    assert (answer.exit_code, answer.stdout) == (6, "") and says in answer.stderr
    assert rbac("export").stdout == before


# -- demo ------------------------------------------------------------------------------------------------------------------


def test_the_demo_shows_the_table_ten_decisions_a_refusal_and_a_transfer_and_leaves_nothing(rbac: Rbac, empty: Path) -> None:
    answer = rbac("demo")

    lines = answer.stdout.splitlines()
    assert (answer.exit_code, answer.stderr) == (0, "policy: the packaged policy.csv\n")
    assert sum(line.startswith("$ rbac check ") for line in lines) == 10
    assert sum(line.startswith(("yes: ", "no: ")) for line in lines) == 10
    assert "  View the Data Manager" in answer.stdout and "[1] For workspaces or projects" in answer.stdout
    assert lines[lines.index("$ rbac grant max owner --as olga") + 2] == "(exit 4)"
    assert "root (operator): transfer_ownership, ticket SUP-104" in answer.stdout
    assert "acme is whole" in answer.stdout
    assert list(empty.iterdir()) == []


def test_the_demo_does_not_look_at_the_environments_store(rbac: Rbac, empty: Path) -> None:
    assert rbac("demo", env={"RBAC_DB": "sqlite:///nowhere/x.db", "RBAC_ORG": "beta"}).exit_code == 0
