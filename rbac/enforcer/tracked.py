"""Containers that notify when they change, put in the place of a Casbin model's own.

Casbin edits its model in place and notifies nobody. Tracking costs an edit a little and a request nothing. A tracked container
behaves as the plain one, is copied and pickled as the plain one, and notifies *after* it has changed.
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


class Slot:
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
    """The slots to touch when a model changes; held weakly, so that an enforcer that is gone costs nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: tuple[weakref.ref[Slot], ...] = ()

    def add(self, slot: Slot) -> None:
        """Have a slot touched from now on."""
        with self._lock:
            alive = [each for each in self._slots if each() not in (None, slot)]
            self._slots = (*alive, weakref.ref(slot))

    def touch(self) -> None:
        """Touch every slot."""
        for each in self._slots:
            slot = each()
            if slot is not None:
                slot.touch()


def _notifying(method: Callable[..., Any]) -> Callable[..., Any]:
    def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            self.listeners.touch()

    changed.__name__ = method.__name__
    return changed


class TrackedList(list[Any]):
    """A list that notifies its listeners."""

    listeners: Listeners

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return list, (list(self),)


class TrackedDict(dict[str, Any]):
    """A dict that notifies its listeners."""

    listeners: Listeners

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (dict(self),)


for _kind, _names in (
    (TrackedList, "append extend insert remove pop clear sort reverse __setitem__ __delitem__ __iadd__ __imul__"),
    (TrackedDict, "update pop popitem clear setdefault __setitem__ __delitem__ __ior__"),
):
    for _name in _names.split():
        setattr(_kind, _name, _notifying(getattr(_kind.__mro__[1], _name)))


class TrackedFunctions(TrackedDict):
    """The function map of an enforcer. What stock Casbin writes into it at each request does not count as a change."""

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


class TrackedAssertion(Assertion):  # type: ignore[misc]  # casbin has no types
    """One line of a Casbin model; notifies when an attribute is set, and tracks its policy and its tokens."""

    listeners: Listeners

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__dict__.get(name, self) is value:
            return  # casbin sets the role manager anew at each link
        if name in _LISTS and type(value) is list and self.key[:1] in _LISTED:
            value = _tracked(TrackedList, value, self.listeners)
        object.__setattr__(self, name, value)
        self.listeners.touch()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return Assertion, (), {name: value for name, value in self.__dict__.items() if name != "listeners"}


def track_model(model: Any, slot: Slot) -> str:
    """Have `slot` touched whenever `model` changes. Returns why not, when the model is not made of Casbin's own parts."""
    if type(model) is not Model:
        return f"the model is a {type(model).__name__}"
    sections = model.model
    listeners = sections.listeners if isinstance(sections, TrackedDict) else Listeners()
    listeners.add(slot)
    for name, section in list(sections.items()):
        for assertion in section.values():
            if type(assertion) not in (Assertion, TrackedAssertion):
                return f"the model has a {type(assertion).__name__}"
            _track_assertion(assertion, listeners)
        if not isinstance(section, TrackedDict):
            dict.__setitem__(sections, name, _tracked(TrackedDict, section, listeners))
    if not isinstance(sections, TrackedDict):
        model.model = _tracked(TrackedDict, sections, listeners)
    return ""


def track_functions(functions: Any, slot: Slot) -> str:
    """Have `slot` touched whenever a matcher function is added or replaced. Returns why not, when it cannot."""
    if type(functions) is not FunctionMap:
        return f"the functions are a {type(functions).__name__}"
    if not isinstance(functions.fm, TrackedFunctions):
        functions.fm = _tracked(TrackedFunctions, functions.fm, Listeners())
    functions.fm.listeners.add(slot)
    return ""


def _track_assertion(assertion: Any, listeners: Listeners) -> None:
    if type(assertion) is TrackedAssertion and assertion.__dict__.get("listeners") is listeners:
        return
    assertion.__dict__["listeners"] = listeners
    assertion.__class__ = TrackedAssertion
    if assertion.key[:1] in _LISTED:
        for name in _LISTS:
            value = assertion.__dict__[name]
            if isinstance(value, list) and type(value) in (list, TrackedList):
                assertion.__dict__[name] = _tracked(TrackedList, value, listeners)


def _tracked(kind: type[Any], value: Any, listeners: Listeners) -> Any:
    result = kind(value)
    result.listeners = listeners
    return result
