"""A block: the changes of one actor in one transaction, and the one thread or asyncio task that may make them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Self

from rbac.administration.authority import Authority
from rbac.administration.keys import Use, fingerprint_of, first_use, keep
from rbac.database.audit.refusals import Attempt
from rbac.errors import Conflict, Refused, UnknownName
from rbac.names import quoted
from rbac.vocabulary import Revision


@dataclass(slots=True)
class Call:
    """One change under way: whose rules to ask, and its revision once it is made. `authority` is None where a key was used before."""

    authority: Authority | None
    revision: Revision


class Block:
    """The changes of one transaction; lives as long as it. With a key that was used before nothing is changed, only compared."""

    def __init__(self, authority: Authority, attempt: Attempt, key: str | None) -> None:
        self._authority = authority
        self._attempt = attempt
        self._key = key
        self._operations: list[str] = []
        self._asked_for: list[str] = [authority.actor]
        self._broken = False
        self._first: Use | None = None
        if key is not None:
            authority.actor_role()  # membership is judged first: what a key led to is no business of others
            self._first = first_use(authority.work, key)

    @property
    def replayed(self) -> bool:
        """Whether the key was used before."""
        return self._first is not None

    @contextmanager
    def call(self, operation: str, arguments: tuple[object, ...]) -> Iterator[Call]:
        """One change; its revision is the one it will have once the transaction commits."""
        self._asked_for.append(" ".join(map(str, (operation, *arguments))))
        self._attempt.operation = in_words(operation, arguments)
        if self._first is not None:
            yield Call(None, Revision(self._first.revision))
            return
        work = self._authority.work
        call, before = Call(self._authority, Revision(work.revision)), len(work.facts)
        try:
            yield call
        except Refused as error:
            self._attempt.refused(error)
            raise
        except UnknownName:
            raise
        except BaseException:
            self._broken = True
            raise
        call.revision = Revision(work.revision + bool(work.changes), work.facts[before:])
        if call.revision.changed:
            self._operations.append(operation)

    def close(self) -> None:
        """Name the operation and keep the key, before the transaction commits."""
        if self._broken:
            raise Refused("a change of this block failed: none of it was written")
        work = self._authority.work
        work.operation = ", ".join(dict.fromkeys(self._operations))
        if self._key is None:
            return
        use = Use(work.revision + bool(work.changes), fingerprint_of("\n".join(self._asked_for)))
        if self._first is None:
            keep(work, self._key, use)
        elif self._first.fingerprint != use.fingerprint:
            raise Conflict(f"the key {quoted(self._key)} was used for another change, at revision {self._first.revision}")


def in_words(operation: str, arguments: tuple[object, ...]) -> str:
    """A change as a refusal has it: `grant andy reviewer`."""
    return " ".join(str(each) for each in (operation, *arguments) if each is not None)


# -- who may use an open block ---------------------------------------------------------------------------------------------

_this_thread = threading.local()


class Opener(NamedTuple):
    """What opened a block: a process, a thread of it and, where one ran, an asyncio task.

    A thread is an object of its own: the numbers of threads that have ended are given to new ones.
    """

    process: int
    thread: object
    task: object | None

    @classmethod
    def now(cls) -> Self:
        """What runs now."""
        if not hasattr(_this_thread, "itself"):
            _this_thread.itself = object()
        asyncio = sys.modules.get("asyncio")  # where it was never imported there is no task
        try:
            task = None if asyncio is None else asyncio.current_task()
        except RuntimeError:  # no loop runs in this thread
            task = None
        return cls(os.getpid(), _this_thread.itself, task)

    def is_running(self) -> bool:
        """Whether it is what runs now. A block that no task opened belongs to its thread, and so to every task there."""
        now = Opener.now()
        return self.process == now.process and self.thread is now.thread and (self.task is None or self.task is now.task)
