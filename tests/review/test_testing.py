"""Policy tests as data: what they expect, how a failure reads, and what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from rbac.errors import PolicyError, StateError
from rbac.fact_space.space import space
from rbac.policy.reader import Policy
from rbac.review.testing.expectations import Asked
from rbac.review.testing.points import points_of
from rbac.review.testing.run import junit, run_tests
from tests.review.conftest import POLICY_TESTS, Edited, Read, line

STATE = """
clock: 2026-11-24T12:00:00Z
state:
  organizations:
    - {id: acme, owner: olga, members: {max: manager, andy: annotator}, workspaces: [{id: w1, created_by: max}]}
"""

CHECK = "checks:\n  - {user: andy, in: organization, may: api:access}\n"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a test file in the present folder."""
    monkeypatch.chdir(tmp_path)
    return Path("x.rbac.yaml")


def test_the_shipped_policy_meets_every_expectation(shipped: Policy, read: Read) -> None:
    report = run_tests(shipped, read(POLICY_TESTS))

    assert report.findings == ()
    assert len(report.outcomes) >= 380


def test_a_point_is_decided_as_the_store_decides(shipped: Policy, read: Read) -> None:
    asked = [each for each in read(POLICY_TESTS) if isinstance(each, Asked)]
    for each in asked:
        points = points_of(each, space())
        allowed = bool(points) and all(point.allowed(shipped, space()) for point in points)
        assert allowed == each.trial.decide(each.request).allowed, str(each)

    assert len(asked) >= 100


def test_a_request_that_fails_names_its_line_and_the_line_of_the_policy(shipped: Policy, read: Read, written: Path) -> None:
    written.write_text(STATE + "checks:\n  - {user: andy, in: workspace:w1, may: workspace:view, because: he works there}\n")
    (finding,) = run_tests(shipped, read(written)).findings

    assert str(finding) == (
        "x.rbac.yaml:7:1: error test: andy may workspace:view in workspace:w1: "
        "no, policy.csv:64 annotator, workspace:view, member: member is false (expected because he works there)"
    )


def test_a_cell_that_fails_says_what_the_policy_says_and_with_which_facts(shipped: Policy, read: Read, written: Path) -> None:
    written.write_text("cells:\n  - {role: manager, permission: data:export, answer: always}\n")
    (finding,) = run_tests(shipped, read(written)).findings

    assert finding.message == (
        "manager, data:export: always: the policy says when created_or_invited (policy.csv:140); "
        "denied for example with not created_workspace, not workspace_member, not created_project, not project_member"
    )


def test_a_cell_without_lines_says_so(shipped: Policy, read: Read, written: Path) -> None:
    written.write_text("cells:\n  - {role: annotator, permission: billing:configure, answer: always}\n")

    assert "the policy says never (no line of policy.csv); denied always" in run_tests(shipped, read(written)).findings[0].message


def test_a_deny_line_that_goes_fails_the_cells_it_closed(edited: Edited, read: Read) -> None:
    without = edited((line("*", "*:*", conditions="paused", effect="deny"), ""))
    report = run_tests(without, read(POLICY_TESTS / "table.rbac.yaml"))

    assert len(report.findings) == 14
    assert "the policy says when may_enter (edited.csv:82); allowed for example with" in report.findings[0].message
    assert report.findings[0].message.endswith(", paused")


def test_who_can_lists_everybody_and_nobody_else(shipped: Policy, read: Read, written: Path) -> None:
    written.write_text(STATE + "who_can:\n  - {permission: workspace:view, in: workspace:w1, users: [olga]}\n")
    (finding,) = run_tests(shipped, read(written)).findings

    assert finding.message.startswith("max may not workspace:view in workspace:w1: yes, policy.csv:66 manager")


def test_can_lists_every_permission_and_no_other(shipped: Policy, read: Read, written: Path) -> None:
    written.write_text(STATE + "can:\n  - {user: andy, in: organization, permissions: [api:access]}\n")
    (finding,) = run_tests(shipped, read(written)).findings

    assert finding.message.startswith("andy may not api_token:create in organization: yes")


