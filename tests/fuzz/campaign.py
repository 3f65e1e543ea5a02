"""A run over many inputs of one kind: each made by a generator of its own, judged, counted; what is wrong is kept.

RBAC_FUZZ_INPUTS says how many inputs there are in all (4,000 unless set), RBAC_FUZZ_SEED where to start. A run that accepts
nothing or refuses nothing has tested nothing, and fails.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

INPUTS = int(os.environ.get("RBAC_FUZZ_INPUTS", "4000"))
SEED = int(os.environ.get("RBAC_FUZZ_SEED", "1"))

SHARES = {"policies": 0.36, "models": 0.16, "request lines": 0.38, "states": 0.055, "review files": 0.025, "command lines": 0.02}
"""How the inputs are divided: most to what is read fast."""

_SECONDS = 60  # of the processor's time, for one input
_MEMORY = 3 << 29  # bytes more than the process has already, for all of a run
_SHOWN = 10

_Given = TypeVar("_Given")


class Hang(BaseException):
    """One input took a minute of the processor's time; no `except Exception` gets in its way."""


@dataclass
class Run:
    """What came of a run; `findings` has the first input for each way in which something was wrong."""

    kind: str
    inputs: int
    outcomes: Counter[str] = field(default_factory=Counter)
    more: Counter[str] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        accepted, refused = (100 * self.outcomes[each] / self.inputs for each in ("accepted", "refused"))
        told = "".join(f", {number} {what}" for what, number in sorted(self.more.items()))
        return (
            f"{self.inputs} {self.kind}, seed {SEED}: {accepted:.0f} % accepted, {refused:.0f} % refused{told}, "
            f"{len(self.findings)} findings, {self.seconds:.0f} s"
        )


def inputs(kind: str) -> int:
    """How many inputs of a kind there are."""
    return max(1, int(INPUTS * SHARES[kind]))


def share(kind: str, part: float, *, least: int = 8) -> float:
    """The part of the inputs that is examined longer, so much that a small run has `least` of them."""
    return max(part, least / inputs(kind))


def run(kind: str, make: Callable[[random.Random], _Given], judge: Callable[[_Given, Run, random.Random], bool]) -> Run:
    """Make and judge every input of a kind; `judge` says whether it was accepted, and raises whatever is wrong."""
    done = Run(kind, inputs(kind))
    started = time.process_time()
    with _bounded():
        for number in range(done.inputs):
            rng = random.Random(f"{SEED}/{kind}/{number}")
            given = make(rng)
            signal.setitimer(signal.ITIMER_PROF, _SECONDS)
            try:
                done.outcomes["accepted" if judge(given, done, rng) else "refused"] += 1
            except (Exception, Hang) as error:
                done.outcomes["wrong"] += 1
                done.findings.setdefault(_where(error), f"{kind} {SEED}/{number}, {error!r:.600}\n    {given!r:.3000}")
    done.seconds = time.process_time() - started
    return done


def conclude(done: Run, capsys: pytest.CaptureFixture[str], *, accepted: float, refused: float) -> None:
    """Print the run; fail for a finding, and when less than these shares were accepted or refused."""
    with capsys.disabled():
        sys.stdout.write(f"\n{done}")
    assert not done.findings, "\n\n".join([str(done), *list(done.findings.values())[:_SHOWN]])
    assert done.inputs == inputs(done.kind) == done.outcomes.total() >= INPUTS * SHARES[done.kind] - 1
    assert done.outcomes["accepted"] >= accepted * done.inputs, done
    assert done.outcomes["refused"] >= refused * done.inputs, done


def _where(error: BaseException) -> str:
    """What makes two findings the same: the error, and the last line of the program it came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "campaign.py" not in frame.filename]
    ours = next((frame for frame in reversed(frames) if f"{os.sep}rbac{os.sep}" in frame.filename), frames[-1] if frames else None)
    place = "" if ours is None else f"{Path(ours.filename).name}:{ours.lineno}"
    return f"{type(error).__name__} {place} {str(error)[:40] if isinstance(error, AssertionError) else ''}"


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """A bound on time and memory, so that a bomb is a finding and not the end of the machine."""

    def late(*_: Any) -> None:
        raise Hang(f"{_SECONDS} s of the processor's time")

    before = signal.signal(signal.SIGPROF, late)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = Path("/proc/self/statm")
    if used.exists():
        resource.setrlimit(resource.RLIMIT_AS, (int(used.read_text().split()[0]) * resource.getpagesize() + _MEMORY, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
