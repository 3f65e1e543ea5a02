"""`CompiledEnforcer` against `casbin.Enforcer`: every answer, every exception, every explanation, after every edit.

RBAC_FUZZ_REQUESTS says how many requests to compare (3,000 unless set), RBAC_FUZZ_SEED where to start.
"""

from __future__ import annotations

import os
import random
import re
import sys
from collections import Counter
from typing import Any

import casbin
import pytest
from casbin.core_enforcer import CoreEnforcer

from rbac.enforcer import CompiledEnforcer
from tests.enforcer import random_worlds

REQUESTS = int(os.environ.get("RBAC_FUZZ_REQUESTS", "3000"))
SEED = int(os.environ.get("RBAC_FUZZ_SEED", "1"))
_A_WORLD = 60


@pytest.fixture
def stock_answers(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many requests to compiled enforcers were answered by stock Casbin."""
    seen: Counter[str] = Counter()
    original = CoreEnforcer.enforce_ex

    def counting(self: Any, *rvals: Any) -> Any:
        seen[type(self).__name__] += 1
        return original(self, *rvals)

    monkeypatch.setattr(CoreEnforcer, "enforce_ex", counting)
    return seen


def test_random_models_policies_edits_and_requests_are_answered_as_stock_answers_them(
    stock_answers: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    compared = edits = raised = allowed = 0
    for number in range(-(-REQUESTS // _A_WORLD)):
        rng = random.Random(f"{SEED}/{number}")
        world = random_worlds.world(rng, (casbin.Enforcer, CompiledEnforcer))
        for _ in range(_A_WORLD):
            if rng.random() < 0.25:
                stock, ours = random_worlds.edit(world)
                edits += 1
                assert _text(ours) == _text(stock), _story(number, world)
            values = random_worlds.request(world)
            asked = "enforce_ex" if rng.random() < 0.5 else "enforce"
            stock, ours = world.both(f"{asked}{values!r}", lambda each: getattr(each, asked)(*values))  # noqa: B023
            assert _text(ours) == _text(stock), _story(number, world)
            compared += 1
            raised += issubclass(stock[0], Exception)
            allowed += stock[1] is True or (isinstance(stock[1], tuple) and stock[1][0] is True)
    compiled = compared - stock_answers["CompiledEnforcer"]
    with capsys.disabled():
        sys.stdout.write(f"\n{compared} requests compared, {edits} edits, {compiled} compiled, {raised} raised, {allowed} allowed\n")

    assert compared >= REQUESTS >= 3000
    assert compiled > compared * 0.5 and raised > compared * 0.05 and allowed > compared * 0.1


def _text(outcome: Any) -> str:
    """An outcome as text; objects that differ only by their address are the same."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(outcome))


def _story(number: int, world: random_worlds.World) -> str:
    return f"world {SEED}/{number}:\n" + "\n".join([world.trail[0], *world.trail[1:][-40:]])
