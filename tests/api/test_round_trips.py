"""What a question and a change cost in statements and in round trips, counted on the wire between program and PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from sqlalchemy import event

import rbac
from rbac.acting import Acting
from rbac.decisions.batch import decide_many
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


def a_thousand_requests() -> list[rbac.Request]:
    """Members and strangers, projects, tasks and targets that are there and are not, of every role."""
    users = [*("olga", "ada", "max", "mia", "rita", "andy", "dan", "nina"), *(f"nobody{n}" for n in range(20))]
    projects = [f"project:p{n}" for n in range(1, 9)]
    tasks, targets = [None, "t1", "t2", "t9"], [None, "andy", "rita", "nobody7"]
    of_projects = [
        rbac.Request(user, permission, project, target if "pause" in permission else None, None if "pause" in permission else task, via)
        for user, project, permission, (task, target), via in product(
            users,
            projects,
            ("labeling:access", "review:access", "data_manager:view", "project_member:pause"),
            zip(tasks, targets, strict=True),
            ("ui", "api"),
        )
    ]
    others = [
        rbac.Request(user, permission, where, target)
        for user in users
        for permission, where, target in (
            ("workspace:view", "workspace:w1", None),
            ("annotator_dashboard:view", "organization", "andy"),
            ("workspace:create", "organization", None),
        )
    ]
    return random.Random(7).sample(of_projects, 1000 - len(others)) + others


def test_a_thousand_mixed_requests_are_six_statements_at_most_and_get_the_decisions_they_get_alone(empty: rbac.Store) -> None:
    acme, requests = empty.organization("acme"), a_thousand_requests()
    sent = Statements(empty)

    many = acme.check_many(requests)

    assert len(requests) == 1000
    assert len(sent) <= 6
    alone = [acme.check(each.user, each.permission, each.domain, target=each.target, task=each.task, via=each.via) for each in requests]
    assert many == alone
    assert {bool(each) for each in many} == {True, False}


def test_a_thousand_requests_of_a_view_in_a_transaction_are_six_statements_at_most(empty: rbac.Store) -> None:
    requests = a_thousand_requests()
    expected = empty.organization("acme").check_many(requests)
    sent = Statements(empty)

    with empty._store.snapshot("acme", 0, requests) as view:
        found = decide_many(empty._store.decider, view, requests, empty._store.clock())

    assert found == expected
    assert len(sent) <= 6


def test_permissions_are_read_in_one_statement(empty: rbac.Store) -> None:
    acme, sent = empty.organization("acme"), Statements(empty)

    assert "labeling:access" in acme.permissions("andy", "project:p2")

    assert len(sent) == 1


def test_task_questions_that_agree_share_one_decision(empty: rbac.Store) -> None:
    empty.record("acme", project="p2", tasks=[f"x{number}" for number in range(300)])

    many = empty.organization("acme").check_many(
        [rbac.Request("andy", "labeling:access", "project:p2", None, task) for task in ("t1", *(f"x{n}" for n in range(300)), "gone")]
    )

    assert [bool(each) for each in many] == [True] + [False] * 301
    assert len({id(each) for each in many}) == 3


def test_members_of_one_role_who_agree_in_everything_that_is_read_share_one_decision(empty: rbac.Store) -> None:
    first, second = empty.organization("acme").check_many(
        [rbac.Request("rita", "project:view", "project:p1"), rbac.Request("rita", "project:view", "project:p1")]
    )
    max_, mia = empty.organization("acme").check_many(
        [rbac.Request("max", "data:export", "project:p1"), rbac.Request("mia", "data:export", "project:p4")]
    )

    assert first is second
    assert max_ is mia
