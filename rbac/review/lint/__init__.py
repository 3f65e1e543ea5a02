"""The linter: what a policy that loads still should not say. docs/lint.md has a section for every rule."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rbac.policy.reader import parse_policy
from rbac.review.findings import Finding, Severity
from rbac.review.lint import cells, headings, lines
from rbac.review.lint.rules import RULES, Linted, Rule

__all__ = ["RULES", "LintReport", "Rule", "lint"]

_FILES = (lines, cells, headings)  # importing them registers their rules


@dataclass(frozen=True, slots=True)
class LintReport:
    """Everything the linter found, by line; `rules` is how many rules ran."""

    file: str
    findings: tuple[Finding, ...]
    rules: int

    @property
    def summary(self) -> str:
        """How many findings of which severity."""
        if not self.findings:
            return f"{self.file}: {self.rules} rules, nothing found"
        counts = {severity: sum(finding.severity is severity for finding in self.findings) for severity in Severity}
        told = ", ".join(f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items() if count)
        fixable = sum(RULES[finding.rule].fixable for finding in self.findings)
        return f"{self.file}: {told}" + (f", {fixable} of them fixed by --fix" if fixable else "")


def lint(data: str | bytes, file: str = "policy.csv", *, only: Collection[str] = ()) -> LintReport:
    """Every finding in a policy that it does not allow, or those of the rules `only`; raises PolicyError when it does not load."""
    policy = parse_policy(data, file)
    text = data if isinstance(data, str) else data.decode()
    chosen = [rule for rule in RULES.values() if not only or rule.id in only]
    linted = Linted(policy, text)
    allowed = {(each.rule, each.line) for each in linted.allowances}
    found = (
        Finding(policy.file, line, rule.id, message, rule.severity)
        for rule in chosen
        for line, message in linted.found(rule.id)
        if (rule.id, line) not in allowed
    )
    return LintReport(policy.file, tuple(sorted(found, key=lambda finding: finding.line)), len(chosen))
