"""The space holds exactly the combinations there can be, and says of each what the decider says."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from rbac.decisions.decider import Decider
from rbac.fact_space.constraints import constraints, domains
from rbac.fact_space.diagrams import NO, YES, Diagrams, Node
from rbac.fact_space.space import space
from rbac.policy.conditions import CONDITIONS, holds
from rbac.policy.facts import VALUES, GivenFacts, Missing
from rbac.policy.reader import Policy
from rbac.vocabulary import Kind, Permission, Role

DOMAINS = domains()


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_diagram_of_a_condition_is_its_function_for_every_combination_of_what_it_reads(name: str) -> None:
    condition = CONDITIONS[name]
    node = space().condition(name, condition.effect)
    combinations = list(product(*(range(len(DOMAINS[fact])) for fact in sorted(condition.reads))))

    assert len(combinations) >= 2
    for places in combinations:
        known = dict(zip(sorted(condition.reads), places, strict=True))
        facts = GivenFacts(**{fact: DOMAINS[fact][place] for fact, place in known.items()})
        assert space().diagrams.holds(node, known) == holds(name, condition.effect, facts), known


def test_every_fact_has_its_values_in_the_space() -> None:
    assert set(DOMAINS) == set(VALUES)
    assert all(DOMAINS[name][: len(values)] == values for name, values in VALUES.items() if not isinstance(DOMAINS[name][-1], Missing))


def test_the_space_of_an_organization_question_is_what_trying_every_combination_finds() -> None:
    free = ("plugins_enabled", "manual_role_management", "tokens_for_annotators_and_reviewers", "restricted_to")
    asked = ("role", "target_named", "target_known", "target_is_user", "target_active", "target_role", "shares_domain_with_target")
    rest = {name: values[-1] for name, values in DOMAINS.items() if name not in asked}
    rest |= {"kind": Kind.ORGANIZATION, "task_named": False, **{name: DOMAINS[name][0] for name in free}}
    tried = list(product(*(DOMAINS[name] for name in asked)))
    possible = [values for values in tried if _possible(dict(zip(asked, values, strict=True)) | rest)]
    whole = [space().question(role, Kind.ORGANIZATION) for role in Role]

    assert len(tried) >= 3_000
    assert sum(space().diagrams.count(node, asked) for node in whole) == len(possible) == 78


def _possible(facts: dict[str, Any]) -> bool:
    given = GivenFacts(**facts)
    return all(constraint(given) for constraint in constraints())


def test_the_space_decides_as_the_decider_does(shipped: Policy) -> None:
    decider, source, compared = Decider(shipped), random.Random(6), 0
    for role, permission in product(Role, Permission):
        allowed = space().allowed(shipped, role, permission)
        for part in (allowed, space().diagrams.but_not(space().question(role, permission.kind), allowed)):
            for places in _drawn(part, source, count=10):
                facts = GivenFacts(**{name: DOMAINS[name][place] for name, place in places.items()})
                assert _possible({name: DOMAINS[name][place] for name, place in places.items()})
                assert decider.trace_cell(role, permission, facts).allowed == (part == allowed), (role, permission, places)
                compared += 1

    assert compared >= 3_000


def _drawn(node: Node, source: random.Random, *, count: int) -> list[dict[str, int]]:
    """`count` combinations that a diagram holds for, at random; none when there is none."""
    diagrams = space().diagrams
    drawn = []
    for _ in range(count if node != NO else 0):
        places, left = {}, node
        for name, values in DOMAINS.items():
            order = source.sample(range(len(values)), len(values))
            parts = ((place, diagrams.both(left, diagrams.literal_at(name, place))) for place in order)
            places[name], left = next((place, part) for place, part in parts if part != NO)
        drawn.append(places)
    return drawn


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"kind": Kind.PROJECT, "personal": True, "workspace_member": True}, "a sandbox takes no members"),
        ({"kind": Kind.PROJECT, "personal": True, "published": True}, "a sandbox is not published"),
        ({"task_annotator": True, "assigned_as_annotator": False}, "the task named is one of those assigned"),
        ({"task_reviewer": True, "assigned_as_reviewer": False}, "the task named is one of those assigned"),
        ({"task_named": True, "kind": Kind.WORKSPACE}, "tasks are named in projects only"),
        ({"target_is_user": True, "role": Role.MANAGER, "target_role": Role.OWNER}, "one person has one role"),
        ({"target_is_user": True, "target_active": False}, "only active members ask"),
        ({"target_is_user": False, "role": Role.OWNER, "target_role": Role.OWNER}, "there is one Owner"),
        ({"target_role": Role.OWNER, "target_active": False}, "who is not active has no role in force"),
        ({"target_is_user": False, "created_project": True, "target_created_project": True}, "a project has one creator"),
        ({"project_member": True, "target_project_member": True, "shares_domain_with_target": False}, "they share this project"),
    ],
)
def test_what_no_facts_can_produce_is_left_out(facts: dict[str, Any], why: str) -> None:
    diagrams = space().diagrams
    wanted = [diagrams.literal(name, _equals(value)) for name, value in facts.items()]
    whole = diagrams.any(space().question(role, kind) for role in Role for kind in Kind)

    assert diagrams.both(whole, diagrams.all(wanted)) == NO, why
    assert all(diagrams.both(whole, each) != NO for each in wanted), "each can be, by itself"


def _equals(value: object) -> Callable[[object], bool]:
    return lambda other: not isinstance(other, Missing) and other == value


def test_equal_functions_are_the_same_number_however_they_are_written() -> None:
    diagrams = Diagrams({"one": (False, True), "two": (0, 1, 2)})
    one = diagrams.of(lambda facts: facts.one)  # type: ignore[attr-defined]
    two = diagrams.literal("two", lambda value: value == 2)

    assert diagrams.both(one, two) == diagrams.both(two, one) == diagrams.but_not(one, diagrams.but_not(YES, two))
    assert diagrams.count(diagrams.either(one, two), ("one", "two")) == 4
    assert diagrams.forget(diagrams.both(one, two), ("one",)) == two
