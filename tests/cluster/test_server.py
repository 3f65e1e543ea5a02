"""A database server that crashes and comes back under load: errors while it is away, and never a wrong yes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from subprocess import PIPE

import pytest

import rbac
from rbac.database.watch import listener
from rbac.organization import Organization
from rbac.vocabulary import Decision
from tests.cluster.conftest import EXPORT, listening, within
from tests.cluster.server import Server
from tests.conftest import ACME

POLL, MAX_STALENESS = 0.2, 1.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.remove()


@pytest.fixture
def acme(server: Server) -> Iterator[Organization]:
    """A node on the test's own server, which listens; acme is made once, and max is a manager at the beginning."""
    with rbac.connect(server.url, poll=POLL, max_staleness=MAX_STALENESS) as store:
        if "acme" not in store.organizations():
            store.import_state(ACME)
        acme = store.organization("acme")
        acme.acting("ada").grant("max", "manager")
        assert listening(store)
        yield acme


class Load:
    """Threads that ask one question; `seen` has when each answer was asked for, and the answer or the error."""

    def __init__(self, acme: Organization, threads: int = 4) -> None:
        self.seen: list[tuple[float, Decision | Exception]] = []
        self._acme, self._done = acme, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._done.is_set():
            begun = time.monotonic()
            try:
                self.seen.append((begun, self._acme.check(*EXPORT)))
            except Exception as error:
                self.seen.append((begun, error))
            time.sleep(0.002)

    def between(self, first: float, last: float) -> list[Decision | Exception]:
        return [what for begun, what in list(self.seen) if first <= begun < last]


def test_a_server_that_stops_under_load_is_never_answered_for_and_comes_back_by_itself(server: Server, acme: Organization) -> None:
    with Load(acme) as load:
        within(5, lambda: len(load.seen) > 50)
        begun = time.monotonic()
        server.stop()
        stopped = time.monotonic()
        time.sleep(MAX_STALENESS + 1.0)
        starting = time.monotonic()
        server.start()
        within(10, lambda: bool(load.seen[-1][1]) and not isinstance(load.seen[-1][1], Exception))
        back = time.monotonic()
        time.sleep(0.5)
        end = time.monotonic()

    late = load.between(stopped + MAX_STALENESS + POLL, starting)
    assert len(late) > 50
    assert all(isinstance(each, rbac.Stale) and str(each).startswith("stale: ") for each in late)
    early = load.between(stopped + POLL + 0.1, stopped + MAX_STALENESS - POLL - 0.1)
    assert len(early) > 5
    assert all(isinstance(each, rbac.StoreError) for each in early), [each for each in early if isinstance(each, Decision)][:3]
    assert all(isinstance(each, (Decision, rbac.StoreError)) for _, each in load.seen)
    assert all(isinstance(each, Decision) and each for each in load.between(back + 0.1, end))
    print(f"stopped in {stopped - begun:.2f} s, allowed again {back - starting:.2f} s after the start began; {len(load.seen)} questions")


def test_a_stale_node_raises_stale_from_every_question_and_an_outage_is_never_shown_as_a_no(server: Server, acme: Organization) -> None:
    assert acme.can(*EXPORT)
    server.stop()
    try:
        within(5, lambda: _stale(acme))

        for ask in (acme.can, acme.check, acme.require, acme.trace, lambda *each: acme.check_many([rbac.Request(*each)] * 2)):
            with pytest.raises(rbac.Stale, match=r"^stale: this node has not heard from the database for "):
                ask(*EXPORT)
        for look in (lambda: acme.owner, lambda: acme.permissions("max"), lambda: list(acme.members()), lambda: acme.role_of("max")):
            with pytest.raises(rbac.StoreError):
                look()
        with pytest.raises(rbac.StoreError):
            acme.acting("ada").grant("max", "annotator")
        found = acme._store.listener()
        assert found is not None
        assert found.state == "cut off"
        assert found.lag is not None and found.lag > MAX_STALENESS
    finally:
        server.start()

    assert within(5, lambda: _allowed(acme)) < 5
    assert acme.role_of("max") == "manager"


