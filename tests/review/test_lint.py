"""Every lint rule speaks where its section in docs/lint.md says avoid, and is silent about the shipped policy."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from rbac.errors import PolicyError
from rbac.fact_space.space import space
from rbac.policy.reader import PACKAGED, Line, parse_policy
from rbac.review.diff.compare import same_decisions
from rbac.review.findings import Format, is_clean, render
from rbac.review.formatting import format_policy
from rbac.review.lint import RULES, lint
from rbac.review.lint.redundancy import Search
from tests.review.edits import DELETING, DROPPING, followed

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


THREE = "".join(f"p, {role}, project, data, export, not_personal, deny\n" for role in ("*", "manager", "owner"))


def test_of_three_deny_lines_that_deny_the_same_one_is_needed() -> None:
    text = PACKAGED.read_text() + THREE
    report = lint(text, only=[*DELETING])

    assert [finding.rule for finding in report.findings] == ["needless-deny", "needless-deny"]
    assert same_decisions(parse_policy(text), parse_policy(followed(text, report.findings)))


def test_a_line_that_gives_nothing_has_one_finding_and_none_about_its_conditions() -> None:
    line = "p, manager, organization, billing, configure, plugins_enabled & unless_restricted, allow\n"
    deny = "p, manager, organization, billing, configure, always, deny\n"
    findings = lint(PACKAGED.read_text() + line + deny, only=[*DELETING, *DROPPING]).findings

    assert [finding.rule for finding in findings] == ["line-always-denied"]


def test_shadowed_lines_are_found_in_linear_work() -> None:
    names = ["created_or_invited", "unless_restricted", "plugins_enabled", "not_personal", "tokens_allowed", "roles_managed_here"]
    sets = [chosen for size in range(1, 7) for chosen in combinations(names, size)]
    lines = "".join(f"p, manager, project, data, export, {' & '.join(chosen)}, allow\n" for chosen in sets)
    counted = Counting()
    Search(parse_policy(lines), counted).run()  # type: ignore[arg-type]  # a space that counts

    assert len(sets) == 63
    assert counted.lines < 63 * 63 / 2, "each line is looked at a fixed number of times"


class Counting:
    """The space, and how often a line of a policy was evaluated in it."""

    def __init__(self) -> None:
        self.lines = 0

    def __getattr__(self, name: str) -> object:
        return getattr(space(), name)

    def line(self, line: Line) -> int:
        self.lines += 1
        return space().line(line)


ALLOWED = "# lint: allow authority-below-administrator because security works as managers\n"
AUTHORITY = "p, manager, organization, sso, configure, always, allow\n"


def test_a_finding_that_is_allowed_above_its_line_is_none() -> None:
    text = PACKAGED.read_text()

    assert lint(text + AUTHORITY, only=["authority-below-administrator", "unused-allowance"]).findings != ()
    assert lint(text + ALLOWED + AUTHORITY, only=["authority-below-administrator", "unused-allowance"]).findings == ()
    assert ALLOWED + "p, manager,       organization, sso," in format_policy(text + ALLOWED + AUTHORITY)


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        (ALLOWED, "authority-below-administrator finds nothing in the line below: delete the comment"),
        ("# lint: allow role-gaps because x\n", "there is no rule role-gaps: did you mean 'role-gap'?"),
        ("# lint: allow role-gap\n", "is not understood: write # lint: allow RULE because REASON"),
        ("# lint: allow role-gap because\n", "is not understood: write # lint: allow RULE because REASON"),
        ("# lint: allow unused-allowance because x\n", "unused-allowance finds nothing in the line below: delete the comment"),
    ],
)
def test_an_allowance_that_allows_nothing_is_reported(comment: str, says: str) -> None:
    text = PACKAGED.read_text().replace("p, owner,         organization, billing,", comment + "p, owner,         organization, billing,")
    messages = [finding.message for finding in lint(text, only=["unused-allowance"]).findings]

    assert messages == [says]
