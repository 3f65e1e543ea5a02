"""The conditions: they read what they declare, and what is not known never helps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from rbac.policy.conditions import CONDITIONS, Condition, holds
from rbac.policy.facts import VALUES, GivenFacts, Missing, MissingFact
from rbac.vocabulary import Effect, Kind

conditions = pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)


class Recording(GivenFacts):
    """Facts that remember who looked at them."""

    def __init__(self, **facts: Any) -> None:
        self.__dict__["looked"] = set()
        self.__dict__["facts"] = facts

    def __getattribute__(self, name: str) -> Any:
        if name in VALUES:
            object.__getattribute__(self, "looked").add(name)
            return object.__getattribute__(self, "facts")[name]
        return object.__getattribute__(self, name)


def combinations(condition: Condition) -> Iterator[dict[str, Any]]:
    names = sorted(condition.reads)
    for values in product(*(VALUES[name] for name in names)):
        facts = dict(zip(names, values, strict=True))
        if facts.get("kind", next(iter(condition.asked_in))) in condition.asked_in:
            yield facts


@conditions
def test_a_condition_reads_exactly_the_facts_it_declares(condition: Condition) -> None:
    looked: set[str] = set()
    for facts in combinations(condition):
        recording = Recording(**facts)
        bool(condition.function(recording))
        looked |= recording.__dict__["looked"]

    assert looked == condition.reads


@conditions
def test_every_fact_a_condition_declares_can_change_its_answer(condition: Condition) -> None:
    answers = {tuple(sorted(facts.items(), key=str)): bool(condition.function(GivenFacts(**facts))) for facts in combinations(condition)}
    decisive = {
        name
        for facts in combinations(condition)
        for name in condition.reads
        for value in VALUES[name]
        if (other := tuple(sorted({**facts, name: value}.items(), key=str))) in answers
        and answers[other] != answers[tuple(sorted(facts.items(), key=str))]
    }

    assert decisive == condition.reads - ({"kind"} if condition.asked_in == {Kind.PROJECT} else set())


@conditions
def test_a_missing_fact_never_helps(condition: Condition) -> None:
    effect = condition.effect
    for facts in combinations(condition):
        for name in condition.reads:
            rest = {other: value for other, value in facts.items() if other != name}
            known = holds(condition.name, effect, GivenFacts(**rest))
            complete = [holds(condition.name, effect, GivenFacts(**rest, **{name: value})) for value in VALUES[name]]
            if effect is Effect.ALLOW:
                assert not known or all(complete), (facts, name)
            else:
                assert known or not any(complete), (facts, name)


@conditions
def test_a_condition_with_nothing_known_is_false_in_an_allow_line_and_true_in_a_deny_line(condition: Condition) -> None:
    assert not holds(condition.name, Effect.ALLOW, GivenFacts())
    assert holds(condition.name, Effect.DENY, GivenFacts())


@conditions
def test_a_condition_has_its_footnote_and_its_place(condition: Condition) -> None:
    assert condition.summary
    assert condition.asked_in
    assert condition.mark


def test_the_marks_of_the_footnotes_are_different() -> None:
    marks = [condition.mark for condition in CONDITIONS.values() if condition.mark]

    assert len(set(marks)) == len(marks) == len(CONDITIONS)


def test_an_unknown_condition_is_an_error_and_no_answer() -> None:
    with pytest.raises(KeyError):
        holds("not_there", "allow", GivenFacts())


@pytest.mark.parametrize(
    "look",
    [bool, hash, len, iter, str.__len__, lambda m: m == 1, lambda m: m != 1, lambda m: 1 in m, lambda m: m < 1, lambda m: m.rank],
)
def test_a_missing_fact_cannot_be_looked_at_in_any_way(look: Any) -> None:
    with pytest.raises((MissingFact, TypeError)):
        look(Missing("x"))
