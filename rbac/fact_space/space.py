"""The permission space: for each cell, every combination of facts there can be, and what a policy decides for them.

`space()` is built once a process, when it is first needed: it takes about 20 ms. An answer holds for all combinations at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from functools import cache
from typing import Any

from rbac.fact_space.constraints import constraints, domains, known_in
from rbac.fact_space.diagrams import NO, Diagrams, Node, is_missing
from rbac.policy.conditions import CONDITIONS
from rbac.policy.facts import Facts
from rbac.policy.reader import Line, Policy
from rbac.vocabulary import Effect, Kind, Permission, Role


class Space:
    """Every combination of facts there can be, as diagrams; lives as long as the process, and threads share it."""

    def __init__(self) -> None:
        self.diagrams = Diagrams(domains())
        self._possible = self.diagrams.all(map(self.diagrams.of, constraints()))
        self.condition = cache(self._condition)
        self.question = cache(self._question)

    def allowed(self, policy: Policy, role: Role, permission: Permission) -> Node:
        """Where `policy` allows the cell, among the combinations there can be."""
        return self.diagrams.both(self.question(role, permission.kind), self.decides(policy, role, permission))

    def decides(self, policy: Policy, role: Role, permission: Permission) -> Node:
        """Where `policy` allows the cell, whether or not there can be such facts."""
        return self.decided((*policy.cell(role, permission), *policy.denials(role, permission)))

    def decided(self, lines: Iterable[Line]) -> Node:
        """Where the lines of one cell allow it: one allow line and no deny line."""
        by_effect: dict[Effect, list[Node]] = {Effect.ALLOW: [], Effect.DENY: []}
        for line in lines:
            by_effect[line.effect].append(self.line(line))
        return self.diagrams.but_not(self.diagrams.any(by_effect[Effect.ALLOW]), self.diagrams.any(by_effect[Effect.DENY]))

    def denied(self, policy: Policy, role: Role, permission: Permission) -> Node:
        """Where a deny line of `policy` applies in the cell."""
        return self.diagrams.any(map(self.line, policy.denials(role, permission)))

    def open(self, policy: Policy, role: Role, permission: Permission) -> Node:
        """Where no deny line of `policy` applies: what the allow lines of the cell decide about."""
        return self.diagrams.but_not(self.question(role, permission.kind), self.denied(policy, role, permission))

    def line(self, line: Line) -> Node:
        """Where every condition of a line holds; a missing fact is a no in an allow line and a yes in a deny line."""
        return self.diagrams.all(self.condition(name, line.effect) for name in line.conditions)

    def example(self, node: Node, names: Iterable[str]) -> str:
        """One combination of the facts `names` for which `node` can hold, in words; there must be one."""
        kept = frozenset(names)
        facts = self.diagrams.pick(self.diagrams.forget(node, (name for name in self.diagrams.names if name not in kept)))
        return ", ".join(_fact(name, value) for name, value in facts.items() if not is_missing(value)) or "always"

    def counterexample(self, node: Node, names: Iterable[str]) -> str:
        """One combination of all the facts `names` for which `node` can hold, in words; there must be one."""
        told = []
        for name in names:
            parts = ((place, self.diagrams.both(node, self.diagrams.literal_at(name, place))) for place in range(self._size(name)))
            place, node = next((place, part) for place, part in parts if part != NO)
            value = self.diagrams.domains[name][place]
            told += [] if is_missing(value) else [_fact(name, value)]
        return ", ".join(told) or "any facts"

    def _size(self, name: str) -> int:
        return len(self.diagrams.domains[name])

    def _condition(self, name: str, effect: Effect) -> Node:
        return self.diagrams.of(CONDITIONS[name].function, if_missing=effect is Effect.DENY)

    def _question(self, role: Role, kind: Kind) -> Node:
        asked = self.diagrams.both(self.diagrams.literal("role", role.__eq__), self.diagrams.literal("kind", kind.__eq__))
        return self.diagrams.both(self._possible, asked)


def _fact(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} = {'/'.join(sorted(value)) or 'nobody' if isinstance(value, frozenset) else value or 'nobody'}"


_building = threading.Lock()
_built: list[Space] = []


def space() -> Space:
    """The space of this process; the numbers of its diagrams mean something in this one only."""
    with _building:
        if not _built:
            _built.append(Space())
        return _built[0]


def _in_child() -> None:
    """Replace the locks after a fork: a thread that held one is not there in the child."""
    global _building
    _building = threading.Lock()
    for each in _built:
        each.diagrams.replace_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def places_of(facts: Facts, here: Space) -> dict[str, int]:
    """Each fact as the place of its value in its domain; what is not known is at the place of the Missing."""
    known = known_in(facts.kind)
    return {name: _place(facts, name, values) if name in known else len(values) - 1 for name, values in here.diagrams.domains.items()}


def _place(facts: Facts, name: str, values: tuple[Any, ...]) -> int:
    value = getattr(facts, name)
    if is_missing(value):
        return len(values) - 1
    return next(place for place, each in enumerate(values) if not is_missing(each) and each == value)
