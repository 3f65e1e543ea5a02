"""Rules about one line beside the others of its cell: what it adds, what it could do without.

All of them ask the space, so they are exact: a condition is redundant when no combination of facts needs it.
"""

from __future__ import annotations

from dataclasses import replace

from rbac.fact_space.diagrams import NO
from rbac.policy.reader import Line
from rbac.review.findings import Severity
from rbac.review.lint.rules import Found, Linted, rule


@rule(Severity.ERROR)
def line_never_holds(linted: Linted) -> Found:
    """A line whose conditions no facts can meet together for its role."""
    for line in linted.allow_lines:
        if linted.where(line) == NO and not _contradictions(linted, line):
            yield line.number, f"no facts let {line.role} meet {' & '.join(line.conditions)}: the line never gives anything"


@rule(Severity.ERROR)
def contradictory_conditions(linted: Linted) -> Found:
    """Two conditions in one line that exclude each other."""
    for line in linted.policy.lines:
        for one, other in _contradictions(linted, line):
            yield line.number, f"{one} and {other} never hold together"


def _contradictions(linted: Linted, line: Line) -> list[tuple[str, str]]:
    """The pairs of conditions that each can hold for the role of a line, and never both."""
    if line.role is None or line.permission is None:
        return []
    asked = linted.space.question(line.role, line.kind)
    alone = {name: linted.space.diagrams.both(asked, linted.space.condition(name, line.effect)) for name in line.conditions}
    pairs = ((one, other) for place, one in enumerate(line.conditions) for other in line.conditions[place + 1 :])
    return [
        (one, other)
        for one, other in pairs
        if NO not in (alone[one], alone[other]) and linted.space.diagrams.both(alone[one], alone[other]) == NO
    ]


@rule(Severity.ERROR)
def line_always_denied(linted: Linted) -> Found:
    """An allow line that holds only where a deny line applies."""
    for line in linted.allow_lines:
        where = linted.where(line)
        if where != NO and linted.space.diagrams.both(where, linted.open(line)) == NO:
            yield line.number, "holds only where a deny line applies: it never gives anything"


@rule(Severity.ERROR)
def shadowed_line(linted: Linted) -> Found:
    """An allow line that gives nothing the other lines of its cell do not give."""
    for role, permission in linted.cells:
        lines = list(linted.policy.cell(role, permission))
        for line in [*lines]:
            others = [each for each in lines if each is not line]
            given = linted.space.diagrams.any(map(linted.where, others))
            if others and linted.where(line) != NO and linted.implies(linted.where(line), given):
                yield line.number, f"line {_first_that_covers(linted, line, others)} gives all of it already: delete one"
                lines.remove(line)


def _first_that_covers(linted: Linted, line: Line, others: list[Line]) -> str:
    covering = [str(each.number) for each in others if linted.implies(linted.where(line), linted.where(each))]
    return covering[0] if covering else " and ".join(str(each.number) for each in others)


@rule(Severity.WARNING)
def implied_condition(linted: Linted) -> Found:
    """A condition that another condition of the same line implies."""
    for line in linted.allow_lines:
        for name in line.conditions:
            by = _implying(linted, line, name)
            if by:
                yield line.number, f"{by} implies {name}: leave {name} out"


def _implying(linted: Linted, line: Line, name: str) -> str | None:
    """The one condition that implies `name` where the line is asked; of two that are equal, the second goes."""
    if _needless(linted, line, name):
        return None
    asked, both = linted.open(line), linted.space.diagrams.both
    held = both(asked, linted.space.condition(name, line.effect))
    for other in line.conditions:
        where = both(asked, linted.space.condition(other, line.effect))
        twin = where == held and line.conditions.index(other) > line.conditions.index(name)
        if other != name and where != NO and linted.implies(where, held) and not twin and not _needless(linted, line, other):
            return other
    return None


@rule(Severity.WARNING)
def redundant_condition(linted: Linted) -> Found:
    """A condition that is true whenever the line is asked."""
    for line in linted.allow_lines:
        for name in line.conditions:
            if _needless(linted, line, name):
                yield line.number, f"{name} is true whenever {line.role} asks {line.permission}: leave it out"


def _needless(linted: Linted, line: Line, name: str) -> bool:
    asked = linted.open(line)
    return asked != NO and linted.implies(asked, linted.space.condition(name, line.effect))


@rule(Severity.WARNING)
def needless_condition(linted: Linted) -> Found:
    """A condition that the rest of its cell makes needless: without it the cell decides the same."""
    for line in linted.allow_lines:
        for name in line.conditions:
            if linted.where(line) == NO or _needless(linted, line, name) or _implying(linted, line, name):
                continue
            shorter = replace(line, conditions=tuple(each for each in line.conditions if each != name))
            others = linted.space.diagrams.any(linted.where(each) for each in linted.cell_of(line) if each is not line)
            either, both = linted.space.diagrams.either, linted.space.diagrams.both
            asked = linted.open(line)
            if both(asked, either(others, linted.where(line))) == both(asked, either(others, linted.where(shorter))):
                yield line.number, f"without {name} the cell decides the same: leave it out"


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
    for deny in linted.policy.deny_lines:
        kept = replace(linted.policy, lines=tuple(line for line in linted.policy.lines if line is not deny))
        concerned = [(role, permission) for role, permission in linted.cells if deny.concerns(role, permission)]
        same = all(linted.space.allowed(kept, *cell) == linted.space.allowed(linted.policy, *cell) for cell in concerned)
        if concerned and same:
            yield deny.number, "changes no decision: other lines deny the same already"


@rule(Severity.WARNING)
def deny_without_allow(linted: Linted) -> Found:
    """A deny line for cells that no allow line opens."""
    for deny in linted.policy.deny_lines:
        if not any(deny.concerns(role, permission) for role, permission in linted.cells):
            yield deny.number, "no allow line gives what this line denies: delete it"
