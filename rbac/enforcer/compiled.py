"""Casbin's enforcer, compiled.

`CompiledEnforcer` answers what `casbin.Enforcer` answers, for any model. Its one rule: when in doubt, the request goes
to `casbin.Enforcer` itself. What raises, what is not understood and what has changed a moment ago is in doubt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import casbin
from casbin.effect import AllowAndDenyEffector, AllowOverrideEffector, DenyOverrideEffector
from casbin.model import Model
from casbin.util import SimpleEval, generate_conditional_g_function, generate_g_function, util

from rbac.enforcer.compile import Effect, Program
from rbac.enforcer.emit import Names
from rbac.enforcer.expression import Broken, Expression, Uncompilable
from rbac.enforcer.index import Line
from rbac.enforcer.parse import Words, read, single_expression
from rbac.enforcer.specialise import Specialiser
from rbac.enforcer.values import UseStock, is_plain
from rbac.enforcer.watch import Cell, watch_functions, watch_model

_WATCHED = frozenset({"model", "fm", "eft", "enabled", "rm_map", "cond_rm_map", "logger"})
_STOPS = {AllowOverrideEffector: ("allow", False), DenyOverrideEffector: ("deny", False), AllowAndDenyEffector: ("deny", True)}


@dataclass(frozen=True, slots=True)
class Compilation:
    """Whether requests are answered by compiled code, and if not, why; `source` is what was written for all of them."""

    done: bool
    reason: str
    source: str = ""

    def __bool__(self) -> bool:
        return self.done


class CompiledEnforcer(casbin.Enforcer):  # type: ignore[misc]  # casbin has no types
    """`casbin.Enforcer` with the matcher compiled for each policy line; safe to share between threads.

    The first request after a change compiles, later ones run. A matcher function must be a function of its arguments
    within one request: it is called at most once for the same ones, or again by stock Casbin if the compiled code
    raised. docs/enforcer.md says what is compiled, what is not, and what the hooks `specialize` and `links` promise.
    """

    _cell: Cell
    _compilation: Compilation

    def __new__(cls, *_: Any, **__: Any) -> CompiledEnforcer:
        self: CompiledEnforcer = super().__new__(cls)
        object.__setattr__(self, "_cell", Cell(self._first))
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "enforce_ex" in vars(cls) and "enforce" not in vars(cls):
            cls.enforce = casbin.Enforcer.enforce  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in _WATCHED:
            self._cell.touch()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_cell", "_compilation")}

    @property
    def compiled(self) -> Compilation:
        """Whether the next request is answered by compiled code, and if not, why. Compiles if it has to."""
        if self._cell.decide == self._cell.stale:
            self._compile()
        return self._compilation

    def enforce(self, *rvals: Any) -> Any:
        """Whether the request is allowed, a bool: what `casbin.Enforcer.enforce` says."""
        try:
            answer = self._cell.decide(*rvals)
        except Exception:  # stock Casbin raises it again, or knows better
            answer = None
        if answer is None:
            return super().enforce_ex(*rvals)[0]
        if not self.logger.disabled:
            self._log(rvals, answer[0])
        return answer[0]

    def enforce_ex(self, *rvals: Any) -> Any:
        """Whether the request is allowed, and the rule that decided: what `casbin.Enforcer.enforce_ex` says."""
        try:
            answer = self._cell.decide(*rvals)
        except Exception:
            answer = None
        if answer is None:
            return super().enforce_ex(*rvals)
        if not self.logger.disabled:
            self._log(rvals, answer[0])
        return answer[0], [] if answer[1] is None else answer[1]

    def _log(self, rvals: tuple[Any, ...], allowed: bool) -> None:
        level = logging.INFO if allowed else logging.WARNING
        if self.logger.isEnabledFor(level):
            self.logger.log(level, "Request: " + ", ".join([str(each) for each in rvals]) + f" ---> {allowed}")

    def _first(self, *rvals: Any) -> Any:
        return self._compile()(*rvals)

    def _compile(self) -> Callable[..., Any]:
        cell, model = self._cell, self.model
        stamp = cell.stamp
        decide: Callable[..., Any] = _use_stock
        try:
            _require(watch_model(model, cell))
            _require(watch_functions(self.fm, cell))
            stamp = cell.stamp
            program = _program(self, model)
            decide, compilation = program.decide, Compilation(True, "", program.source)
        except Uncompilable as why:
            compilation = Compilation(False, str(why))
        except Exception as error:
            compilation = Compilation(False, f"{type(error).__name__}: {error}")
        if self.model is not model:
            return _use_stock
        object.__setattr__(self, "_compilation", compilation)
        cell.put(decide, stamp=stamp)
        return decide


def _use_stock(*_: Any) -> NoReturn:
    raise UseStock


def _require(reason: str) -> None:
    if reason:
        raise Uncompilable(reason)


def _program(enforcer: CompiledEnforcer, model: Any) -> Program:
    """Everything that `casbin.Enforcer.enforce_ex` looks at, compiled."""
    if not enforcer.enabled:
        raise Uncompilable("enforcing is disabled")
    if not isinstance(enforcer.logger, logging.Logger):
        raise Uncompilable(f"the logger is a {type(enforcer.logger).__name__}")
    functions, links = _functions(enforcer, model)
    fields, tokens = list(model["r"]["r"].tokens), list(model["p"]["p"].tokens)
    _require("" if all(map(str.isidentifier, fields)) else "a field of the request is no name")
    matcher = _matcher(enforcer, model, fields, tokens, functions)
    specialiser = Specialiser(functions, frozenset(links))
    lines = _lines(specialiser, matcher, tokens, model["p"]["p"].policy)
    return Program(lines, effect=_effect(enforcer), fields=fields, names=Names(functions, links))


def _functions(enforcer: CompiledEnforcer, model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
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
        if callable(offered) and definition.rm:
            links[name] = offered
    enforcer.fm.fm.roles = frozenset(definitions)
    return functions, links


def _matcher(enforcer: CompiledEnforcer, model: Any, fields: list[str], tokens: list[str], functions: dict[str, Any]) -> Expression:
    """What stock Casbin parses for each request, read once. Adds to `functions` what its evaluator adds."""
    text = model["m"]["m"].value
    if util.has_eval(text):
        raise Uncompilable("the matcher uses eval()")
    evaluator = enforcer._get_expression(text, functions)
    if type(evaluator) is not SimpleEval or evaluator.functions is not functions:
        raise Uncompilable("the matcher has an evaluator of its own")
    single_expression(evaluator.expr)
    return read(evaluator.ast_parsed_value, Words(fields, tokens, functions))


def _lines(specialiser: Specialiser, matcher: Expression, tokens: list[str], policy: Any) -> list[Line]:
    if type(policy).__base__ is not list:
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
    effect = row.get("p_eft", "allow")
    return Line(specialiser.line(matcher, row), str(effect) if effect in ("allow", "deny") else "", rule)


def _effect(enforcer: CompiledEnforcer) -> Effect:
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
    probe = object.__new__(casbin.Enforcer)  # __init__ would switch the logging of the whole process
    probe.logger = logger
    probe.init_with_model_and_adapter(model)
    probe.add_policy("x")
    return bool(probe.enforce_ex("x")[1])
