"""Every cell, over every combination of the facts that it reads: Casbin, the Policy's reason and the oracle say the same."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from rbac.decisions.decider import Decider
from rbac.policy.facts import VALUES, GivenFacts
from rbac.policy.reader import read_policy
from rbac.policy.roles import DomainRoles, Subject
from rbac.vocabulary import Kind, Permission, Role
from tests.oracle import KIND, answer, conditions, reads

POLICY = read_policy()
DECIDER = Decider(POLICY)
PATHS = {"organization": "acme", "workspace": "acme/workspace/w", "project": "acme/project/p"}
STOCK = int(os.environ.get("RBAC_STOCK_CASES", "1500"))
"""How many cases stock Casbin decides too, at a millisecond each; a campaign takes them all with 0."""


def read(role: Role, permission: Permission) -> list[str]:
    """The facts that the lines of a cell read, by the policy; those a request fixes left out."""
    lines = [*POLICY.cell(role, permission), *POLICY.denials(role, permission)]
    return sorted(frozenset().union(*(line.reads for line in lines)) - {"role", "kind"})


def combinations(role: Role, permission: Permission) -> Iterator[dict[str, Any]]:
    """Facts about a task or a target are there only when one is named."""
    names = read(role, permission)
    for task, target in product((False, True), repeat=2):
        fixed = {"role": role, "kind": permission.kind, "task_named": task, "target_named": target}
        asked = [name for name in names if name not in fixed and (task or not name.startswith("task_"))]
        asked = [name for name in asked if target or not (name.startswith("target_") or name == "shares_domain_with_target")]
        if permission.kind is Kind.PROJECT or not task:
            for values in product(*(VALUES[name] for name in asked)):
                yield {**fixed, **dict(zip(asked, values, strict=True))}


def ask(enforcer: Any, role: Role, permission: Permission, facts: dict[str, Any]) -> bool:
    given = GivenFacts()
    given.__dict__.update(facts)
    return bool(enforcer.enforce(Subject("u", role), PATHS[permission.kind], permission.object, permission.action, given))


@pytest.mark.parametrize("role", Role)
def test_every_cell_decides_as_the_oracle_over_every_combination_of_its_facts(role: Role, record_property: Any) -> None:
    cases, allowed = 0, 0
    for permission in Permission:
        for facts in combinations(role, permission):
            expected = answer(role, permission, facts)
            cases += 1
            allowed += expected
            if ask(DECIDER.casbin, role, permission, facts) is not expected:
                pytest.fail(f"{role} {permission}: the oracle says {expected} for {facts}")

    record_property("cases", cases)
    print(f"\n{role}: {cases} cases, {allowed} allowed, 0 disagreements")  # noqa: T201
    assert cases > 10_000
    assert allowed > 500


def test_stock_casbin_decides_the_same(record_property: Any) -> None:
    stock = DECIDER.assemble(DomainRoles(), stock=True)
    every = ((role, permission, facts) for role in Role for permission in Permission for facts in combinations(role, permission))
    chooser = random.Random(7)
    share = 1.0 if STOCK == 0 else STOCK / 600_000
    cases, allowed = 0, 0
    for role, permission, facts in every:
        if chooser.random() < share:
            expected = answer(role, permission, facts)
            cases += 1
            allowed += expected
            assert ask(stock, role, permission, facts) is expected, (role, permission, facts)

    record_property("cases", cases)
    assert cases > 500
    assert allowed > 20


@pytest.mark.parametrize("role", Role)
def test_the_reason_and_the_answer_are_one(role: Role) -> None:
    chooser = random.Random(11)
    for permission in Permission:
        for facts in combinations(role, permission):
            if chooser.random() > 0.02:
                continue
            given = GivenFacts(**facts)
            verdict = DECIDER.trace_cell(role, permission, given)

            assert verdict.allowed is ask(DECIDER.casbin, role, permission, facts)
            assert verdict.reason
            if verdict.allowed:
                assert verdict.line is not None
                assert f"policy.csv:{verdict.line.number} {role}, {permission}" in verdict.reason


@pytest.mark.parametrize("role", Role)
def test_a_fact_that_is_missing_is_never_an_allow_that_knowing_it_would_deny(role: Role) -> None:
    chooser = random.Random(13)
    checked = 0
    for permission in Permission:
        for facts in combinations(role, permission):
            if chooser.random() > 0.003:
                continue
            for name in read(role, permission):
                rest = {other: value for other, value in facts.items() if other != name}
                if ask(DECIDER.casbin, role, permission, rest):
                    checked += 1
                    assert all(answer(role, permission, {**rest, name: value}) for value in VALUES[name]), (permission, rest, name)
    assert checked > 3


def test_the_policy_has_a_line_exactly_where_the_table_has_a_mark() -> None:
    for role in Role:
        for permission in Permission:
            stated = conditions(role, permission)
            lines = POLICY.cell(role, permission)
            assert KIND[permission] == permission.kind
            if stated is None:
                assert not lines, (role, permission)
            else:
                assert [set(line.conditions) for line in lines] == [set(stated)], (role, permission)


def test_the_lines_read_the_facts_that_the_oracle_says_a_cell_can_depend_on() -> None:
    for role in Role:
        for permission in Permission:
            assert set(read(role, permission)) >= reads(role, permission) - {"role", "kind"}, (role, permission)
