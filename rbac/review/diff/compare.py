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

    `old_lines` and `new_lines` are the numbers of the allow lines of the cell, and of deny lines only one policy has.
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
    def widened(self) -> tuple[Permission, ...]:
        """The permissions somebody gains."""
        return tuple(dict.fromkeys(change.permission for change in self.changes if change.direction is not Direction.NARROWER))


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
    return CellChange(role, permission, direction, *told, *numbers)


def _denials(old: Policy, new: Policy, role: Role, permission: Permission, here: Space) -> tuple[list[Line], list[Line], Node]:
    """The deny lines only one of them has, and where none that both have applies."""
    of_old = {here.line(line): line for line in old.denials(role, permission)}
    of_new = {here.line(line): line for line in new.denials(role, permission)}
    shared = here.diagrams.any(of_old.keys() & of_new.keys())
    within = here.diagrams.but_not(here.question(role, permission.kind), shared)
    only_old = [line for node, line in of_old.items() if node not in of_new]
    return only_old, [line for node, line in of_new.items() if node not in of_old], within
