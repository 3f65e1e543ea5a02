"""A directory with acme's store in it, and `rbac(...)` to run a command line there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import rbac as library
from rbac.cli import main

EXAMPLE = Path(library.__file__).parent / "examples" / "acme.yaml"
ROOT = Path(library.__file__).resolve().parent.parent

Rbac = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="session")
def acme_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the example in it, to be copied."""
    path = tmp_path_factory.mktemp("acme") / "rbac.db"
    with library.connect(f"sqlite:///{path}") as store:
        store.import_state(EXAMPLE)
    return path


def standing(here: Path) -> tuple[object, dict[str, int]]:
    """Everything that changes would change: the state and the revisions. That a change was refused is noted elsewhere."""
    with library.connect(f"sqlite:///{here / 'rbac.db'}") as store:
        return store.export_state(), dict(store.health().organizations)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment that names nothing."""
    for name in [name for name in os.environ if name.startswith(("RBAC_", "_RBAC_"))] + ["NO_COLOR", "TERM"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def here(empty: Path, acme_file: Path) -> Path:
    """A working directory with acme's store, its state file, the shipped policy and a file of requests."""
    shutil.copy(acme_file, empty / "rbac.db")
    shutil.copy(ROOT / "policy.csv", empty)
    shutil.copy(EXAMPLE, empty / "acme.yaml")
    (empty / "requests.jsonl").write_text(
        '{"user": "max", "permission": "data:export", "domain": "project:p1"}\n'
        '{"user": "andy", "permission": "annotator_dashboard:view", "domain": "organization", "target": "andy"}\n'
        '{"user": "zoe", "permission": "project:view", "domain": "project:p1", "via": "api", "at_least": 1}\n'
    )
    return empty


def words(line: str | Sequence[str]) -> list[str]:
    """A command line as its words, without the program's name."""
    return [word for number, word in enumerate(shlex.split(line) if isinstance(line, str) else line) if number or word != "rbac"]


@pytest.fixture
def rbac() -> Rbac:
    """Run a command line in this process; its exit code, stdout and stderr."""

    def run(line: str | Sequence[str], **more: Any) -> Result:
        return CliRunner().invoke(main, words(line), **more)

    return run


@pytest.fixture
def process() -> Process:
    """Run a command line in a process of its own."""

    def run(line: str | Sequence[str], *, environment: dict[str, str] | None = None, **more: Any) -> subprocess.CompletedProcess[bytes]:
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        command = [sys.executable, "-m", "rbac.cli", *words(line)]
        return subprocess.run(command, env=variables, capture_output="stdout" not in more, timeout=60, check=False, **more)

    return run
