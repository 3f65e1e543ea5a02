"""Counting work: what a call does, in steps that are the same in every run and on every machine.

A step is one line of Python, one call, or one element that a method of a list, a text or bytes has to go through. Work that is
linear takes four times as many steps for four times as much; no clock is read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

_SCANNING = frozenset(
    {"count", "index", "remove", "insert", "find", "rfind", "replace", "split", "rsplit", "splitlines", "partition", "rpartition",
     "join", "encode", "decode", "translate", "lower", "strip", "lstrip", "rstrip", "copy", "sort", "reverse", "search", "sub"}
)  # fmt: skip


def steps(call: Callable[[], object]) -> int:
    """How much work a call does; an exception it ends with is raised."""
    done = 0

    def line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal done
        done += 1
        return line

    def method(frame: FrameType, event: str, function: Any) -> None:
        nonlocal done
        if event == "c_call":
            of = getattr(function, "__self__", None)
            done += len(of) if isinstance(of, list | str | bytes) and function.__name__ in _SCANNING else 1

    before = sys.gettrace()
    sys.settrace(line)
    sys.setprofile(method)
    try:
        call()
    finally:
        sys.setprofile(None)
        sys.settrace(before)
    return done


def growth(make: Callable[[int], Any], read: Callable[[Any], object], *, size: int = 250, refused: type[Exception] | None = None) -> float:
    """How many times the steps of reading `make(size)` it takes to read `make(4 * size)`; 4 or less when reading is linear."""
    small, large = make(size), make(4 * size)
    _read(read, small, refused)  # what is done once only, imports above all, is not counted
    return steps(lambda: _read(read, large, refused)) / steps(lambda: _read(read, small, refused))


def _read(read: Callable[[Any], object], given: Any, refused: type[Exception] | None) -> None:
    if refused is None:
        read(given)
        return
    try:
        read(given)
    except refused:
        return
    raise AssertionError("this was to be refused")
