"""What a lint rule is, and what it checks.

A rule is one function that yields what is wrong with one policy file; its docstring is the rule in one sentence, its
section in docs/lint.md says what to avoid, what to prefer, and why. Each finding has a file and a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.space import Space, space
from rbac.policy.reader import Line, Policy
from rbac.review.findings import Severity
from rbac.review.formatting import Document, read_document
from rbac.vocabulary import Effect, Permission, Role

Found = Iterator[tuple[int, str]]
"""Line numbers, each with what is wrong there."""


@dataclass(frozen=True)
class Linted:
    """One policy file under the linter: what it decides, how it is laid out, and the space it decides over."""

    policy: Policy
    text: str

    @cached_property
    def document(self) -> Document:
        """The file as people see it."""
        return read_document(self.policy, self.text)

    @cached_property
    def space(self) -> Space:
        """Every combination of facts there can be."""
        return space()

    @property
    def allow_lines(self) -> Iterator[Line]:
        """The lines that give something."""
        return (line for line in self.policy.lines if line.effect is Effect.ALLOW)

    @property
    def cells(self) -> Iterator[tuple[Role, Permission]]:
        """Every cell that has a line, in the order of `Permission`."""
        return ((role, permission) for permission in Permission for role in Role if self.policy.cell(role, permission))

    def where(self, line: Line) -> Node:
        """Where an allow line holds among all combinations there can be for its role."""
        assert line.role is not None, "an allow line names its role"
        return self.space.diagrams.both(self.space.question(line.role, line.kind), self.space.line(line))

    def open(self, line: Line) -> Node:
        """Where no deny line applies in the cell of an allow line."""
        assert line.role is not None and line.permission is not None, "an allow line names its cell"
        return self.space.open(self.policy, line.role, line.permission)

    def cell_of(self, line: Line) -> tuple[Line, ...]:
        """Every line of the cell an allow line stands in."""
        assert line.role is not None and line.permission is not None, "an allow line names its cell"
        return self.policy.cell(line.role, line.permission)

    def implies(self, one: Node, other: Node) -> bool:
        """Whether `other` holds wherever `one` does."""
        return self.space.diagrams.but_not(one, other) == NO


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `fixable`: `--fix` repairs it."""

    id: str
    severity: Severity
    fixable: bool
    summary: str
    check: Callable[[Linted], Found]


RULES: dict[str, Rule] = {}
"""Every rule by its id, in the order of docs/lint.md."""


def rule(severity: Severity, *, fixable: bool = False) -> Callable[[Callable[[Linted], Found]], Callable[[Linted], Found]]:
    """Register a function as the rule of its name."""

    def register(check: Callable[[Linted], Found]) -> Callable[[Linted], Found]:
        name = check.__name__.replace("_", "-")
        summary = (check.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        RULES[name] = Rule(name, severity, fixable, summary, check)
        return check

    return register
