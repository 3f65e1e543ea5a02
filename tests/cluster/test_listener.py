"""A node hears of each commit at once, within the poll when it does not, and again after its connection broke."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time

import psycopg
import pytest

import rbac
from rbac import clock
from rbac.database.watch import listener
from rbac.organization import Organization
from rbac.snapshot import cache
from tests.cluster.conftest import EXPORT, listeners, listening, psycopg_url, within

KILLS = int(os.environ.get("RBAC_LISTEN_KILLS", "5"))


def test_a_commit_of_another_node_is_heard_long_before_the_next_poll(acme: Organization, node: Organization) -> None:
    assert node.can(*EXPORT)

    acme.acting("ada").grant("max", "annotator")

    assert within(2, lambda: not node.can(*EXPORT)) < 2


def test_a_node_that_hears_nothing_asks_nothing(acme: Organization, node: Organization) -> None:
    assert node.can(*EXPORT)
    pool = node._store.engine.pool
    before = pool.checkedout()  # type: ignore[attr-defined]
    node._store.engine.dispose()

    for _ in range(100):
        assert node.can(*EXPORT)

    assert node._store.engine.pool.checkedin() == before == 0  # type: ignore[attr-defined]


def test_a_commit_in_one_organization_leaves_the_mark_of_another_alone(acme: Organization, node: Organization, url: str) -> None:
    watch = node._store._watch
    assert watch is not None
    before = watch.mark("beta")
    with rbac.connect(url) as other:
        other.create("beta", owner="ben")
    within(5, lambda: watch.mark("beta") != before)
    acme_mark, beta_mark = watch.mark("acme"), watch.mark("beta")

    acme.acting("ada").grant("max", "annotator")

    within(2, lambda: watch.mark("acme") != acme_mark)
    assert watch.mark("beta") == beta_mark


def test_a_change_that_is_rolled_back_is_announced_to_nobody(acme: Organization, url: str) -> None:
    with psycopg.connect(psycopg_url(url), autocommit=True) as ear:
        ear.execute("LISTEN rbac_revision")
        with pytest.raises(KeyboardInterrupt), acme.acting("ada") as ada:
            ada.grant("max", "annotator")
            raise KeyboardInterrupt
        acme.acting("ada").grant("andy", "reviewer")

        assert [each.payload for each in ear.notifies(timeout=1, stop_after=1)] == ["acme 2"]


def test_without_a_push_the_poll_shows_a_commit(acme: Organization, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "CHANNEL", "nobody")
    with rbac.connect(url, poll=0.2) as store:
        node = store.organization("acme")
        assert listening(store)
        assert node.can(*EXPORT)
        monkeypatch.undo()

        acme.acting("ada").grant("max", "annotator")

        assert within(5, lambda: not node.can(*EXPORT)) < 5


def test_a_change_that_nobody_announced_is_seen_by_the_poll(acme: Organization, url: str) -> None:
    with rbac.connect(url, poll=0.2) as store:
        assert listening(store)
        assert store.organization("acme").can(*EXPORT)

        with psycopg.connect(psycopg_url(url)) as connection:
            connection.execute("UPDATE rbac_store SET epoch = md5('another epoch')")

        watch = store._store._watch
        assert watch is not None
        mark = watch.mark("acme")
        within(5, lambda: watch.mark("acme") != mark)


def test_at_least_is_never_answered_from_before(acme: Organization, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "CHANNEL", "nobody")
    with rbac.connect(url, poll=5, max_staleness=5) as store:
        node = store.organization("acme")
        assert listening(store)
        assert node.can(*EXPORT)
        monkeypatch.undo()

        revision = acme.acting("ada").grant("max", "annotator")

        decision = node.check(*EXPORT, at_least=revision)
        assert not decision
        assert decision.revision == revision
        with pytest.raises(rbac.StoreError, match="has not been reached"):
            node.check(*EXPORT, at_least=revision + 1)


def test_a_node_far_behind_empties_its_cache(acme: Organization, node: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    assert node.can(*EXPORT)
    assert node.can("rita", "project:view", "project:p1") is not None
    directory = node._store._cache
    assert directory is not None
    shelf = directory._organizations["acme"]
    assert {"max", "rita"} <= shelf.members.keys()
    monkeypatch.setattr(cache, "FAR_BEHIND", 20)

    with acme.acting("ada") as ada:
        for number in range(cache.FAR_BEHIND + 1):
            revision = ada.create_workspace(f"n{number}")

    assert node.check(*EXPORT, at_least=revision)
    assert "rita" not in shelf.members


def test_a_node_behind_by_less_keeps_what_did_not_change(acme: Organization, node: Organization) -> None:
    assert node.can(*EXPORT)
    node.can("rita", "project:view", "project:p1")
    directory = node._store._cache
    assert directory is not None

    revision = acme.acting("ada").grant("andy", "reviewer")

    assert node.check(*EXPORT, at_least=revision)
    assert "rita" in directory._organizations["acme"].members


def test_a_killed_listening_connection_comes_back_and_no_question_notices(acme: Organization, node: Organization, url: str) -> None:
    """RBAC_LISTEN_KILLS times; each time a change made at once after it is seen, and no question fails."""
    errors: list[Exception] = []
    done = threading.Event()
    asked = [0]

    def ask() -> None:
        while not done.is_set():
            try:
                node.can(*EXPORT)
                asked[0] += 1
            except Exception as error:
                errors.append(error)
            time.sleep(0.0005)

    asking = threading.Thread(target=ask)
    asking.start()
    killed = 0
    for number in range(KILLS):
        for pid in listeners(url):
            with psycopg.connect(psycopg_url(url), autocommit=True) as connection:
                killed += bool(connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,)).fetchone())
        acme.acting("ada").grant("max", "annotator" if number % 2 == 0 else "manager")
        within(5, lambda number=number: node.can(*EXPORT) is (number % 2 == 1))  # type: ignore[misc]
        within(5, lambda: listening(_store_of(node)))
    done.set()
    asking.join()

    assert not errors
    assert killed >= KILLS
    assert asked[0] > KILLS


def _store_of(organization: Organization) -> rbac.Store:
    return rbac.Store(organization._store)


def test_a_child_after_a_fork_listens_for_itself_and_leaves_the_parent_listening(acme: Organization, node: Organization, url: str) -> None:
    assert node.can(*EXPORT)
    program_read, program_write = os.pipe()
    go_read, go_write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            first = node.can(*EXPORT)
            heard = listening(_store_of(node))
            os.write(program_write, b"1")
            os.read(go_read, 1)
            within(2, lambda: not node.can(*EXPORT))
            node._store.close()
            os.write(program_write, f"{first} {heard}".encode())
        finally:
            os._exit(0)
    assert os.read(program_read, 1) == b"1"
    acme.acting("ada").grant("max", "annotator")
    os.write(go_write, b"1")
    assert os.read(program_read, 100) == b"True True"
    os.waitpid(child, 0)
    within(2, lambda: not node.can(*EXPORT))

    acme.acting("ada").grant("max", "manager")

    assert within(2, lambda: node.can(*EXPORT)) < 2
    assert listening(_store_of(node))


def test_closing_a_store_ends_its_listening_connection(acme: Organization, url: str) -> None:
    store = rbac.connect(url)
    assert listening(store)
    assert len(listeners(url)) == 1

    store.close()

    within(2, lambda: not listeners(url))


def test_a_store_that_nobody_closed_stops_listening_when_it_is_forgotten(acme: Organization, url: str) -> None:
    store = rbac.connect(url)
    assert listening(store)

    del store
    gc.collect()

    within(2, lambda: not listeners(url))


def test_listening_keeps_no_process_alive_and_one_question_starts_nothing(acme: Organization, url: str) -> None:
    program = (
        f"import rbac, threading\nstore = rbac.connect({url!r})\nacme = store.organization('acme')\n"
        "acme.can('max', 'data:export', 'project:p1'); print(threading.active_count())\n"
        "acme.can('max', 'data:export', 'project:p1'); print(threading.active_count())\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)

    assert run.stdout.split() == ["1", "2"]
    assert run.returncode == 0
    assert not run.stderr


def test_a_node_without_descriptors_listens_again_once_there_are_some(acme: Organization, url: str) -> None:
    """In a process of its own. An attempt that fails in any way must be followed by another one."""
    program = f"""
