"""Every lint rule speaks where its section in docs/lint.md says avoid, and is silent about the shipped policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rbac.errors import PolicyError
from rbac.policy.reader import PACKAGED
from rbac.review.findings import Format, is_clean, render
from rbac.review.formatting import format_policy
from rbac.review.lint import RULES, lint

PAGE = (Path(__file__).parents[2] / "docs" / "lint.md").read_text()
SECTION = re.compile(
    r"### (\S+)\n\n\*(\w+)(, fixed by --fix)?\.\* (.+)\.\n\nAvoid\n```csv\n(.*?)```\nPrefer\n```csv\n(.*?)```\n(.+)", re.DOTALL
)
SECTIONS = {found[1]: found for found in map(SECTION.match, re.split(r"^(?=###? )", PAGE, flags=re.MULTILINE)) if found}


def edited(rule: str) -> str:
    """The shipped policy with what the rule's section prefers replaced by what it says to avoid."""
    avoid, prefer = SECTIONS[rule].group(5, 6)
    assert PACKAGED.read_text().count(prefer) == 1, "policy.csv says what the section prefers"
    return PACKAGED.read_text().replace(prefer, avoid)


def test_every_rule_has_its_section_in_the_order_of_the_code() -> None:
    assert len(RULES) >= 20
    assert list(SECTIONS) == list(RULES)
    for name, found in SECTIONS.items():
        assert (found[2], bool(found[3]), found[4]) == (RULES[name].severity, RULES[name].fixable, RULES[name].summary)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_speaks_where_its_section_says_avoid(rule: str) -> None:
    report = lint(edited(rule), only=[rule])

    assert {finding.rule for finding in report.findings} == {rule}
    assert not is_clean(report)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_silent_about_the_shipped_policy(rule: str) -> None:
    assert lint(PACKAGED.read_text(), only=[rule]).findings == ()


@pytest.mark.parametrize("rule", [rule.id for rule in RULES.values() if rule.fixable])
def test_fix_settles_what_it_says_it_settles(rule: str) -> None:
    fixed = format_policy(edited(rule))

    assert lint(fixed, only=[each.id for each in RULES.values() if each.fixable]).findings == ()


def test_a_policy_that_does_not_load_is_not_linted() -> None:
    with pytest.raises(PolicyError, match=r"policy.csv:1:1: unknown line type 'q'"):
        lint("q, owner\n")


def test_a_finding_names_file_line_rule_and_severity() -> None:
    report = lint(edited("restricted-owner"), "my.csv", only=["restricted-owner"])

    assert render(report, Format.TEXT, title="Lint").startswith("my.csv:96:1: error restricted-owner: restricting project:delete is")
    assert render(report, Format.GITHUB, title="Lint").startswith("::error file=my.csv,line=96,col=1,title=restricted-owner::restricting")
    assert report.summary == "my.csv: 1 error"


def test_a_gap_about_oneself_is_a_gap() -> None:
    lines = PACKAGED.read_text().split("\n")
    dropped = "\n".join(text for text in lines if not re.match(r"p, reviewer, .* annotator_dashboard,", text))

    assert len(dropped) < len(PACKAGED.read_text())
    messages = [finding.message for finding in lint(dropped, only=["role-gap"]).findings]
    assert [message.partition(":view")[0] for message in messages] == ["annotator may annotator_dashboard"]


def test_a_target_condition_in_a_deny_line_denies_everybody_and_lint_says_so() -> None:
    denied = PACKAGED.read_text() + "p, *, project, data, export, own_history, deny\n"
    (finding,) = lint(denied, only=["target-condition-without-target"]).findings

    assert finding.message == (
        "data:export is asked without a target, and a deny line takes a missing target for a yes: own_history is true"
    )
