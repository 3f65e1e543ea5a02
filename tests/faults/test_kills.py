"""A process killed in the middle of its changes: what it was told is done is there, once, and nothing is there by half.

The process says which change it begins and which one is done, so a kill between the two landed inside a change.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import psycopg
import pytest
from sqlalchemy import make_url, select

import rbac
from rbac.administration.keys import fingerprint_of
from rbac.database import tables as t
from tests.cluster.conftest import within
from tests.cluster.server import Server
from tests.conftest import ACME
from tests.faults.looking import look, outside
from tests.faults.victim import CREW, KEYED, WRITES, Change, live, world
from tests.oracle import canonical
from tests.oracle.random_worlds import NOW

KILLS = int(os.environ.get("RBAC_KILLS", "8"))
"""Processes that are killed, on each of the two databases."""

DONE = 2
"""Changes that a process is told are done before it is killed, at least."""


@pytest.fixture(scope="module")
def server(postgresql: str) -> Iterator[Server]:
    """A PostgreSQL that keeps what it acknowledged, unlike the one of the other tests, which starts first: its folder stays longest."""
    running = Server()
    yield running
    running.remove()


@pytest.fixture
def durable(dialect: str, request: pytest.FixtureRequest) -> str:
    """The address of an empty store that is durable, on each of the two databases."""
    if dialect == "sqlite":
        return str(request.getfixturevalue("url"))
    url: str = request.getfixturevalue("server").url
    with psycopg.connect(plain(url)) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    return url


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


# -- one life -----------------------------------------------------------------------------------------------------------------


class Life:
    """One process from its start to its kill, and what it said: the changes that are done, and the one it was in."""

    def __init__(self, url: str, number: int) -> None:
        clean = multiprocessing.get_context("forkserver")
        clean.set_forkserver_preload(["tests.faults.racing", "tests.faults.victim"])
        self._url = url
        self._pipe, theirs = clean.Pipe(duplex=False)
        self._process = clean.Process(target=live, args=(url, number, theirs))
        self._process.start()
        theirs.close()
        self.done: list[tuple[Change, int]] = []
        self.inside: Change | None = None
        self.rows = 0
        """Statements that write, of the change it is in."""

    def kill(self, dice: random.Random) -> None:
        """Let it do some, wait a moment, and kill it; then hear what it had said."""
        while len(self.done) < DONE:
            assert self._pipe.poll(60), f"nothing is done after {self.done}"
            self._hear()
        if dice.random() < 0.5:
            time.sleep(dice.uniform(0, 0.05))
        else:
            self._wait_for_rows(dice.randrange(1, 6))
        self._process.kill()
        self._process.join()
        assert self._process.exitcode == -9, "it ended by itself"
        with suppress(EOFError):  # what it had said before, to the end
            while True:
                self._hear()
        self._pipe.close()
        within(30, lambda: alone(self._url))

    @property
    def changes(self) -> list[Change]:
        """All that it has begun."""
        return [*(change for change, _ in self.done), *([self.inside] if self.inside else [])]

    def _wait_for_rows(self, rows: int) -> None:
        """Until so many statements of one change have been sent; no change has more than some."""
        patience = 20
        while self.rows < rows and patience:
            assert self._pipe.poll(60), f"{self.inside} does not end"
            self._hear()
            patience -= self.inside is None

    def _hear(self) -> None:
        word = self._pipe.recv()
        if word == WRITES:
            self.rows += 1
        elif isinstance(word, Change):
            self.inside = word
        else:
            assert self.inside is not None
            self.done.append((self.inside, word))
            self.inside, self.rows = None, 0


def alone(url: str) -> bool:
    """Whether the server has noticed: a statement that was under way when its client died is finished all the same."""
    if make_url(url).get_backend_name() == "sqlite":
        return True
    with psycopg.connect(plain(url)) as connection:
        query = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
        return connection.execute(query).fetchone() == (0,)


# -- what is there ------------------------------------------------------------------------------------------------------------


class Book:
    """Every change that was made so far, as the store has to have it. Lives as long as the campaign."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made = Counter({"acme": 1, "other": 1})
        self.seen: Counter[str] = Counter()

    def check(self, life: Life) -> None:
        """Open the store again after a kill and hold it against what the dead process said; then send everything again."""
        with outside(self._url) as connection:
            look(connection)
        with rbac.connect(self._url) as store:
            for change, revision in life.done:
                assert revisions_of(store, change) == [revision], f"{change} was acknowledged as {revision}"
                self._made[change.organization] += 1
                self.seen.update(("acknowledged", change.kind))
            self.seen["inside its transaction"] += life.inside is not None and life.rows > 0
            found = [] if life.inside is None else self._inside(store, life.inside)
            self._whole(store, life, there=bool(found))
            self._again(store, life, found)

    def _inside(self, store: rbac.Store, change: Change) -> list[int]:
        """The change that nobody heard the end of is there once or not at all; its revision."""
        found = revisions_of(store, change)
        assert len(found) <= 1, f"{change} was made twice"
        self._made[change.organization] += len(found)
        self.seen.update(("inside a change", f"inside: {change.kind}", *["made, not acknowledged"] * len(found)))
        return found

    def _whole(self, store: rbac.Store, life: Life, *, there: bool) -> None:
        """No revision but those that were announced, and nothing by half."""
        for name in self._touched(life):
            verified = store.organization(name).verify()
            assert verified, verified.problems
            assert verified.revision == self._made[name], f"{name} is at {verified.revision}: more was made than was announced"
        assert len({store.organization("acme").role_of(user) for user in CREW}) == 1, "half a block was made"
        assert exported(store, "other") in (imported("other", "one"), imported("other", "two")), "half an update was made"
        for change in life.changes:
            if change.kind == "import":
                whole = imported(change.organization, *change.values) if there or change != life.inside else {}
                assert exported(store, change.organization) == whole, "half an import was made"

    def _again(self, store: rbac.Store, life: Life, found: list[int]) -> None:
        """A retry makes what was not made, and nothing else; it is told the same, however late it comes."""
        if life.inside is not None:
            revision = life.inside.make(store)
            assert revisions_of(store, life.inside) == (found or [revision]), f"{life.inside} was made twice"
            assert not found or life.inside.kind not in KEYED or found == [revision]
            self._made[life.inside.organization] += not found
        for change, revision in life.done:
            if change.kind in KEYED:
                assert change.make(store) == revision
                self.seen["sent again"] += 1
        for name in self._touched(life):
            assert store.organization(name).revision == self._made[name], f"a retry changed {name}"

    def _touched(self, life: Life) -> set[str]:
        return {"acme", "other", *(change.organization for change in life.changes if self._made[change.organization])}


