"""Answers in words: `never`, `always`, or `when created_or_invited & not unless_restricted or own_history`.

Written by people in tests and claims, and by the differ about what changed. Its one rule: a formula that is written
says exactly the combinations it was made from, and is as short as the conditions allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from rbac.conditions import CONDITIONS
from rbac.errors import UnknownName, nearest
from rbac.review.diagrams import NO, YES, Node
from rbac.review.space import Space
from rbac.vocabulary import Effect

Name = tuple[str, Effect]
"""A condition as it stands in a kind of line: the effect settles what a missing fact does."""

_Truths = tuple[bool | None, ...]
"""For each condition: true, false, or either."""


@dataclass(frozen=True, slots=True)
class Literal:
    """One condition in a formula, or its opposite."""

    name: str
    negated: bool = False

    def __str__(self) -> str:
        return f"not {self.name}" if self.negated else self.name


@dataclass(frozen=True, slots=True)
class Formula:
    """Alternatives, each of literals that hold together. No alternative is `never`, an empty one is `always`."""

    alternatives: tuple[tuple[Literal, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The conditions it mentions, each once."""
        return tuple(dict.fromkeys(literal.name for literals in self.alternatives for literal in literals))

    @property
    def condition(self) -> str:
        """The formula without its `when`."""
        return " or ".join(" & ".join(map(str, literals)) for literals in self.alternatives)

    def __str__(self) -> str:
        if () in self.alternatives:
            return "always"
        return f"when {self.condition}" if self.alternatives else "never"


NEVER = Formula(())
ALWAYS = Formula(((),))


def parse_formula(text: str) -> Formula:
    """`never`, `always`, `when ...`, or what stands behind `when`; raises UnknownName with the nearest condition."""
    words = text.strip().removeprefix("when ").strip()
    if words in ("never", "always"):
        return NEVER if words == "never" else ALWAYS
    return Formula(tuple(tuple(map(_literal, part.split("&"))) for part in re.split(r"\bor\b", words)))


def _literal(text: str) -> Literal:
    name = text.strip().removeprefix("not ").strip()
    if name not in CONDITIONS:
        raise UnknownName(f"unknown condition {name!r}{nearest(name, CONDITIONS) or ': write names joined with &, or, not'}")
    return Literal(name, text.strip().startswith("not "))


def node_of(formula: Formula, space: Space) -> Node:
    """Where a formula holds."""
    return space.diagrams.any(space.diagrams.all(_node(literal, space) for literal in literals) for literals in formula.alternatives)


def _node(literal: Literal, space: Space) -> Node:
    node = space.condition(literal.name, CONDITIONS[literal.name].effect)
    return space.diagrams.but_not(YES, node) if literal.negated else node


def describe(node: Node, *, within: Node, names: Sequence[Name], space: Space) -> Formula:
    """The shortest formula over `names` that is `node`, for whoever is `within` anyway.

    `node` must hang on nothing but these conditions there. Combinations that cannot be shorten the formula.
    """
    yes, impossible = [], []
    for truths, part in _parts(within, names, space):
        if part == NO:
            impossible.append(truths)
        elif space.diagrams.both(part, node) != NO:
            yes.append(truths)
    if not yes:
        return NEVER
    chosen = _cover(yes, _primes(yes + impossible))
    return Formula(tuple(_literals(names, truths) for truths in chosen))


def _literals(names: Sequence[Name], truths: _Truths) -> tuple[Literal, ...]:
    return tuple(Literal(name, not truth) for (name, _), truth in zip(names, truths, strict=True) if truth is not None)


def _parts(within: Node, names: Sequence[Name], space: Space) -> Iterator[tuple[_Truths, Node]]:
    """`within`, cut up by the truth of every condition."""
    for truths in product((True, False), repeat=len(names)):
        part = within
        for name, truth in zip(names, truths, strict=True):
            holds = space.condition(*name)
            part = space.diagrams.both(part, holds) if truth else space.diagrams.but_not(part, holds)
        yield truths, part


def _primes(truths: Iterable[_Truths]) -> list[_Truths]:
    """The combinations merged as far as they go (Quine and McCluskey's prime implicants)."""
    current, primes = set(truths), []
    while current:
        merged, used = set(), set()
        for each in current:
            for place, truth in enumerate(each):
                twin = (*each[:place], not truth, *each[place + 1 :])
                if truth is not None and twin in current:
                    merged.add((*each[:place], None, *each[place + 1 :]))
                    used |= {each, twin}
        primes += sorted(current - used, key=_length)
        current = merged
    return primes


def _cover(yes: Sequence[_Truths], primes: Sequence[_Truths]) -> list[_Truths]:
    """Few and short primes that cover every `yes`: the widest first, none that the others make needless."""
    left, chosen = list(yes), []
    while left:
        best = min(primes, key=lambda prime: (-sum(_covers(prime, each) for each in left), _length(prime)))
        chosen.append(best)
        left = [each for each in left if not _covers(best, each)]
    needed = [
        prime
        for place, prime in enumerate(chosen)
        if not all(any(_covers(other, each) for other in chosen[:place] + chosen[place + 1 :]) for each in yes if _covers(prime, each))
    ]
    return sorted(needed if _all_covered(yes, needed) else chosen, key=_length)


def _all_covered(yes: Sequence[_Truths], primes: Sequence[_Truths]) -> bool:
    return all(any(_covers(prime, each) for prime in primes) for each in yes)


def _covers(prime: _Truths, truths: _Truths) -> bool:
    return all(sign is None or sign == truth for sign, truth in zip(prime, truths, strict=True))


def _length(prime: _Truths) -> tuple[int, int, list[int]]:
    """What makes a formula short: few conditions, few opposites, the first conditions first."""
    signs = [2 if sign is None else int(not sign) for sign in prime]
    return sum(sign is not None for sign in prime), sum(sign is False for sign in prime), signs
