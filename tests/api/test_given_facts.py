"""A question that brings what the application knows of a task: read no more, named in the answer, forgotten after it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from sqlalchemy import event

import rbac
from rbac.organization import Organization
from tests.conftest import ACME

KNOWN = (None, True, False)
PERMISSIONS = ("labeling:access", "review:access", "data_manager:view", "annotation:update")


def statements(store: rbac.Store) -> list[str]:
    """The statements a store sends from now on."""
    sent: list[str] = []
    event.listen(store._store.engine, "before_cursor_execute", lambda _, __, text, *___: sent.append(text))
    return sent


@pytest.fixture
def shown(store: rbac.Store) -> rbac.Store:
    """Projects that show annotators and reviewers the Data Manager, one with manual and one with automatic distribution."""
    ada = store.organization("acme").acting("ada")
    for project in ("p1", "p2"):
        ada.configure(f"project:{project}", show_data_manager_to=["annotator", "reviewer"])
        store.record("acme", project=project, tasks=["t1", "t2"], worked_on={"t1": ["andy"]})
    return store


def test_what_is_given_truly_changes_no_answer(shown: rbac.Store, acme: Organization) -> None:
    compared = 0
    for user, permission, project, task in product(("olga", "max", "rita", "andy"), PERMISSIONS, ("p1", "p2"), ("t1", "t2", "t9")):
        exists, worked_on = task != "t9", (user, task) == ("andy", "t1")
        asked = acme.check(user, permission, f"project:{project}", task=task)
        for known in product((None, exists), (None, worked_on)):
            given = rbac.Task(task, exists=known[0], worked_on=known[1])

            answer = acme.check(user, permission, f"project:{project}", task=given)

            assert (answer.allowed, answer.line, answer.rule) == (asked.allowed, asked.line, asked.rule)
            assert acme.can(user, permission, f"project:{project}", task=given) is asked.allowed
            compared += 1

    assert compared == 384


def test_what_is_given_decides_even_where_the_store_says_otherwise(shown: rbac.Store, acme: Organization) -> None:
    def view(**known: Any) -> bool:
        return acme.can("andy", "data_manager:view", "project:p1", task=rbac.Task("t1", **known))

    assert view() and view(exists=True) and view(worked_on=True)
    assert not view(exists=False)
    assert not view(worked_on=False)
    assert acme.can("andy", "data_manager:view", "project:p1", task="t1"), "nothing of it is kept"


def test_a_warm_question_that_brings_what_it_needs_is_no_statement_on_postgresql_and_a_file(url: str) -> None:
    with rbac.connect(url) as store:
        store.import_state(ACME)
        acme, task = store.organization("acme"), rbac.Task("t2", exists=True, worked_on=False)
        store.health()
        for user in ("andy", "olga"):
            acme.can(user, "labeling:access", "project:p2", task=task)
        sent = statements(store)

        assert not acme.can("andy", "labeling:access", "project:p2", task=task)
        assert acme.can("olga", "labeling:access", "project:p2", task=task)

        assert sent == []


def test_the_answer_names_what_was_given_and_read(shown: rbac.Store, acme: Organization) -> None:
    viewed = acme.check("andy", "data_manager:view", "project:p1", task=rbac.Task("t1", exists=True, worked_on=False))
    owned = acme.check("olga", "data_manager:view", "project:p1", task=rbac.Task("t1", exists=True, worked_on=False))

    assert viewed.given == ("task_exists", "task_worked_on")
    assert viewed.reason.endswith("the question says that the task exists, that the user has not worked on it")
    assert owned.given == ("task_exists",)
    assert acme.check("andy", "data_manager:view", "project:p1", task="t1").given == ()


def test_many_questions_keep_what_is_given_apart(shown: rbac.Store, acme: Organization) -> None:
    asked = [
        rbac.Request(user, permission, f"project:{project}", None, rbac.Task(task, exists=exists, worked_on=worked_on))
        for user, permission, project, task, exists, worked_on in product(
            ("olga", "max", "rita", "andy"), PERMISSIONS, ("p1", "p2"), ("t1", "t9"), KNOWN, KNOWN
        )
    ]

    many = acme.check_many(asked)

    assert many == [acme.check(each.user, each.permission, each.domain, task=each.task) for each in asked]
    assert len({(each.allowed, each.given) for each in many}) >= 6


def test_a_change_takes_no_facts_from_whoever_makes_it(acme: Organization) -> None:
    task: Any = rbac.Task("t9", exists=True)

    with pytest.raises(rbac.UnknownName):
        acme.acting("max").assign_annotator("andy", task=task, project="p2")


@pytest.mark.parametrize("known", [{"exists": "no"}, {"worked_on": 1}, {"exists": object()}])
def test_what_is_neither_known_nor_unknown_is_an_error(acme: Organization, known: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        acme.can("andy", "labeling:access", "project:p2", task=rbac.Task("t1", **known))


def test_a_task_of_no_name_is_an_error(acme: Organization) -> None:
    with pytest.raises(rbac.UnknownName):
        acme.can("andy", "labeling:access", "project:p2", task=rbac.Task("no name"))
