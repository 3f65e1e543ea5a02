"""A stock enforcer and a compiled one over the same model, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import casbin

from rbac.enforcer import CompiledEnforcer
from tests.enforcer.random_worlds import EFFECTS


def text(matcher: str, *, r: str = "sub, obj, act", p: str = "sub, obj, act", g: str = "_, _", effect: str = "allow") -> str:
    """A model around a matcher."""
    return (
        f"[request_definition]\nr = {r}\n[policy_definition]\np = {p}\n[role_definition]\ng = {g}\n"
        f"[policy_effect]\ne = {EFFECTS.get(effect, effect)}\n[matchers]\nm = {matcher}\n"
    )


class Pair:
    """Asks both, and lets nothing pass in which they differ."""

    def __init__(self, matcher: str, lines: Iterable[str] = (), *, functions: dict[str, Any] | None = None, **model: str) -> None:
        self.stock = casbin.Enforcer(casbin.Enforcer.new_model(text=text(matcher, **model)))
        self.ours = CompiledEnforcer(casbin.Enforcer.new_model(text=text(matcher, **model)))
        for name, function in (functions or {}).items():
            self.both(lambda each: each.add_function(name, function))  # noqa: B023
        for line in lines:
            kind, *tokens = [token.strip() for token in line.split(",")]
            self.both(lambda each: (each.add_grouping_policy if kind == "g" else each.add_policy)(*tokens))  # noqa: B023

    def both(self, act: Callable[[Any], Any]) -> Any:
        """Do something to both; what ours made of it."""
        stock, ours = _outcome(act, self.stock), _outcome(act, self.ours)
        assert ours == stock
        return ours[0]

    def enforce(self, *values: Any) -> Any:
        """The answer of both, or the type of what both raised."""
        explained = self.both(lambda each: each.enforce_ex(*values))
        answer = self.both(lambda each: each.enforce(*values))
        assert isinstance(answer, type) or answer is explained[0]
        return answer


def _outcome(act: Callable[[Any], Any], enforcer: Any) -> Any:
    try:
        return act(enforcer), ""
    except Exception as error:
        return type(error), str(error)
