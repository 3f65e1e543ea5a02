"""What a matcher is made of once it is read: a closed set of small values.

Each value means exactly what stock Casbin's evaluator does with it; `Broken` stands for everything it raises at.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias


class Uncompilable(Exception):
    """Why a model or a policy stays with stock Casbin; its text is the reason that `compiled` gives."""


@dataclass(frozen=True, slots=True)
class Const:
    """A value known when the policy is."""

    value: Any


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the request, `r_sub`."""

    name: str


@dataclass(frozen=True, slots=True)
class Token:
    """A field of the policy line, `p_sub`; gone once a line is specialised."""

    name: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Something stock Casbin raises at when it gets there."""


@dataclass(frozen=True, slots=True)
class Call:
    """A matcher function called by name."""

    name: str
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Direct:
    """What `specialize` returned, called with the arguments that were not constant."""

    function: Callable[..., Any]
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Links:
    """The names that a role manager links a name to."""

    section: str
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """Whether a role is among the links."""

    role: str
    links: Links


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an object in the request."""

    value: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Method:
    """A method called on a value in the request."""

    value: Expression
    name: str
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """Arithmetic, with the evaluator's own limits."""

    operator: type[ast.AST]
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A chain of comparisons; `operators[i]` stands before `operands[i + 1]`."""

    operators: tuple[type[ast.AST], ...]
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Negation; always a bool."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class All:
    """`&&`: the first value that is false, or the last."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """`||`: the first value that is true, or the last."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Display:
    """A tuple, list or set written out."""

    kind: type
    items: tuple[Expression, ...]


Computed: TypeAlias = Call | Direct | Links | Attribute | Method
"""What is worth computing only once for a request."""

Expression: TypeAlias = Computed | Const | Field | Token | Broken | Member | Operation | Compare | Not | All | Either | Display


def parts(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly inside this one, in the order in which they are evaluated."""
    match expression:
        case Call(args=inside) | Direct(args=inside) | Links(args=inside) | Display(items=inside):
            return inside
        case Operation(operands=inside) | Compare(operands=inside) | All(inside) | Either(inside):
            return inside
        case Member(links=one) | Not(one) | Attribute(value=one):
            return (one,)
        case Method(value=one, args=inside):
            return (one, *inside)
        case _:
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """This expression and everything inside it."""
    yield expression
    for part in parts(expression):
        yield from walk(part)


def is_bool(expression: Expression) -> bool:
    """Whether the value is a bool whatever the request is; fields under a comparison are plain, so it is one."""
    match expression:
        case Const(value):
            return type(value) is bool
        case Compare() | Not() | Member():
            return True
        case All(operands) | Either(operands):
            return all(map(is_bool, operands))
        case _:
            return False
