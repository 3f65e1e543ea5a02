"""What a policy could do without: lines and conditions whose removal changes no decision, one by one and all together.

The search removes what it finds as it goes on, so a finding holds beside all findings before it: of three deny lines that deny the
same, two are found. It also holds by itself, so that somebody may follow one finding and leave the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.space import Space
from rbac.policy.reader import Line, Policy
from rbac.vocabulary import Permission, Role

Cell = tuple[Role, Permission]
_NAMED = 50  # lines compared to name the one that gives the same


@dataclass(frozen=True, slots=True)
class Redundant:
    """A line, or one condition of it, that is not needed; `rule` is the rule that says so."""

    rule: str
    line: int
    message: str


@dataclass
class _Cell:
    """One cell: what the file gives and denies there, and the lines that are left of it."""

    asked: Node
    given: Node
    denied: Node
    denied_now: Node
    lines: list[Line]
    deny_lines: list[Line]


class Search:
    """The search over one policy; lives for one run of the linter."""

    def __init__(self, policy: Policy, space: Space) -> None:
        self._policy, self._space = policy, space
        self._both, self._but_not, self._any = space.diagrams.both, space.diagrams.but_not, space.diagrams.any
        self._cells = {
            (role, permission): self._cell(role, permission) for permission in Permission for role in Role if policy.cell(role, permission)
        }
        self._dead: set[int] = set()

    def run(self) -> tuple[Redundant, ...]:
        """Everything redundant."""
        found = [*self._dead_lines(), *self._shadowed(), *self._denies()]
        for kind in (self._true, self._implied, self._needless):
            found += self._conditions(kind)
        return tuple(found)

    def contradictions(self, line: Line) -> list[tuple[str, str]]:
        """The pairs of conditions that each can hold for the role of a line, and never both."""
        if line.role is None or line.permission is None:
            return []
        asked = self._space.question(line.role, line.kind)
        alone = {name: self._both(asked, self._space.condition(name, line.effect)) for name in line.conditions}
        pairs = combinations([name for name in line.conditions if alone[name] != NO], 2)
        return [(one, other) for one, other in pairs if self._both(alone[one], alone[other]) == NO]

    def _cell(self, role: Role, permission: Permission) -> _Cell:
        asked, denials = self._space.question(role, permission.kind), list(self._policy.denials(role, permission))
        denied = self._both(asked, self._any(map(self._space.line, denials)))
        lines = list(self._policy.cell(role, permission))
        given = self._both(asked, self._any(map(self._space.line, lines)))
        return _Cell(asked, given, denied, denied, lines, denials)

    def _where(self, cell: _Cell, line: Line) -> Node:
        return self._both(cell.asked, self._space.line(line))

    # -- lines -----------------------------------------------------------------------------------------------------------

    def _dead_lines(self) -> Iterator[Redundant]:
        """Allow lines that give nothing by themselves, and deny lines for cells that nothing opens."""
        for cell in self._cells.values():
            for line in [*cell.lines]:
                where = self._where(cell, line)
                if where != NO and self._but_not(where, cell.denied) != NO:
                    continue
                cell.lines.remove(line)
                self._dead.add(line.number)
                if where != NO:
                    yield Redundant("line-always-denied", line.number, "holds only where a deny line applies: it never gives anything")
                elif not self.contradictions(line):
                    message = f"no facts let {line.role} meet {' & '.join(line.conditions)}: the line never gives anything"
                    yield Redundant("line-never-holds", line.number, message)
        for deny in self._policy.deny_lines:
            if not any(deny.concerns(*cell) for cell in self._cells):
                self._dead.add(deny.number)
                yield Redundant("deny-without-allow", deny.number, "no allow line gives what this line denies: delete it")

    def _shadowed(self) -> Iterator[Redundant]:
        """Allow lines that give nothing the other lines of their cell do not give; of two that are equal, the second."""
        for cell in self._cells.values():
            before = [NO]
            for line in cell.lines:
                before.append(self._space.diagrams.either(before[-1], self._where(cell, line)))
            kept: list[Line] = []
            behind = NO
            for place in range(len(cell.lines) - 1, -1, -1):
                line = cell.lines[place]
                where = self._where(cell, line)
                if self._but_not(where, self._space.diagrams.either(before[place], behind)) == NO:
                    self._dead.add(line.number)
                    yield Redundant("shadowed-line", line.number, f"{self._covering(cell, line)} all of it already: delete one")
                else:
                    kept.append(line)
                    behind = self._space.diagrams.either(behind, where)
            cell.lines = kept[::-1]

    def _covering(self, cell: _Cell, line: Line) -> str:
        where = self._where(cell, line)
        others = [each for each in cell.lines[:_NAMED] if each is not line]
        one = next((each for each in others if self._but_not(where, self._where(cell, each)) == NO), None)
        return f"line {one.number} gives" if one else "the other lines of the cell give"

    def _denies(self) -> Iterator[Redundant]:
        """Deny lines without which every decision stays the same: those for one cell first, then from the last to the first."""
        lines = (line for line in self._policy.deny_lines if line.number not in self._dead)
        for deny in sorted(lines, key=lambda line: (line.role is None, line.permission is None, -line.number)):
            concerned = [cell for name, cell in self._cells.items() if deny.concerns(*name)]
            if all(self._spared(cell, deny) for cell in concerned):
                for cell in concerned:
                    cell.deny_lines.remove(deny)
                    cell.denied_now = self._both(cell.asked, self._any(map(self._space.line, cell.deny_lines)))
                self._dead.add(deny.number)
                yield Redundant("needless-deny", deny.number, "changes no decision: other lines deny the same already")

    def _spared(self, cell: _Cell, deny: Line) -> bool:
        """Whether nothing given needs this deny line: nothing that the file gives, and so nothing that is left of it."""
        others = self._any(self._space.line(line) for line in cell.deny_lines if line is not deny)
        return self._but_not(self._both(cell.given, self._space.line(deny)), others) == NO

    # -- conditions --------------------------------------------------------------------------------------------------------

    def _conditions(self, kind: Callable[[_Cell, Line, str], Redundant | None]) -> Iterator[Redundant]:
        """The conditions of one kind, each left out of its line when it is found."""
        for key, cell in self._cells.items():
            written = [set(each.conditions) for each in self._policy.cell(*key)]
            for place, line in enumerate(cell.lines):
                for name in line.conditions:
                    shorter = _without(cell.lines[place], name)
                    if set(shorter.conditions) in (*written, *(set(each.conditions) for each in cell.lines)):
                        continue  # two equal lines do not load: one of them is found when the others have been followed
                    found = kind(cell, cell.lines[place], name)
                    if found:
                        yield found
                        cell.lines[place] = shorter

    def _true(self, cell: _Cell, line: Line, name: str) -> Redundant | None:
        open_ = self._but_not(cell.asked, cell.denied_now)
        if open_ == NO or self._but_not(open_, self._space.condition(name, line.effect)) != NO:
            return None
        message = f"{name} is true whenever {line.role} asks {line.permission}: leave it out"
        return Redundant("redundant-condition", line.number, message)

    def _implied(self, cell: _Cell, line: Line, name: str) -> Redundant | None:
        """A condition that another one of the line implies where the line is asked; of two that are equal, the second."""
        open_ = self._but_not(cell.asked, cell.denied_now)
        held = self._both(open_, self._space.condition(name, line.effect))
        for other in line.conditions:
            where = self._both(open_, self._space.condition(other, line.effect))
            twin = where == held and line.conditions.index(other) > line.conditions.index(name)
            if other != name and where != NO and self._but_not(where, held) == NO and not twin:
                return Redundant("implied-condition", line.number, f"{other} implies {name}: leave {name} out")
        return None

    def _needless(self, cell: _Cell, line: Line, name: str) -> Redundant | None:
        wider = self._but_not(self._where(cell, _without(line, name)), cell.given)
        if self._but_not(wider, cell.denied_now) != NO:
            return None
        return Redundant("needless-condition", line.number, f"without {name} the cell decides the same: leave it out")


def _without(line: Line, name: str) -> Line:
    return replace(line, conditions=tuple(each for each in line.conditions if each != name))


def numbered(found: Sequence[Redundant], rule: str) -> Iterator[tuple[int, str]]:
    """What one rule found."""
    return ((each.line, each.message) for each in found if each.rule == rule)
