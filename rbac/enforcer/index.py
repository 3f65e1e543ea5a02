"""Which lines of a policy a request can match at all, by what they say under equality.

A key is a field of the request, an expression over it such as `kind(r.dom)`, or the links of a role manager. Its one
rule: a line may be passed over only if stock Casbin, getting to it, would have found it false without raising.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rbac.enforcer.expression import (
    All,
    Attribute,
    Call,
    Compare,
    Computed,
    Const,
    Display,
    Either,
    Expression,
    Field,
    Links,
    Member,
    Not,
    walk,
)

OTHER: Final = object()
"""Any value of a key that no line names."""

_MOST_KEYS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """A policy line once specialised. `rule` is the line in Casbin's own model, None for what stands in for an empty policy."""

    terms: tuple[Expression, ...]
    effect: str
    rule: Any


@dataclass(slots=True)
class Key:
    """One thing to look lines up by. `lines` are those that name a value, `free` those that do not, both in order."""

    expression: Expression
    text: str
    lines: dict[str, list[int]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)

    def name(self, value: str, number: int) -> None:
        """Note that a line names a value."""
        self.names[value] = value
        self.lines.setdefault(value, []).append(number)

    @property
    def is_links(self) -> bool:
        return isinstance(self.expression, Links)

    def variable(self, number: int) -> str:
        """What the key is called in the generated code."""
        return self.expression.name if isinstance(self.expression, Field) else f"k{number}"

    def normal(self, value: Any) -> Any:
        """The value as far as the policy can tell it from others."""
        if self.is_links:
            return frozenset(name for name in value if name in self.lines)
        return self.names.get(value, OTHER)

    def admits(self, value: Any) -> list[int]:
        """The lines that do not exclude a normal value."""
        named = value if self.is_links else (value,)
        return [*self.free, *(each for name in named if name is not OTHER for each in self.lines[name])]


class Index:
    """The keys of a policy, and for each line what is left of it once its keys have been looked up."""

    def __init__(self, lines: Sequence[Line], text: Callable[[Expression], str]) -> None:
        self._text = text
        self._asked: dict[int, tuple[Expression, str] | None] = {}
        self.keys = self._candidates(lines)
        used = {position for line in lines for position in self._split(line)[0]}
        self.keys = [key for position, key in enumerate(self.keys) if position in used]
        self.rest: list[tuple[Expression, ...]] = []
        for number, line in enumerate(lines):
            named, rest = self._split(line)
            self.rest.append(rest)
            for position, key in enumerate(self.keys):
                if position in named:
                    key.name(named[position], number)
                else:
                    key.free.append(number)

    def select(self, values: tuple[Any, ...]) -> tuple[int, ...]:
        """The lines that a request with these normal values can match, in the order of the policy."""
        if not self.keys:
            return tuple(range(len(self.rest)))
        admitted = sorted((key.admits(value) for key, value in zip(self.keys, values, strict=True)), key=len)
        common = set(admitted[0]).intersection(*admitted[1:])
        return tuple(sorted(common))

    def _split(self, line: Line) -> tuple[dict[int, str], tuple[Expression, ...]]:
        """What a line asks of the keys, as far as nothing that may raise comes first; and its other terms."""
        named: dict[int, str] = {}
        rest: list[Expression] = []
        positions = {key.text: position for position, key in enumerate(self.keys)}
        passable = True
        for term in line.terms:
            asked = self._asks(term)
            position = positions.get(self._text(asked[0])) if asked and passable else None
            if asked and position is not None and named.setdefault(position, asked[1]) == asked[1]:
                continue
            rest.append(term)
            passable = passable and self._is_total(term, positions)
        return named, tuple(rest)

    def _asks(self, term: Expression) -> tuple[Expression, str] | None:
        if id(term) not in self._asked:
            self._asked[id(term)] = _asks(term)
        return self._asked[id(term)]

    def _candidates(self, lines: Sequence[Line]) -> list[Key]:
        """Fields, and whatever else enough lines ask the same of: it will be computed for every request."""
        seen: dict[str, Key] = {}
        counts: Counter[str] = Counter()
        for expression, _ in filter(None, (self._asks(term) for line in lines for term in line.terms)):
            key = seen.setdefault(written := self._text(expression), Key(expression, written))
            counts[key.text] += 1
        enough = max(2, len(lines) // 8)
        worth = [key for key in seen.values() if isinstance(key.expression, Field) or counts[key.text] >= enough]
        return worth[:_MOST_KEYS]

    def _is_total(self, term: Expression, positions: dict[str, int]) -> bool:
        """Whether evaluating this gives a bool and never raises."""
        match term:
            case Const(value):
                return type(value) is bool
            case Compare(operators, operands):
                operands_known = all(self._is_given(each, positions) for each in operands)
                return operands_known and all(map(_never_raises, operators, operands[1:]))
            case Member(links=one):
                return self._is_given(one, positions)
            case Not(operand):
                return self._is_total(operand, positions)
            case All(operands) | Either(operands):
                return all(self._is_total(each, positions) for each in operands)
            case _:
                return False

    def _is_given(self, operand: Expression, positions: dict[str, int]) -> bool:
        """Whether this is a plain value that every request has, or that is computed for every request anyway."""
        match operand:
            case Const() | Field():
                return True
            case Display(_, items):
                return all(isinstance(each, Const) for each in items)
            case _:
                return isinstance(operand, Computed) and self._text(operand) in positions


def _never_raises(operator: type[ast.AST], right: Expression) -> bool:
    return operator in (ast.Eq, ast.NotEq) or (operator in (ast.In, ast.NotIn) and isinstance(right, Display))


def _asks(term: Expression) -> tuple[Expression, str] | None:
    """What a term wants to be equal to which text, if that is all it says."""
    match term:
        case Member(role, links):
            return links, role
        case Compare((ast.Eq,), (Const(value), other)) | Compare((ast.Eq,), (other, Const(value))):
            if type(value) is str and isinstance(other, Field | Call | Attribute):
                return other, value
    return None


def plain_fields(expressions: Iterable[Expression]) -> set[str]:
    """The fields that are compared directly, or whose links are asked for: their values must be plain."""
    found: set[str] = set()
    for expression in expressions:
        for part in walk(expression):
            if isinstance(part, Compare | Links):
                inside = part.operands if isinstance(part, Compare) else part.args
                found.update(each.name for operand in inside for each in _direct_fields(operand))
    return found


def _direct_fields(operand: Expression) -> Iterable[Field]:
    if isinstance(operand, Field):
        yield operand
    elif isinstance(operand, Display | All | Either):
        inside = operand.items if isinstance(operand, Display) else operand.operands
        for each in inside:
            yield from _direct_fields(each)
