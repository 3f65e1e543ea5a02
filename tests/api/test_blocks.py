"""An open block belongs to the asyncio task, or else the thread, that opened it: no other joins it or waits for it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

import rbac
from rbac import Role
from rbac.acting import Acting
from rbac.organization import Organization

ELSEWHERE = "ada is acting on acme in a block of another thread or task"
THREADS = 8


def in_a_thread(call: Callable[[], object]) -> BaseException | object:
    """What a call in a thread of its own returned or raised, before a change could have waited for another."""
    ended: list[BaseException | object] = []

    def run() -> None:
        try:
            ended.append(call())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(5)
    assert not thread.is_alive(), "it waits"
    return ended[0]


def test_a_call_of_another_thread_neither_joins_the_block_nor_waits_for_it(acme: Organization) -> None:
    with pytest.raises(ZeroDivisionError), acme.acting("ada") as ada:
        ada.grant("andy", "reviewer")

        stray = in_a_thread(lambda: ada.grant("rita", "annotator"))

        assert isinstance(stray, rbac.Conflict)
        assert ELSEWHERE in str(stray)
        raise ZeroDivisionError
    assert acme.revision == 1

    assert in_a_thread(lambda: ada.grant("rita", "annotator")) == 2


def test_a_block_continues_after_others_were_refused_its_handle(acme: Organization) -> None:
    with acme.acting("ada") as ada:
        ada.grant("andy", "reviewer")
        for call in (lambda: ada.grant("rita", "annotator"), ada.__enter__):
            assert isinstance(in_a_thread(call), rbac.Conflict)
        ada.grant("mia", "annotator")

    assert (acme.revision, acme.role_of("andy"), acme.role_of("rita"), acme.role_of("mia")) == (2, *[Role.REVIEWER] * 2, Role.ANNOTATOR)
    assert list(acme.refusals()) == []


def test_of_threads_that_open_a_block_at_once_one_succeeds_and_the_others_raise_conflict(acme: Organization) -> None:
    ada, gate, done = acme.acting("ada"), threading.Barrier(THREADS), threading.Event()
    entered: list[int] = []

    def enter(number: int) -> type[BaseException] | None:
        gate.wait()
        try:
            with ada:
                entered.append(number)
                done.wait(10)
                ada.grant("andy", "reviewer")
        except rbac.Conflict as error:
            return type(error)
        return None

    with ThreadPoolExecutor(THREADS) as threads:
        answers = [threads.submit(enter, number) for number in range(THREADS)]
        while sum(each.done() for each in answers) < THREADS - 1:
            threading.Event().wait(0.01)
        done.set()

    assert [each.result() for each in answers].count(rbac.Conflict) == THREADS - 1
    assert (len(entered), acme.revision) == (1, 2)


def test_without_a_block_a_handle_is_shared(acme: Organization) -> None:
    ada = acme.acting("ada")

    with ThreadPoolExecutor(THREADS) as threads:
        revisions = list(threads.map(lambda number: ada.create_workspace(f"n{number}"), range(4 * THREADS)))

    assert sorted(revisions) == list(range(2, 4 * THREADS + 2))
    assert acme.verify()


def test_another_task_does_not_join_a_block_that_waits(acme: Organization) -> None:
    ada = acme.acting("ada")

    async def changing(opened: asyncio.Event, go_on: asyncio.Event) -> None:
        with ada:
            ada.grant("andy", "reviewer")
            opened.set()
            await go_on.wait()
            raise ZeroDivisionError

    async def other(opened: asyncio.Event) -> None:
        await opened.wait()
        with pytest.raises(rbac.Conflict, match=ELSEWHERE):
            ada.grant("rita", "annotator")
        with pytest.raises(rbac.Conflict, match=ELSEWHERE), ada:
            pass

    async def both() -> None:
        opened, go_on = asyncio.Event(), asyncio.Event()
        change = asyncio.create_task(changing(opened, go_on))
        await other(opened)
        await asyncio.create_task(other(opened))
        go_on.set()
        with pytest.raises(ZeroDivisionError):
            await change

    asyncio.run(both())

    assert acme.revision == 1
    assert ada.grant("rita", "annotator") == 2


def test_a_task_or_thread_begun_inside_a_block_may_not_use_it(acme: Organization) -> None:
    async def child(ada: Acting) -> None:
        ada.grant("rita", "annotator")

    async def parent() -> None:
        with acme.acting("ada") as ada:
            ada.grant("andy", "reviewer")
            for call in (asyncio.create_task(child(ada)), asyncio.to_thread(ada.grant, "rita", "annotator")):
                with pytest.raises(rbac.Conflict, match=ELSEWHERE):
                    await call
            ada.grant("mia", "reviewer")

    asyncio.run(parent())

    assert (acme.revision, acme.role_of("rita"), acme.role_of("mia")) == (2, Role.REVIEWER, Role.REVIEWER)


def test_a_block_that_no_task_opened_belongs_to_its_thread_and_so_to_every_task_there(acme: Organization) -> None:
    async def change(ada: Acting) -> None:
        ada.grant("rita", "annotator")
        with pytest.raises(rbac.Conflict, match=ELSEWHERE):
            await asyncio.to_thread(ada.grant, "mia", "annotator")

    with pytest.raises(ZeroDivisionError), acme.acting("ada") as ada:
        asyncio.run(change(ada))
        raise ZeroDivisionError
    assert acme.revision == 1

    with ada:
        asyncio.run(change(ada))

    assert (acme.revision, acme.role_of("rita"), acme.role_of("mia")) == (2, Role.ANNOTATOR, Role.MANAGER)


def test_a_thread_that_reuses_the_number_of_an_ended_one_may_not_use_its_block(acme: Organization) -> None:
    ada, numbers = acme.acting("ada"), set[int]()

    def enter() -> None:
        numbers.add(threading.get_ident())
        ada.__enter__()

    in_a_thread(enter)
    for _ in range(100):
        stray = in_a_thread(lambda: (ada.grant("rita", "annotator"), None) if threading.get_ident() in numbers else None)
        if stray is not None:
            break

    assert isinstance(stray, rbac.Conflict), "no thread got that number again"
    with pytest.raises(rbac.Conflict):
        ada.__exit__(None, None, None)
    assert ada.grant("rita", "annotator") == 2


def test_a_block_that_is_left_elsewhere_is_undone(acme: Organization) -> None:
    @contextmanager
    def changes() -> Iterator[Acting]:
        with acme.acting("ada") as ada:
            ada.grant("andy", "reviewer")
            yield ada

    opened = changes()
    in_a_thread(opened.__enter__)

    with pytest.raises(rbac.Conflict, match=ELSEWHERE):
        opened.__exit__(None, None, None)

    assert acme.revision == 1
    assert acme.acting("ada").grant("rita", "annotator") == 2


def test_a_block_inside_itself_is_a_conflict_and_undoes_nothing_else(acme: Organization) -> None:
    with acme.acting("ada") as ada:
        ada.grant("andy", "reviewer")
        with pytest.raises(rbac.Conflict, match="ada is acting on acme in this block already"), ada:
            pass
        ada.grant("rita", "annotator")

    assert (acme.revision, acme.role_of("andy"), acme.role_of("rita")) == (2, Role.REVIEWER, Role.ANNOTATOR)


def test_a_block_that_could_not_begin_leaves_the_handle_free(acme: Organization, store: rbac.Store) -> None:
    ada = store.organization("acme").acting("ada", expect=9)

    for _ in range(2):
        with pytest.raises(rbac.Conflict, match="is at revision 1, not at 9"), ada:
            pass


@pytest.mark.parametrize("leaves", ["by an exception", "at its end", "by exiting"])
def test_a_child_of_a_fork_inside_a_block_may_not_use_it(acme: Organization, leaves: str) -> None:
    with acme.acting("ada") as ada:
        ada.grant("andy", "reviewer")
        child = os.fork()
        if child == 0:
            os._exit(in_the_child(ada, leaves))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        ada.grant("rita", "annotator")

    assert (acme.revision, acme.role_of("andy"), acme.role_of("rita")) == (2, Role.REVIEWER, Role.ANNOTATOR)
    assert acme.verify()


def in_the_child(ada: Acting, leaves: str) -> int:
    """The exit code of a child that tries to use the block and then leaves it; 0 when it was refused both times."""
    try:
        ada.grant("mia", "annotator")
    except rbac.Conflict:
        pass
    else:
        return 1
    error = {"by an exception": ZeroDivisionError(), "by exiting": SystemExit(0)}.get(leaves)
    try:
        ada.__exit__(None if error is None else type(error), error, None)
    except rbac.Conflict:
        return 0
    return 0 if error is not None else 2


FORKING = """
import os, sys
import rbac

acme = rbac.connect(sys.argv[1]).organization("acme")
with acme.acting("ada") as ada:
    ada.grant("andy", "reviewer")
    if not (child := os.fork()):
        sys.exit(0)
    os.waitpid(child, 0)
    ada.grant("rita", "annotator")
print(acme.revision, acme.role_of("andy"), acme.role_of("rita"))
"""


def test_a_child_that_exits_normally_undoes_nothing_of_its_parents_block(acme: Organization, url: str) -> None:
    ended = subprocess.run([sys.executable, "-c", FORKING, url], capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout) == (0, "2 reviewer annotator\n"), ended.stderr
    assert acme.verify()
