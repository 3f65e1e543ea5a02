"""An upgrade that is killed in the middle leaves the store as it was, and the store says what to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

import rbac
from rbac.database import schema
from rbac.database.engine import is_sqlite, open_engine, reading
from tests.cluster.conftest import EXPORT
from tests.conftest import ACME

UPGRADE = """
import sys, pathlib
from rbac.database import schema
from rbac.database.engine import open_engine
schema._MIGRATIONS, schema.REVISIONS, schema.HEAD = pathlib.Path(sys.argv[2]), ("0002", "0003"), "0003"
schema.upgrade(open_engine(sys.argv[1]))
"""

SECOND = """
import time
from pathlib import Path
from alembic import op
revision, down_revision = "0003", "0002"

def upgrade():
    op.get_bind().exec_driver_sql("CREATE TABLE half (id INTEGER)")
    op.get_bind().exec_driver_sql("DROP VIEW rbac_casbin_rule")
    if not Path(__file__).with_name("go").exists():
        print("in the middle", flush=True)
        time.sleep(60)
    op.get_bind().exec_driver_sql("CREATE TABLE whole (id INTEGER)")
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """The migrations of a program that is one revision ahead, whose second one can be stopped in the middle."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    ours = Path(schema.__file__).parent / "migrations"
    for path in ours.rglob("*.*"):
        if "__pycache__" not in path.parts:
            target = folder / path.relative_to(ours)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    (folder / "versions" / "0003_second.py").write_text(SECOND)
    return folder


@pytest.fixture
def killed(url: str, migrations: Path) -> Iterator[Engine]:
    """A store with acme, whose upgrade was killed with SIGKILL between two statements of a migration."""
    with rbac.connect(url) as store:
        store.import_state(ACME)
    process = subprocess.Popen([sys.executable, "-c", UPGRADE, url, str(migrations)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    engine = open_engine(url)
    yield engine
    engine.dispose()


def test_an_upgrade_killed_in_the_middle_leaves_what_was_there(killed: Engine, url: str) -> None:
    with reading(killed) as connection:
        assert "half" not in inspect(connection).get_table_names()
        assert "rbac_casbin_rule" in inspect(connection).get_view_names()
    with rbac.connect(url) as store:
        assert store.organization("acme").can(*EXPORT)
        assert list(store.problems()) == []


def test_the_newer_program_says_what_to_do_and_doing_it_is_enough(
    killed: Engine, url: str, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "REVISIONS", ("0002", "0003"))
    monkeypatch.setattr(schema, "HEAD", "0003")
    with (
        rbac.connect(url) as store,
        pytest.raises(rbac.StoreError, match="has schema 0002, this program needs 0003: run `rbac db upgrade`"),
    ):
        store.organization("acme").can(*EXPORT)

    (migrations / "versions" / "go").touch()
    subprocess.run([sys.executable, "-c", UPGRADE, url, str(migrations)], check=True, timeout=60)

    with rbac.connect(url) as store:
        assert store.organization("acme").can(*EXPORT)
    with reading(killed) as connection:
        assert {"half", "whole"} <= set(inspect(connection).get_table_names())
        if is_sqlite(killed):
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
