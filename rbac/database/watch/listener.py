"""How a node on PostgreSQL learns of changes: pushed by NOTIFY, guaranteed by a poll; silence is never taken for "no change".

Each commit of a revision sends a notification in its own transaction. A node keeps one connection that listens, and
queries on it every `poll` seconds the database's snapshot: two equal snapshots see the same rows, whoever wrote them
and whether or not a notification came. A connection that breaks is made again, for ever.

Its one rule: cached state expires. A mark stays equal only until `poll` and one round trip after the last poll was sent;
after `max_staleness` without an answer questions raise Stale.
"""

from __future__ import annotations

import itertools
import random
import selectors
import socket
import threading
import weakref
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Engine, Pool, func, select

from rbac import clock
from rbac.database import after_fork
from rbac.database.after_fork import Stage
from rbac.database.engine import is_sqlite, place, waiting
from rbac.database.failures import translated
from rbac.errors import Stale

CHANNEL = "rbac_revision"
"""Where revisions are announced, as `ORGANIZATION REVISION`; anything else there means that everything may have changed."""

POLL = 1.0
"""Seconds between two looks at the database when nothing is pushed."""

MAX_STALENESS = 5.0
"""Seconds without an answer of the database after which a node answers no question any more."""

ROUND_TRIP = 0.05
"""Seconds the answer to a poll may take before questions query the database themselves."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between two attempts to connect
_SNAPSHOT = b"SELECT concat_ws(' ', pg_current_snapshot(), pg_last_wal_replay_lsn())"
"""Equal answers see the same rows. A standby's snapshots omit transactions under way: there the position in the log tells."""

Phase = Literal["not started", "listening", "polling", "cut off"]


@dataclass(frozen=True, slots=True)
class ListenerState:
    """How a node learns of changes: `lag` is the age in seconds of the last answer, `why` what prevents listening."""

    state: Phase
    lag: float | None = None
    why: str = ""


def announce(connection: Connection, what: str) -> None:
    """Tell every listening node when this transaction commits, and nobody when it does not. Nothing on SQLite."""
    if not is_sqlite(connection):
        connection.execute(select(announcement(what)))


def announcement(what: str) -> ColumnElement[Any]:
    """The notification of a change as an expression, for a statement that does more."""
    return func.pg_notify(CHANNEL, what)


class Listener:
    """Takes marks of a store on PostgreSQL. Lives as long as the store; a child after a fork starts a thread of its own.

    The first question of a process starts no thread: most processes of a command line ask one.
    """

    def __init__(self, engine: Engine, poll: float, max_staleness: float) -> None:
        self._engine, self._poll, self._max_staleness = engine, poll, max_staleness
        self._reset()
        after_fork.register(self, Stage.WATCHES, in_child=Listener.abandon)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._asked_before = False
        self._thread = _ListenerThread(self._engine, self._poll, self._max_staleness)

    def mark(self, organization: str) -> Hashable:
        """The mark of an organization as of the last answer; raises Stale when that is too long ago."""
        until, version, notified = self._thread.last_answer
        if clock.ticks() < until:
            return version, notified.get(organization)
        return self._uncertain_mark()

    def state(self, timeout: float = 0.0) -> ListenerState:
        """How this node learns of changes; with `timeout` it starts to listen and waits at most so long for the first answer."""
        if timeout:
            self._start().answered.wait(timeout)
        return self._thread.status()

    def close(self) -> None:
        """Stop listening; the next questions start it again."""
        thread = self._thread
        self._reset()
        thread.stop()
        thread.join()

    def abandon(self) -> None:
        """After a fork: the thread is the parent's, and so is its connection, which a child must neither use nor close."""
        self._thread.detach()
        _of_parents.append(self._thread)
        self._reset()

    def _start(self) -> _ListenerThread:
        with self._lock:
            if self._thread.thread is not None and not self._thread.thread.is_alive():  # whatever ended it: it is started again
                self._thread.stop()
                self._thread = _ListenerThread(self._engine, self._poll, self._max_staleness)
            if self._thread.thread is None:
                self._thread.start()
                weakref.finalize(self, self._thread.stop).atexit = False
            return self._thread

    def _uncertain_mark(self) -> Hashable:
        """A mark that equals no other, so that the question queries the database."""
        thread = self._thread
        if thread.thread is None or not thread.thread.is_alive():
            if not self._asked_before:
                self._asked_before = True
                return object()
            try:
                thread = self._start()
            except (OSError, RuntimeError):  # no descriptor or no thread left: this question reads, and the next one tries again
                return object()
        lag = clock.ticks() - thread.polled_at
        if lag > self._max_staleness:
            because = f": {thread.why}" if thread.why else ""
            raise Stale(f"stale: this node has not heard from the database for {lag:.1f} s{because}")
        return object()


