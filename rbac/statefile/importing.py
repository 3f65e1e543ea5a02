"""The import of one organization of a state file: founded, or made what the file says by a plan of changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from rbac.database import tables as t
from rbac.database.changes import add_all, write
from rbac.database.stored_facts import UNAUDITED
from rbac.database.unit_of_work import Transaction
from rbac.errors import Refused
from rbac.policy.reader import Policy
from rbac.statefile.convert import facts_from, settings_of
from rbac.statefile.plan import plan
from rbac.statefile.shape import OrganizationState
from rbac.vocabulary import ChangedFact, Permission, Role


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do, to one organization. `steps` is the plan of an update, empty for a new organization.

    `warnings` are sentences about what was taken in and has no effect: restrictions that the policy defeats.
    """

    organization: str
    created: bool
    facts: int
    steps: tuple[ChangedFact, ...]
    revision: int
    warnings: tuple[str, ...] = ()


def import_organization(
    works: Transaction,
    state: OrganizationState,
    *,
    update: bool,
    actor: str,
    at: int,
    policy: Policy,
    progress: Callable[[int], None] | None,
) -> Imported:
    """One organization, in a transaction that the caller commits; the revision is the one it has then."""
    if _owner(works.connection, state.id) is None:
        return _found(works, state, actor=actor, at=at, policy=policy, progress=progress)
    _must_be_new(state, unless=update)
    work = works.lock(state.id, actor=actor, actor_kind="operator", operation="import", at=at, policy=policy.digest)
    owner = _owner(works.connection, state.id)  # read again: the ownership may have been transferred before the lock
    assert owner is not None, "an organization that is locked has an Owner"
    steps = plan(works.connection, state, owner)
    for step in steps:
        write(work, step.kind, user=step.user, domain=step.domain, before=step.before, after=step.after)
    return Imported(state.id, False, len(steps), steps, work.revision + bool(work.changes))


def plan_organization(connection: Connection | None, state: OrganizationState, *, update: bool) -> Imported:
    """What an import would do; `connection` is None for an organization that is not there."""
    owner = None if connection is None else _owner(connection, state.id)
    if connection is None or owner is None:
        return Imported(state.id, True, sum(1 for _ in facts_from(state)), (), 1)
    _must_be_new(state, unless=update)
    steps = plan(connection, state, owner)
    revision = connection.execute(select(t.organization.c.revision).where(t.organization.c.id == state.id)).scalar_one()
    return Imported(state.id, False, len(steps), steps, revision + any(step.kind not in UNAUDITED for step in steps))


def warnings_of(state: OrganizationState, policy: Policy) -> tuple[str, ...]:
    """What a checked state has that the policy makes ineffective."""
    restrictions = ((name, level, policy.why_ineffective(Permission(name), Role(level))) for name, level in state.restrictions.items())
    return tuple(f"{state.id}: the restriction of {name} to {level} has no full effect: {why}" for name, level, why in restrictions if why)


def _found(
    works: Transaction, state: OrganizationState, *, actor: str, at: int, policy: Policy, progress: Callable[[int], None] | None
) -> Imported:
    work = works.found(
        state.id, owner=state.owner, actor=actor, operation="import", at=at, settings=settings_of(state), policy=policy.digest
    )
    facts = 0
    for facts in add_all(work, facts_from(state)):
        if progress is not None:
            progress(facts)
    return Imported(state.id, True, facts, (), work.revision + 1)


def _owner(connection: Connection, organization: str) -> str | None:
    return connection.execute(select(t.organization.c.owner).where(t.organization.c.id == organization)).scalar_one_or_none()


def _must_be_new(state: OrganizationState, *, unless: bool) -> None:
    if not unless:
        raise Refused(f"there is already an organization {state.id}: --update makes it what the file says")
