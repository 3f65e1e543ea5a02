"""`rbac policy ...` as it is typed: what it prints, how it exits, and that nothing wrong ends in a traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from rbac.cli import main
from rbac.policy.reader import PACKAGED
from rbac.review.claims import PACKAGED as CLAIMS
from rbac.vocabulary import Permission, Role
from tests.review.conftest import POLICY_TESTS, line

SHIPPED = PACKAGED.read_text()
CELLS = len(Permission) * len(Role)
TABLE = str(POLICY_TESTS / "table.rbac.yaml")


def rbac(*words: str) -> Result:
    """One command line."""
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A present folder with the shipped policy, one that is wider, and one that does not load."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    Path("policy.csv").write_text(SHIPPED)
    export = line("manager", "data:export", conditions="created_or_invited")
    Path("wider.csv").write_text(SHIPPED.replace(export, line("reviewer", "data:export", conditions="may_enter") + export))
    Path("broken.csv").write_text(SHIPPED.replace("data,                   export,", "data,                   exprt,", 1))
    return tmp_path


def test_every_command_has_help_with_an_example() -> None:
    listed = rbac("policy", "--help").output
    for name in ("claims", "coverage", "diff", "fmt", "init", "lint", "mutate", "test"):
        assert f"  {name} " in listed
        shown = rbac("policy", name, "--help")
        assert shown.exit_code == 0
        assert f"  rbac policy {name}" in shown.output.partition("Examples:")[2], name


def test_diff_exits_0_unless_it_is_told_what_to_fail_on(here: Path) -> None:
    assert rbac("policy", "diff", "policy.csv", "wider.csv").exit_code == 0
    assert rbac("policy", "diff", "policy.csv", "wider.csv", "--fail-on", "wider").exit_code == 1
    assert rbac("policy", "diff", "policy.csv", "wider.csv", "--fail-on", "any").exit_code == 1
    assert rbac("policy", "diff", "wider.csv", "policy.csv", "--fail-on", "wider").exit_code == 0
    assert rbac("policy", "diff", "wider.csv", "policy.csv", "--fail-on", "any").exit_code == 1
    assert rbac("policy", "diff", "policy.csv", "policy.csv", "--fail-on", "any").exit_code == 0


def test_diff_prints_json_with_either_option(here: Path) -> None:
    for options in (("--json",), ("--format", "json")):
        told = json.loads(rbac("policy", "diff", "policy.csv", "wider.csv", *options).stdout)
        assert [change["after"] for change in told["diff"]["changes"]] == ["when may_enter"]


def test_an_old_policy_that_does_not_load_says_so_and_the_new_one_is_linted(here: Path) -> None:
    done = rbac("policy", "diff", "broken.csv", "wider.csv")

    assert done.exit_code == 3
    assert "rbac: broken.csv:140:33: unknown permission 'data:exprt': did you mean 'data:export'?" in done.stderr
    assert "OLD does not load, so nothing can be compared. NEW by itself:" in done.stderr
    assert "wider.csv:140:1: error worker-configures" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("diff policy.csv broken.csv", 3, "broken.csv:140:"),
        ("diff broken.csv broken.csv", 3, "broken.csv:140:"),
        ("diff nowhere policy.csv", 2, "'nowhere' is neither a file nor a git revision"),
        ("diff policy.csv HEAD~1", 2, "'HEAD~1' is neither a file nor a git revision"),
        ("diff policy.csv", 2, "missing argument 'NEW'"),
        ("diff policy.csv wider.csv --fail-on all", 2, "'all' is not one of 'wider', 'any'"),
        ("diff policy.csv wider.csv --db sqlite:///none.db", 6, "none.db"),
        ("lint nowhere.csv", 3, "nowhere.csv:1:1: cannot be read"),
        ("lint broken.csv", 3, "broken.csv:140:"),
        ("fmt broken.csv", 3, "broken.csv:140:"),
        ("fmt .", 3, ".:1:1: cannot be read"),
        ("claims nowhere.yaml", 3, "nowhere.yaml:1:1: cannot be read"),
        ("test nowhere.rbac.yaml", 3, "nowhere.rbac.yaml:1:1: cannot be read"),
        ("test .", 3, "holds no file *.rbac.yaml"),
        ("test", 2, "missing argument"),
        ("coverage nowhere.rbac.yaml", 3, "cannot be read"),
        (f"coverage {TABLE} --threshold 101", 2, "101"),
        ("mutate nowhere.rbac.yaml", 3, "cannot be read"),
        (f"test {TABLE} --junit none/outcomes.xml", 2, "none/outcomes.xml"),
        ("lint policy.csv --format yaml", 2, "'yaml' is not one of"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_the_right_exit_code(here: Path, words: str, code: int, says: str) -> None:
    done = rbac("policy", *words.split())

    assert done.exit_code == code
    assert says in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


def test_lint_exits_1_for_findings_and_0_without(here: Path) -> None:
    assert rbac("policy", "lint").stdout == "policy.csv: 34 rules, nothing found\n"
    assert rbac("policy", "lint", "policy.csv", "wider.csv").exit_code == 1
    assert json.loads(rbac("policy", "lint", "wider.csv", "--json").stdout)["findings"][0]["rule"] == "worker-configures"


def test_fmt_in_json_is_one_object_a_file(here: Path) -> None:
    assert rbac("policy", "fmt").exit_code == 0
    (here / "other.csv").write_text((here / "policy.csv").read_text().replace(",   ", ","))

    answer = rbac("policy", "fmt", "policy.csv", "other.csv", "--json")

    assert [json.loads(line) for line in answer.stdout.splitlines()] == [
        {"file": "policy.csv", "laid_out": True, "written": False},
        {"file": "other.csv", "laid_out": False, "written": True},
    ]


def test_lint_fix_writes_what_fmt_would_write(here: Path) -> None:
    untidy = SHIPPED.replace(", allow", ",allow").replace("# 14. Export data", "# 14. Export of data")
    Path("policy.csv").write_text(untidy)

    assert rbac("policy", "fmt", "--check").exit_code == 1
    assert Path("policy.csv").read_text() == untidy
    assert rbac("policy", "lint", "--fix").exit_code == 0
    assert Path("policy.csv").read_text() == SHIPPED
    assert rbac("policy", "fmt", "--check").exit_code == 0


def test_policy_names_the_policy_for_every_command(here: Path) -> None:
    shutil.copy(CLAIMS, "claims.yaml")

    assert rbac("--policy", "wider.csv", "policy", "claims").exit_code == 1
    assert rbac("policy", "claims", "--policy", "policy.csv").exit_code == 0
    assert rbac("--policy", "wider.csv", "policy", "test", TABLE).exit_code == 1
    assert rbac("--policy", "wider.csv", "policy", "mutate", TABLE).exit_code == 1


def test_test_writes_junit_beside_what_it_prints(here: Path) -> None:
    done = rbac("policy", "test", TABLE, "--junit", "outcomes.xml")

    assert done.stdout == f"{CELLS} expectations in 1 file: all met\n"
    assert f'tests="{CELLS}" failures="0"' in Path("outcomes.xml").read_text()


def test_coverage_and_mutation_reach_100_percent_with_the_tests_that_ship(here: Path) -> None:
    assert f"{CELLS} of {CELLS} cells" in rbac("policy", "coverage", str(POLICY_TESTS)).stdout
    assert ", 100.0 %; " in rbac("policy", "mutate", TABLE).stdout


COMMANDS = (("lint",), ("fmt", "--check"), ("test", TABLE), ("claims",), ("coverage", TABLE), ("mutate", TABLE))


@pytest.mark.parametrize("words", COMMANDS, ids=[words[0] for words in COMMANDS])
def test_without_a_policy_here_nothing_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    done = rbac("policy", *words)

    assert (done.exit_code, done.stdout) == (3, "")
    assert "policy.csv:1:1: is not here: name a policy with --policy, or say --policy packaged" in done.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=[words[0] for words in COMMANDS])
def test_every_command_judges_the_same_file_and_says_which(here: Path, words: tuple[str, ...]) -> None:
    Path("claims.yaml").write_text("claims: [only owner may billing:configure]\n")

    assert rbac("policy", *words).stderr == "policy: policy.csv\n"
    assert rbac("--policy", "wider.csv", "policy", *words).stderr == "policy: wider.csv\n"
    assert rbac("--policy", "packaged", "policy", *words).stderr == "policy: the packaged policy.csv\n"


def test_claims_that_are_not_here_are_an_error_and_those_that_ship_go_with_the_packaged_policy(here: Path) -> None:
    done = rbac("policy", "claims")

    assert (done.exit_code, done.stdout) == (3, "")
    assert "claims.yaml:1:1: cannot be read" in done.stderr
    assert "23 of 23 claims hold" in rbac("policy", "claims", "--policy", "packaged").stdout


def test_the_matrix_as_a_page_is_one_file_with_everything_in_it(here: Path) -> None:
    done = rbac("matrix", "--format", "html")

    assert done.exit_code == 0
    assert done.stdout.startswith("<!doctype html>")
    assert not any(text in done.stdout for text in ("http://", "https://", "src=", "href=", "@import", "url("))
    assert rbac("matrix", "--format", "html", "--user", "andy").exit_code == 2


def test_no_output_lets_a_because_or_a_file_name_through(here: Path) -> None:
    file = "<b>a|b`\u202e.rbac.yaml"
    because = r'"\e[2J\u202E]]>\n::error::x | <img src=x>"'
    Path(file).write_text(f"cells: [{{role: owner, permission: data:export, answer: never, because: {because}}}]\n")
    printed = [
        rbac("policy", "test", file, "--junit", "out.xml", "--format", form).stdout for form in ("text", "markdown", "github", "json")
    ]
    (case,) = ElementTree.parse("out.xml").getroot()[0]

    for text in (*printed, Path("out.xml").read_text()):
        assert text.replace("\n", "").isprintable()
        assert not any(line.startswith("::error::x") for line in text.splitlines())
    assert "<img" not in printed[1] and "<b>" not in printed[1]
    assert case.get("file") == r"<b>a|b`\u202e.rbac.yaml"


def test_the_markdown_of_a_diff_names_files_as_code_and_nothing_else(here: Path) -> None:
    Path("a`<b>|\x1b[2J.csv").write_text(Path("wider.csv").read_text())
    comment = rbac("policy", "diff", "policy.csv", "a`<b>|\x1b[2J.csv", "--format", "markdown").stdout

    assert "From `policy.csv` to `a?<b>|\\x1b[2J.csv`.\n" in comment
