"""Answers in words: `never`, `always`, or `when created_or_invited & not unless_restricted or own_history`.

A fact that is not known makes a condition false in an allow line and true in a deny line. `own_history` means it as an allow line
evaluates it, `possibly own_history` as a deny line does: true also where a fact it reads is not known.

Written by people in tests and claims, and by the differ about what changed. A formula that is
written means exactly the combinations it was made from, and nothing in it could be left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rbac.errors import UnknownName
from rbac.fact_space.diagrams import NO, YES, Node
from rbac.fact_space.space import Space
from rbac.names import nearest
from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import Line
from rbac.vocabulary import Effect

Name = tuple[str, Effect]
"""A condition as it stands in a kind of line: the effect settles what a missing fact does."""


@dataclass(frozen=True, slots=True)
class Literal:
    """One condition in a formula, or its opposite; `possibly`: as a deny line evaluates it."""

    name: str
    negated: bool = False
    possibly: bool = False

    def __str__(self) -> str:
        return f"{'not ' * self.negated}{'possibly ' * self.possibly}{self.name}"

    @property
    def evaluated(self) -> Name:
        """The condition with the effect of the lines in which it is evaluated so."""
        return self.name, Effect.DENY if self.possibly else CONDITIONS[self.name].effect


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
    *words, name = text.split() or [""]
    if words not in ([], ["not"], ["possibly"], ["not", "possibly"]):
        name = text.strip()
    if name not in CONDITIONS:
        raise UnknownName(f"unknown condition {name!r}{nearest(name, CONDITIONS) or ': write names joined with &, or, not, possibly'}")
    return Literal(name, "not" in words, "possibly" in words and CONDITIONS[name].effect is Effect.ALLOW)


def node_of(formula: Formula, space: Space) -> Node:
    """Where a formula holds."""
    return space.diagrams.any(space.diagrams.all(_node(literal, space) for literal in literals) for literals in formula.alternatives)


def _node(literal: Literal, space: Space) -> Node:
    node = space.condition(*literal.evaluated)
    return space.diagrams.but_not(YES, node) if literal.negated else node


def describe(node: Node, *, within: Node, names: Sequence[Name], space: Space) -> Formula:
    """A short formula over `names` that is `node`, for whoever is `within` anyway.

    No condition and no alternative of it can be left out. Conditions that come first and hold are kept rather than
    others. `node` must hang on nothing but these conditions there.
    """
    diagrams = space.diagrams
    names = tuple(dict.fromkeys(_plainest(name, within, space) for name in names))
    wanted, elsewhere = diagrams.both(within, node), diagrams.but_not(within, node)
    alternatives: list[_Cube] = []
    left = wanted
    while left != NO:
        cube = _shortened(_first(left, names, space), elsewhere, space)
        alternatives.append(cube)
        left = diagrams.but_not(left, _where(cube, space))
    for cube in [*alternatives]:
        others = [each for each in alternatives if each is not cube]
        if diagrams.but_not(wanted, diagrams.any(_where(each, space) for each in others)) == NO:
            alternatives = others
    place = {name: number for number, name in enumerate(names)}
    return Formula(
        tuple(tuple(_written(name, truth) for name, truth in cube) for cube in sorted(alternatives, key=lambda cube: _length(cube, place)))
    )


def answer(lines: Iterable[Line], *, within: Node, space: Space) -> Formula:
    """What the lines of one cell answer, for whoever is `within`; allow lines come first in the words."""
    ordered = sorted(lines, key=lambda line: line.effect is Effect.DENY)
    names = tuple((name, line.effect) for line in ordered for name in line.conditions)
    return describe(space.diagrams.both(within, space.decided(ordered)), within=within, names=names, space=space)


def _plainest(name: Name, within: Node, space: Space) -> Name:
    """The condition as an allow line evaluates it, where that makes no difference."""
    allow = (name[0], Effect.ALLOW)
    plain = CONDITIONS[name[0]].effect is Effect.ALLOW and name != allow
    both = space.diagrams.both
    return allow if plain and both(within, space.condition(*name)) == both(within, space.condition(*allow)) else name


def _written(name: Name, truth: bool) -> Literal:
    return Literal(name[0], not truth, name[1] is not CONDITIONS[name[0]].effect)


_Cube = tuple[tuple[Name, bool], ...]
"""Conditions with the truth they must have, all together."""


def _first(left: Node, names: Sequence[Name], space: Space) -> _Cube:
    """The truths of all conditions at one combination of `left`, where as many as can be, in their order, hold."""
    cube = []
    for name in names:
        holds = space.diagrams.both(left, space.condition(*name))
        truth = holds != NO
        left = holds if truth else space.diagrams.but_not(left, space.condition(*name))
        cube.append((name, truth))
    return tuple(cube)


def _shortened(cube: _Cube, elsewhere: Node, space: Space) -> _Cube:
    """The same without the conditions that are not needed to stay clear of `elsewhere`: opposites go first, then the last."""
    assert space.diagrams.both(elsewhere, _where(cube, space)) == NO, "the conditions decide"
    for _, each in sorted(enumerate(cube), key=lambda pair: (pair[1][1], -pair[0])):
        shorter = tuple(other for other in cube if other != each)
        if space.diagrams.both(elsewhere, _where(shorter, space)) == NO:
            cube = shorter
    return cube


def _where(cube: _Cube, space: Space) -> Node:
    node = YES
    for name, truth in cube:
        combine = space.diagrams.both if truth else space.diagrams.but_not
        node = combine(node, space.condition(*name))
    return node


def _length(cube: _Cube, place: dict[Name, int]) -> tuple[int, int, list[int]]:
    """What makes an alternative short: few conditions, few opposites, the first conditions first."""
    return len(cube), sum(not truth for _, truth in cube), [place[name] for name, _ in cube]
