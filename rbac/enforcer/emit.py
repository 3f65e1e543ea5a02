"""Expressions as Python source text.

The text computes what stock Casbin would have computed, or raises UseStock; whatever it raises, stock Casbin answers.
"""

from __future__ import annotations

import ast
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import simpleeval

from rbac.enforcer import values
from rbac.enforcer.expression import (
    All,
    Attribute,
    Call,
    Compare,
    Computed,
    Const,
    Direct,
    Display,
    Either,
    Expression,
    Field,
    Links,
    Member,
    Method,
    Not,
    Operation,
    is_bool,
    walk,
)

_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_BRACKETS: dict[type, str] = {tuple: "({},)", list: "[{}]", set: "{{{}}}"}
_EMPTY: dict[type, str] = {tuple: "()", list: "[]"}


class Names:
    """The globals of the generated code, each object under one name; lives as long as what was compiled."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]], links: Mapping[str, Callable[..., Any]]) -> None:
        self.functions = functions
        self.links = links
        self.globals: dict[str, Any] = {
            "_stock": values.stock, "_plain": values.plain_value, "_safe": values.safe_value, "_names": values.names_value,
            "_method": values.method, "_get": getattr, "_type": type, "_str": str,
            "_is_text": values.texts, "_as_text": values.as_text, "_frozenset": frozenset, "_unset": object(),
        }  # fmt: skip
        self.texts: dict[int, tuple[str, Expression]] = {}
        self._by_id: dict[tuple[str, int], str] = {}
        self._fresh = itertools.count()

    def of(self, prefix: str, value: Any) -> str:
        """The name of an object in the generated code; requests in many threads may ask at once."""
        key = (prefix, id(value))
        if key not in self._by_id:
            name = f"_{prefix}{next(self._fresh)}"  # a number that no other thread gets
            self.globals[name] = value
            self._by_id.setdefault(key, name)
        return self._by_id[key]


def guard_plain(name: str) -> str:
    """The statement that sends a request to stock Casbin unless a variable's value is plain."""
    return f"if _type({name}) is not _str and _type({name}) not in _is_plain: _plain({name})"


class Emitter:
    """Writes the expressions of one generated function. `known` gives the variable of what is computed already, by its text."""

    def __init__(self, names: Names, known: Mapping[str, str] | None = None) -> None:
        self.names = names
        self.temporaries: dict[str, str] = {}
        self._known = known or {}
        self._counts: Counter[str] = Counter()
        self._plainly = False

    def text(self, expression: Expression) -> str:
        """The expression written with nothing known: equal texts are equal computations."""
        if id(expression) not in self.names.texts:
            plainly = Emitter(self.names)
            plainly._plainly = True
            self.names.texts[id(expression)] = (plainly._any(expression), expression)
        return self.names.texts[id(expression)][0]

    def count(self, expressions: Iterable[Expression]) -> None:
        """Say what will be written, so that what comes twice is computed once."""
        self._counts.update(self.text(part) for each in expressions for part in walk(each) if isinstance(part, Computed))

    def assignment(self, name: str, expression: Expression) -> list[str]:
        """Compute a key into a variable, plain or a set of names whatever comes."""
        if isinstance(expression, Links):
            return [f"{name} = {self._links(expression)}", f"if _type({name}) is not _frozenset: _stock()"]
        return [f"{name} = {self._any(expression)}", guard_plain(name)]

    def test(self, term: Expression) -> str:
        """A term of a matcher's `&&`: true, false, or anything else, which stock Casbin answers."""
        if is_bool(term):
            return self.value(term)
        return f"((v := {self._any(term)}) is True or v is not False and _stock())"

    def value(self, expression: Expression, *, plain: bool = False) -> str:
        """The value of an expression, let through as the sandbox lets it through; `plain` if it is about to be compared."""
        text = self._any(expression)
        if isinstance(expression, Computed | Operation) and not self._is_variable(text):
            return f"{'_plain' if plain else '_safe'}({text})"
        return f"_plain({text})" if plain and isinstance(expression, All | Either) else text

    def _any(self, expression: Expression) -> str:
        if self._plainly or not isinstance(expression, Computed):
            return self._written(expression)
        text = self.text(expression)
        if text in self._known:
            return self._known[text]
        if self._counts[text] < 2:
            return self._written(expression)
        name = self.temporaries.setdefault(text, f"t{len(self.temporaries)}")
        return f"({name} if {name} is not _unset else ({name} := {self._written(expression)}))"

    def _written(self, expression: Expression) -> str:
        match expression:
            case Const(value):
                return self._constant(value)
            case Field(name):
                return name
            case Compare(operators, operands):
                texts = [self.value(each, plain=True) for each in operands]
                return "(" + "".join(f"{text} {_SYMBOLS[op]} " for text, op in zip(texts, operators, strict=False)) + texts[-1] + ")"
            case Not(operand):
                return f"(not {self.value(operand)})"
            case All(operands):
                return "(" + " and ".join(map(self.value, operands)) + ")"
            case Either(operands):
                return "(" + " or ".join(map(self.value, operands)) + ")"
            case Member(role, links):
                return f"({role!r} in {self._any(links)})"
            case Display(kind, items):
                return _BRACKETS[kind].format(self._list(items, plain=True)) if items else _EMPTY[kind]
            case _:
                return self._computed(expression)

    def _computed(self, expression: Expression) -> str:
        match expression:
            case Operation(operator, operands):
                return f"{self.names.of('o', simpleeval.DEFAULT_OPERATORS[operator])}({self._list(operands)})"
            case Call(name, args):
                return f"{self.names.of('f', self.names.functions[name])}({self._list(args)})"
            case Direct(function, args):
                return f"{self.names.of('d', function)}({self._list(args)})"
            case Links():
                return f"_names({self._links(expression)})"
            case Attribute(value, name):
                return f"_get({self.value(value)}, {name!r})"
            case Method(value, name, args):
                return f"_method({self.value(value)}, {name!r})({self._list(args)})"
            case _:
                return "_stock()"

    def _links(self, links: Links) -> str:
        name, *domain = links.args
        args = [self.value(name, plain=True), *map(self._spelled, domain)]
        return f"{self.names.of('l', self.names.links[links.section])}({', '.join(args)})"

    def _spelled(self, domain: Expression) -> str:
        """A domain as stock Casbin hands it to a role manager: through `str`, which leaves a plain str as it is."""
        text = self.value(domain, plain=True)
        return f"({text} if _type({text}) in _is_text else _as_text({text}))" if isinstance(domain, Field) else f"_str({text})"

    def _is_variable(self, text: str) -> bool:
        """Whether this is a key, which was looked at when it was computed."""
        return text in self._known.values()

    def _list(self, expressions: tuple[Expression, ...], *, plain: bool = False) -> str:
        return ", ".join(self.value(each, plain=plain) for each in expressions)

    def _constant(self, value: Any) -> str:
        if type(value) in (str, bool, type(None)):
            return repr(value)
        if type(value) is int or (type(value) is float and math.isfinite(value)):
            return f"({value!r})"
        return self.names.of("c", value)
