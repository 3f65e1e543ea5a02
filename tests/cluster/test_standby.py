"""A node on a standby hears of nothing and polls: it must not take two moments for one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

import rbac
from tests.cluster.conftest import EXPORT, psycopg_url, within
from tests.cluster.server import Server
from tests.conftest import ACME

POLL = 0.1


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.remove()


def test_a_commit_between_two_others_is_seen_while_an_older_transaction_is_open(server: Server) -> None:
    """PostgreSQL's snapshots on a standby name no transaction under way, so theirs were equal before and after the commit."""
    standby = server.standby()
    with rbac.connect(server.url) as store, rbac.connect(standby, poll=POLL) as copy:
        store.import_state(ACME)
        acme, node = store.organization("acme"), copy.organization("acme")
        within(5, lambda: node.can(*EXPORT))
        found = copy._store.listener(timeout=5)
        assert found is not None and found.state == "polling"

        with psycopg.connect(psycopg_url(server.url)) as older:
            older.execute("SELECT pg_current_xact_id()")
            with acme.acting("ada") as ada:
                ada.grant("max", "annotator")
                with psycopg.connect(psycopg_url(server.url)) as later:
                    later.execute("CREATE TABLE later (number int)")
                time.sleep(5 * POLL)
                assert node.can(*EXPORT)

            within(5, lambda: not node.can(*EXPORT))
