"""Many processes change one store at once: nothing is lost, nothing is torn, and what came out is lawful in some order."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from sqlalchemy import select

import rbac
from rbac.administration.keys import fingerprint_of
from rbac.database import tables as t
from rbac.database.audit.log import Entry
from tests.conftest import ACME
from tests.faults import racing
from tests.faults.racing import ORGANIZATIONS, THREADS, Tried, counter, opened
from tests.oracle import canonical, change
from tests.oracle.random_worlds import NOW, importable, some_state

OPERATIONS = int(os.environ.get("RBAC_RACE_OPERATIONS", "12"))
"""Changes that each of the processes tries."""

WRITES = int(os.environ.get("RBAC_RACE_WRITES", "1"))
"""Updates that each of the writers makes, and one key more."""

PROCESSES = 8
WRITERS = PROCESSES * THREADS

_Answer = TypeVar("_Answer")


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Processes that begin their work together, and one more to watch them; none is forked from this one."""
    clean = multiprocessing.get_context("forkserver")
    clean.set_forkserver_preload(["tests.faults.racing", "tests.faults.victim"])
    with ProcessPoolExecutor(PROCESSES + 1, mp_context=clean, initializer=racing.begin_at, initargs=(clean.Barrier(PROCESSES),)) as pool:
        yield pool


# -- anything at all, by anybody ----------------------------------------------------------------------------------------------


def worlds() -> dict[str, Any]:
    """Two organizations of random people and places."""
    states = [importable(some_state(random.Random(seed)))["organizations"][0] for seed in (7, 8)]
    return {"organizations": [{**state, "id": name, "settings": {}} for state, name in zip(states, ORGANIZATIONS, strict=True)]}


def test_whatever_eight_processes_do_at_once_is_lawful_one_after_the_other(
    url: str, processes: ProcessPoolExecutor, tmp_path: Path
) -> None:
    with opened(url) as store:
        store.import_state(worlds())
        observer = processes.submit(racing.observe, url, tmp_path / "over")
        workers = [processes.submit(racing.mixed, url, seed, OPERATIONS) for seed in range(PROCESSES)]
        try:
            tried = [each for worker in workers for each in worker.result()]
        finally:
            (tmp_path / "over").touch()
        looks = observer.result()
        in_order(store, tried)
        assert all(store.organization(name).verify() for name in ORGANIZATIONS)
        revisions = {name: store.organization(name).revision for name in ORGANIZATIONS}

    accepted = Counter(each.operation for each in tried if each.revision is not None)
    work = {"tried": len(tried), "accepted": accepted.total(), "revisions": sum(revisions.values()), "looks": looks}
    print(f"\n{url.partition(':')[0]}: {work}, {accepted['transfer_ownership']} transfers; {dict(accepted)}")
    assert len(tried) == PROCESSES * OPERATIONS
    assert 0.2 * len(tried) <= accepted.total() <= 0.9 * len(tried)
    assert accepted["transfer_ownership"] >= len(tried) // 50
    assert sum(revisions.values()) >= len(tried) // 10
    assert looks >= 5 + len(tried) // 200


def in_order(store: rbac.Store, tried: list[Tried]) -> None:
    """What was accepted, made one after the other by the oracle: each change is lawful where it stands, and the end is the same."""
    state = worlds()
    for name in ORGANIZATIONS:
        accepted = [each for each in tried if each.organization == name and each.revision is not None]
        made = makers(store, name, accepted)
        for entry in store.organization(name).audit():
            if entry.revision > 1:
                state = in_the_oracle(state, made[entry.revision])
            for each in accepted:
                if each.revision == entry.revision and each != made.get(entry.revision):
                    assert canonical(in_the_oracle(state, each), NOW) == canonical(state, NOW), f"{each} was not written"
    assert canonical(msgspec.to_builtins(store.export_state()), NOW) == canonical(state, NOW)


def makers(store: rbac.Store, name: str, accepted: list[Tried]) -> dict[int, Tried]:
    """Which change made which revision: the audit names the ticket or the operator, the table of keys the key."""
    key, writers = t.request_key.c, {fingerprint_of(each.mark): each.mark for each in accepted if each.revision and each.revision.changed}
    with store._store.reading() as connection:
        rows = connection.execute(select(key.revision, key.key).where(key.organization == name)).all()
    keys = {row.revision: writers[row.key] for row in rows if row.key in writers}
    marked = {each.mark: each for each in accepted}
    found = {entry.revision: marked[mark_of(entry, keys)] for entry in store.organization(name).audit(first=2)}
    assert all(each.revision == revision for revision, each in found.items()), "a change was told another revision than it made"
    assert len({each.mark for each in found.values()}) == len(found), "a change was made twice"
    return found


def mark_of(entry: Entry, keys: dict[int, str]) -> str:
    if entry.ticket is not None:
        return entry.ticket
    return keys[entry.revision]


def in_the_oracle(state: Any, tried: Tried) -> Any:
    return change(state, tried.organization, tried.actor, tried.operation, tried.arguments, now=NOW)


# -- read, check, write -------------------------------------------------------------------------------------------------------


def test_no_update_of_thirty_two_writers_who_check_the_revision_is_lost(url: str, processes: ProcessPoolExecutor) -> None:
    with rbac.connect(url) as store:
        store.import_state(ACME)
        acme = store.organization("acme")
        futures = [processes.submit(racing.count_up, url, first, WRITES) for first in range(0, WRITERS, THREADS)]
        counted = results(futures)

        revisions = sorted(revision for each in counted for revision in each.revisions)
        conflicts = sum(each.conflicts for each in counted)
        print(f"\n{url.partition(':')[0]}: {len(counted)} writers, {len(revisions)} updates, {conflicts} conflicts, 0 lost, 0 errors")
        assert len(counted) == WRITERS
        assert counter(acme) == WRITERS * WRITES
        assert revisions == list(range(2, 2 + WRITERS * WRITES))
        assert acme.revision == 1 + WRITERS * WRITES
        assert acme.verify()
        assert conflicts >= len(revisions) // 8, "the writers hardly met"


def test_a_key_sent_six_times_by_two_writers_is_applied_once(url: str, processes: ProcessPoolExecutor) -> None:
    users, times = [f"u{number}" for number in range(WRITERS // 2)], WRITES + 1
    with rbac.connect(url) as store:
        store.import_state(ACME)
        acme = store.organization("acme")
        with acme.acting("olga") as olga:
            for user in users:
                olga.invite(user, "annotator")
                olga.add(user, "workspace:w1")
        futures = [processes.submit(racing.send_again, url, first, times, users) for first in range(0, WRITERS, THREADS)]
        answers = results(futures)

        print(f"\n{url.partition(':')[0]}: {len(users) * times} keys, sent {sum(map(len, answers))} times, each applied once")
        for number, user in enumerate(users):
            made = [entry.revision for entry in acme.audit(user=user, first=3)]
            assert len(made) == times
            assert answers[number] == answers[number + len(users)] == [revision for revision in made for _ in range(3)]
            assert counter(acme, user) == times
        assert acme.revision == 2 + len(users) * times
        assert acme.verify()


def results(futures: list[Future[list[_Answer]]]) -> list[_Answer]:
    """What the writers of every process say, in their order."""
    return [each for future in futures for each in future.result()]
