"""The policies that reviews are tried on: the shipped one, and the shipped one edited."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rbac
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


ROOT = Path(__file__).parents[2]


class Repository:
    """A throw-away git repository with the shipped policy, its claims and its tests, and `rbac` on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder.parent / "bin"
        programs.mkdir()
        (programs / "rbac").write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m rbac.cli "$@"\n')
        (programs / "rbac").chmod(0o755)
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", "Rita"), ("EMAIL", "r@example.com"))
        }
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PYTHONPATH": str(ROOT)}
        self.environment = {**os.environ, **who, **settings, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """One line of a shell."""
        return subprocess.run(
            ["bash", "-c", command], cwd=self.folder, capture_output=True, text=True, env={**self.environment, **environment}
        )

    def apply(self, change: str) -> None:
        """An edit, as a diff has it."""
        done = subprocess.run(["git", "apply", "-"], cwd=self.folder, input=change, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """The repository the page speaks of, on main, with a store."""
    folder = tmp_path / "repository"
    (folder / "tests" / "policy").mkdir(parents=True)
    shutil.copy(ROOT / "policy.csv", folder)
    shutil.copy(ROOT / "claims.yaml", folder)
    shutil.copy(ROOT / "tests" / "policy" / "table.rbac.yaml", folder / "tests" / "policy")
    repository = Repository(folder)
    done = repository.run("git init -q -b main && git add . && git commit -qm 'The published table'")
    assert done.returncode == 0, done.stderr
    with rbac.connect(f"sqlite:///{folder}/rbac.db") as store:
        store.import_state(ROOT / "examples" / "acme.yaml")
    return repository
