"""What a lint rule is, and what it checks.

A rule is one function that yields what is wrong with one policy file; its docstring is the rule in one sentence, its
section in docs/lint.md says what to avoid, what to prefer, and why. Each finding has a file and a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.space import Space, space
from rbac.policy.reader import Line, Policy
from rbac.review.findings import Severity
from rbac.review.formatting import Document, read_document
from rbac.review.lint.redundancy import Redundant, Search
from rbac.vocabulary import Effect, Permission, Role

Found = Iterator[tuple[int, str]]
"""Line numbers, each with what is wrong there."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """A comment `# lint: allow RULE because REASON`; `rule` is None where it is written otherwise."""

    at: int
    line: int | None
    rule: str | None


_COMMENT = re.compile(r"#\s*lint:\s*(.*)")
_ALLOW = re.compile(r"allow\s+([\w-]+)\s+because\s+\S.*")


def _allowances(policy: Policy, raw: Sequence[str]) -> Iterator[Allowance]:
    """Every such comment, with the number of the next policy line."""
    numbers = iter([line.number for line in policy.lines])
    next_line = next(numbers, None)
    for at, text in enumerate(raw, 1):
        while next_line is not None and next_line < at:
            next_line = next(numbers, None)
        comment = _COMMENT.match(text.strip())
        if comment:
            allowed = _ALLOW.fullmatch(comment[1].strip())
            yield Allowance(at, next_line, allowed[1] if allowed else None)


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

    @cached_property
    def search(self) -> Search:
        """The search for what the policy could do without."""
        return Search(self.policy, self.space)

    @cached_property
    def redundant(self) -> tuple[Redundant, ...]:
        """What the policy could do without."""
        return self.search.run()

    @cached_property
    def allowances(self) -> tuple[Allowance, ...]:
        """The findings that the file allows, each in a comment above the line it is about."""
        return tuple(_allowances(self.policy, self.document.raw))

    def found(self, rule: str) -> tuple[tuple[int, str], ...]:
        """What a rule finds, allowed or not."""
        if rule not in self._found:
            self._found[rule] = tuple(RULES[rule].check(self))
        return self._found[rule]

    @cached_property
    def _found(self) -> dict[str, tuple[tuple[int, str], ...]]:
        return {}

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