def revisions_of(store: rbac.Store, change: Change) -> list[int]:
    """The revisions that bear the name of a change."""
    a, key = t.audit.c, t.request_key.c
    if change.kind in KEYED:
        keyed = select(key.revision).where(key.organization == change.organization, key.key == fingerprint_of(change.name))
        query = select(a.revision).where(a.organization == change.organization, a.revision.in_(keyed), a.actor == change.actor)
    else:
        query = select(a.revision).where(a.organization == change.organization, (a.ticket == change.name) | (a.actor == change.name))
    with store._store.reading() as connection:
        return list(connection.execute(query).scalars())


def exported(store: rbac.Store, organization: str) -> dict[str, Any]:
    return canonical(msgspec.to_builtins(store.export_state(organization)), NOW)


def imported(organization: str, variant: str) -> dict[str, Any]:
    """What a whole import comes to."""
    return canonical(world(organization, variant), NOW)


def test_what_a_killed_process_was_told_is_done_is_there_once(durable: str) -> None:
    state = copy.deepcopy(ACME)
    state["organizations"][0]["members"] |= dict.fromkeys(CREW, "annotator")
    dice, book = random.Random(9), Book(durable)
    with rbac.connect(durable) as store:
        store.import_state(state)
        store.import_state(world("other", "one"))

    for number in range(KILLS):
        life = Life(durable, number)
        life.kill(dice)
        book.check(life)

    with rbac.connect(durable) as store:
        assert list(store.problems()) == []
    print(f"\n{durable.partition(':')[0]}: {KILLS} kills, {dict(book.seen)}, 0 lost, 0 twice, 0 by half")
    assert book.seen["acknowledged"] >= DONE * KILLS
    assert book.seen["inside a change"] >= KILLS // 4
    assert book.seen["inside its transaction"] >= KILLS // 8
