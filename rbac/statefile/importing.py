"""Taking one organization of a state file in: anew, or reconciled with what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from rbac.database import tables as t
from rbac.database.changes import add_all
from rbac.database.unit_of_work import Transaction, Work
from rbac.errors import Refused
from rbac.statefile.convert import facts_from, settings_of
from rbac.statefile.plan import Step, carry_out, plan
from rbac.statefile.shape import OrganizationState


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do, to one organization. `steps` is the plan of an update, empty for a new one."""

    organization: str
    created: bool
    facts: int
    steps: tuple[Step, ...]
    revision: int
    work: Work | None = None

    def done(self) -> Imported:
        """The same, with the revision that came of it."""
        return self if self.work is None else replace(self, revision=self.work.revision, work=None)


def import_organization(
    works: Transaction,
    state: OrganizationState,
    *,
    update: bool,
    actor: str,
    at: int,
    progress: Callable[[int], None] | None,
) -> Imported:
    """One organization, in a transaction that somebody else commits."""
    owner = _owner(works.connection, state.id)
    if owner is None:
        work = works.found(state.id, owner=state.owner, actor=actor, operation="import", at=at, settings=settings_of(state))
        facts = 0
        for facts in add_all(work, facts_from(state)):
            if progress is not None:
                progress(facts)
        return Imported(state.id, True, facts, (), 0, work)
    _may_update(state, update=update)
    work = works.lock(state.id, actor=actor, actor_kind="operator", operation="import", at=at)
    owner = _owner(works.connection, state.id)  # once more: it may have been transferred until the lock was ours
    assert owner is not None, "an organization that is locked has an Owner"
    steps = plan(works.connection, state, owner)
    carry_out(work, steps)
    return Imported(state.id, False, len(steps), tuple(steps), 0, work)


def plan_organization(connection: Connection | None, state: OrganizationState, *, update: bool) -> Imported:
    """What an import would do; `connection` is None for an organization that is not there."""
    owner = None if connection is None else _owner(connection, state.id)
    if connection is None or owner is None:
        return Imported(state.id, True, sum(1 for _ in facts_from(state)), (), 1)
    _may_update(state, update=update)
    steps = plan(connection, state, owner)
    revision = connection.execute(select(t.organization.c.revision).where(t.organization.c.id == state.id)).scalar_one()
    return Imported(state.id, False, len(steps), tuple(steps), revision + bool(steps))


def _owner(connection: Connection, organization: str) -> str | None:
    return connection.execute(select(t.organization.c.owner).where(t.organization.c.id == organization)).scalar_one_or_none()


def _may_update(state: OrganizationState, *, update: bool) -> None:
    if not update:
        raise Refused(f"there is already an organization {state.id}: --update makes it what the file says")
