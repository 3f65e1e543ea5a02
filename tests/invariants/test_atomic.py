"""Invariants 5 and 6: a change is made whole or not at all, on disk and in memory, also when the process is killed."""

from __future__ import annotations

import copy
import signal
import subprocess
import sys

import pytest

import rbac
from rbac.organization import Organization
from tests.conftest import ACME
from tests.invariants.everything import answers, rows

WRITER = """
import sys, rbac
acme = rbac.connect(sys.argv[1]).organization("acme")
number = 0
while True:
    with acme.acting("olga") as olga:
        for user in ("andy", "rita"):
            olga.grant(user, ("reviewer", "annotator")[number % 2])
        olga.invite(f"u{sys.argv[2]}-{number}", "annotator")
    print(acme.revision, flush=True)
    number += 1
"""


def test_a_block_that_fails_changes_no_row_and_no_answer(store: rbac.Store, acme: Organization) -> None:
    before = rows(store), answers(acme)

    with pytest.raises(ZeroDivisionError), acme.acting("olga") as olga:
        olga.grant("andy", "administrator")
        olga.delete_project("p1")
        olga.configure("organization", plugins_enabled=False)
        raise ZeroDivisionError

    assert (rows(store), answers(acme)) == before


def test_nobody_sees_a_block_before_it_is_over(acme: Organization, dialect: str) -> None:
    before = answers(acme)

    with acme.acting("olga") as olga:
        olga.grant("andy", "administrator")
        olga.delete_project("p3")
        assert answers(acme) == before

    assert acme.role_of("andy") == "administrator"


def test_an_import_that_is_interrupted_leaves_nothing(store: rbac.Store) -> None:
    state = copy.deepcopy(ACME)
    state["organizations"][0]["id"] = "beta"
    before = rows(store)

    def interrupt(facts: int) -> None:
        if facts > 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.import_state(state, progress=interrupt)

    assert rows(store) == before
    assert store.organizations() == ["acme"]


def test_a_killed_process_loses_nothing_it_acknowledged_and_leaves_nothing_half_done(url: str, acme: Organization) -> None:
    acknowledged = 0
    for life in range(3):
        process = subprocess.Popen([sys.executable, "-c", WRITER, url, str(life)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(5)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split()]
        process.wait()
        process.stdout.close()
        acknowledged += len(told)

        entries = list(acme.audit())
        assert len(entries) == acme.revision >= told[-1]
        assert all(sum(change.before is None for change in entry.changes) == 1 for entry in entries[1:])  # each invites one
        assert acme.role_of("andy") == acme.role_of("rita")
        assert acme.verify()

    assert acknowledged >= 15
