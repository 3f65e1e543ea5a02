"""What a question and a change cost in statements and in round trips, counted on the wire between program and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event

import rbac
from rbac.acting import Acting
from tests.conftest import ACME
from tests.distance import at_distance


class Statements(list[str]):
    """The statements a store sends from now on, those that begin and end a transaction aside."""

    def __init__(self, store: rbac.Store) -> None:
        event.listen(store._store.engine, "before_cursor_execute", self._note)

    def _note(self, connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            self.append(statement)


@pytest.fixture
def empty(url: str) -> Iterator[rbac.Store]:
    """A store with ACME in it that nobody has asked anything yet, on each of the two databases."""
    with rbac.connect(url) as store:
        store.import_state(ACME)
    with rbac.connect(url) as store:
        store._store.ready()
        yield store


SILENT: dict[str, Any] = {"poll": 60.0, "max_staleness": 120.0}
"""A node whose listening connection says nothing while a test counts."""

COLD = {
    "of the organization": ("ada", "workspace:create", "organization", None, None),
    "of a workspace": ("max", "workspace:delete", "workspace:w1", None, None),
    "of a project": ("max", "data:export", "project:p1", None, None),
    "of an annotator in a project with manual distribution": ("andy", "labeling:access", "project:p2", None, None),
    "of a task": ("andy", "labeling:access", "project:p2", None, "t1"),
    "of a task the user has worked on": ("andy", "data_manager:view", "project:p2", None, "t1"),
    "of a target": ("max", "project_member:pause", "project:p1", "rita", None),
    "of a target that shares a workspace": ("max", "annotator_dashboard:view", "organization", "andy", None),
    "of nobody": ("nobody", "data:export", "project:none", "nobody", "none"),
}


@pytest.mark.parametrize("case", COLD)
def test_a_first_question_is_one_statement(empty: rbac.Store, case: str) -> None:
    user, permission, domain, target, task = COLD[case]
    sent = Statements(empty)

    empty.organization("acme").can(user, permission, domain, target=target, task=task)

    assert len(sent) == 1, sent


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_first_question_is_one_round_trip(url: str) -> None:
    with at_distance(url) as (near, proxy), rbac.connect(near, **SILENT) as store:
        store.import_state(ACME)
        acme = store.organization("acme")
        store.health()
        for user, permission, domain, target, task in COLD.values():
            store._store.abandon()  # nothing is kept
            before = proxy.trips

            acme.can(user, permission, domain, target=target, task=task)

            assert proxy.trips - before == 1


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_the_first_question_of_a_store_is_two_round_trips_once_it_is_connected(url: str) -> None:
    with at_distance(url) as (near, proxy):
        with rbac.connect(near) as store:
            store.import_state(ACME)
        with rbac.connect(near) as store:
            with store._store.engine.connect():
                before = proxy.trips
            assert store.organization("acme").can("max", "data:export", "project:p1")

            assert proxy.trips - before == 2


def test_another_user_of_a_known_project_is_one_statement(empty: rbac.Store) -> None:
    acme = empty.organization("acme")
    acme.can("max", "labeling:access", "project:p2")
    sent = Statements(empty)

    assert acme.can("andy", "labeling:access", "project:p2")

    assert len(sent) == 1


def test_a_task_question_of_a_known_user_is_one_statement_and_what_is_assigned_is_kept(empty: rbac.Store) -> None:
    acme = empty.organization("acme")
    assert acme.can("andy", "labeling:access", "project:p2", task="t1")
    sent = Statements(empty)

    assert acme.can("andy", "labeling:access", "project:p2", task="t1")

    assert len(sent) <= 1
    assert not any("assignment" in statement for statement in sent if "json_extract" not in statement and "unnest" not in statement)


def test_the_owners_question_reads_nothing_that_only_an_annotators_line_needs(empty: rbac.Store) -> None:
    acme = empty.organization("acme")
    acme.can("olga", "labeling:access", "project:p1")
    sent = Statements(empty)

    assert acme.can("olga", "labeling:access", "project:p2")

    assert len(sent) == 1
    assert "assignment" not in sent[0]


CHANGES: dict[str, tuple[str, Callable[[Acting], object]]] = {
    "grant": ("ada", lambda a: a.grant("andy", "reviewer")),
    "grant in a project": ("max", lambda a: a.grant("andy", "reviewer", on="project:p2")),
    "revoke": ("max", lambda a: a.revoke("andy", on="project:p2")),
    "invite": ("ada", lambda a: a.invite("zoe", "annotator")),
    "deactivate": ("ada", lambda a: a.deactivate("zoe")),
    "add": ("max", lambda a: a.add("mia", "workspace:w1")),
    "remove": ("max", lambda a: a.remove("mia", "workspace:w1")),
    "pause": ("max", lambda a: a.pause("rita", "project:p2")),
    "assign": ("max", lambda a: a.assign_annotator("rita", task="t2", project="p2")),
    "unassign": ("max", lambda a: a.unassign("rita", task="t2", project="p2")),
    "configure": ("max", lambda a: a.configure("project:p1", published=False, distribution="manual")),
    "create a workspace": ("max", lambda a: a.create_workspace("w9")),
    "create a project": ("max", lambda a: a.create_project("p9", workspace="w1")),
    "move a project": ("max", lambda a: a.move_project("p9", workspace="w9")),
    "restrict": ("olga", lambda a: a.restrict("plugin:configure", "administrator")),
}


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_change_is_ten_round_trips_at_most_and_mostly_eight(url: str) -> None:
    spent: dict[str, int] = {}
    with at_distance(url) as (near, proxy), rbac.connect(near, **SILENT) as store:
        store.import_state(ACME)
        acme = store.organization("acme")
        for case, (actor, change) in CHANGES.items():
            before = proxy.trips

            change(acme.acting(actor))

            spent[case] = proxy.trips - before

    assert max(spent.values()) <= 10, spent
    assert sorted(spent.values())[len(spent) // 2] <= 8, spent
