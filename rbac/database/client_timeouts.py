"""How long this side waits for PostgreSQL to answer: the driver itself waits for ever for a server that is there and silent.

The server's own timeouts bound what it works on; a process that is stopped keeps none of them. Its one rule: a connection
whose answer did not come in time is closed, since nobody knows what comes next on it. SQLite needs none of this.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

LONGEST = 65.0
"""Seconds any answer may take: a little more than the server gives a statement."""


class _Limit(threading.local):
    until: float | None = None
    seconds = LONGEST


_limit = _Limit()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Wait no longer than this, all together, for what this thread asks inside; `inf` for as long as it takes."""
    before = _limit.until, _limit.seconds
    _limit.until, _limit.seconds = time.monotonic() + seconds, seconds
    try:
        yield
    finally:
        _limit.until, _limit.seconds = before


class Connection(psycopg.Connection[Any]):
    """A connection that gives up."""

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Run one exchange with the server; OperationalError, and a closed connection, when it takes too long."""
        until = time.monotonic() + LONGEST if _limit.until is None else _limit.until
        return super().wait(self._watched(gen, until), *args, **kwargs)

    def _watched(self, gen: Generator[Any, Any, Any], until: float) -> Generator[Any, Any, Any]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > until:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no answer for {_limit.seconds:g} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value
