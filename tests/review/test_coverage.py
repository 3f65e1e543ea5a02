"""Coverage and mutation of the policy tests that ship: 100 %, and what is said below that."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbac.policy.reader import PACKAGED, Policy, parse_policy
from rbac.review.diff.compare import same_decisions
from rbac.review.findings import Severity, is_clean
from rbac.review.testing.coverage import cell_to_paste, coverage
from rbac.review.testing.mutation import Judge, Mutant, mutants, mutate
from rbac.review.testing.run import run_tests
from rbac.vocabulary import Permission, Role
from tests.review.conftest import POLICY_TESTS, Edited, Read

ACME = POLICY_TESTS / "acme.rbac.yaml"


def pasted(findings: tuple[str, ...]) -> str:
    """The lines to paste as one test file."""
    return "cells:\n" + "\n".join(line for text in findings for line in text.splitlines() if line.startswith("  -")) + "\n"


def test_the_tests_that_ship_cover_every_cell_and_polarity(shipped: Policy, read: Read) -> None:
    report = coverage(shipped, read(POLICY_TESTS))

    assert (report.cells, report.percent, report.findings) == (len(Permission) * len(Role), 100.0, ())
    assert report.polarities_covered == report.polarities >= 250


def test_examples_alone_leave_gaps_that_are_named_with_a_line_to_paste(shipped: Policy, read: Read, tmp_path: Path) -> None:
    report = coverage(shipped, read(ACME))
    (tmp_path / "more.rbac.yaml").write_text(pasted(tuple(finding.paste for finding in report.findings)))

    assert 10 < report.percent < 50
    assert not is_clean(report)
    assert "no test asks about annotator, organization_page:view" in report.findings[0].message
    assert coverage(shipped, (*read(ACME), *read(tmp_path / "more.rbac.yaml"))).percent == 100.0


def test_above_the_threshold_gaps_are_notices(shipped: Policy, read: Read) -> None:
    report = coverage(shipped, read(ACME), threshold=10)

    assert is_clean(report)
    assert {finding.severity for finding in report.findings} == {Severity.NOTICE}


def test_a_condition_seen_true_only_is_half_covered(shipped: Policy, read: Read, tmp_path: Path) -> None:
    state = "state: {organizations: [{id: a, owner: olga, members: {andy: annotator}}]}\n"
    (tmp_path / "one.rbac.yaml").write_text(state + "checks:\n  - {user: andy, in: organization, may: api:access}\n")
    messages = [finding.message for finding in coverage(shipped, read(tmp_path / "one.rbac.yaml")).findings]

    assert "annotator, api:access: tokens_allowed is never false" in messages
    assert "annotator, api:access: tokens_allowed is never true" not in messages
    assert "no test asks about annotator, api:access" not in messages


def test_where_a_deny_line_decided_no_condition_of_the_cell_is_covered(shipped: Policy, read: Read, tmp_path: Path) -> None:
    project = "{id: p, published: true, members: [andy], paused: {andy: manual}}"
    workspaces = f"[{{id: w, projects: [{project}]}}]"
    state = f"state: {{organizations: [{{id: a, owner: olga, members: {{andy: annotator}}, workspaces: {workspaces}}}]}}\n"
    (tmp_path / "one.rbac.yaml").write_text(state + "checks:\n  - {user: andy, in: project:p, may_not: project:view}\n")
    messages = [finding.message for finding in coverage(shipped, read(tmp_path / "one.rbac.yaml")).findings]

    assert "annotator, project:view: may_enter is never true" in messages
    assert "the deny lines of a project: paused is never true" not in messages


def test_the_tests_that_ship_kill_every_mutant(shipped: Policy, read: Read) -> None:
    report = mutate(shipped, read(POLICY_TESTS))

    assert (report.score, report.findings) == (100.0, ())
    assert report.mutants >= 8_000


def test_what_a_survivor_says_to_paste_kills_it(shipped: Policy, read: Read, tmp_path: Path) -> None:
    report = mutate(shipped, read(ACME))
    (tmp_path / "more.rbac.yaml").write_text(pasted(tuple(finding.paste for finding in report.findings)))

    assert 0 < report.score < 50
    assert mutate(shipped, (*read(ACME), *read(tmp_path / "more.rbac.yaml"))).findings == ()


def test_mutants_that_are_left_out_decide_alike_and_no_other(shipped: Policy) -> None:
    tried = list(mutants(shipped))
    judge = Judge(shipped, ())
    sample = tried[:: len(tried) // 900]

    assert [not judge.changed(mutant) for mutant in sample] == [same_decisions(shipped, _with(shipped, mutant)) for mutant in sample]
    assert len(sample) >= 900
    report = mutate(shipped, ())
    assert (report.killed, report.mutants + report.equivalent) == (0, len(tried))


def _with(policy: Policy, mutant: Mutant) -> Policy:
    """The policy with one mistake in it."""
    kept = [mutant.new if line is mutant.old else line for line in policy.lines]
    return Policy(policy.file, tuple(line for line in (*kept, None if mutant.old else mutant.new) if line is not None), "")


STEPS = (
    "dropped", "widened to always", "narrowed by plugins_enabled", "created_or_invited dropped", "created_or_invited swapped for may_enter",
    "manager swapped for reviewer", "data:export swapped for data:import", "everybody swapped for owner", "allow flipped to deny",
    "annotator gets data:export",
)  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_every_kind_of_step_is_tried(shipped: Policy, step: str) -> None:
    assert step in {mutant.what for mutant in mutants(shipped)}


def test_a_policy_that_fails_its_tests_is_not_mutated(edited: Edited, read: Read) -> None:
    broken = edited(("may_enter & manual_distribution & data_manager_shown", "may_enter & data_manager_shown"))

    report = mutate(broken, read(POLICY_TESTS / "table.rbac.yaml"))

    assert report.summary == "edited.csv: fails 1 of its own tests, no mutant was tried"
    assert report.findings[0].message.endswith("the policy itself does not pass this test")


OWN = (
    "p, *, project, data, export, own_history, deny\n",
    "p, manager, project, data, export, not_personal & unless_restricted, deny\n",
    "p, reviewer, project, *, *, manual_distribution, deny\n",
    "p, owner, organization, billing, configure, always, deny\n",
)


@pytest.mark.parametrize("own", OWN)
def test_every_cell_to_paste_is_met_by_a_policy_with_deny_lines_of_its_own(own: str, read: Read, tmp_path: Path) -> None:
    policy = parse_policy(PACKAGED.read_text().replace("p, *,             project,      *,                      *,      ", "#", 1) + own)
    lines = [cell_to_paste(policy, role, permission) for role in Role for permission in Permission]
    (tmp_path / "pasted.rbac.yaml").write_text("cells:\n" + "\n".join(lines) + "\n")
    expectations = read(tmp_path / "pasted.rbac.yaml")

    assert len(expectations) == len(Role) * len(Permission)
    assert run_tests(policy, expectations).findings == ()
    assert mutate(policy, expectations).score == 100.0


def test_the_requests_that_ship_find_most_mistakes_without_the_restated_table(shipped: Policy, read: Read) -> None:
    files = [file for file in sorted(POLICY_TESTS.glob("*.rbac.yaml")) if file.name != "table.rbac.yaml"]
    requests = [each for file in files for each in read(file)]
    page = (Path(__file__).parents[2] / "docs" / "review.md").read_text()
    killed, covered = int(mutate(shipped, requests).score), int(coverage(shipped, requests).percent)

    assert killed >= 60
    assert covered >= 60
    assert f"they alone kill {killed} % of the mutants and cover {covered} % of cells" in " ".join(page.split())
