"""Instants: microseconds since 1970-01-01T00:00Z, UTC, and their text `2027-01-31T12:00:00Z`.

Its one rule: a time without a zone is an error, never a guess.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from rbac.errors import StoreError, UnknownName
from rbac.names import quoted

Clock = Callable[[], int]
"""Gives the present instant; tests and replays inject their own."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = ((each.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND for each in (datetime.min, datetime.max))
"""What can be written, and so what the database lets in; an offset reaches a day further."""


def kept_instant(value: object) -> int | None:
    """An instant as the database has it, None for never; raises StoreError for what only a damaged file can hold."""
    if value is None or (type(value) is int and 0 <= value <= _LAST):
        return value
    raise StoreError(f"the store is damaged, restore a backup: {value!r} is no instant")


def system_clock() -> int:
    """The present instant of this machine."""
    return time.time_ns() // 1000


_COUNTING = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))  # macOS counts its sleep in the second

ticks: Callable[[], float] = time.monotonic if _COUNTING is None else partial(time.clock_gettime, _COUNTING)
"""Seconds that never go back and go on while the machine is suspended: for how old something is."""


def parse_instant(text: str | datetime) -> int:
    """The instant written as ISO 8601 with a zone (`Z` or an offset); raises UnknownName."""
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise UnknownName(f"{quoted(text)} is no instant: write it as 2027-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        raise UnknownName(f"{text!s} has no time zone: write it as 2027-01-31T12:00:00Z")
    instant = (moment - _EPOCH) // _MICROSECOND
    if not _FIRST <= instant <= _LAST:
        raise UnknownName(f"{text!s} is outside the years 1 to 9999 of UTC")
    return instant


def write_instant(instant: int) -> str:
    """The text of an instant; microseconds only when there are some."""
    return (_EPOCH + instant * _MICROSECOND).replace(tzinfo=None).isoformat() + "Z"
