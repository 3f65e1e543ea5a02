"""A store in memory is a store: threads share it, a list may be left half read, and nobody ends another's transaction."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator

import pytest

import rbac
from rbac.database import sqlite
from rbac.organization import Organization
from tests.conftest import ACME

CHANGES = 30
LEAST = 5  # questions of each thread


@pytest.fixture(params=["shared", "one connection"])
def acme(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Organization]:
    """In memory as this SQLite has it, and as one before 3.36 has it."""
    if request.param == "one connection":
        monkeypatch.setattr(sqlite, "_SHARED_MEMORY", (9,))
    with rbac.connect("sqlite://") as store:
        store.import_state(ACME)
        yield store.organization("acme")


def test_threads_that_ask_end_no_transaction_of_one_that_changes(acme: Organization) -> None:
    """max is manager or a member of w2, never both and never neither."""
    acme.acting("ada").grant("max", "annotator")
    acme.acting("ada").add("max", "workspace:w2")
    done, asked, wrong = threading.Event(), list[int](), list[object]()

    def ask() -> None:
        count = 0
        while not done.is_set() or count < LEAST:
            try:
                many = acme.check_many([rbac.Request("max", "workspace:create"), rbac.Request("max", "workspace:view", "workspace:w2")])
                wrong.extend([many] if bool(many[0]) == bool(many[1]) else [])
            except Exception as error:
                wrong.append(error)
                break
            count += 1
            time.sleep(0.001)  # or the one connection is taken again before anybody gets it
        asked.append(count)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(CHANGES):
            with acme.acting("ada") as ada:
                ada.grant("max", "annotator" if number % 2 else "manager")
                (ada.add if number % 2 else ada.remove)("max", "workspace:w2")
    finally:
        done.set()
        for thread in threads:
            thread.join()

    assert not wrong, wrong[:3]
    assert sum(asked) >= 3 * LEAST
    assert acme.revision == 3 + CHANGES
    assert acme.verify()


def test_a_question_in_the_middle_of_a_list_is_answered() -> None:
    assert sqlite3.sqlite_version_info >= (3, 36), "the tests need a SQLite that shares memory"
    with rbac.connect("sqlite://") as store:
        store.import_state(ACME)
        acme = store.organization("acme")

        may = [member.user for member in acme.members() if acme.can(member.user, "data:export", "project:p1")]

        assert may == ["ada", "max", "olga"]


def test_two_stores_in_memory_know_nothing_of_each_other() -> None:
    with rbac.connect("sqlite://") as one, rbac.connect("sqlite://") as other:
        one.import_state(ACME)

        with pytest.raises(rbac.StoreError, match="no store at memory yet"):
            other.organizations()
