"""check, explain, what-can: what they print, and how they exit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Rbac

pytestmark = pytest.mark.usefixtures("here")


def test_a_yes_exits_0_and_names_the_line_that_decided(rbac: Rbac) -> None:
    answer = rbac("check max data:export project:p1")

    assert answer.exit_code == 0
    assert answer.stdout.startswith("yes: policy.csv:")
    assert "manager, data:export, created_or_invited" in answer.stdout


def test_a_no_exits_1_and_says_why_on_stdout(rbac: Rbac) -> None:
    answer = rbac("check andy data:export project:p1")

    assert (answer.exit_code, answer.stderr) == (1, "")
    assert answer.stdout == "no: no line of policy.csv gives annotator data:export\n"


def test_check_json_prints_exactly_the_five_fields_of_the_contract(rbac: Rbac) -> None:
    answer = rbac("check max data:export project:p1 --json")

    assert list(json.loads(answer.stdout)) == ["allowed", "reason", "rule", "line", "revision"]
    assert json.loads(answer.stdout)["allowed"] is True
    assert answer.stdout.count("\n") == 1


def test_a_no_in_json_exits_1_as_well(rbac: Rbac) -> None:
    answer = rbac("check andy data:export project:p1 --json")

    assert answer.exit_code == 1
    assert json.loads(answer.stdout) == {
        "allowed": False,
        "reason": "no line of policy.csv gives annotator data:export",
        "rule": None,
        "line": None,
        "revision": 1,
    }


@pytest.mark.parametrize("line", ["--json check max data:export project:p1", "check --json max data:export project:p1"])
def test_global_options_come_before_or_after_the_command(rbac: Rbac, line: str) -> None:
    assert json.loads(rbac(line).stdout)["allowed"] is True


def test_the_nearer_of_two_global_options_counts(rbac: Rbac) -> None:
    answer = rbac("--org nowhere check max data:export project:p1 --org acme")

    assert answer.exit_code == 0


def test_an_empty_variable_is_one_that_is_not_set(rbac: Rbac) -> None:
    assert rbac("check max data:export project:p1", env={"RBAC_DB": "", "RBAC_ORG": ""}).exit_code == 0


def test_an_option_counts_more_than_the_environment(rbac: Rbac) -> None:
    environment = {"RBAC_DB": "sqlite:///other.db", "RBAC_ORG": "other"}

    assert rbac("check max data:export project:p1", env=environment).exit_code == 6
    assert rbac("--db sqlite:///rbac.db check max data:export project:p1 --org acme", env=environment).exit_code == 0


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("check andy annotator_dashboard:view organization --target andy", True),
        ("check andy annotator_dashboard:view organization --target rita", False),
        ("check andy labeling:access project:p2 --task t1", True),
        ("check andy labeling:access project:p2 --task t2", False),
        ("check andy labeling:access project:p1 --via api", True),
        ("check andy labeling:access project:p1 --via ui --at-least 1", True),
    ],
)
def test_target_task_via_and_at_least_are_part_of_the_question(rbac: Rbac, line: str, allowed: bool) -> None:
    assert rbac(line).exit_code == (0 if allowed else 1)


def test_a_revision_that_is_not_reached_is_the_stores_and_no_no(rbac: Rbac) -> None:
    answer = rbac("check max data:export project:p1 --at-least 9")

    assert (answer.exit_code, answer.stdout) == (6, "")


def test_a_revision_may_be_a_token_which_a_restored_store_refuses(rbac: Rbac, here: Path) -> None:
    seal = rbac("audit --head").stdout.split()[2][:16]
    line = {"user": "max", "permission": "data:export", "domain": "project:p1"}
    (here / "lines.jsonl").write_text("".join(json.dumps(line | {"at_least": at}) + "\n" for at in (f"1@{seal}", "1@" + "0" * 16)))

    assert rbac(f"check max data:export project:p1 --at-least 1@{seal}").exit_code == 0
    refused = rbac(["check", "max", "data:export", "project:p1", "--at-least", "1@" + "0" * 16])
    assert (refused.exit_code, refused.stdout) == (6, "")
    assert "was issued before a backup was restored" in refused.stderr
    lines = rbac("check --from lines.jsonl")
    assert (lines.exit_code, len(lines.stdout.splitlines())) == (6, 1)
    assert rbac("check max data:export project:p1 --at-least 1@x").exit_code == 2


def test_a_request_through_the_api_needs_api_access_as_well(rbac: Rbac) -> None:
    rbac("configure organization tokens_for_annotators_and_reviewers=off --as olga")

    assert rbac("check andy labeling:access project:p1").exit_code == 0
    refused = rbac("check andy labeling:access project:p1 --via api")
    assert refused.exit_code == 1
    assert refused.stdout.startswith("no: through the API: ")


# -- request lines ---------------------------------------------------------------------------------------------------------


def test_request_lines_are_answered_in_order_and_exit_0_when_all_were_answered(rbac: Rbac) -> None:
    answer = rbac("check --from requests.jsonl")

    assert answer.exit_code == 0
    assert [json.loads(line)["allowed"] for line in answer.stdout.splitlines()] == [True, True, False]


def test_request_lines_come_from_stdin_too(rbac: Rbac, here: Path) -> None:
    answer = rbac("check --from -", input=(here / "requests.jsonl").read_text())

    assert answer.stdout == rbac("check --from requests.jsonl").stdout


GOOD = '{"user": "max", "permission": "data:export", "domain": "project:p1"}'


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("", "is empty"),
        ("{", "column 2: not valid JSON: expecting property name enclosed in double quotes"),
        ("[]", "expected `object`, got `array`"),
        (f"{GOOD}\x0b", "column 69: not valid JSON: extra data"),
        (f'{GOOD[:-1]}, "\\ud800": 1}}', r"half a character in \ud800"),
        (f'{GOOD[:-1]}, "at_least": {"9" * 5000}}}', "a number has too many digits"),
        (f'{GOOD[:-1]}, "\\nall is well": 1}}', r"object contains unknown field `\nall is well`"),
        ('{"user": "max", "permission": "data:export"}', "object missing required field `domain`"),
        ('{"user": 7, "permission": "data:export", "domain": "project:p1"}', "expected `str`, got `int` at `user`"),
        ('{"user": "max", "permission": "data:export", "domain": "project:p1", "taks": "t1"}', "object contains unknown field `taks`"),
        ('{"user": "max", "user": "olga", "permission": "data:export", "domain": "project:p1"}', "duplicate key 'user'"),
        ('{"user": "max", "permission": "data:exprt", "domain": "project:p1"}', "unknown permission 'data:exprt': did you mean"),
        ('{"user": "max", "permission": "data:export", "domain": "organization"}', "data:export is asked in project"),
        ('{"user": "max", "permission": "data:export", "domain": "project:p1", "via": "fax"}', "unknown way to arrive 'fax'"),
        ('{"user": "m x", "permission": "data:export", "domain": "project:p1"}', "'m x' cannot be the id of a user"),
        ('{"user": "max", "permission": "data:export", "domain": "project:p1", "at_least": "1"}', "'1' is not a revision: write a number"),
        ('{"user": "max", "permission": "data:export", "domain": "project:p1", "at_least": 1.5}', "expected `int | str`, got `float`"),
        ("[" * 100_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_the_first_bad_line_ends_the_run_with_its_place_and_nothing_is_skipped(rbac: Rbac, here: Path, bad: str, says: str) -> None:
    (here / "bad.jsonl").write_text(f"{GOOD}\n{bad}\n{GOOD}\n")

    answer = rbac("check --from bad.jsonl")

    assert answer.exit_code == 2
    assert answer.stderr.startswith(f"rbac: bad.jsonl:2: {says}")
    assert len(answer.stdout.splitlines()) == 1


def test_bytes_that_are_not_utf_8_are_a_bad_line(rbac: Rbac) -> None:
    answer = rbac("check --from -", input=b'{"user": "\xff"}\n')

    assert (answer.exit_code, answer.stderr) == (2, "rbac: stdin:1: byte 11 is not UTF-8\n")


def test_request_lines_and_a_question_on_the_command_line_do_not_mix(rbac: Rbac) -> None:
    assert rbac("check max data:export project:p1 --from requests.jsonl").exit_code == 2
    assert rbac("check --from requests.jsonl --via api").exit_code == 2


# -- explain ---------------------------------------------------------------------------------------------------------------


def test_explain_shows_every_line_with_the_value_of_each_condition(rbac: Rbac) -> None:
    answer = rbac("explain andy bulk_labeling:perform project:p1")

    assert answer.exit_code == 1
    assert "andy is annotator: the organization role" in answer.stdout
    shown = {tuple(line.split()) for line in answer.stdout.splitlines()}
    assert {("manual_distribution", "false"), ("task_to_label", "true")} <= {parts[:2] for parts in shown}
    assert {"unknown_task", "unknown_target", "foreign_sandbox", "paused"} <= {parts[2] for parts in shown if len(parts) > 2}


def test_explain_names_the_missing_fact(rbac: Rbac) -> None:
    answer = rbac("explain max annotator_dashboard:view organization")

    assert answer.exit_code == 1
    assert "false: name the target" in answer.stdout


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("grant andy reviewer --on project:p1 --as max", "andy is reviewer: the project role, in place of the organization role annotator"),
        ("grant andy reviewer --on project:p1 --until 2099-01-31T12:00:00Z --as max", "the project role until 2099-01-31T12:00:00Z, in"),
    ],
)
def test_explain_says_which_role_is_in_force_and_why(rbac: Rbac, change: str, says: str) -> None:
    rbac(change)

    assert says in rbac("explain andy project:view project:p1").stdout


def test_explain_says_that_a_project_role_is_without_effect_for_a_manager(rbac: Rbac) -> None:
    rbac("grant andy reviewer --on project:p1 --as max")
    rbac("grant andy manager --as ada")

    answer = rbac("explain andy project:view project:p1")

    assert "andy is manager: the organization role, for which the project role reviewer is without effect" in answer.stdout


def test_explain_json_has_the_decision_and_every_condition_of_every_line(rbac: Rbac) -> None:
    data = json.loads(rbac("explain andy bulk_labeling:perform project:p1 --via api --json").stdout)

    assert (data["allowed"], data["role"], data["role_from"]) == (False, "annotator", "annotator: the organization role")
    assert [line["effect"] for line in data["lines"]] == ["deny"] * 4 + ["allow"]
    assert {"name": "manual_distribution", "value": False, "missing": None} in data["lines"][-1]["conditions"]
    assert data["api"]["lines"][-1]["holds"] is True


def test_explain_of_somebody_unknown_shows_no_line(rbac: Rbac) -> None:
    answer = rbac("explain zoe project:view project:p1")

    assert (answer.exit_code, answer.stdout) == (1, "no: zoe is no member of acme\n")


# -- what-can --------------------------------------------------------------------------------------------------------------


def test_what_can_lists_the_permissions_and_marks_those_that_need_a_target(rbac: Rbac) -> None:
    lines = rbac("what-can max project:p2").stdout.splitlines()

    assert any(line.startswith("data:export ") for line in lines)
    assert [line.split()[0] for line in lines if line.endswith("needs a target")] == [
        "project_member:pause",
        "task:assign_annotator",
        "task:assign_reviewer",
    ]


def test_what_can_json_agrees_with_check(rbac: Rbac) -> None:
    found = json.loads(rbac("what-can rita project:p2 --json").stdout)

    assert found["allowed"]
    assert all(rbac(f"check rita {permission} project:p2").exit_code == 0 for permission in found["allowed"])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("what-can zoe project:p1", "zoe is no member of acme"),
        ("what-can dan organization", "dan is deactivated in acme"),
        ("what-can max project:p9", "there is no project:p9 in acme"),
        ("what-can andy project:p3", "andy can do nothing in project:p3"),
    ],
)
def test_nothing_is_a_no_with_its_reason(rbac: Rbac, line: str, says: str) -> None:
    answer = rbac(line)

    assert (answer.exit_code, answer.stdout, answer.stderr) == (1, "", f"rbac: {says}\n")


# -- which organization ----------------------------------------------------------------------------------------------------


def test_with_two_organizations_one_must_be_named(rbac: Rbac) -> None:
    rbac("init --organization beta --owner ben")

    unnamed = rbac("check ben workspace:create organization")
    assert unnamed.exit_code == 2
    assert "name an organization with --org: acme, beta" in unnamed.stderr
    assert rbac("check ben workspace:create organization --org beta").exit_code == 0


def test_a_question_about_an_organization_that_is_not_there_is_a_no(rbac: Rbac) -> None:
    for line in ("check max data:export project:p1", "what-can max organization", "roles max", "members organization", "audit", "export"):
        answer = rbac(f"{line} --org nowhere")

        assert answer.exit_code == 1, line
        assert "there is no organization nowhere" in answer.output
