"""Diagrams are equal exactly when their numbers are, also when several threads make them at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from rbac.fact_space.diagrams import Diagrams, Node

THREADS = 8
ROOT = Path(__file__).parents[2]
_Made = TypeVar("_Made")


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that are interrupted as often as Python allows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _together(make: Callable[[int], _Made]) -> list[_Made]:
    """What `make` returns in each of several threads that start at the same moment."""
    ready = threading.Barrier(THREADS)

    def run(number: int) -> _Made:
        ready.wait()
        return make(number)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, range(THREADS)))


def _parity(diagrams: Diagrams, *, first: int) -> Node:
    """Whether an odd number of facts hold: every node of it is new to the diagrams, and any order gives the same function."""
    facts = [diagrams.literal_at(name, 1) for name in diagrams.names]
    odd = 0
    for fact in facts[first:] + facts[:first]:
        odd = diagrams.either(diagrams.but_not(odd, fact), diagrams.but_not(fact, odd))
    return odd


def test_threads_that_make_one_function_in_different_orders_get_one_number(hasty: None) -> None:
    names = [f"fact{number}" for number in range(24)]
    for _ in range(20):
        diagrams = Diagrams(dict.fromkeys(names, (False, True)))
        made = _together(lambda number, over=diagrams: _parity(over, first=number))  # type: ignore[misc]

        assert len(set(made)) == 1
        assert diagrams.count(made[0], names) == 2 ** (len(names) - 1)


FIRST = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from rbac.fact_space.space import space

ready = threading.Barrier(8)
def first(number):
    ready.wait()
    return space()

sys.setswitchinterval(1e-6)
with ThreadPoolExecutor(8) as threads:
    print(len(set(map(id, list(threads.map(first, range(8)))))))
"""


def test_threads_that_ask_first_share_the_one_space_of_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "1\n"


FORKED = """
import os, random, signal, sys, threading
from rbac.fact_space.space import space

def work(until):
    here = space().diagrams
    source = random.Random(until)
    node = 0
    while until:
        node = here.either(node, here.all(here.literal_at(name, source.randrange(2)) for name in source.sample(here.names, 9)))
        until -= 1

sys.setswitchinterval(1e-6)
first = threading.Thread(target=work, args=(-1,), daemon=True)
first.start()
answered = 0
for number in range(150):
    child = os.fork()
    if not child:
        signal.alarm(20)
        work(3)
        os._exit(0)
    answered += os.waitpid(child, 0)[1] == 0
print(answered)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_process_forked_while_a_thread_makes_diagrams_makes_its_own() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "150\n"
