"""Partial evaluation: a matcher, with every `p.*` replaced by what one policy line says.

Only what never changes is folded: comparisons and arithmetic of constants. A function call (`timeMatch`) is not, unless the
function itself offers `specialize`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import simpleeval

from rbac.enforcer.expression import (
    All,
    Attribute,
    Broken,
    Call,
    Compare,
    Const,
    Direct,
    Display,
    Either,
    Expression,
    Links,
    Member,
    Method,
    Not,
    Operation,
    Token,
    is_bool,
    walk,
)
from rbac.enforcer.values import PRIMITIVES


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""What `specialize` gets in the place of an argument that only a request knows."""


_Fold: TypeAlias = Callable[[Expression, Mapping[str, Any]], Expression]


@dataclass
class Specialiser:
    """Specialises the lines of one policy; lives as long as one compilation of one matcher.

    `functions` are the matcher's functions, `linked` the role definitions whose manager offers `links`.
    """

    functions: Mapping[str, Callable[..., Any]]
    linked: frozenset[str] = frozenset()
    _folded: dict[tuple[Any, ...], Expression] = field(default_factory=dict)
    _walked: dict[int, tuple[Expression, ...]] = field(default_factory=dict)

    def line(self, matcher: Expression, row: Mapping[str, Any]) -> tuple[Expression, ...]:
        """The matcher for one policy line, as the terms of its `&&` in order; what follows a false constant is gone.

        Terms of which two lines say the same are the same object.
        """
        residual = self._all(matcher.operands, row, self._shared) if isinstance(matcher, All) else self._fold(matcher, row)
        return residual.operands if isinstance(residual, All) else (residual,)

    def _shared(self, expression: Expression, row: Mapping[str, Any]) -> Expression:
        said = tuple(row[part.name] for part in self._parts(expression) if isinstance(part, Token))
        if not all(type(each) is str for each in said):
            return self._fold(expression, row)  # 1, True and 1.0 would be taken for each other
        key = (id(expression), said)
        if key not in self._folded:
            self._folded[key] = self._fold(expression, row)
        return self._folded[key]

    def _parts(self, expression: Expression) -> tuple[Expression, ...]:
        if id(expression) not in self._walked:
            self._walked[id(expression)] = tuple(walk(expression))
        return self._walked[id(expression)]

    def _fold(self, expression: Expression, row: Mapping[str, Any]) -> Expression:
        match expression:
            case Token(name):
                return Const(row[name])
            case All(operands):
                return self._all(operands, row, self._fold)
            case Either(operands):
                return self._any(operands, row)
            case Not(operand):
                return _not(self._fold(operand, row))
            case Compare(operators, operands):
                return _compare(Compare(operators, self._each(operands, row)))
            case Operation(operator, operands):
                return _operate(Operation(operator, self._each(operands, row)))
            case Display(kind, items):
                return Display(kind, self._each(items, row))
            case Attribute(value, name):
                return Attribute(self._fold(value, row), name)
            case Method(value, name, args):
                return Method(self._fold(value, row), name, self._each(args, row))
            case Call(name, args):
                return self._call(name, self._each(args, row))
            case _:
                return expression

    def _each(self, expressions: tuple[Expression, ...], row: Mapping[str, Any]) -> tuple[Expression, ...]:
        return tuple(self._fold(each, row) for each in expressions)

    def _all(self, operands: tuple[Expression, ...], row: Mapping[str, Any], fold: _Fold) -> Expression:
        kept: list[Expression] = []
        for operand in operands:
            folded = fold(operand, row)
            kept.extend(folded.operands if isinstance(folded, All) else (folded,))
            if isinstance(kept[-1], Const) and not kept[-1].value:
                break
        return _join(All, kept, neutral=True)

    def _any(self, operands: tuple[Expression, ...], row: Mapping[str, Any]) -> Expression:
        kept: list[Expression] = []
        for operand in operands:
            folded = self._fold(operand, row)
            kept.extend(folded.operands if isinstance(folded, Either) else (folded,))
            if isinstance(kept[-1], Const) and kept[-1].value:
                break
        return _join(Either, kept, neutral=False)

    def _call(self, name: str, args: tuple[Expression, ...]) -> Expression:
        if name in self.linked and len(args) in (2, 3):
            role = args[1]
            if isinstance(role, Const) and type(role.value) is str:
                return Member(role.value, Links(name, (args[0], *args[2:])))
        function = self.functions[name]
        specialize = getattr(function, "specialize", None)
        if not callable(specialize) or any(isinstance(each, Broken) for each in args):
            return Call(name, args)
        direct = _specialized(specialize, args)
        if direct is None:
            return Call(name, args)
        return Direct(direct, tuple(each for each in args if not isinstance(each, Const)))


def _specialized(specialize: Callable[..., Any], args: tuple[Expression, ...]) -> Callable[..., Any] | None:
    try:
        direct = specialize(*(each.value if isinstance(each, Const) else UNKNOWN for each in args))
    except Exception:  # what is wrong with these constants is the function's to say, when it is called
        return None
    return direct if callable(direct) else None


def _join(kind: type[All] | type[Either], operands: list[Expression], *, neutral: bool) -> Expression:
    """`operands` without constants that change nothing: those before the last, and a last one after nothing but bools."""
    last = operands[-1]
    kept: list[Expression] = [each for each in operands[:-1] if not isinstance(each, Const)]
    superfluous = isinstance(last, Const) and last.value is neutral and kept and all(map(is_bool, kept))
    if not superfluous:
        kept.append(last)
    return kept[0] if len(kept) == 1 else kind(tuple(kept))


def _not(operand: Expression) -> Expression:
    return Const(not operand.value) if isinstance(operand, Const) else Not(operand)


def _compare(comparison: Compare) -> Expression:
    if not all(map(_is_known, comparison.operands)):
        return comparison
    return _result(lambda: _chain(comparison))


def _chain(comparison: Compare) -> Any:
    result: Any = True
    right = _known(comparison.operands[0])
    for operator, operand in zip(comparison.operators, comparison.operands[1:], strict=True):
        if not result:
            break
        left, right = right, _known(operand)
        result = simpleeval.DEFAULT_OPERATORS[operator](left, right)
    return result


def _operate(operation: Operation) -> Expression:
    if operation.operator in (ast.Pow, ast.LShift, ast.Mult) or not all(map(_is_known, operation.operands)):
        return operation  # what may take long is left to the request that needs it
    return _result(lambda: simpleeval.DEFAULT_OPERATORS[operation.operator](*map(_known, operation.operands)))


def _result(compute: Callable[[], Any]) -> Expression:
    try:
        value = compute()
    except Exception:  # stock Casbin raises the same, to the request that gets there
        return Broken()
    return Const(value) if type(value) in PRIMITIVES else Broken()


def _is_known(expression: Expression) -> bool:
    return isinstance(expression, Const) or (isinstance(expression, Display) and all(map(_is_known, expression.items)))


def _known(expression: Expression) -> Any:
    if isinstance(expression, Display):
        return expression.kind(map(_known, expression.items))
    assert isinstance(expression, Const)
    return expression.value
