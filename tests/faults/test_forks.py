"""Forks of a process that uses a store in SQLite: what works in the child, what is refused, and what the parent keeps."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

import rbac
from rbac.database import after_fork
from rbac.database.engine import changing
from rbac.organization import Organization
from tests.conftest import ACME
from tests.faults.forking import Child, eventually, in_a_child
from tests.faults.held import locks

EXPORT = ("max", "data:export", "project:p1")
REFUSED = "was forked while another thread of its parent was using a store"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rbac.db"


@pytest.fixture
def acme(path: Path) -> Iterator[Organization]:
    with rbac.connect(f"sqlite:///{path}") as store:
        store.import_state(ACME)
        found = store.organization("acme")
        assert found.can(*EXPORT) and found.can(*EXPORT)
        yield found


def elsewhere(path: Path, line: str) -> dict[str, object]:
    """What the command line says in another process, which closes the store when it ends."""
    words = f"--db sqlite:///{path} --org acme --json {line}".split()
    done = subprocess.run([sys.executable, "-m", "rbac.cli", *words], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def revision(path: Path) -> object:
    return elsewhere(path, "check max data:export project:p1")["revision"]


def change(acme: Organization, number: int) -> int:
    return acme.acting("ada").grant("andy", ("reviewer", "annotator")[number % 2])


# -- what works ------------------------------------------------------------------------------------------------------------


def test_a_child_has_locks_of_its_own_and_the_parent_keeps_its(acme: Organization, path: Path) -> None:
    def ask() -> tuple[bool, bool, int]:
        return acme.can(*EXPORT), acme.can(*EXPORT), len(locks(path))

    child = in_a_child(ask)

    assert child == (True, True, 2)
    assert acme.can(*EXPORT) and acme.can(*EXPORT)
    assert len(locks(path)) == 2


def test_a_child_whose_parent_has_ended_loses_nothing_when_others_come_and_go(path: Path) -> None:
    """A daemon: forked twice, its parents ended, in the root directory, with an address relative to where it began."""
    program = """if True:
        import os, sys, time, rbac
        store = rbac.connect("sqlite:///rbac.db")
        acme = store.organization("acme")
        assert acme.can("max", "data:export", "project:p1") and acme.can("max", "data:export", "project:p1")
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        os.chdir("/")
        for line in sys.stdin:
            print(acme.acting("ada").grant("andy", line.strip()), acme.role_of("andy"), flush=True)
    """
    with rbac.connect(f"sqlite:///{path}") as store:
        store.import_state(ACME)
    daemon = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=path.parent)
    assert daemon.stdin is not None and daemon.stdout is not None
    assert daemon.wait(60) == 0  # the first parent; the daemon has the pipes

    for number in range(1, 7):
        role = ("reviewer", "annotator")[number % 2 - 1]
        daemon.stdin.write(f"{role}\n")
        daemon.stdin.flush()
        assert daemon.stdout.readline().split() == [str(number + 1), role]
        assert revision(path) == number + 1  # in a process that closes the store after it
    daemon.stdin.close()
    daemon.stdout.close()


def test_workers_of_a_preloaded_application_change_and_outlive_their_master(acme: Organization, path: Path) -> None:
    """As gunicorn --preload does: the application asks before the fork, a worker is killed and replaced, the master ends first."""
    program = f"""if True:
        import os, signal, sys, time, rbac
        store = rbac.connect("sqlite:///{path}")
        acme = store.organization("acme")
        assert acme.can("max", "data:export", "project:p1")

        def work(name):
            for number in range(20):
                acme.acting("ada").create_workspace(f"{{name}}-{{number}}")
                assert acme.can("ada", "workspace:view", f"workspace:{{name}}-{{number}}")
            print(name, flush=True)
            time.sleep(60)

        def fork(name):
            child = os.fork()
            if child == 0:
                work(name)
                os._exit(0)
            return child

        workers = [fork(f"w{{number}}") for number in range(3)]
        os.kill(workers[1], signal.SIGKILL)
        os.waitpid(workers[1], 0)
        workers.append(fork("again"))
        print(*workers, flush=True)
        os._exit(0)
    """
    master = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert master.stdout is not None and master.wait(60) == 0
    lines = [master.stdout.readline().split() for _ in range(4)]
    workers = [int(each) for line in lines for each in line if each.isdecimal()]
    assert sorted(word for line in lines for word in line if not word.isdecimal()) == ["again", "w0", "w2"]

    made = {str(domain) for domain in acme.domains()}

    assert {f"workspace:{name}-{number}" for name in ("w0", "w2", "again") for number in range(20)} <= made
    assert revision(path) == acme.revision
    for worker in workers:
        if worker != workers[1]:
            os.kill(worker, signal.SIGKILL)
    master.stdout.close()


def _work(number: int) -> tuple[int, bool]:
    assert SHARED is not None
    return SHARED.acting("ada").create_workspace(f"m{number}"), SHARED.can(*EXPORT)


SHARED: Organization | None = None


def test_the_workers_of_multiprocessing_and_the_threads_of_their_parent_work_beside_each_other(acme: Organization, path: Path) -> None:
    global SHARED
    SHARED = acme
    over, asked = threading.Event(), [0]

    def ask() -> None:
        while not over.is_set():
            assert acme.can(*EXPORT)
            asked[0] += 1

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with multiprocessing.get_context("fork").Pool(3, maxtasksperchild=5) as pool:
            done = pool.map(_work, range(40), chunksize=1)
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert sorted(number for number, _ in done) == list(range(2, 42)) and all(allowed for _, allowed in done)
    assert asked[0] > 100
    assert acme.revision == 41 == revision(path)


def test_a_fork_waits_for_a_thread_that_is_inside_a_change_and_the_child_can_write(acme: Organization, path: Path) -> None:
    inside, out = threading.Event(), []

    def hold() -> None:
        with acme.acting("ada") as ada:
            ada.create_workspace("held")
            inside.set()
            time.sleep(0.5)
        out.append(time.monotonic())

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()

    child = in_a_child(lambda: (time.monotonic(), change(acme, 0), acme.can(*EXPORT)))
    holder.join()

    assert child[0] >= out[0], "forked while the change was open"
    assert child[1:] == (3, True)
    assert change(acme, 1) == 4 == revision(path)


def test_many_forks_among_busy_threads_refuse_no_child_and_lose_no_change(acme: Organization, path: Path) -> None:
    over, made = threading.Event(), [0]

    def busy(number: int) -> None:
        while not over.is_set():
            acme.acting("ada").create_workspace(f"t{number}-{made[0]}-{time.monotonic_ns()}")
            assert acme.can(*EXPORT)
            list(acme.audit(last=2))
            made[0] += 1

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        results = [in_a_child(partial(_both, acme, number)) for number in range(30)]
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert all(allowed for _, allowed in results)
    assert made[0] >= 10
    assert acme.revision == 1 + made[0] + 30 == revision(path)
    assert acme.verify()


def _both(acme: Organization, number: int) -> tuple[int, bool]:
    return acme.acting("ada").create_workspace(f"c{number}"), acme.can(*EXPORT)


# -- what is refused -------------------------------------------------------------------------------------------------------


def refusals(acme: Organization, path: Path) -> list[str]:
    """What a child hears from everything that needs SQLite, its own new stores included."""

    def fresh() -> object:
        return rbac.connect(f"sqlite:///{path}").organization("acme").can(*EXPORT)

    def memory() -> object:
        return rbac.connect("sqlite://").create("x", owner="y")

    found = []
    for ask in (lambda: acme.can(*EXPORT), lambda: change(acme, 0), lambda: list(acme.audit()), fresh, memory):
        try:
            found.append(str(ask()))
        except rbac.StoreError as error:
            found.append(str(error))
    return found


def test_a_child_forked_past_the_wait_is_refused_in_a_sentence_and_so_is_its_child(
    acme: Organization, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(after_fork, "WAIT", 0.3)
    inside, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with acme.acting("ada") as ada:
            ada.create_workspace("held")
            inside.set()
            forked.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()

    child = Child(lambda: (refusals(acme, path), in_a_child(lambda: refusals(acme, path))))
    forked.set()
    holder.join()

    for said in child.result():
        assert len(said) == 5 and all(REFUSED in each for each in said), said
    assert change(acme, 0) == 3 == revision(path)
    assert in_a_child(lambda: change(acme, 1)) == 4  # the next fork is none of that
    assert acme.verify()


def test_a_block_that_was_open_at_the_fork_is_the_parents_alone(acme: Organization, path: Path) -> None:
    """Both processes run to its end: only one may commit it."""
    read, write = os.pipe()
    child, said = -1, []
    try:
        with acme.acting("ada") as ada:
            ada.create_workspace("w9")
            child = os.fork()
            if child == 0:
                try:
                    ada.create_workspace("w10")
                except rbac.RBACError as error:
                    said.append(str(error))
    except rbac.RBACError as error:
        said.append(str(error))
    if child == 0:
        os.write(write, "; ".join(said).encode())
        os._exit(0)

    os.waitpid(child, 0)
    assert not said and os.read(read, 1000).count(b"another thread or task") == 2  # its change, and the end of its block
    assert revision(path) == 2 and acme.can("ada", "workspace:view", "workspace:w9")
    assert not acme.can("ada", "workspace:view", "workspace:w10")
    assert change(acme, 0) == 3
    assert acme.verify()
    os.close(read)
    os.close(write)


def test_a_transaction_that_was_open_at_the_fork_is_the_parents_alone(acme: Organization, path: Path) -> None:
    """Below every handle: what the child executes, commits and rolls back of it goes nowhere."""
    engine = acme._store.engine
    read, write = os.pipe()
    child, said = -1, []
    for ending in ("commit", "rollback"):
        try:
            with changing(engine) as connection:
                child = os.fork()
                if child == 0 and ending == "rollback":
                    raise ValueError
                if child == 0:
                    connection.execute(text("UPDATE rbac_member SET role = 'manager'"))
        except (rbac.RBACError, ValueError) as error:
            said.append(f"{type(error).__name__} {error}")
        if child == 0:
            os.write(write, "".join(said).encode())
            os._exit(0)
        os.waitpid(child, 0)

    assert not said and os.read(read, 1000).decode().startswith("StoreError this process was forked in the middle of this change")
    assert acme.verify() and change(acme, 0) == 2 == revision(path)
    os.close(read)
    os.close(write)


def test_a_child_forked_in_the_middle_of_a_list_cannot_use_that_file_and_harms_nothing(acme: Organization, path: Path) -> None:
    members = acme.members()
    next(members)

    def ask() -> list[str]:
        said = refusals(acme, path)
        members.close()  # type: ignore[attr-defined]  # a generator, as all that is streamed
        return said

    said = in_a_child(ask)

    assert all("forked" in each for each in said[:4]), said
    assert len(list(members)) > 3
    assert change(acme, 0) == 2 == revision(path)


def test_a_file_that_the_application_has_open_itself_at_the_fork_is_refused_to_the_child(acme: Organization, path: Path) -> None:
    theirs = sqlite3.connect(path)
    theirs.execute("SELECT count(*) FROM rbac_member").fetchall()

    said = in_a_child(lambda: refusals(acme, path))

    assert all(f"{path} was open in the process that this one was forked from" in each for each in said[:4]), said
    theirs.close()
    assert in_a_child(lambda: change(acme, 0)) == 2


def test_a_child_that_ends_as_programs_do_takes_nothing_from_its_parent(path: Path) -> None:
    """Its interpreter closes what is open when it ends: nothing of the parent's, though the fork came in the middle of a list."""
    program = f"""if True:
        import os, sys, rbac
        from tests.faults.held import locks
        acme = rbac.connect("sqlite:///{path}").organization("acme")
        members = acme.members()
        next(members)
        before = locks("{path}")
        child = os.fork()
        if child == 0:
            try:
                acme.can("max", "data:export", "project:p1")
            except rbac.StoreError as error:
                print(error, flush=True)
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert before <= locks("{path}"), (before, locks("{path}"))
        assert len(list(members)) > 3
        print(acme.acting("ada").grant("andy", "reviewer"))
    """
    with rbac.connect(f"sqlite:///{path}") as store:
        store.import_state(ACME)

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "forked" in done.stdout.splitlines()[0] and done.stdout.splitlines()[1] == "2"
    assert revision(path) == 2


def test_a_process_that_starts_another_program_is_not_held_up(acme: Organization) -> None:
    """subprocess neither forks Python nor inherits descriptors."""
    inside, over = threading.Event(), threading.Event()

    def hold() -> None:
        with acme.acting("ada") as ada:
            ada.create_workspace("held")
            inside.set()
            over.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()

    subprocess.run([sys.executable, "-c", ""], check=True)
    assert not over.is_set()
    over.set()
    holder.join()
    eventually(lambda: acme.revision == 2)
