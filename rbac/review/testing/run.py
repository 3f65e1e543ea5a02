"""Running policy tests: which expectations hold, and for each that does not, the line of the test and of the policy.

A run without expectations is an error, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.formulas import answer, node_of
from rbac.fact_space.space import space
from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import Policy
from rbac.review.findings import Finding
from rbac.review.testing.expectations import Answered, Asked, Expectation
from rbac.text import visible


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation, and what is wrong with it; None when it holds."""

    file: str
    line: int
    name: str
    failure: str | None


@dataclass(frozen=True, slots=True)
class TestReport:
    """Every outcome of a run, in the order of the files."""

    __test__ = False  # pytest: not a class of tests

    outcomes: tuple[Outcome, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One for each expectation that does not hold."""
        return tuple(Finding(each.file, each.line, "test", f"{each.name}: {each.failure}") for each in self.outcomes if each.failure)

    @property
    def summary(self) -> str:
        """How many hold."""
        failed = len(self.findings)
        files = len({outcome.file for outcome in self.outcomes})
        told = f"{len(self.outcomes)} expectations in {files} file{'s' * (files != 1)}"
        return f"{told}: {f'{failed} not met' if failed else 'all met'}"


def run_tests(policy: Policy, expectations: Sequence[Expectation]) -> TestReport:
    """Every expectation held against a policy: requests are decided by their trial, which is under it, cells here."""
    return TestReport(tuple(Outcome(each.file, each.line, str(each), _failure(policy, each)) for each in expectations))


def expected(each: Answered) -> Node:
    """Where an answered cell must be allowed."""
    here = space()
    asked = here.question(each.role, each.permission.kind)
    return here.diagrams.both(here.diagrams.but_not(asked, node_of(each.denied, here)), node_of(each.answer, here))


def junit(report: TestReport) -> str:
    """The report as JUnit XML."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    lines.append(f'<testsuites><testsuite name="policy" tests="{len(report.outcomes)}" failures="{len(report.findings)}">')
    lines += _cases(report.outcomes)
    return "\n".join([*lines, "</testsuite></testsuites>", ""])


def _cases(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for each in outcomes:
        start = f'<testcase classname={_quoted(each.file)} file={_quoted(each.file)} line="{each.line}" name={_quoted(each.name)}'
        yield f"{start}/>" if each.failure is None else f"{start}><failure message={_quoted(each.failure)}/></testcase>"


def _quoted(text: str) -> str:
    """Text as an XML attribute; XML has no control characters and no half characters, not even escaped."""
    return quoteattr(visible(text))


def _failure(policy: Policy, each: Expectation) -> str | None:
    because = f" (expected because {each.because})" if each.because else ""
    if isinstance(each, Asked):
        decision = each.trial.decide(each.request)
        if decision.allowed == each.allowed:
            return None
        return f"{'yes' if decision.allowed else 'no'}, {decision.reason}{because}"
    wanted, found = expected(each), space().allowed(policy, each.role, each.permission)
    return None if wanted == found else f"{_differs(policy, each, wanted, found)}{because}"


def _differs(policy: Policy, each: Answered, wanted: Node, found: Node) -> str:
    """What the policy says instead, by which line, and with which facts it matters."""
    here = space()
    lines, denials = policy.cell(each.role, each.permission), policy.denials(each.role, each.permission)
    within = here.diagrams.but_not(here.question(each.role, each.permission.kind), node_of(each.denied, here))
    said = answer((*lines, *denials), within=within, space=here)
    at = ", ".join(f"{policy.file}:{line.number}" for line in lines) or f"no line of {policy.file}"
    wider = here.diagrams.but_not(found, wanted)
    node, way = (wider, "allowed") if wider != NO else (here.diagrams.but_not(wanted, found), "denied")
    return f"the policy says {said} ({at}); {way} {_example(policy, each, node)}"


def _example(policy: Policy, each: Answered, node: Node) -> str:
    denials = [line for line in policy.denials(each.role, each.permission) if space().diagrams.both(node, space().line(line)) != NO]
    names = {*each.answer.names, *(name for line in (*policy.cell(each.role, each.permission), *denials) for name in line.conditions)}
    names |= {name for name in each.denied.names if space().diagrams.both(node, space().condition(name, CONDITIONS[name].effect)) != NO}
    read = frozenset().union(*(CONDITIONS[name].reads for name in names)) - {"role", "kind"}
    facts = space().example(node, read)
    return facts if facts == "always" else f"for example with {facts}"