def test_a_revocation_just_before_a_crash_is_what_every_later_answer_says(server: Server, acme: Organization) -> None:
    with rbac.connect(server.url) as writer, Load(acme) as load:
        within(5, lambda: len(load.seen) > 20)
        revision = writer.organization("acme").acting("ada").grant("max", "annotator")
        server.stop()
        revoked = time.monotonic()
        server.start()
        within(10, lambda: any(isinstance(each, Decision) and each.revision == revision for _, each in load.seen))

    after = load.between(revoked + POLL + 0.1, time.monotonic())
    assert not any(isinstance(each, Decision) and each for each in after)


def test_a_restart_surfaces_at_most_one_error_a_pooled_connection(server: Server, acme: Organization) -> None:
    """With memory out of the way, so that each question goes to the database."""
    pooled = 3
    opened = [acme._store.engine.connect() for _ in range(pooled)]
    for connection in opened:
        connection.close()
    server.stop()
    server.start()

    errors = 0
    for _ in range(50):
        try:
            assert list(acme.members())
        except rbac.StoreError:
            errors += 1

    assert errors <= pooled
    print(f"{errors} errors after a restart, {pooled} pooled connections")


def test_a_server_that_hangs_makes_no_question_hang_once_the_node_is_stale(server: Server, acme: Organization) -> None:
    assert acme.can(*EXPORT)
    server.freeze()
    try:
        time.sleep(MAX_STALENESS + POLL)

        begun = time.monotonic()
        for _ in range(100):
            with pytest.raises(rbac.Stale, match=r"^stale: "):
                acme.check(*EXPORT)
        took = time.monotonic() - begun
    finally:
        server.thaw()

    assert took < 2
    within(15, lambda: _allowed(acme))


def test_questions_under_way_when_the_server_hangs_end_by_themselves_and_not_in_a_yes(server: Server) -> None:
    """Before the node knows: they wait for the database, on connections that are open and silent, and behind each other."""
    ended: list[Decision | Exception] = []

    def ask(acme: Organization, user: str) -> None:
        try:
            ended.append(acme.check(user, *EXPORT[1:]))
        except Exception as error:
            ended.append(error)

    users = ("ada", "max", "mia", "olga", "rita", "andy")
    with rbac.connect(f"{server.url}&connect_timeout=2", poll=POLL, max_staleness=MAX_STALENESS) as store:
        acme = store.organization("acme")
        assert listening(store)
        assert acme.can(*EXPORT)
        server.freeze()
        try:
            time.sleep(POLL + 0.1)
            threads = [threading.Thread(target=ask, args=(acme, user), daemon=True) for user in users]
            for thread in threads:
                thread.start()
            within(20, lambda: len(ended) == len(users))
        finally:
            server.thaw()
        within(15, lambda: _allowed(acme))

    assert all(isinstance(each, rbac.StoreError) for each in ended), ended


def test_a_stale_node_ends_request_lines_with_exit_6_and_says_no_to_none(server: Server, acme: Organization) -> None:
    command = [sys.executable, "-m", "rbac.cli", "--db", server.url, "--org", "acme", "check", "--from", "-"]
    line = json.dumps(dict(zip(("user", "permission", "domain"), EXPORT, strict=True))) + "\n"
    asking = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, bufsize=1)
    assert asking.stdin is not None and asking.stdout is not None
    for _ in range(2):  # the second question starts to listen
        asking.stdin.write(line)
        assert json.loads(asking.stdout.readline())["allowed"]
    server.stop()
    try:
        time.sleep(listener.MAX_STALENESS + 0.5)
        said, told = asking.communicate(line)
    finally:
        server.start()

    assert (asking.returncode, said) == (6, "")
    assert told.startswith("rbac: stale: this node has not heard from the database for ")


def _stale(acme: Organization) -> bool:
    try:
        acme.check(*EXPORT)
    except rbac.StoreError as error:
        return isinstance(error, rbac.Stale)
    return False


def _allowed(acme: Organization) -> bool:
    try:
        return acme.can(*EXPORT)
    except rbac.StoreError:
        return False
