"""From the facts there are to the facts a file says: the plan, and carrying it out in one revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from rbac.database.ledger import write
from rbac.database.stored_facts import Fact, Value, facts_of
from rbac.database.unit_of_work import Work
from rbac.errors import Refused
from rbac.statefile.convert import facts_from, settings_of
from rbac.statefile.shape import OrganizationState

_HANGING = ("worked_on", "assignment", "task", "pause", "project_role", "membership")
_STANDING = ("member", "restriction", "workspace", "project")


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
    settings = present.pop(("settings", "", "organization", "")).value
    wanted = {fact.key: fact for fact in facts_from(state)}
    changed = {name: value for name, value in settings_of(state).items() if settings[name] != value}
    steps = [Step("settings", None, "organization", {name: settings[name] for name in changed}, changed)] if changed else []
    return [*steps, *_order(_differences(present, wanted))]


def carry_out(work: Work, steps: Iterable[Step]) -> None:
    """Write every step."""
    for step in steps:
        write(work, step.kind, user=step.user, domain=step.domain, before=step.before, after=step.after)


def _differences(present: dict[Any, Fact], wanted: dict[Any, Fact]) -> Iterator[Step]:
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
    """What hangs on something goes before it goes, and comes after it comes."""
    gone: list[Step] = []
    other: list[Step] = []
    for step in steps:
        (gone if step.after is None else other).append(step)

    def rank(step: Step, kinds: tuple[str, ...]) -> tuple[Any, ...]:
        value = step.after or step.before or {}
        return kinds.index(step.kind), step.domain, step.user or "", sorted(map(str, value.values()))

    coming, leaving = (*_STANDING, *reversed(_HANGING)), (*_HANGING, *reversed(_STANDING))
    hanging_gone = [step for step in gone if step.kind in _HANGING]
    standing_gone = [step for step in gone if step.kind not in _HANGING]
    standing = [step for step in other if step.kind in _STANDING]
    hanging = [step for step in other if step.kind not in _STANDING]
    return [
        *sorted(hanging_gone, key=lambda step: rank(step, leaving)),
        *sorted(standing, key=lambda step: rank(step, coming)),
        *sorted(standing_gone, key=lambda step: rank(step, leaving)),
        *sorted(hanging, key=lambda step: rank(step, coming)),
    ]
