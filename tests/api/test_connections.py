"""Connections to PostgreSQL that have ended or break under a question, and locks that others need not wait for."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

import rbac
from rbac.database import tables as t
from rbac.organization import Organization
from tests.distance import at_distance

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)

EXPORT = ("max", "data:export", "project:p1")


def end_every_connection(url: str) -> None:
    """What a restart of the server, or an administrator, does to the others."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@contextmanager
def breaking(store: rbac.Store, times: int) -> Iterator[list[str]]:
    """The next so many statements find their connection cut off at this end's socket, once it has been looked at."""
    cut: list[str] = []

    def cut_off(connection: Any, cursor: object, statement: str, *_: object) -> None:
        if len(cut) < times:
            cut.append(statement)
            with socket.socket(fileno=os.dup(connection.connection.driver_connection.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)

    event.listen(store._store.engine, "before_cursor_execute", cut_off)
    yield cut
    event.remove(store._store.engine, "before_cursor_execute", cut_off)


def test_a_question_and_a_change_on_connections_that_the_server_has_ended_are_answered_and_made(url: str, acme: Organization) -> None:
    assert acme.can(*EXPORT)

    end_every_connection(url)
    assert acme.can("mia", "data:export", "project:p4")
    end_every_connection(url)
    acme.acting("ada").grant("andy", "reviewer")

    assert acme.role_of("andy") == "reviewer"


def test_a_question_whose_connection_breaks_is_asked_once_more(store: rbac.Store, acme: Organization) -> None:
    with breaking(store, 1) as cut:
        assert acme.can(*EXPORT)

    assert len(cut) == 1


def test_a_question_whose_connection_breaks_again_is_an_error_and_no_answer(store: rbac.Store, acme: Organization) -> None:
    with breaking(store, 2) as cut, pytest.raises(rbac.StoreError):
        acme.can(*EXPORT)

    assert len(cut) == 2
    assert acme.can(*EXPORT)


def test_a_change_whose_connection_breaks_is_not_made_twice(store: rbac.Store, acme: Organization) -> None:
    with breaking(store, 1), pytest.raises(rbac.StoreError):
        acme.acting("ada").grant("andy", "reviewer")

    assert acme.revision == 1
    assert acme.role_of("andy") == "annotator"


def test_a_new_connection_is_set_up_without_a_look_for_types_that_are_not_used(url: str) -> None:
    with at_distance(url) as (near, proxy), rbac.connect(near) as store, store._store.engine.connect():
        before = proxy.trips
        with store._store.engine.connect() as second:
            second.exec_driver_sql("SELECT 1")

        assert proxy.trips - before <= 6, "encryption is asked for, the start, the settings, BEGIN, the statement, ROLLBACK"


def test_whoever_refers_to_an_organization_does_not_wait_for_a_change_of_it(url: str, acme: Organization) -> None:
    row = f"INSERT INTO {t.refusal.name} (organization, id, at, actor, operation, reason) VALUES ('acme', 1, 0, 'ada', 'grant', 'no')"

    with acme.acting("ada") as ada, psycopg.connect(url, autocommit=True) as other:
        ada.grant("andy", "reviewer")
        other.execute("SET lock_timeout = '2s'")
        other.execute(row)

    assert [each.actor for each in acme.refusals()] == ["ada"]


def test_a_change_waits_for_another_one_of_the_same_organization(url: str, acme: Organization) -> None:
    with acme.acting("ada") as ada, psycopg.connect(url, autocommit=True) as other:
        ada.grant("andy", "reviewer")
        other.execute("SET lock_timeout = '100ms'")

        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(f"SELECT 1 FROM {t.organization.name} WHERE id = 'acme' FOR NO KEY UPDATE")
