"""How a node on PostgreSQL hears of changes: pushed by NOTIFY, guaranteed by a poll, and silent never taken for "no news".

Each commit of a revision sends a notification in its own transaction. A node keeps one connection that listens, and
asks on it every `poll` seconds for the database's snapshot: two equal snapshots see the same rows, whoever wrote them
and whether or not a notification came. A connection that breaks is made again, for ever.

Its one rule: what the node knows ends by itself. A mark stays equal only until `poll` and one round trip after the
last answer was asked for; after `max_staleness` without an answer nothing is answered any more, see Stale.
"""

from __future__ import annotations

import itertools
import os
import random
import selectors
import socket
import threading
import weakref
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Pool, text

from rbac import clock
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
"""Seconds the answer to a poll may take before questions ask the database themselves."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between two attempts to connect
_SNAPSHOT = b"SELECT concat_ws(' ', pg_current_snapshot(), pg_last_wal_replay_lsn())"
"""Equal answers see the same rows. A standby leaves transactions under way out of its snapshots: there its place in the log tells."""

State = Literal["not started", "listening", "polling", "cut off"]


@dataclass(frozen=True, slots=True)
class Bus:
    """How a node hears of changes: `lag` is the age in seconds of the last answer, `why` what stands in the way."""

    state: State
    lag: float | None = None
    why: str = ""


def announce(connection: Connection, what: str) -> None:
    """Tell every listening node when this transaction commits, and nobody when it does not. Nothing on SQLite."""
    if not is_sqlite(connection):
        connection.execute(text("SELECT pg_notify(:channel, :what)"), {"channel": CHANNEL, "what": what})


class Following:
    """Takes marks of a store on PostgreSQL. Lives as long as the store; a child after a fork listens for itself.

    The first question of a process starts nothing: most processes of a command line ask one.
    """

    def __init__(self, engine: Engine, poll: float, max_staleness: float) -> None:
        self._engine, self._poll, self._max_staleness = engine, poll, max_staleness
        self._begin()
        _followings.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._ear = _Ear(self._engine, self._poll, self._max_staleness)

    def mark(self, organization: str) -> Hashable:
        """The present moment of an organization, as far as this node has heard; raises Stale when that is too long ago."""
        until, life, told = self._ear.heard
        if clock.ticks() < until:
            return life, told.get(organization)
        return self._unsure()

    def bus(self, patience: float = 0.0) -> Bus:
        """How this node hears of changes; with `patience` it starts to listen and waits so long for the first answer."""
        if patience:
            self._start().first.wait(patience)
        return self._ear.bus()

    def close(self) -> None:
        """Stop listening; the next questions start it again."""
        ear = self._ear
        self._begin()
        ear.stop()
        ear.join()

    def abandon(self) -> None:
        """After a fork: the thread is the parent's, and so is its connection, which a child must neither use nor close."""
        self._ear.forsake()
        _parents.append(self._ear)
        self._begin()

    def _start(self) -> _Ear:
        with self._lock:
            if self._ear.thread is not None and not self._ear.thread.is_alive():  # whatever ended it: silence is not for ever
                self._ear.stop()
                self._ear = _Ear(self._engine, self._poll, self._max_staleness)
            if self._ear.thread is None:
                self._ear.start()
                weakref.finalize(self, self._ear.stop).atexit = False
            return self._ear

    def _unsure(self) -> Hashable:
        """A mark that equals no other, so that the question asks the database."""
        ear = self._ear
        if ear.thread is None or not ear.thread.is_alive():
            if not self._asked:
                self._asked = True
                return object()
            try:
                ear = self._start()
            except (OSError, RuntimeError):  # no descriptor or no thread to be had: the question asks, and the next one tries again
                return object()
        lag = clock.ticks() - ear.asked
        if lag > self._max_staleness:
            because = f": {ear.why}" if ear.why else ""
            raise Stale(f"stale: this node has not heard from the database for {lag:.1f} s{because}")
        return object()


