"""The command line over a store of a test, and a way past every guard of a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rbac.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run(url: str, store: object) -> Run:
    """Run `rbac WORDS...` over the store of the test, which has the organization acme."""
    return lambda *words: CliRunner().invoke(main, words, env={"RBAC_DB": url, "RBAC_ORG": "acme", "NO_COLOR": "1"})


def edit(path: Path, *statements: str) -> None:
    """Change a SQLite file as somebody would who owns it: without triggers, foreign keys or checks."""
    connection = sqlite3.connect(path, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for statement in statements:
        connection.execute(statement)
    connection.close()
