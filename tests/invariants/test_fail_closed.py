"""Invariant 4: what is not known is never an allow, and an invalid name is an error at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import rbac
from rbac import Permission
from rbac.organization import Organization
from rbac.policy.reader import Policy


@pytest.mark.parametrize(
    ("user", "permission", "domain", "named"),
    [
        ("zoe", "data:export", "project:p1", {}),
        ("dan", "data:export", "project:p1", {}),
        ("nina", "data:export", "project:p1", {}),
        ("olga", "data:export", "project:p9", {}),
        ("olga", "workspace:view", "workspace:w9", {}),
        ("olga", "data:export", "project:p1", {"target": "zoe"}),
        ("olga", "workspace:view", "workspace:w1", {"target": "zoe"}),
        ("olga", "annotator_dashboard:view", "organization", {"target": "zoe"}),
        ("olga", "labeling:access", "project:p2", {"task": "t9"}),
        ("olga", "data:export", "project:p5", {}),
    ],
)
def test_what_is_not_known_is_denied_with_a_reason_even_for_the_owner(
    acme: Organization, user: str, permission: str, domain: str, named: dict[str, Any]
) -> None:
    decision = acme.check(user, permission, domain, **named)

    assert not decision and decision.reason
    assert not acme.can(user, permission, domain, **named)
    with pytest.raises(rbac.Denied):
        acme.require(user, permission, domain, **named)


@pytest.mark.parametrize(
    ("user", "permission", "domain", "named"),
    [
        ("ol ga", "data:export", "project:p1", {}),
        ("", "data:export", "project:p1", {}),
        ("olga", "data:exprot", "project:p1", {}),
        ("olga", "*", "project:p1", {}),
        ("olga", "data:export", "organization", {}),
        ("olga", "data:export", "p1", {}),
        ("olga", "data:export", "project:", {}),
        ("olga", "data:export", "project:p1", {"target": "ri ta"}),
        ("olga", "labeling:access", "project:p1", {"task": "t/1"}),
        ("olga", "workspace:view", "workspace:w1", {"task": "t1"}),
        ("olga", "data:export", "project:p1", {"via": "smtp"}),
    ],
)
def test_an_invalid_name_is_an_error_and_no_answer(
    acme: Organization, user: str, permission: str, domain: str, named: dict[str, Any]
) -> None:
    for ask in (acme.can, acme.check, acme.require):
        with pytest.raises(rbac.UnknownName):
            ask(user, permission, domain, **named)


def test_a_revision_that_has_not_been_reached_is_an_error_and_no_answer(acme: Organization) -> None:
    with pytest.raises(rbac.StoreError, match="has not been reached"):
        acme.can("olga", "billing:configure", at_least=99)
    with pytest.raises(rbac.StoreError, match="has not been reached"):
        acme.can("olga", "billing:configure", at_least=10**30)
    with pytest.raises(rbac.StoreError, match="has not been reached"):
        acme.token(10**30)


def test_a_missing_organization_is_a_denial(store: rbac.Store) -> None:
    assert not store.organization("nowhere").can("olga", "billing:configure")


def test_a_policy_without_lines_lets_nobody_do_anything(url: str, store: rbac.Store) -> None:
    with rbac.connect(url, policy=Policy("empty.csv", (), "0" * 64)) as empty:
        acme = empty.organization("acme")
        allowed = [
            (user, permission)
            for user in ("olga", "ada", "max")
            for permission in Permission
            if acme.can(user, permission, {"organization": "organization"}.get(permission.kind, f"{permission.kind}:{permission.kind[0]}1"))
        ]

    assert allowed == []


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_store_that_cannot_answer_is_an_error_and_no_answer(acme: Organization, tmp_path: Path) -> None:
    assert acme.can("olga", "billing:configure")
    for file in tmp_path.glob("rbac.db*"):
        os.remove(file)
    acme._store.close()

    with pytest.raises(rbac.StoreError):
        acme.can("olga", "billing:configure")


def test_a_restriction_this_program_does_not_know_is_an_error_and_no_answer(acme: Organization) -> None:
    with acme._store.engine.begin() as connection:
        connection.execute(text("INSERT INTO rbac_restriction VALUES ('acme', 'future:permission', 'owner')"))

    with pytest.raises(rbac.StoreError, match="too old for this store"):
        acme.can("ada", "billing:configure")
