"""Instants: microseconds since 1970-01-01T00:00Z, UTC, and their text `2027-01-31T12:00:00Z`.

Its one rule: a time without a zone is an error, never a guess.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rbac.errors import UnknownName

Clock = Callable[[], int]
"""Gives the present instant; tests and replays inject their own."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = ((each.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND for each in (datetime.min, datetime.max))
"""What can be written; an offset reaches a day further."""


def system_clock() -> int:
    """The present instant of this machine."""
    return time.time_ns() // 1000


def parse_instant(text: str | datetime) -> int:
    """The instant written as ISO 8601 with a zone (`Z` or an offset); raises UnknownName."""
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    except ValueError:
        raise UnknownName(f"{text!r} is no instant: write it as 2027-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        raise UnknownName(f"{text!s} has no time zone: write it as 2027-01-31T12:00:00Z")
    instant = (moment - _EPOCH) // _MICROSECOND
    if not _FIRST <= instant <= _LAST:
        raise UnknownName(f"{text!s} is outside the years 1 to 9999 of UTC")
    return instant


def write_instant(instant: int) -> str:
    """The text of an instant; microseconds only when there are some."""
    return (_EPOCH + instant * _MICROSECOND).replace(tzinfo=None).isoformat() + "Z"
