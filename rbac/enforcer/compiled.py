"""Casbin's enforcer, compiled.

`CompiledEnforcer` answers what `casbin.Enforcer` answers, for any model. Its one rule: a request that the compiled code cannot
answer for certain goes to `casbin.Enforcer` itself, as does one that raises.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from casbin import Enforcer

from rbac.enforcer.expression import Uncompilable
from rbac.enforcer.program import program
from rbac.enforcer.tracked import Slot, track_functions, track_model
from rbac.enforcer.values import UseStock

_TRACKED = frozenset({"model", "fm", "eft", "enabled", "rm_map", "cond_rm_map", "logger"})


@dataclass(frozen=True, slots=True)
class Compilation:
    """Whether requests are answered by compiled code, and if not, why; `source` is what was written for all of them."""

    done: bool
    reason: str
    source: str = ""

    def __bool__(self) -> bool:
        return self.done


class CompiledEnforcer(Enforcer):  # type: ignore[misc]  # casbin has no types
    """`casbin.Enforcer` with the matcher compiled for each policy line; safe to share between threads.

    The first request after a change compiles, later ones run. A matcher function must be a function of its arguments
    within one request: it is called at most once for the same ones, or again by stock Casbin if the compiled code
    raised. docs/enforcer.md says what is compiled, what is not, and what the hooks `specialize` and `links` promise.
    """

    _slot: Slot
    _compilation: Compilation

    def __new__(cls, *_: Any, **__: Any) -> CompiledEnforcer:
        self: CompiledEnforcer = super().__new__(cls)
        object.__setattr__(self, "_slot", Slot(self._first))
        object.__setattr__(self, "_compilation", Compilation(False, "not compiled yet"))
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "enforce_ex" in vars(cls) and "enforce" not in vars(cls):
            cls.enforce = Enforcer.enforce  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "model":
            track_model(value, self._slot)  # before anybody gets hold of its lists
        elif name == "fm":
            track_functions(value, self._slot)
        object.__setattr__(self, name, value)
        if name in _TRACKED:
            self._slot.touch()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_slot", "_compilation")}

    @property
    def compiled(self) -> Compilation:
        """Whether the next request is answered by compiled code, and if not, why. Compiles if it has to."""
        if self._slot.decide == self._slot.stale:
            self._compile()
        return self._compilation

    def enforce(self, *rvals: Any) -> Any:
        """Whether the request is allowed, a bool: what `casbin.Enforcer.enforce` says."""
        try:
            decide = self._slot.decide
            answer = decide(rvals)
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
            decide = self._slot.decide
            answer = decide(rvals)
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

    def _first(self, rvals: tuple[Any, ...]) -> Any:
        return self._compile()(rvals)

    def _compile(self) -> Callable[..., Any]:
        slot = self._slot
        stamp = slot.stamp  # before anything is read: what changes from now on is noticed
        decide: Callable[..., Any] = _use_stock
        try:
            model = self.model
            untracked = track_model(model, slot) or track_functions(self.fm, slot)
            if untracked:
                raise Uncompilable(untracked)
            compiled = program(self, model)
            decide, compilation = compiled.decide, Compilation(True, "", compiled.source)
        except Uncompilable as why:
            compilation = Compilation(False, str(why))
        except Exception as error:
            compilation = Compilation(False, f"{type(error).__name__}: {error}")
        object.__setattr__(self, "_compilation", compilation)
        slot.put(decide, stamp=stamp)
        return decide


def _use_stock(_: tuple[Any, ...]) -> NoReturn:
    raise UseStock
