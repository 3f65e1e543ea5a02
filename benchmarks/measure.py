"""Clocks and memory: engines asked in turn, round by round, so that whatever else the machine does meets all alike."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.workload import Question

Decide = Callable[[str, str, str], bool]


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds: the median of the means of the rounds, and the 99th percentile of single answers."""

    median: float
    p99: float


def race(engines: Mapping[str, Decide], questions: Sequence[Question], *, rounds: int, budget: float) -> dict[str, Cost]:
    """What one answer of each costs, interleaved. `budget` is the seconds an engine gets in one round, at most."""
    means: dict[str, list[float]] = {name: [] for name in engines}
    counts = {name: _count(decide, questions, budget) for name, decide in engines.items()}
    gc.collect()
    for _ in range(rounds):
        for name, decide in engines.items():
            means[name].append(_mean(decide, questions[: counts[name]]))
    return {name: Cost(statistics.median(means[name]), _p99(engines[name], questions[: counts[name]])) for name in engines}


def _count(decide: Decide, questions: Sequence[Question], budget: float) -> int:
    """How many questions fit into a round."""
    few = questions[:20]
    start = time.perf_counter()
    for question in few:
        decide(*question)
    each = (time.perf_counter() - start) / len(few)
    return max(20, min(len(questions), int(budget / each)))


def _mean(decide: Decide, questions: Sequence[Question]) -> float:
    start = time.perf_counter()
    for user, permission, domain in questions:
        decide(user, permission, domain)
    return (time.perf_counter() - start) / len(questions) * 1e6


def _p99(decide: Decide, questions: Sequence[Question]) -> float:
    times = []
    for user, permission, domain in questions:
        start = time.perf_counter_ns()
        decide(user, permission, domain)
        times.append(time.perf_counter_ns() - start)
    return percentile(times, 99) / 1000


def percentile(values: Sequence[float], part: int) -> float:
    """The value that `part` in a hundred do not exceed."""
    return sorted(values)[min(len(values) - 1, len(values) * part // 100)]


def resident() -> int:
    """Bytes of memory this process holds."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