def test_the_outcomes_as_junit(shipped: Policy, read: Read, written: Path) -> None:
    written.write_text(STATE + 'checks:\n  - {user: andy, in: organization, may: [api:access, "user:invite"]}\n')
    suite = ElementTree.fromstring(junit(run_tests(shipped, read(written))))[0]

    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("line") for case in suite] == ["7", "7"]
    failure = suite[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "no, no line of policy.csv gives annotator user:invite"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.rbac.yaml:1:1: is empty"),
        ("cells: []\n", "x.rbac.yaml:1:1: expects nothing"),
        ("cels: []\n", "x.rbac.yaml:1:1: object contains unknown field `cels`"),
        ("cells:\n  - {role: owner, permission: billing:configure, answer: always, y: x}\n", "x.rbac.yaml:2:1: object contains unknown"),
        ("cells:\n  - {role: ownr, permission: billing:configure, answer: always}\n", "x.rbac.yaml:2:1: unknown role 'ownr': did you mean"),
        ("cells:\n  - {role: owner, permission: biling:configure, answer: always}\n", "x.rbac.yaml:2:1: unknown permission 'biling:"),
        ("cells:\n  - {role: owner, permission: billing:configure, answer: sometimes}\n", "x.rbac.yaml:2:1: unknown condition 'sometimes'"),
        ("denied: {projekt: paused}\ncells: []\n", "x.rbac.yaml:1:1: unknown kind of domain 'projekt'"),
        ("checks:\n  - {user: andy, in: organization, may: api:access}\n", "x.rbac.yaml:1:1: has checks but no state"),
        (STATE + "checks:\n  - {user: andyy, in: organization, may_not: api:access}\n", "x.rbac.yaml:7:1: andyy is no member of acme"),
        (STATE + "checks:\n  - {user: andy, in: project:p9, may_not: data:export}\n", "x.rbac.yaml:7:1: there is no project:p9 in acme"),
        (STATE + "checks:\n  - {user: andy, in: organization, may_not: data:export}\n", "x.rbac.yaml:7:1: data:export is asked in project"),
        (STATE + "checks:\n  - {user: andy, in: workspace:w1, may: workspace:view, with: {task: t1}}\n", "x.rbac.yaml:7:1: a task is"),
        (STATE + "checks:\n  - {user: andy, in: workspace:w1}\n", "x.rbac.yaml:7:1: expects nothing: write may or may_not"),
        (STATE + "who_can:\n  - {permission: api:access, in: organization, users: [zoe]}\n", "x.rbac.yaml:7:1: zoe is no member"),
        (STATE.replace("2026-11-24T12:00:00Z", "0001-01-01T00:00:00+23:59") + CHECK, "x.rbac.yaml:2:1: 0001-01-01 00:00:00+23:59 is"),
        ("clock: 2026-11-24T12:00:00\ncells: []\n", "x.rbac.yaml:1:1: expected `datetime`"),
    ],
)  # fmt: skip
def test_a_test_file_that_is_not_understood_is_refused_with_its_line(read: Read, written: Path, text: str, message: str) -> None:
    written.write_text(text)

    with pytest.raises(PolicyError) as refused:
        read(written)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("nowhere.yaml", "nowhere.yaml: cannot be read"),
        ("{organizations: [{id: acme, owner: olga, membrs: {}}]}", "membrs"),
        ("{organizations: [{id: a, owner: olga}, {id: b, owner: olga}]}", "holds 2 organizations: say which with organization:"),
    ],
)
def test_a_state_that_does_not_load_is_refused(read: Read, written: Path, state: str, message: str) -> None:
    written.write_text(f"state: {state}\nchecks:\n  - {{user: olga, in: organization, may: user:invite}}\n")

    with pytest.raises(StateError, match=message):
        read(written)


def test_an_organization_that_the_state_does_not_hold_is_refused(read: Read, written: Path) -> None:
    written.write_text(STATE + "organization: acne\nchecks:\n  - {user: olga, in: organization, may: user:invite}\n")

    with pytest.raises(StateError, match="there is no organization acne in the state"):
        read(written)


def test_a_folder_without_test_files_is_refused(read: Read, written: Path) -> None:
    with pytest.raises(PolicyError, match=r"holds no file \*.rbac.yaml"):
        read(Path())
