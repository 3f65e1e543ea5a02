"""From the tree that stock Casbin would walk to an expression of ours.

Its one rule: Casbin itself rewrites and parses the matcher; here its tree is only read, and what we have no exact
meaning for stays with stock Casbin.
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
class Words:
    """What a name in the matcher may mean: a field of the request, a field of the policy line, a function."""

    fields: Collection[str]
    tokens: Collection[str]
    functions: Collection[str]


def single_expression(text: str) -> None:
    """Raise unless the rewritten matcher is one expression; of anything else stock Casbin quietly takes the first part."""
    body = ast.parse(text.strip()).body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise Uncompilable("the matcher is not one expression")


def read(node: ast.AST, words: Words) -> Expression:
    """The meaning of a node. Raises Uncompilable for what stays with stock Casbin, whatever the policy is."""
    match node:
        case ast.Constant(value=value):
            return _constant(value)
        case ast.Name(id=name):
            return _name(name, words)
        case ast.BoolOp(op=op, values=values):
            operands = tuple(read(each, words) for each in values)
            return All(operands) if isinstance(op, ast.And) else Either(operands)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return Not(read(operand, words))
        case ast.UnaryOp(op=op, operand=operand):
            return Operation(_operator(op), (read(operand, words),))
        case ast.BinOp(left=left, op=op, right=right):
            return Operation(_operator(op), (read(left, words), read(right, words)))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _comparison(ops, (left, *comparators), words)
        case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
            return Display(_DISPLAYS[type(node)], tuple(read(each, words) for each in elts))
        case ast.Attribute(value=value, attr=attr):
            return Broken() if _forbidden(attr) else Attribute(read(value, words), attr)
        case ast.Call(keywords=[]):
            return _call(node, words)
        case _:
            raise Uncompilable(f"the matcher uses {type(node).__name__}")


def _constant(value: Any) -> Expression:
    if type(value) not in PRIMITIVES:
        raise Uncompilable(f"the matcher uses a constant of type {type(value).__name__}")
    if isinstance(value, str | bytes) and len(value) > simpleeval.MAX_STRING_LENGTH:
        return Broken()
    return Const(value)


def _name(name: str, words: Words) -> Expression:
    if name in words.tokens:
        return Token(name)
    if name in words.fields:
        return Field(name)
    if name in words.functions:
        raise Uncompilable(f"the matcher uses the function {name} as a value")
    return Broken()


def _operator(op: ast.AST) -> type[ast.AST]:
    if type(op) not in simpleeval.DEFAULT_OPERATORS:
        raise Uncompilable(f"the matcher uses {type(op).__name__}")
    return type(op)


def _comparison(ops: list[ast.cmpop], operands: tuple[ast.expr, ...], words: Words) -> Expression:
    for op in ops:
        if not isinstance(op, _COMPARISONS):
            raise Uncompilable(f"the matcher uses {type(op).__name__}")
    return Compare(tuple(map(type, ops)), tuple(read(each, words) for each in operands))


def _call(node: ast.Call, words: Words) -> Expression:
    args = tuple(read(each, words) for each in node.args)
    if isinstance(node.func, ast.Attribute):
        if _forbidden(node.func.attr):
            return Broken()
        return Method(read(node.func.value, words), node.func.attr, args)
    if not isinstance(node.func, ast.Name) or node.func.id not in words.functions:
        return Broken()
    return Call(node.func.id, args)


def _forbidden(attribute: str) -> bool:
    return attribute.startswith(tuple(simpleeval.DISALLOW_PREFIXES)) or attribute in simpleeval.DISALLOW_METHODS
