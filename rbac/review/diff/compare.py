"""What a change of the policy changes: not lines, but the decisions, cell by cell, over every combination of facts.

Two policies that decide alike have no difference, however differently they are written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.formulas import Formula, Name, describe
from rbac.fact_space.space import Space, space
from rbac.policy.reader import Line, Policy
from rbac.vocabulary import Permission, Role, Word


class Direction(Word):
    """Which way a cell went."""

    WIDER = "wider"
    NARROWER = "narrower"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class CellChange:
    """One cell that decides differently. `gained` and `lost` say exactly when; deny lines both policies have go without saying.

    `old_lines` and `new_lines` are the numbers of the allow lines of the cell, and of deny lines only one policy has;
    `removed` and `added` are the lines about it that only one policy has.
    """

    role: Role
    permission: Permission
    direction: Direction
    before: Formula
    after: Formula
    gained: Formula
    lost: Formula
    old_lines: tuple[int, ...]
    new_lines: tuple[int, ...]
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.role}, {self.permission}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """Everything that changes from `old` to `new`, in the order of `Permission`; nothing when they decide alike."""

    old: str
    new: str
    changes: tuple[CellChange, ...]

    @property
    def counts(self) -> dict[Direction, int]:
        """How many cells went which way."""
        found = Counter(change.direction for change in self.changes)
        return {direction: found[direction] for direction in Direction}

    @property
    def widened(self) -> tuple[CellChange, ...]:
        """The cells in which somebody gains."""
        return tuple(change for change in self.changes if change.direction is not Direction.NARROWER)


def diff(old: Policy, new: Policy) -> PolicyDiff:
    """The decisions that differ between two policies."""
    here = space()
    cells = (_cell(old, new, role, permission, here) for permission in Permission for role in Role)
    return PolicyDiff(old.file, new.file, tuple(change for change in cells if change))


def same_decisions(old: Policy, new: Policy) -> bool:
    """Whether two policies decide alike, stopping at the first cell that does not."""
    here = space()
    return all(here.allowed(old, role, permission) == here.allowed(new, role, permission) for permission in Permission for role in Role)


def _cell(old: Policy, new: Policy, role: Role, permission: Permission, here: Space) -> CellChange | None:
    before, after = here.allowed(old, role, permission), here.allowed(new, role, permission)
    if before == after:
        return None
    gained, lost = here.diagrams.but_not(after, before), here.diagrams.but_not(before, after)
    direction = Direction.CHANGED if NO not in (gained, lost) else Direction.WIDER if lost == NO else Direction.NARROWER
    old_denials, new_denials, within = _denials(old, new, role, permission, here)
    lines = ((*old.cell(role, permission), *old_denials), (*new.cell(role, permission), *new_denials))
    of_old, of_new = (tuple((name, line.effect) for line in each for name in line.conditions) for each in lines)

    def words(node: Node, *names: Name) -> Formula:
        return describe(node, within=within, names=tuple(dict.fromkeys(names)), space=here)

    numbers = tuple(tuple(line.number for line in each) for each in lines)
    told = (words(before, *of_old, *of_new), words(after, *of_new, *of_old), words(gained, *of_new, *of_old), words(lost, *of_old, *of_new))
    (old_numbers, new_numbers), (removed, added) = numbers, _only(old, new, role, permission, here)
    return CellChange(role, permission, direction, *told, old_numbers, new_numbers, removed, added)


def _only(old: Policy, new: Policy, role: Role, permission: Permission, here: Space) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines that can apply in a cell and that only one of the policies has, as they are written."""
    asked = here.question(role, permission.kind)
    of_old, of_new = (
        {
            _said(line): line.text
            for line in (*policy.cell(role, permission), *policy.denials(role, permission))
            if here.diagrams.both(asked, here.line(line)) != NO
        }
        for policy in (old, new)
    )
    removed = tuple(text for said, text in of_old.items() if said not in of_new)
    return removed, tuple(text for said, text in of_new.items() if said not in of_old)


def _said(line: Line) -> tuple[object, ...]:
    return line.role, line.permission, frozenset(line.conditions), line.effect


def _denials(old: Policy, new: Policy, role: Role, permission: Permission, here: Space) -> tuple[list[Line], list[Line], Node]:
    """The deny lines only one of them has, and where none that both have applies."""
    of_old = {here.line(line): line for line in old.denials(role, permission)}
    of_new = {here.line(line): line for line in new.denials(role, permission)}
    shared = here.diagrams.any(of_old.keys() & of_new.keys())
    within = here.diagrams.but_not(here.question(role, permission.kind), shared)
    only_old = [line for node, line in of_old.items() if node not in of_new]
    return only_old, [line for node, line in of_new.items() if node not in of_old], within
