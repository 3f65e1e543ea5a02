"""Children of this process, made by fork, and what they say."""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections.abc import Callable
from typing import Any

GENEROUS = 60
"""Seconds until a child that says nothing is killed: it would wait for ever."""


def in_a_child(do: Callable[[], Any]) -> Any:
    """What a function returns in a child of fork; an exception of it is raised here."""
    return Child(do).result()


class Child:
    """A child of fork that runs one function."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self._read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(GENEROUS)
            said: tuple[bool, Any]
            try:
                said = True, do()
            except BaseException as error:
                said = False, error
            os.write(write, pickle.dumps(said))
            os._exit(0)
        os.close(write)

    def result(self) -> Any:
        """Wait for the end of the child."""
        with open(self._read, "rb") as pipe:
            text = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        assert status == 0, f"the child ended with {status}"
        fine, value = pickle.loads(text)
        if not fine:
            raise value
        return value


def eventually(true: Callable[[], bool], within: float = GENEROUS) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)
