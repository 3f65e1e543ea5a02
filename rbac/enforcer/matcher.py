"""From the syntax tree that stock Casbin evaluates to an `Expression`.

Casbin itself rewrites and parses the matcher; here its tree is only read. A construct without an exact equivalent is left to
stock Casbin.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import simpleeval

from rbac.enforcer.expression import (
    All,
    Attribute,
    Broken,
    Call,
    Compare,
    Const,
    Display,
    Either,
    Expression,
    Field,
    Method,
    Not,
    Operation,
    Token,
    Uncompilable,
)
from rbac.enforcer.values import PRIMITIVES

_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
_DISPLAYS: dict[type[ast.AST], type] = {ast.Tuple: tuple, ast.List: list, ast.Set: set}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a name in the matcher may mean: a field of the request, a field of the policy line, a function."""

    fields: Collection[str]
    tokens: Collection[str]
    functions: Collection[str]


def single_expression(text: str) -> None:
    """Raise unless the rewritten matcher is one expression; of anything else stock Casbin quietly takes the first part."""
    body = ast.parse(text.strip()).body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise Uncompilable("the matcher is not one expression")


def read(node: ast.AST, scope: Scope) -> Expression:
    """The meaning of a node. Raises Uncompilable for what stays with stock Casbin, whatever the policy is."""
    match node:
        case ast.Constant(value=value):
            return _constant(value)
        case ast.Name(id=name):
            return _name(name, scope)
        case ast.BoolOp(op=op, values=values):
            operands = tuple(read(each, scope) for each in values)
            return All(operands) if isinstance(op, ast.And) else Either(operands)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return Not(read(operand, scope))
        case ast.UnaryOp(op=op, operand=operand):
            return Operation(_operator(op), (read(operand, scope),))
        case ast.BinOp(left=left, op=op, right=right):
            return Operation(_operator(op), (read(left, scope), read(right, scope)))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _comparison(ops, (left, *comparators), scope)
        case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
            return Display(_DISPLAYS[type(node)], tuple(read(each, scope) for each in elts))
        case ast.Attribute(value=value, attr=attr):
            return Broken() if _forbidden(attr) else Attribute(read(value, scope), attr)
        case ast.Call(keywords=[]):
            return _call(node, scope)
        case _:
            raise Uncompilable(f"the matcher uses {type(node).__name__}")


def _constant(value: Any) -> Expression:
    if type(value) not in PRIMITIVES:
        raise Uncompilable(f"the matcher uses a constant of type {type(value).__name__}")
    if isinstance(value, str | bytes) and len(value) > simpleeval.MAX_STRING_LENGTH:
        return Broken()
    return Const(value)


def _name(name: str, scope: Scope) -> Expression:
    if name in scope.tokens:
        return Token(name)
    if name in scope.fields:
        return Field(name)
    if name in scope.functions:
        raise Uncompilable(f"the matcher uses the function {name} as a value")
    return Broken()


def _operator(op: ast.AST) -> type[ast.AST]:
    if type(op) not in simpleeval.DEFAULT_OPERATORS:
        raise Uncompilable(f"the matcher uses {type(op).__name__}")
    return type(op)


def _comparison(ops: list[ast.cmpop], operands: tuple[ast.expr, ...], scope: Scope) -> Expression:
    for op in ops:
        if not isinstance(op, _COMPARISONS):
            raise Uncompilable(f"the matcher uses {type(op).__name__}")
    return Compare(tuple(map(type, ops)), tuple(read(each, scope) for each in operands))


def _call(node: ast.Call, scope: Scope) -> Expression:
    args = tuple(read(each, scope) for each in node.args)
    if isinstance(node.func, ast.Attribute):
        if _forbidden(node.func.attr):
            return Broken()
        return Method(read(node.func.value, scope), node.func.attr, args)
    if not isinstance(node.func, ast.Name) or node.func.id not in scope.functions:
        return Broken()
    return Call(node.func.id, args)


def _forbidden(attribute: str) -> bool:
    return attribute.startswith(tuple(simpleeval.DISALLOW_PREFIXES)) or attribute in simpleeval.DISALLOW_METHODS
