"""Every small mistake that could be made in a policy, and whether its tests would notice.

A mutant is the policy with one step changed; those that decide like the original are none and are left out, exactly.
A survivor is shown with the test that kills it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from rbac.fact_space.diagrams import Node
from rbac.fact_space.space import space
from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import Line, Policy
from rbac.review.findings import Finding
from rbac.review.testing.coverage import cell_to_paste
from rbac.review.testing.expectations import Answered, Asked, Expectation
from rbac.review.testing.points import Point, points_of
from rbac.review.testing.run import expected
from rbac.vocabulary import Effect, Permission, Role

Cell = tuple[Role, Permission]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One line of the policy replaced by another; None is no line: dropped, or added."""

    what: str
    old: Line | None
    new: Line | None

    @property
    def at(self) -> int:
        """The line of the file it is about."""
        return next(line.number for line in (self.old, self.new) if line is not None)


@dataclass(frozen=True, slots=True)
class MutationReport:
    """How many mutants the tests kill. `equivalent` ones decide like the original and do not count."""

    file: str
    mutants: int
    equivalent: int
    killed: int
    findings: tuple[Finding, ...]

    @property
    def score(self) -> float:
        """Killed mutants in percent; 100 when there are none."""
        return 100 * self.killed / self.mutants if self.mutants else 100.0

    @property
    def summary(self) -> str:
        """The counts, and the score."""
        if self.findings and not self.mutants:
            return f"{self.file}: fails {len(self.findings)} of its own tests, no mutant was tried"
        return f"{self.file}: {self.killed} of {self.mutants} mutants killed, {self.score:.1f} %; {self.equivalent} more decide alike"


def mutate(policy: Policy, expectations: Sequence[Expectation]) -> MutationReport:
    """Every mutant held against the tests; none is tried while the policy itself fails some of them."""
    judge = Judge(policy, expectations)
    if judge.failures:
        return MutationReport(policy.file, 0, 0, 0, tuple(judge.failures))
    equivalent = killed = 0
    survivors: list[Finding] = []
    for mutant in mutants(policy):
        changed = judge.changed(mutant)
        if not changed:
            equivalent += 1
        elif judge.kills(changed):
            killed += 1
        else:
            survivors.append(_survivor(policy, mutant, next(iter(changed))))
    return MutationReport(policy.file, killed + len(survivors), equivalent, killed, tuple(survivors))


# -- the mistakes ------------------------------------------------------------------------------------------------------------


def mutants(policy: Policy) -> Iterator[Mutant]:
    """Every single step away from a policy, in the order of the file; then lines for cells that have none."""
    for line in policy.lines:
        yield Mutant("dropped", line, None)
        yield from (Mutant(what, line, new) for what, new in chain(_conditions(line), _places(line)) if new != line)
    for permission in Permission:
        for role in Role:
            if not policy.cell(role, permission):
                at = policy.lines[-1].number
                yield Mutant(f"{role} gets {permission}", None, Line(at, role, permission.kind, permission, (), Effect.ALLOW))


def _conditions(line: Line) -> Iterator[tuple[str, Line]]:
    """Widened, a condition dropped, one added, one swapped."""
    fitting = [name for name, condition in CONDITIONS.items() if line.kind in condition.asked_in and condition.effect is line.effect]
    if line.conditions:
        yield "widened to always", replace(line, conditions=())
    for place, name in enumerate(line.conditions):
        rest = line.conditions[:place] + line.conditions[place + 1 :]
        if rest:
            yield f"{name} dropped", replace(line, conditions=rest)
        for other in fitting:
            if other not in line.conditions:
                swapped = (*line.conditions[:place], other, *line.conditions[place + 1 :])
                yield f"{name} swapped for {other}", replace(line, conditions=swapped)
    for other in fitting:
        if other not in line.conditions:
            yield f"narrowed by {other}", replace(line, conditions=(*line.conditions, other))