import os, resource, time, psycopg, rbac
store, killer = rbac.connect({url!r}, poll=0.2), psycopg.connect({psycopg_url(url)!r}, autocommit=True)
assert store._store.listener(timeout=5).state == "listening"
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
listens = "query LIKE '%pg_current_snapshot()%' AND pid <> pg_backend_pid()"
killer.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + listens)
time.sleep(1)
state = store._store.listener().state
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
begun = time.monotonic()
while store._store.listener().state != "listening" and time.monotonic() < begun + 10:
    time.sleep(0.05)
print(state, store._store.listener().state, sep=",")
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)

    assert run.stdout.strip() == "cut off,listening", run.stderr


def test_how_old_news_is_counts_the_time_a_machine_was_suspended(
    acme: Organization, node: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hasattr(time, "CLOCK_BOOTTIME"):
        assert abs(clock.ticks() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60
    watch, before = node._store._watch, clock.ticks
    assert watch is not None
    known = watch.mark("acme")
    assert watch.mark("acme") == known

    monkeypatch.setattr(clock, "ticks", lambda: before() + 3600)

    with pytest.raises(rbac.StoreError, match="stale: "):
        watch.mark("acme")


def test_poll_and_max_staleness_are_checked_at_the_door(url: str) -> None:
    for poll, most in ((0, 5), (-1, 5), (2, 1)):
        with pytest.raises(ValueError, match="max_staleness"):
            rbac.connect(url, poll=poll, max_staleness=most)


def test_a_mark_costs_less_than_a_microsecond_or_so(node: Organization) -> None:
    watch = node._store._watch
    assert watch is not None
    begun = time.perf_counter()
    for _ in range(10_000):
        watch.mark("acme")

    cost = (time.perf_counter() - begun) / 10_000
    print(f"one mark: {cost * 1e9:.0f} ns")
    assert cost < 20e-6


def test_a_store_closes_without_an_error_when_its_listener_has_ended_by_itself(
    acme: Organization, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread sees that it is to stop at its next poll, and closes its side of the socket that is to wake it."""
    others = set(threading.enumerate())
    store = rbac.connect(url, poll=0.1)
    assert listening(store)
    (listener,) = (each for each in threading.enumerate() if each.name == "rbac-listen" and each not in others)
    tell = threading.Event.set

    def tell_and_wait(event: threading.Event) -> None:
        tell(event)
        listener.join(5)

    monkeypatch.setattr(threading.Event, "set", tell_and_wait)

    store.close()

    assert not listener.is_alive()
