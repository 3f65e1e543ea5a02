"""A PostgreSQL store to share between nodes, and a server of its own for a test that stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import make_url

import rbac
from rbac.organization import Organization
from tests.conftest import ACME

EXPORT = ("max", "data:export", "project:p1")


@pytest.fixture
def dialect() -> str:
    """PostgreSQL only: SQLite is one machine's."""
    return "postgresql"


@pytest.fixture
def acme(url: str) -> Iterator[Organization]:
    """One node, which writes."""
    with rbac.connect(url) as store:
        store.import_state(ACME)
        yield store.organization("acme")


@pytest.fixture
def node(url: str, acme: Organization) -> Iterator[Organization]:
    """Another node, which has asked and listens."""
    with rbac.connect(url, poll=60, max_staleness=60) as store:
        assert listening(store)
        yield store.organization("acme")


def listening(store: rbac.Store) -> bool:
    """Make a node listen, as its second question would."""
    found = store._store.listener(timeout=5)
    return found is not None and found.state == "listening"


def within(seconds: float, so: Callable[[], bool]) -> float:
    """How long it took until it was so; fails after `seconds`."""
    begun = time.monotonic()
    while not so():
        assert time.monotonic() - begun < seconds, f"still not so after {seconds} s"
        time.sleep(0.001)
    return time.monotonic() - begun


def listeners(url: str) -> list[int]:
    """The process ids of the server behind the connections that listen in this database."""
    with psycopg.connect(psycopg_url(url), autocommit=True) as connection:
        query = """SELECT pid FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND (query LIKE '%pg_current_snapshot()%' OR query = 'LISTEN rbac_revision')"""
        return [pid for (pid,) in connection.execute(query)]


def psycopg_url(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
