"""What happens around a fork of this process: one registry, in one order.

SQLite must not be carried across a fork. Its locks belong to a process, so a child has none and believes that it has its
parent's; and what another thread has locked inside SQLite at that moment stays locked in the child for ever. So a fork
waits until no thread uses SQLite through this package, WAIT seconds at most, and every connection is closed before it;
both processes open their own at their next use. A child that was forked although another thread was still inside is
refused SQLite in a sentence. PostgreSQL's connections are the parent's: a child leaves them alone and makes its own.
"""

from __future__ import annotations

import logging  # noqa: F401  # its own lock is taken round a fork: imported first, it is taken after ours
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from rbac.errors import StoreError

WAIT = 5.0
"""Seconds that a fork waits for other threads to finish what they do in SQLite."""

REFUSED = (
    "this process was forked while another thread of its parent was using a store, so SQLite cannot be used in it: "
    "fork before stores are opened, or while no thread uses one"
)


class Stage(IntEnum):
    """The order in a child and in the parent after a fork; before it, the reverse."""

    FILES = 1
    ENGINES = 2
    WATCHES = 3
    CACHES = 4


class _Hooks(NamedTuple):
    """What is called with the owner. `before` returns False when it cannot be made ready until the deadline."""

    before: Callable[[Any, float], bool] | None
    in_parent: Callable[[Any], None] | None
    in_child: Callable[[Any], None] | None


_condition = threading.Condition()  # held by the thread that forks, from the end of its wait until the fork is over
_owners: dict[Stage, WeakKeyDictionary[Any, _Hooks]] = {stage: WeakKeyDictionary() for stage in Stage}
_uses: dict[object, int] = {}  # one entry a use that has not ended, with the thread that began it
_forking: int | None = None
_quiet = False
_refused = False


def register(
    owner: object,
    stage: Stage,
    *,
    before: Callable[[Any, float], bool] | None = None,
    in_parent: Callable[[Any], None] | None = None,
    in_child: Callable[[Any], None] | None = None,
) -> None:
    """Have functions called with `owner` round every fork of this process, for as long as it exists; `before` with its deadline too."""
    with _condition:
        _owners[stage][owner] = _Hooks(before, in_parent, in_child)


@contextmanager
def using_sqlite() -> Iterator[None]:
    """A use of SQLite: a fork waits for its end, and none begins while a fork is under way. Raises StoreError in a refused child."""
    use = _begin_use()
    try:
        yield
    finally:
        with _condition:
            _uses.pop(use, None)
            _condition.notify_all()


def ensure_usable() -> None:
    """Raise StoreError in a child that may not use SQLite."""
    if _refused:
        raise StoreError(REFUSED)


def _begin_use() -> object:
    ensure_usable()
    use, thread = object(), threading.get_ident()
    with _condition:
        while _forking not in (None, thread) and thread not in _uses.values():  # who is inside already must be able to finish
            _condition.wait()
        _uses[use] = thread
    return use


def _before() -> None:
    global _forking, _quiet
    _condition.acquire()
    while _forking is not None:  # another thread's fork is under way
        _condition.wait()
    deadline, me = time.monotonic() + WAIT, threading.get_ident()
    _forking = me
    while any(thread != me for thread in _uses.values()) and (left := deadline - time.monotonic()) > 0:
        _condition.wait(left)
    _quiet = all(thread == me for thread in _uses.values())
    for owner, hooks in _registered(reversed(Stage)):
        if _quiet and hooks.before is not None:
            _quiet = hooks.before(owner, deadline)


def _in_parent() -> None:
    global _forking
    for owner, hooks in _registered(Stage):
        if hooks.in_parent is not None:
            hooks.in_parent(owner)
    _forking = None
    _condition.notify_all()
    _condition.release()


def _in_child() -> None:
    global _condition, _forking, _quiet, _refused
    _condition = threading.Condition()
    if _forking is None:  # a fork that Python was told of only afterwards: what was open then is found in the files
        _quiet = not _uses
    _refused = _refused or not _quiet
    _uses.clear()
    for owner, hooks in _registered(Stage):
        if hooks.in_child is not None:
            hooks.in_child(owner)
    _forking, _quiet = None, False


def _registered(stages: Any) -> list[tuple[Any, _Hooks]]:
    return [each for stage in stages for each in list(_owners[stage].items())]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