def _places(line: Line) -> Iterator[tuple[str, Line]]:
    """Another role, another permission, the other effect."""
    for role in Role:
        if role is not line.role:
            yield f"{line.role or 'everybody'} swapped for {role}", replace(line, role=role)
    for permission in Permission:
        if permission.kind is line.kind and permission is not line.permission:
            yield f"{line.permission or 'everything'} swapped for {permission}", replace(line, permission=permission)
    if line.effect is Effect.ALLOW:
        yield "allow flipped to deny", replace(line, effect=Effect.DENY)


# -- the tests ---------------------------------------------------------------------------------------------------------------


class Judge:
    """A policy with its tests by cell, ready to try mutants; lives for one run."""

    def __init__(self, policy: Policy, expectations: Sequence[Expectation]) -> None:
        self._space = space()
        self.failures: list[Finding] = []
        self._answered: set[Cell] = set()
        self._asked: dict[Cell, list[tuple[Asked, tuple[Point, ...]]]] = {}
        cells = [(role, permission) for role in Role for permission in Permission]
        self._lines: dict[Cell, tuple[Line, ...]] = {cell: (*policy.cell(*cell), *policy.denials(*cell)) for cell in cells}
        self._decided: dict[Cell, Node] = {cell: self._space.decided(self._lines[cell]) for cell in cells}
        self._possible: dict[Cell, Node] = {cell: self._possibly(cell, node) for cell, node in self._decided.items()}
        for each in expectations:
            self._take(each)

    def changed(self, mutant: Mutant) -> dict[Cell, Node]:
        """The cells that decide differently where there can be such facts, each with what it decides."""
        cells = dict.fromkeys(cell for line in (mutant.old, mutant.new) if line for cell in self._cells(line))
        decided = {cell: self._after(mutant, cell) for cell in cells}
        return {
            cell: node
            for cell, node in decided.items()
            if node != self._decided[cell] and self._possibly(cell, node) != self._possible[cell]
        }

    def _cells(self, line: Line) -> Iterable[Cell]:
        """The cells a line is about."""
        if line.role and line.permission:
            return ((line.role, line.permission),)
        return (cell for cell in self._lines if line.concerns(*cell))

    def _after(self, mutant: Mutant, cell: Cell) -> Node:
        kept = [line for line in self._lines[cell] if line is not mutant.old]
        if mutant.new is not None and mutant.new.concerns(*cell):
            kept.append(mutant.new)
        return self._space.decided(kept)

    def kills(self, changed: dict[Cell, Node]) -> bool:
        """Whether some test fails on a mutant that changes these cells. An answered cell notices every change of it."""
        return any(cell in self._answered or self._notices(cell, changed) for cell in changed)

    def _notices(self, cell: Cell, changed: dict[Cell, Node]) -> bool:
        return any(each.allowed != self._all_hold(points, changed) for each, points in self._asked.get(cell, ()))

    def _all_hold(self, points: Iterable[Point], changed: dict[Cell, Node]) -> bool:
        nodes = ((changed.get((point.role, point.permission), self._decided[point.role, point.permission]), point) for point in points)
        return all(self._space.diagrams.holds(node, point.places) for node, point in nodes)

    def _take(self, each: Expectation) -> None:
        if isinstance(each, Answered):
            self._answered.add((each.role, each.permission))
            passes = expected(each) == self._possible[each.role, each.permission]
        else:
            points = points_of(each, self._space)
            for point in points:
                self._asked.setdefault((point.role, point.permission), []).append((each, points))
            passes = each.allowed == (bool(points) and self._all_hold(points, {}))
        if not passes:
            self.failures.append(Finding(each.file, each.line, "test", f"{each}: the policy itself does not pass this test"))

    def _possibly(self, cell: Cell, node: Node) -> Node:
        return self._space.diagrams.both(self._space.question(cell[0], cell[1].kind), node)


def _survivor(policy: Policy, mutant: Mutant, cell: Cell) -> Finding:
    """A mutant no test notices, with the line that would."""
    line = mutant.old or mutant.new
    assert line is not None
    message = f"{line.role or '*'}, {line.permission or '*'}: {mutant.what}, and no test fails"
    return Finding(policy.file, mutant.at, "survivor", message, paste=f"cells:\n{cell_to_paste(policy, *cell)}")
