"""Every changing command: it does what it says, by whom it may, and prints the revision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rbac as library
from tests.cli.conftest import Rbac, standing

pytestmark = pytest.mark.usefixtures("here")

CHANGES = [
    ("grant andy reviewer --as ada", "check andy review:access project:p1", True),
    ("grant andy reviewer --on project:p2 --as max", "check andy review:access project:p2", True),
    ("invite zoe manager --as ada", "check zoe workspace:create organization", True),
    ("deactivate andy --as ada", "check andy project:view project:p1", False),
    ("activate dan --as ada", "check dan api:access organization", True),
    ("add mia workspace:w1 --as max", "check mia workspace:view workspace:w1", True),
    ("add mia project:p1 --as max", "check mia data:export project:p1", True),
    ("remove andy workspace:w1 --as max", "check andy project:view project:p1", False),
    ("pause rita project:p1 --as max", "check rita project:view project:p1", False),
    ("assign andy t2 project:p2 --annotator --as max", "check andy labeling:access project:p2 --task t2", True),
    ("unassign andy t1 project:p2 --as max", "check andy project:view project:p2", False),
    ("workspace create w9 --as max", "check max workspace:view workspace:w9", True),
    ("workspace create own --personal --as mia", "check mia workspace:view workspace:own", True),
    ("project create p9 --workspace w1 --as max", "check max project:view project:p9", True),
    ("project move p1 --workspace w2 --as ada", "check andy project:view project:p1", False),
    ("project delete p3 --as max", "check olga project:view project:p3", False),
    ("configure project:p1 show_data_manager_to=annotator,reviewer --as max", "check andy data_manager:view project:p1", True),
    ("configure project:p1 published=false distribution=manual --as max", "check andy project:view project:p1", False),
    ("configure organization plugins_enabled=no --as olga", "check max plugin:view project:p1", False),
    ("restrict plugin:configure administrator --as olga", "check max plugin:configure project:p1", False),
    ("transfer-ownership ada --ticket SUP-104", "check ada billing:configure organization", True),
]


@pytest.mark.parametrize(("change", "question", "allowed"), CHANGES, ids=[change for change, _, _ in CHANGES])
def test_a_change_is_one_revision_and_the_next_question_sees_it(rbac: Rbac, change: str, question: str, allowed: bool) -> None:
    assert rbac(question).exit_code == (1 if allowed else 0)

    done = rbac(change)

    assert (done.exit_code, done.output) == (0, "revision 2\n")
    assert rbac(question).exit_code == (0 if allowed else 1)


UNDOING = [
    ("pause rita project:p1 --as max", "unpause rita project:p1 --as max"),
    ("grant andy reviewer --on project:p1 --as max", "revoke andy --on project:p1 --as max"),
    ("restrict plugin:configure administrator --as olga", "unrestrict plugin:configure --as olga"),
    ("workspace create w9 --as max", "workspace delete w9 --as max"),
    ("assign rita t2 project:p2 --reviewer --as max", "unassign rita t2 project:p2 --as max"),
    ("invite zoe --as ada", "deactivate zoe --as ada"),
]


@pytest.mark.parametrize(("change", "undo"), UNDOING, ids=[undo for _, undo in UNDOING])
def test_a_change_can_be_taken_back(rbac: Rbac, change: str, undo: str) -> None:
    before = rbac("export").stdout
    rbac(change)

    done = rbac(undo)

    assert (done.exit_code, done.output) == (0, "revision 3\n")
    assert rbac("export").stdout == before or undo.startswith("deactivate")


def test_a_task_is_given_to_annotate_or_to_review_as_asked(rbac: Rbac) -> None:
    for user, kind in (("andy", "annotator"), ("rita", "reviewer")):
        assert rbac(f"assign {user} t2 project:p2 --{kind} --as max").exit_code == 0

    (project,) = [
        each
        for place in json.loads(rbac("export --json").stdout)["organizations"][0]["workspaces"]
        for each in place["projects"]
        if each["id"] == "p2"
    ]
    assert project["tasks"]["t2"] == {"annotators": ["andy"], "reviewers": ["rita"]}


def test_a_change_that_changes_nothing_prints_the_present_revision(rbac: Rbac) -> None:
    assert rbac("grant andy annotator --as ada").output == "revision 1\n"


def test_a_change_in_json_is_its_revision(rbac: Rbac) -> None:
    assert json.loads(rbac("pause rita project:p1 --as max --json").stdout) == {"revision": 2}


def test_the_actor_may_come_from_the_environment_and_as_counts_more(rbac: Rbac) -> None:
    assert rbac("grant andy reviewer", env={"RBAC_ACTOR": "ada"}).exit_code == 0
    assert rbac("grant andy annotator --as max", env={"RBAC_ACTOR": "ada"}).exit_code == 4


REFUSED = [
    ("grant andy reviewer --as max", "max may not member_role:assign in organization"),
    ("grant max owner --as ada", "owner cannot be given: transfer the ownership"),
    ("grant olga manager --as ada", "olga is the Owner of acme: transfer the ownership first"),
    ("grant ada manager --as ada", "nobody changes their own role or state"),
    ("grant max reviewer --on project:p1 --as ada", "max is manager: a project role would be without effect"),
    ("grant zoe reviewer --as ada", "zoe is no member of acme: invite them first"),
    ("grant andy reviewer --as zoe", "zoe is no member of acme"),
    ("grant andy reviewer --as dan", "dan is deactivated in acme"),
    ("invite andy annotator --as ada", "andy is active in acme already"),
    ("add zoe workspace:w1 --as max", "zoe is no member of acme: invite them first"),
    ("add andy workspace:w9 --as max", "there is no workspace w9 in acme"),
    ("add andy workspace:max-sandbox --as max", "workspace:max-sandbox is personal and takes no members"),
    ("remove andy project:p1 --as max", "andy is in project:p1 through workspace:w1: remove them there"),
    ("pause max project:p1 --as ada", "ada may not project_member:pause max in project:p1"),
    ("assign andy t9 project:p2 --annotator --as max", "max may not task:assign_annotator andy in project:p2"),
    ("workspace delete w1 --as olga", "olga may not workspace:delete in workspace:w1"),
    ("workspace create w1 --as max", "there is a workspace:w1 already"),
    ("project move p1 --workspace w2 --as max", "max may not project:create in workspace:w2"),
    ("restrict data:export owner --as olga", "data:export cannot be restricted to owner"),
    ("transfer-ownership zoe --ticket SUP-1", "zoe is no member in acme: only an active member can become Owner"),
    ("transfer-ownership dan --ticket SUP-1", "dan is deactivated in acme: only an active member can become Owner"),
    ("grant andy reviewer --as ada --org nowhere", "there is no organization nowhere"),
    ("init --organization acme --owner max", "there is already an organization acme"),
    ("import acme.yaml", "there is already an organization acme: --update makes it what the file says"),
]


@pytest.mark.parametrize(("line", "says"), REFUSED, ids=[line for line, _ in REFUSED])
def test_a_refusal_exits_4_with_its_own_sentence_and_changes_nothing(rbac: Rbac, here: Path, line: str, says: str) -> None:
    before = standing(here)

    answer = rbac(line)

    assert (answer.exit_code, answer.stdout) == (4, "")
    assert answer.stderr.startswith(f"rbac: {says}")
    assert answer.stderr.count("\n") == 1
    assert standing(here) == before


def test_every_setting_of_the_schema_can_be_configured_from_the_command_line(rbac: Rbac, here: Path) -> None:
    with library.connect("sqlite:///rbac.db") as store:
        names = [name for name, value in vars_of(store.organization("acme").details()).items() if isinstance(value, bool)]

    assert len(names) == 4
    for name in names:
        assert rbac(f"configure organization {name}=off --as olga").exit_code == 0, name


def vars_of(record: object) -> dict[str, object]:
    """The fields of a record with slots."""
    return {name: getattr(record, name) for name in type(record).__slots__}  # type: ignore[attr-defined]


# -- roles and members -----------------------------------------------------------------------------------------------------


def test_roles_shows_until_pause_project_role_and_what_comes_through_the_workspace(rbac: Rbac) -> None:
    rbac("add rita project:p1 --until 2099-01-31T12:00:00Z --as max")
    rbac("pause rita project:p1 --until 2099-02-01T00:00:00Z --as max")
    rbac("grant rita annotator --on project:p2 --as max")

    lines = [line.split("  ") for line in rbac("roles rita").stdout.splitlines()]
    found = {line[0]: [cell.strip() for cell in line[1:] if cell.strip()] for line in lines}

    assert found["project:p1"] == [
        "reviewer",
        "member, through workspace:w1",
        "2099-01-31T12:00:00Z",
        "paused: manual until 2099-02-01T00:00:00Z",
    ]
    assert found["project:p2"] == ["annotator", "through workspace:w1", "project role annotator"]


def test_roles_json_has_the_state_and_every_standing(rbac: Rbac) -> None:
    rbac("deactivate andy --as ada")

    found = json.loads(rbac("roles andy --json").stdout)

    assert (found["state"], found["role"]) == ("deactivated", "annotator")
    assert {each["domain"]: each["role"] for each in found["domains"]}["workspace:w1"] is None


def test_what_hangs_on_somebody_who_was_removed_is_shown_as_without_a_membership(rbac: Rbac) -> None:
    rbac("pause rita project:p1 --as max")
    rbac("remove rita workspace:w1 --as max")

    (line,) = [line for line in rbac("roles rita").stdout.splitlines() if line.startswith("project:p1")]

    assert line.split() == ["project:p1", "reviewer", "no", "member", "paused:", "manual"]


def test_a_creator_who_was_demoted_is_no_creator(rbac: Rbac) -> None:
    assert "created" in rbac("roles max").stdout

    rbac("grant max reviewer --as ada")

    assert "created" not in rbac("roles max").stdout


def test_members_shows_until_pause_and_inherited(rbac: Rbac) -> None:
    rbac("add andy project:p1 --until 2099-01-31T12:00:00Z --as max")
    rbac("pause rita project:p1 --as max")

    head, *lines = rbac("members project:p1").stdout.splitlines()

    assert head.split("  ")[0] == "USER"
    assert [line.split() for line in lines] == [
        ["andy", "annotator", "direct", "2099-01-31T12:00:00Z"],
        ["rita", "reviewer", "inherited", "paused"],
    ]


def test_members_json_is_one_object_a_line(rbac: Rbac) -> None:
    found = [json.loads(line) for line in rbac("members organization --json").stdout.splitlines()]

    assert [each["user"] for each in found] == ["ada", "andy", "dan", "max", "mia", "nina", "olga", "rita"]
    assert [each["role"] for each in found if each["user"] == "olga"] == ["owner"]
    assert [each["state"] for each in found if each["user"] == "nina"] == ["invited"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("roles zoe", "zoe is no member of acme"),
        ("members project:p9", "there is no project:p9 in acme"),
        ("members workspace:w9", "there is no workspace:w9 in acme"),
    ],
)
def test_whoever_or_whatever_is_not_there_is_a_no(rbac: Rbac, line: str, says: str) -> None:
    answer = rbac(line)

    assert (answer.exit_code, answer.stdout, answer.stderr) == (1, "", f"rbac: {says}\n")
