"""The state of one organization as a set of facts, read in two ways that must agree: from the tables, and from the audit.

Both ways end in the same canonical value, so that comparing them is `==`. A change of a fact that stays may name only
the keys that changed; a restriction without level is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from rbac.database import tables
from rbac.database.audit.log import stream
from rbac.database.chain import canonical
from rbac.database.stored_facts import MAPPINGS, ORDER, Fact, FactName, facts_of, name_of


@dataclass(slots=True)
class State:
    """The facts of one organization, each with its canonical JSON. Grows while it is read; equal when all facts are."""

    facts: dict[FactName, str] = field(default_factory=dict)

    def put(self, kind: str, value: dict[str, Any], *, domain: str = "organization", user: str | None = None) -> None:
        """Add what a table row says."""
        self.facts.update({fact: canonical(each) for fact, each in _facts(kind, domain, user, value).items()})

    def apply(self, kind: str, user: str | None, domain: str, before: str | None, after: str | None) -> str | None:
        """Replay one change (JSON texts); a sentence when it does not fit what was there, applied all the same."""
        old = _facts(kind, domain, user, json.loads(before) if before is not None else None)
        new = _facts(kind, domain, user, json.loads(after) if after is not None else None)
        problems = [*self._misfits(old), *(f"{fact} comes to be a second time" for fact in new if fact not in old and fact in self.facts)]
        for fact in old.keys() - new.keys():
            self.facts.pop(fact, None)
        for fact, value in new.items():
            self.facts[fact] = canonical(_merged(self.facts.get(fact), value))
        return problems[0] if problems else None

    def _misfits(self, old: dict[FactName, Any]) -> Iterator[str]:
        for fact, value in old.items():
            there = self.facts.get(fact)
            if there is None:
                yield f"{fact} changes and is not there"
            elif canonical(_merged(there, value)) != there:
                yield f"{fact} was {there} and not {canonical(value)} before"

    def value(self, fact: FactName) -> Any:
        """What is so of a fact that is there."""
        return json.loads(self.facts[fact])

    def differences(self, other: State) -> Iterator[str]:
        """Facts that are not the same here and there, in the order of their names."""
        unlike = {fact for fact, _ in self.facts.items() ^ other.facts.items()}
        for fact in sorted(unlike):
            yield f"{fact} is {other.facts.get(fact, 'nothing')} and by the audit {self.facts.get(fact, 'nothing')}"


def replay(connection: Connection, organization: str, *, upto: int | None = None) -> State:
    """The state that the changes of the organization lead to, up to and including revision `upto`."""
    state, c = State(), tables.audit_change.c
    query = select(tables.audit_change).where(c.organization == organization)
    if upto is not None:
        query = query.where(c.revision <= upto)
    for row in stream(connection, query.order_by(c.revision, c.position)):
        state.apply(row.kind, row.user, row.domain, row.before, row.after)
    return state


def as_facts(state: State) -> Iterator[Fact]:
    """The facts of a state but the Owner, each kind after those it refers to."""
    for fact in sorted(state.facts, key=lambda fact: ORDER[fact.kind, fact.domain.partition(":")[0]]):
        if fact.kind != "owner":
            value = state.value(fact)
            yield Fact(fact.kind, fact.user or None, fact.domain, {fact.name: value} if fact.kind in MAPPINGS else value)


def _merged(there: str | None, value: Any) -> Any:
    return {**json.loads(there), **value} if there is not None and isinstance(value, dict) else value


def _facts(kind: str, domain: str, user: str | None, value: dict[str, Any] | None) -> dict[FactName, Any]:
    """The facts that a change of this kind is about; a null setting or restriction is not there."""
    if value is None:
        return {}
    if kind == "organization":
        owner = {FactName("owner", domain, "", ""): {"user": value["owner"]}}
        return owner | _facts("settings", domain, None, {name: each for name, each in value.items() if name != "owner"})
    if kind in MAPPINGS:
        return {FactName(kind, domain, "", name): each for name, each in value.items() if each is not None}
    return {name_of(kind, user, domain, value): value}


def present(connection: Connection, organization: str) -> State:
    """The audited state as the tables have it; expired grants are in it, as they are in the tables."""
    state = State()
    owner = connection.execute(select(tables.organization.c.owner).where(tables.organization.c.id == organization)).scalar()
    if owner is not None:
        state.put("owner", {"user": owner})
        for fact in facts_of(connection, organization, audited=True):
            state.put(fact.kind, fact.value, domain=fact.domain, user=fact.user)
    return state