class _Ear:
    """The thread that listens; lives from `start` until `stop`, and never keeps a process alive."""

    def __init__(self, engine: Engine, poll: float, max_staleness: float) -> None:
        self._engine, self._poll, self._patience = engine, poll, max_staleness
        self._pool: Pool | None = None
        self._stop = threading.Event()
        self._wake: socket.socket | None = None
        self.heard: tuple[float, int, dict[str, int]] = (0.0, 0, {})
        self.asked = 0.0
        self.state: State = "not started"
        self.why = ""
        self.first = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        # a pool of its own: the others' questions may take every connection of theirs, and ours is never handed back
        self._pool = self._engine.pool.recreate()
        self.asked = clock.ticks()
        self._sleeper, self._wake = socket.socketpair()
        thread = threading.Thread(target=self._run, name="rbac-listen", daemon=True)
        thread.start()
        self.thread = thread  # now, and not before it runs: a thread that never began would never be heard of

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

    def forsake(self) -> None:
        """In a child after a fork: `stop` must not reach the parent's thread through the socket they share."""
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.close()
            self._sleeper.close()

    def bus(self) -> Bus:
        lag = None if self.thread is None else clock.ticks() - self.asked
        return Bus(self.state, lag, self.why)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            before = self.asked
            try:
                self._listen()
            except _Stopped:
                break
            except Exception as error:  # whatever it was: this thread is what brings the node back
                self._failed(error)
            pause = _FIRST_PAUSE if self.asked != before else min(2 * pause, _LONGEST_PAUSE)
            self._stop.wait(pause * random.uniform(0.5, 1.0))  # which needs no descriptor: there may be none left
        self._sleeper.close()

    def _failed(self, error: Exception) -> None:
        self.heard = (0.0, next(_lives), {})
        self.state = "cut off"
        self.why = str(translated(error, where=place(self._engine), secret=self._engine.url.password))

    def _listen(self) -> None:
        """Hear of changes on one connection until it breaks."""
        assert self._pool is not None
        with waiting(self._engine, self._patience):
            held = self._pool.connect()
        try:
            driver: Any = held.driver_connection
            driver.autocommit = True
            with selectors.DefaultSelector() as selector:
                selector.register(driver.pgconn.socket, selectors.EVENT_READ)
                selector.register(self._sleeper, selectors.EVENT_READ)
                self._follow(_Line(driver.pgconn, selector, self._tell))
        finally:
            held.invalidate()

    def _follow(self, line: _Line) -> None:
        try:
            line.ask(f"LISTEN {CHANNEL}".encode(), self._patience)
            state: State = "listening"
            why = ""
        except _Refused as refusal:  # a standby takes no LISTEN: the poll does without
            state, why = "polling", str(refusal)
        snapshot = None
        while not self._stop.is_set():
            asked = clock.ticks()
            found = line.ask(_SNAPSHOT, self._patience)
            _, life, told = self.heard
            if found != snapshot:
                snapshot, life, told = found, next(_lives), {}
            self.heard = (asked + self._poll + ROUND_TRIP, life, told)
            self.asked, self.state, self.why = asked, state, why
            self.first.set()
            line.hear(asked + self._poll)

    def _tell(self, what: str) -> None:
        """One notification: the organization it names has another mark from now on."""
        until, _, told = self.heard
        organization, _, revision = what.partition(" ")
        if revision.isdecimal():
            told[organization] = next(_lives)
        else:
            self.heard = (until, next(_lives), {})


class _Line:
    """One connection, without the driver's own waiting: an answer that does not come must not hold the thread for ever."""

    def __init__(self, pgconn: Any, selector: selectors.BaseSelector, tell: Any) -> None:
        self._pgconn, self._selector, self._tell = pgconn, selector, tell

    def ask(self, statement: bytes, patience: float) -> bytes | None:
        """The first value of the answer; raises TimeoutError, _Refused for an error of the statement, or the driver's error."""
        from psycopg.pq import ExecStatus

        deadline = clock.ticks() + patience
        self._pgconn.send_query(statement)
        self._pgconn.flush()
        value = refusal = None
        while True:
            while self._pgconn.is_busy():
                if not self._wait(deadline):
                    raise TimeoutError(f"no answer for {patience:g} s")
            result = self._pgconn.get_result()
            if result is None:
                break
            if result.status == ExecStatus.FATAL_ERROR:
                refusal = result.error_message.decode(errors="replace").strip()
            elif result.ntuples:
                value = result.get_value(0, 0)
        self._pass_on()
        if refusal is not None:
            raise _Refused(refusal)
        return value

    def hear(self, until: float) -> None:
        """Pass notifications on until an instant."""
        while self._wait(until):
            self._pass_on()

    def _wait(self, until: float) -> bool:
        """Take in what has come; False when nothing did before `until`."""
        ready = self._selector.select(max(0.0, until - clock.ticks()))
        if any(key.fileobj is not key.fd for key, _ in ready):
            raise _Stopped
        if ready:
            self._pgconn.consume_input()
        return bool(ready) and clock.ticks() < until

    def _pass_on(self) -> None:
        while (notification := self._pgconn.notifies()) is not None:
            self._tell(notification.extra.decode(errors="replace"))


class _Stopped(Exception):
    """The store was closed."""


class _Refused(Exception):
    """The database answered, and the answer is an error."""


_lives = itertools.count(1)
_followings: weakref.WeakSet[Following] = weakref.WeakSet()
_parents: list[_Ear] = []


def _after_fork() -> None:
    for following in list(_followings):
        following.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
