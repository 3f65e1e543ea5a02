"""Containers that say when they change, put in the place of a Casbin model's own.

Casbin edits its model in place and tells nobody. Watching costs an edit a little and a request nothing. Its one rule:
a watched container behaves as the plain one, is copied and pickled as the plain one, and tells *after* it has changed.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from casbin.model import FunctionMap, Model
from casbin.model.assertion import Assertion

COMPOUND: Final = {"list": list, "tuple": tuple, "dict": dict, "set": set}
"""The functions that Casbin's evaluator puts into the function map by itself, each time."""

_LISTS: Final = ("policy", "tokens")
_LISTED: Final = ("p", "r")


class Cell:
    """What an enforcer runs for a request; lives as long as the enforcer. `touch` puts `stale` back in its place."""

    __slots__ = ("__weakref__", "_lock", "decide", "stale", "stamp")

    def __init__(self, stale: Callable[..., Any]) -> None:
        self._lock = threading.Lock()
        self.stale = stale
        self.decide = stale
        self.stamp = object()

    def touch(self) -> None:
        """Forget what was compiled: something it was compiled from has changed."""
        with self._lock:
            self.stamp = object()
            self.decide = self.stale

    def put(self, decide: Callable[..., Any], *, stamp: object) -> None:
        """Keep `decide`, unless something has changed since `stamp` was read."""
        with self._lock:
            if self.stamp is stamp:
                self.decide = decide


class Listeners:
    """The cells to touch when a model changes; held weakly, so that an enforcer that is gone costs nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: tuple[weakref.ref[Cell], ...] = ()

    def add(self, cell: Cell) -> None:
        """Have a cell touched from now on."""
        with self._lock:
            alive = [each for each in self._cells if each() not in (None, cell)]
            self._cells = (*alive, weakref.ref(cell))

    def touch(self) -> None:
        """Touch every cell."""
        for each in self._cells:
            cell = each()
            if cell is not None:
                cell.touch()


def _telling(method: Callable[..., Any]) -> Callable[..., Any]:
    def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            self.listeners.touch()

    changed.__name__ = method.__name__
    return changed


class WatchedList(list[Any]):
    """A list that tells its listeners."""

    listeners: Listeners

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return list, (list(self),)


class WatchedDict(dict[str, Any]):
    """A dict that tells its listeners."""

    listeners: Listeners

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (dict(self),)


for _kind, _names in (
    (WatchedList, "append extend insert remove pop clear sort reverse __setitem__ __delitem__ __iadd__ __imul__"),
    (WatchedDict, "update pop popitem clear setdefault __setitem__ __delitem__ __ior__"),
):
    for _name in _names.split():
        setattr(_kind, _name, _telling(getattr(_kind.__mro__[1], _name)))


class WatchedFunctions(WatchedDict):
    """The function map of an enforcer. What stock Casbin writes into it at each request is no change."""

    roles: frozenset[str] = frozenset()

    def __setitem__(self, name: str, function: Any) -> None:
        if name in self.roles:
            dict.__setitem__(self, name, function)
        else:
            super().__setitem__(name, function)

    def update(self, *args: Any, **functions: Any) -> None:
        if not args and functions == COMPOUND and all(self.get(name) in (None, each) for name, each in COMPOUND.items()):
            dict.update(self, functions)
        else:
            super().update(*args, **functions)


class WatchedAssertion(Assertion):  # type: ignore[misc]  # casbin has no types
    """One line of a Casbin model; tells when an attribute is set, and watches its policy and its tokens."""

    listeners: Listeners

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__dict__.get(name, self) is value:
            return  # casbin sets the role manager anew at each link
        if name in _LISTS and type(value) is list and self.key[:1] in _LISTED:
            value = _watched(WatchedList, value, self.listeners)
        object.__setattr__(self, name, value)
        self.listeners.touch()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return Assertion, (), {name: value for name, value in self.__dict__.items() if name != "listeners"}


def watch_model(model: Any, cell: Cell) -> str:
    """Have `cell` touched whenever `model` changes. Says why not, when the model is not made of Casbin's own parts."""
    if type(model) is not Model:
        return f"the model is a {type(model).__name__}"
    sections = model.model
    listeners = sections.listeners if isinstance(sections, WatchedDict) else Listeners()
    listeners.add(cell)
    for name, section in list(sections.items()):
        for assertion in section.values():
            if type(assertion) not in (Assertion, WatchedAssertion):
                return f"the model has a {type(assertion).__name__}"
            _watch_assertion(assertion, listeners)
        if not isinstance(section, WatchedDict):
            dict.__setitem__(sections, name, _watched(WatchedDict, section, listeners))
    if not isinstance(sections, WatchedDict):
        model.model = _watched(WatchedDict, sections, listeners)
    return ""


def watch_functions(functions: Any, cell: Cell) -> str:
    """Have `cell` touched whenever a matcher function is added or replaced. Says why not, when it cannot."""
    if type(functions) is not FunctionMap:
        return f"the functions are a {type(functions).__name__}"
    if not isinstance(functions.fm, WatchedFunctions):
        functions.fm = _watched(WatchedFunctions, functions.fm, Listeners())
    functions.fm.listeners.add(cell)
    return ""


def _watch_assertion(assertion: Any, listeners: Listeners) -> None:
    if type(assertion) is WatchedAssertion and assertion.__dict__.get("listeners") is listeners:
        return
    assertion.__dict__["listeners"] = listeners
    assertion.__class__ = WatchedAssertion
    if assertion.key[:1] in _LISTED:
        for name in _LISTS:
            value = assertion.__dict__[name]
            if isinstance(value, list) and type(value) in (list, WatchedList):
                assertion.__dict__[name] = _watched(WatchedList, value, listeners)


def _watched(kind: type[Any], value: Any, listeners: Listeners) -> Any:
    result = kind(value)
    result.listeners = listeners
    return result
