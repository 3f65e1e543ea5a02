"""Which request values the compiled code may touch: those that stock Casbin's sandbox lets pass, and whose `==` is plain.

A value is judged by its exact type, once for each type; everything else goes to stock Casbin.
"""

from __future__ import annotations

import types
from typing import Any, Final

import simpleeval
from casbin.core_enforcer import EnforceContext

PRIMITIVES: Final[frozenset[type]] = frozenset({str, int, float, bool, type(None), bytes, complex})
_WRAPPED: Final = getattr(simpleeval, "ModuleWrapper", types.ModuleType)  # not in every version
_LOOKED_INTO: Final = (list, tuple, set, frozenset, dict, types.ModuleType, _WRAPPED, EnforceContext)
_KEPT: Final = 1000

plain: Final[set[type]] = set(PRIMITIVES)
"""Types seen whose `==`, `!=` and `hash` are those of a primitive: they never raise, and answer with a bool."""

safe: Final[set[type]] = set(PRIMITIVES)
"""Types seen whose values the sandbox lets pass without inspecting the value: no container, module or callable."""


texts: Final[set[type]] = {str}
"""Types seen whose values are the text they are: `str`, and plain subclasses of it without a `__str__` of their own."""


class UseStock(Exception):
    """This request is for stock Casbin to answer; never leaves the package."""


def stock(*_: Any) -> Any:
    """Send the request to stock Casbin from the middle of an expression."""
    raise UseStock


def is_plain(kind: type) -> bool:
    """Whether values of this type compare as a primitive does: primitives, and `str` subclasses that change nothing of it."""
    if kind in PRIMITIVES:
        return True
    return issubclass(kind, str) and all(_owner(kind, name) is str for name in ("__eq__", "__ne__", "__hash__")) and is_safe(kind)


def is_safe(kind: type) -> bool:
    """Whether the sandbox lets every value of this type pass: it looks at the class a value says it has, and at callables."""
    if kind in PRIMITIVES:
        return True
    honest = _owner(kind, "__class__") is object and _owner(kind, "__getattribute__") in (object, *PRIMITIVES)
    return honest and _owner(kind, "__call__") is None and not issubclass(kind, _LOOKED_INTO)


def plain_value(value: Any) -> Any:
    """The value, if its type is plain."""
    if type(value) not in plain:
        _admit(plain, type(value), is_plain(type(value)))
    return value


def safe_value(value: Any) -> Any:
    """The value, if its type is safe."""
    if type(value) not in safe:
        _admit(safe, type(value), is_safe(type(value)))
    return value


def names_value(value: Any) -> Any:
    """The value, if it is what a role manager's `links` promises."""
    if type(value) is not frozenset:
        raise UseStock
    return value


def as_text(value: Any) -> str:
    """`str(value)`, or the value itself where that would only copy it."""
    kind = type(value)
    if kind in texts:
        return value  # type: ignore[no-any-return]
    if kind not in plain or not issubclass(kind, str) or _owner(kind, "__str__") is not str:
        return str(value)
    _admit(texts, kind, True)
    return value  # type: ignore[no-any-return]


def method(value: Any, name: str) -> Any:
    """A bound method of a plain value, as the sandbox hands it out."""
    found = getattr(value, name)
    if type(found) not in (types.MethodType, types.BuiltinMethodType) or found in simpleeval.DISALLOW_FUNCTIONS:
        raise UseStock
    return found


def _admit(seen: set[type], kind: type, admitted: bool) -> None:
    if not admitted:
        raise UseStock
    if len(seen) >= _KEPT:
        seen.intersection_update(PRIMITIVES if seen is not texts else (str,))
    seen.add(kind)


def _owner(kind: type, name: str) -> type | None:
    return next((each for each in kind.__mro__ if name in vars(each)), None)
