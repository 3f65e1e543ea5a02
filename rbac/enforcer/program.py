"""Everything that `casbin.Enforcer.enforce_ex` reads for a request, read once and compiled.

It is read as Casbin reads it, with Casbin's own functions where there are any; what cannot be raises Uncompilable.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from casbin import Enforcer
from casbin.effect import AllowAndDenyEffector, AllowOverrideEffector, DenyOverrideEffector
from casbin.model import Model
from casbin.util import SimpleEval, generate_conditional_g_function, generate_g_function, util

from rbac.enforcer.compile import Effect, Program
from rbac.enforcer.emit import Names
from rbac.enforcer.expression import Broken, Expression, Uncompilable
from rbac.enforcer.index import Line
from rbac.enforcer.matcher import Scope, read, single_expression
from rbac.enforcer.specialise import Specialiser
from rbac.enforcer.tracked import TrackedList
from rbac.enforcer.values import is_plain

_STOPS = {AllowOverrideEffector: ("allow", False), DenyOverrideEffector: ("deny", False), AllowAndDenyEffector: ("deny", True)}


def program(enforcer: Any, model: Any) -> Program:
    """Everything that `casbin.Enforcer.enforce_ex` reads, compiled."""
    if not enforcer.enabled:
        raise Uncompilable("enforcing is disabled")
    if not isinstance(enforcer.logger, logging.Logger):
        raise Uncompilable(f"the logger is a {type(enforcer.logger).__name__}")
    functions, links = _functions(enforcer, model)
    fields, tokens = list(model["r"]["r"].tokens), list(model["p"]["p"].tokens)
    if not all(each.isascii() and each.isidentifier() for each in fields):  # others may be two names for Casbin and one for Python
        raise Uncompilable("a field of the request is no plain name")
    matcher = _matcher(enforcer, model, fields, tokens, functions)
    specialiser = Specialiser(functions, frozenset(links))
    lines = _lines(specialiser, matcher, tokens, model["p"]["p"].policy)
    return Program(lines, effect=_effect(enforcer), fields=fields, names=Names(functions, links))


def _functions(enforcer: Any, model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The matcher's functions as stock Casbin makes them up for each request, and the `links` of the role managers."""
    functions = dict(enforcer.fm.get_functions())
    links: dict[str, Any] = {}
    definitions = dict(model["g"]) if "g" in model.keys() else {}  # noqa: SIM118  # a Casbin model is no mapping
    if definitions and not enforcer.rm_map and not enforcer.cond_rm_map:
        raise Uncompilable("there is no role manager")
    for name, definition in definitions.items():
        if enforcer.cond_rm_map:
            functions[name] = generate_conditional_g_function(definition.cond_rm)
            continue
        functions[name] = generate_g_function(definition.rm)
        offered = getattr(definition.rm, "links", None)
        if callable(offered) and _is_always_true(definition.rm):
            links[name] = offered
    enforcer.fm.fm.roles = frozenset(definitions)
    return functions, links


def _is_always_true(manager: Any) -> bool:
    """Whether `not manager`, which stock Casbin asks before each question, is never true."""
    return not hasattr(type(manager), "__bool__") and not hasattr(type(manager), "__len__")


def _matcher(enforcer: Any, model: Any, fields: list[str], tokens: list[str], functions: dict[str, Any]) -> Expression:
    """What stock Casbin parses for each request, read once. Adds to `functions` what its evaluator adds."""
    text = model["m"]["m"].value
    if util.has_eval(text):
        raise Uncompilable("the matcher uses eval()")
    evaluator = enforcer._get_expression(text, functions)
    if type(evaluator) is not SimpleEval or evaluator.functions is not functions:
        raise Uncompilable("the matcher has an evaluator of its own")
    single_expression(evaluator.expr)
    return read(evaluator.ast_parsed_value, Scope(fields, tokens, functions))


def _lines(specialiser: Specialiser, matcher: Expression, tokens: list[str], policy: Any) -> list[Line]:
    if not isinstance(policy, TrackedList):
        raise Uncompilable(f"the policy is a {type(policy).__name__}")
    if not policy:
        return [Line(specialiser.line(matcher, dict.fromkeys(tokens, "")), "allow", None)]
    return [_line(specialiser, matcher, tokens, rule) for rule in list(policy)]


def _line(specialiser: Specialiser, matcher: Expression, tokens: list[str], rule: Any) -> Line:
    if len(rule) != len(tokens):
        return Line((Broken(),), "", rule)
    row = dict(zip(tokens, rule, strict=True))
    for value in rule:
        if not is_plain(type(value)):
            raise Uncompilable(f"the policy has a value of type {type(value).__name__}")
    said = row.get("p_eft", "allow")
    effect = next((each for each in ("allow", "deny") if each == said), "")
    return Line(specialiser.line(matcher, row), effect, rule)


def _effect(enforcer: Any) -> Effect:
    kind = type(enforcer.eft)
    if kind not in _STOPS:
        raise Uncompilable(f"the effect is a {kind.__name__}")
    stops, needs_allow = _STOPS[kind]
    return Effect(stops, needs_allow=needs_allow, names_last=_names_last())


@cache
def _names_last() -> bool:
    """Whether this Casbin names the last line that matched, and not only one that ended the walk: asked of Casbin itself."""
    model = Model()
    model.logger = logger = logging.Logger("probe")
    logger.disabled = True
    for section, value in (("r", "a"), ("p", "a"), ("e", "!some(where (p.eft == deny))"), ("m", "r.a == p.a")):
        model.add_def(section, section, value)
    probe = object.__new__(Enforcer)  # __init__ would switch the logging of the whole process
    probe.logger = logger
    probe.init_with_model_and_adapter(model)
    probe.add_policy("x")
    return bool(probe.enforce_ex("x")[1])
