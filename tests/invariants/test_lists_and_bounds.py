"""Invariants 9 and 10: lists agree with check, and no question scans a table."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

import rbac
from rbac import Permission
from rbac.organization import Organization
from rbac.vocabulary import Via
from tests.invariants.everything import answers

HARMLESS = ("SCAN CONSTANT ROW", "SCAN rbac_store", "SCAN anon", "SCAN (", "SCAN json_each", "SCAN k VIRTUAL", "SCAN g")
"""What SQLite calls a scan and is not one: no row, the one row of `rbac_store`, and what an index has found."""


def test_permissions_and_members_agree_with_check_and_role_of_everywhere(acme: Organization) -> None:
    compared = 0
    for domain in acme.domains():
        there = {each.user: each for each in acme.members(domain)}
        for user in (*(each.user for each in acme.members()), "zoe"):
            for via in (Via.UI, Via.API):
                found = acme.permissions(user, domain, via=via)
                expected = [each for each in Permission if each.kind is domain.kind and acme.check(user, each, domain, via=via)]
                assert list(found) == expected
                compared += 1
            if user in there:
                assert there[user].role == acme.role_of(user, domain)

    assert compared >= 100


def test_decide_and_can_agree_one_by_one_and_many_at_once(acme: Organization) -> None:
    requests = [
        rbac.Request(user, permission, str(domain), via=via)
        for user in ("olga", "max", "rita", "andy", "dan", "zoe")
        for domain in acme.domains()
        for permission in Permission
        if permission.kind is domain.kind
        for via in (Via.UI, Via.API)
    ]

    decisions = acme.check_many(requests)

    assert len(decisions) >= 1000
    assert [bool(each) for each in decisions] == [acme.can(each.user, each.permission, each.domain, via=each.via) for each in requests]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_no_question_scans_a_table(store: rbac.Store, acme: Organization) -> None:
    store.record("acme", project="p2", tasks=[f"x{number}" for number in range(50)], worked_on={"x1": ["andy"]})
    asked: dict[str, Any] = {}
    event.listen(
        store._store.engine,
        "before_cursor_execute",
        lambda connection, cursor, statement, parameters, *_: asked.setdefault(statement, parameters),
    )
    for user in ("max", "rita", "andy", "zoe"):
        acme.permissions(user, "project:p2")
        acme.can(user, "labeling:access", "project:p2", task="t1")
        acme.can(user, "annotator_dashboard:view", target="andy")
        acme.role_of(user, "workspace:w1")

    statements = {statement: parameters for statement, parameters in asked.items() if statement.lstrip("(").startswith("SELECT")}
    walked = []
    with acme._store.reading() as connection:
        for statement, parameters in statements.items():
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            walked += [(step, statement) for step in plan if step.startswith("SCAN") and not step.startswith(HARMLESS)]

    assert len(statements) >= 7
    assert walked == []


def test_the_answers_take_no_more_statements_with_a_hundred_times_the_tasks(store: rbac.Store, acme: Organization) -> None:
    counted: list[int] = []
    told: list[str] = []
    event.listen(store._store.engine, "before_cursor_execute", lambda connection, cursor, statement, *_: told.append(statement))
    for number in (5, 500):
        store.record("acme", project="p2", tasks=[f"x{each}" for each in range(number)])
        told.clear()
        answers(acme)
        counted.append(len(told))

    assert counted[1] <= counted[0]
