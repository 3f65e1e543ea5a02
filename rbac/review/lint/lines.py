"""Rules about one line beside the others of its cell: what it adds, what it could do without.

All of them are exact: a condition is redundant when no combination of facts needs it. What to remove is searched for in
redundancy.py, so that following all findings together changes no decision either.
"""

from __future__ import annotations

from rbac.fact_space.diagrams import NO
from rbac.review.findings import Severity
from rbac.review.lint.redundancy import numbered
from rbac.review.lint.rules import Found, Linted, rule


@rule(Severity.ERROR)
def line_never_holds(linted: Linted) -> Found:
    """A line whose conditions no facts can meet together for its role."""
    return numbered(linted.redundant, "line-never-holds")


@rule(Severity.ERROR)
def contradictory_conditions(linted: Linted) -> Found:
    """Two conditions in one line that exclude each other."""
    for line in linted.policy.lines:
        for one, other in linted.search.contradictions(line):
            yield line.number, f"{one} and {other} never hold together"


@rule(Severity.ERROR)
def line_always_denied(linted: Linted) -> Found:
    """An allow line that holds only where a deny line applies."""
    return numbered(linted.redundant, "line-always-denied")


@rule(Severity.ERROR)
def shadowed_line(linted: Linted) -> Found:
    """An allow line that gives nothing the other lines of its cell do not give."""
    return numbered(linted.redundant, "shadowed-line")


@rule(Severity.WARNING)
def implied_condition(linted: Linted) -> Found:
    """A condition that another condition of the same line implies."""
    return numbered(linted.redundant, "implied-condition")


@rule(Severity.WARNING)
def redundant_condition(linted: Linted) -> Found:
    """A condition that is true whenever the line is asked."""
    return numbered(linted.redundant, "redundant-condition")


@rule(Severity.WARNING)
def needless_condition(linted: Linted) -> Found:
    """A condition that the rest of its cell makes needless: without it the cell decides the same."""
    return numbered(linted.redundant, "needless-condition")


@rule(Severity.ERROR)
def contradictory_lines(linted: Linted) -> Found:
    """A deny line for one cell that takes back what an allow line of the same cell gives."""
    for deny in linted.policy.deny_lines:
        if deny.role is None or deny.permission is None:
            continue
        for line in linted.policy.cell(deny.role, deny.permission):
            if linted.space.diagrams.both(linted.where(line), linted.space.line(deny)) != NO:
                yield deny.number, f"takes back what line {line.number} gives to {deny.role}: write the condition into that line"


@rule(Severity.WARNING)
def needless_deny(linted: Linted) -> Found:
    """A deny line without which every decision stays the same."""
    return numbered(linted.redundant, "needless-deny")


@rule(Severity.WARNING)
def deny_without_allow(linted: Linted) -> Found:
    """A deny line for cells that no allow line opens."""
    return numbered(linted.redundant, "deny-without-allow")