class _ListenerThread:
    """The thread that listens; lives from `start` until `stop`, and never keeps a process alive.

    `last_answer` is until when marks stay equal, the version of the whole store, and that of each organization notified since.
    """

    def __init__(self, engine: Engine, poll: float, max_staleness: float) -> None:
        self._engine, self._poll, self._timeout = engine, poll, max_staleness
        self._pool: Pool | None = None
        self._stop = threading.Event()
        self._wake: socket.socket | None = None
        self.last_answer: tuple[float, int, dict[str, int]] = (0.0, 0, {})
        self.polled_at = 0.0
        self.state: Phase = "not started"
        self.why = ""
        self.answered = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        # a pool of its own: questions may take every connection of theirs, and the one that listens is never returned
        self._pool = self._engine.pool.recreate()
        self.polled_at = clock.ticks()
        self._woken, self._wake = socket.socketpair()
        thread = threading.Thread(target=self._run, name="rbac-listen", daemon=True)
        thread.start()
        self.thread = thread  # once it runs: one that could not be started would never be replaced

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stop.set()
        wake, self._wake = self._wake, None
        if wake is not None:
            with suppress(OSError), wake:  # a thread that is ending has closed its side
                wake.send(b"!")

    def join(self) -> None:
        """Give the thread a moment to close its connection."""
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join(1.0)

    def detach(self) -> None:
        """In a child after a fork: `stop` must not reach the parent's thread through the socket they share."""
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.close()
            self._woken.close()

    def status(self) -> ListenerState:
        """The state to show."""
        lag = None if self.thread is None else clock.ticks() - self.polled_at
        return ListenerState(self.state, lag, self.why)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            before = self.polled_at
            try:
                self._listen()
            except _Stopped:
                break
            except Exception as error:  # whatever it was: nothing but this thread connects again
                self._failed(error)
            pause = _FIRST_PAUSE if self.polled_at != before else min(2 * pause, _LONGEST_PAUSE)
            self._stop.wait(pause * random.uniform(0.5, 1.0))  # which needs no descriptor: there may be none left
        self._woken.close()

    def _failed(self, error: Exception) -> None:
        self.last_answer = (0.0, next(_versions), {})
        self.state = "cut off"
        self.why = str(translated(error, where=place(self._engine), secret=self._engine.url.password))

    def _listen(self) -> None:
        """Receive changes on one connection until it breaks."""
        assert self._pool is not None
        with waiting(self._engine, self._timeout):
            held = self._pool.connect()
        try:
            driver: Any = held.driver_connection
            driver.autocommit = True
            with selectors.DefaultSelector() as selector:
                selector.register(driver.pgconn.socket, selectors.EVENT_READ)
                selector.register(self._woken, selectors.EVENT_READ)
                self._receive(_Connection(driver.pgconn, selector, self._notified))
        finally:
            held.invalidate()

    def _receive(self, connection: _Connection) -> None:
        try:
            connection.query(f"LISTEN {CHANNEL}".encode(), self._timeout)
            state: Phase = "listening"
            why = ""
        except _QueryRefused as refusal:  # a standby takes no LISTEN: the poll does without
            state, why = "polling", str(refusal)
        snapshot = None
        while not self._stop.is_set():
            polled_at = clock.ticks()
            found = connection.query(_SNAPSHOT, self._timeout)
            _, version, notified = self.last_answer
            if found != snapshot:
                snapshot, version, notified = found, next(_versions), {}
            self.last_answer = (polled_at + self._poll + ROUND_TRIP, version, notified)
            self.polled_at, self.state, self.why = polled_at, state, why
            self.answered.set()
            connection.deliver_until(polled_at + self._poll)

    def _notified(self, payload: str) -> None:
        """One notification: the organization it names has another mark from now on."""
        until, _, notified = self.last_answer
        organization, _, revision = payload.partition(" ")
        if revision.isdecimal():
            notified[organization] = next(_versions)
        else:
            self.last_answer = (until, next(_versions), {})


class _Connection:
    """One connection, without the driver's own waiting: an answer that does not come must not block the thread for ever."""

    def __init__(self, pgconn: Any, selector: selectors.BaseSelector, notified: Any) -> None:
        self._pgconn, self._selector, self._notified = pgconn, selector, notified

    def query(self, statement: bytes, timeout: float) -> bytes | None:
        """The first value of the result; raises TimeoutError, _QueryRefused for an error of the statement, or the driver's error."""
        from psycopg.pq import ExecStatus

        deadline = clock.ticks() + timeout
        self._pgconn.send_query(statement)
        self._pgconn.flush()
        value = refusal = None
        while True:
            while self._pgconn.is_busy():
                if not self._wait(deadline):
                    raise TimeoutError(f"no answer for {timeout:g} s")
            result = self._pgconn.get_result()
            if result is None:
                break
            if result.status == ExecStatus.FATAL_ERROR:
                refusal = result.error_message.decode(errors="replace").strip()
            elif result.ntuples:
                value = result.get_value(0, 0)
        self._deliver()
        if refusal is not None:
            raise _QueryRefused(refusal)
        return value

    def deliver_until(self, until: float) -> None:
        """Deliver notifications until an instant."""
        while self._wait(until):
            self._deliver()

    def _wait(self, until: float) -> bool:
        """Take in what has arrived; False when nothing did before `until`."""
        ready = self._selector.select(max(0.0, until - clock.ticks()))
        if any(key.fileobj is not key.fd for key, _ in ready):
            raise _Stopped
        if ready:
            self._pgconn.consume_input()
        return bool(ready) and clock.ticks() < until

    def _deliver(self) -> None:
        while (notification := self._pgconn.notifies()) is not None:
            self._notified(notification.extra.decode(errors="replace"))


class _Stopped(Exception):
    """The store was closed."""


class _QueryRefused(Exception):
    """The database answered with an error."""


_versions = itertools.count(1)
_of_parents: list[_ListenerThread] = []
