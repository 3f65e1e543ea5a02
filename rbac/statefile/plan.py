"""From the facts there are to the facts a file says: the plan, and carrying it out in one revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from rbac.database.changes import write
from rbac.database.stored_facts import DEPENDENT, ORDER, Fact, FactName, Value, facts_of
from rbac.database.unit_of_work import Work
from rbac.errors import Refused
from rbac.statefile.convert import facts_from, settings_of
from rbac.statefile.shape import OrganizationState


@dataclass(frozen=True, slots=True)
class Step:
    """One fact that an import will change; `None` for "is not there"."""

    kind: str
    user: str | None
    domain: str
    before: Value | None
    after: Value | None

    def __str__(self) -> str:
        sign = "+" if self.before is None else "-" if self.after is None else "~"
        about = " ".join(filter(None, (self.kind, self.user, self.domain if self.domain != "organization" else "")))
        return f"{sign} {about}: {_shown(self.before, self.after)}"


def _shown(before: Value | None, after: Value | None) -> str:
    if before is not None and after is not None:
        return ", ".join(f"{name} {before.get(name)} -> {after[name]}" for name in after if before.get(name) != after[name])
    return ", ".join(f"{name} {value}" for name, value in (before or after or {}).items() if value is not None) or "plain"


def plan(connection: Connection, state: OrganizationState, owner: str) -> list[Step]:
    """What makes the organization what the file says, in an order that never refers to what is not there."""
    if state.owner != owner:
        raise Refused(f"the file names {state.owner} as Owner of {state.id}, who is {owner}: transfer the ownership, an import never does")
    present = {fact.key: fact for fact in facts_of(connection, state.id) if (fact.kind, fact.user) != ("member", owner)}
    settings = present.pop(FactName("settings", "organization", "", "")).value
    wanted = {fact.key: fact for fact in facts_from(state)}
    changed = {name: value for name, value in settings_of(state).items() if settings[name] != value}
    steps = [Step("settings", None, "organization", {name: settings[name] for name in changed}, changed)] if changed else []
    return [*steps, *_order(_differences(present, wanted))]


def carry_out(work: Work, steps: Iterable[Step]) -> None:
    """Write every step."""
    for step in steps:
        write(work, step.kind, user=step.user, domain=step.domain, before=step.before, after=step.after)


def _differences(present: dict[FactName, Fact], wanted: dict[FactName, Fact]) -> Iterator[Step]:
    for key in present.keys() | wanted.keys():
        old, new = present.get(key), wanted.get(key)
        before, after = (None if fact is None else fact.value for fact in (old, new))
        if before == after:
            continue
        fact = new or old
        assert fact is not None
        if fact.kind == "workspace" and before and after and before["personal"] != after["personal"]:
            raise Refused(f"{fact.domain} is {'' if before['personal'] else 'not '}personal and stays so: delete it and make another")
        yield Step(fact.kind, fact.user, fact.domain, before, after)


def _order(steps: Iterable[Step]) -> list[Step]:
    """Delete dependants first and insert them last; what they depend on is written before anything is deleted that it leaves."""

    def rank(step: Step) -> tuple[Any, ...]:
        gone, dependent = step.after is None, step.kind in DEPENDENT
        position = ORDER[step.kind, step.domain.partition(":")[0]]
        value = step.after or step.before or {}
        in_turn = (0 if dependent else 2) if gone else (3 if dependent else 1)
        return in_turn, -position if gone else position, step.domain, step.user or "", sorted(map(str, value.values()))

    return sorted(steps, key=rank)
