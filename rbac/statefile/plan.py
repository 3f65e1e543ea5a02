"""The plan of an update: the changes from the facts that are there to the facts that a file says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from rbac.database.stored_facts import DEPENDENT, ORDER, ORGANIZATION, Fact, FactName, facts_of
from rbac.errors import Refused
from rbac.statefile.convert import facts_from, settings_of
from rbac.statefile.shape import OrganizationState
from rbac.vocabulary import ChangedFact

_SETTINGS = FactName("settings", ORGANIZATION, "", "")


def plan(connection: Connection, state: OrganizationState, owner: str) -> tuple[ChangedFact, ...]:
    """What makes the organization what the file says, in an order that never refers to what is not there."""
    if state.owner != owner:
        raise Refused(f"the file names {state.owner} as Owner of {state.id}, who is {owner}: transfer the ownership, an import never does")
    present = {fact.key: fact for fact in facts_of(connection, state.id) if (fact.kind, fact.user) != ("member", owner)}
    settings = _settings(present.pop(_SETTINGS).value, settings_of(state))
    wanted = {fact.key: fact for fact in facts_from(state)}
    return (*settings, *sorted(_differences(present, wanted), key=_rank))


def _settings(present: dict[str, bool], wanted: dict[str, bool]) -> Iterator[ChangedFact]:
    after = {name: value for name, value in wanted.items() if present[name] != value}
    if after:
        yield ChangedFact("settings", None, ORGANIZATION, {name: present[name] for name in after}, after)


def _differences(present: dict[FactName, Fact], wanted: dict[FactName, Fact]) -> Iterator[ChangedFact]:
    for name in present.keys() | wanted.keys():
        fact = wanted.get(name) or present[name]
        before, after = (each[name].value if name in each else None for each in (present, wanted))
        if fact.kind == "workspace" and before and after and before["personal"] != after["personal"]:
            raise Refused(f"{fact.domain} is {'' if before['personal'] else 'not '}personal and stays so: delete it and make another")
        if before != after:
            yield ChangedFact(fact.kind, fact.user, fact.domain, before, after)


def _rank(step: ChangedFact) -> tuple[Any, ...]:
    """Delete dependants first and insert them last; what they depend on is written before anything is deleted that it leaves."""
    gone, dependent = step.after is None, step.kind in DEPENDENT
    position = ORDER[step.kind, step.domain.partition(":")[0]]
    phase = (0 if dependent else 2) if gone else (3 if dependent else 1)
    value = step.after or step.before or {}
    return phase, -position if gone else position, step.domain, step.user or "", sorted(map(str, value.values()))
