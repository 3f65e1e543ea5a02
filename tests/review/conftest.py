"""The policies that reviews are tried on: the shipped one, and the shipped one edited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rbac.policy.reader import PACKAGED, Policy, parse_policy, read_policy
from rbac.review.testing.expectations import Expectation, read_expectations, test_files
from rbac.review.testing.fixtures import Trials

Edited = Callable[..., Policy]
Read = Callable[[Path], tuple[Expectation, ...]]


@pytest.fixture(scope="session")
def shipped() -> Policy:
    """The policy in the package."""
    return read_policy()


@pytest.fixture(scope="session")
def edited() -> Edited:
    """`edited((old, new), ...)`: the shipped policy with texts replaced, each of which must stand there exactly once."""

    def edit(*edits: tuple[str, str]) -> Policy:
        text = PACKAGED.read_text()
        for old, new in edits:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
            text = text.replace(old, new)
        return parse_policy(text, "edited.csv")

    return edit


def line(role: str, permission: str, *, conditions: str = "always", domain: str = "project", effect: str = "allow") -> str:
    """One line as policy.csv has it."""
    object_, action = permission.split(":")
    return f"p, {role + ',':<14} {domain + ',':<13} {object_ + ',':<23} {action + ',':<17} {conditions + ',':<69} {effect}\n"


POLICY_TESTS = Path(__file__).parents[1] / "policy"
"""The policy tests that ship, as data."""


@pytest.fixture(scope="session")
def read(shipped: Policy) -> Iterator[Read]:
    """`read(path)`: the expectations of a test file, or of every one in a folder, over stores in memory."""
    trials = Trials(shipped)
    yield lambda path: tuple(each for file in test_files([path]) for each in read_expectations(file, trials.open))
    trials.close()
