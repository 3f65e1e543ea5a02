"""The store as a Casbin adapter: rows become typed tokens, never text, and nothing can be written through it.

Casbin's SQLAlchemy adapter turns rows to lines and parses them again, so that a comma in a name makes another line;
it also writes before anybody was asked. This one hands rows to the model as lists, and every write raises. It is
imported on demand: it brings the ORM along, which no decision needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from casbin_sqlalchemy_adapter import Adapter
from sqlalchemy import Engine, Select, select

from rbac.clock import Clock, system_clock
from rbac.database import tables as t
from rbac.database.engine import reading
from rbac.errors import Refused
from rbac.policy.roles import MEMBER, USER
from rbac.snapshot.records import in_force
from rbac.vocabulary import Domain, Kind, Role, State


@dataclass(frozen=True, slots=True)
class Filter:
    """What to load: one organization, and of it one user's links or everybody's."""

    organization: str
    user: str | None = None


class StoreAdapter(Adapter):  # type: ignore[misc]  # casbin_sqlalchemy_adapter has no types
    """Links of a store for Casbin's `g`; reads only. Lives as long as the enforcer it is set in.

    Policy lines come from policy.csv and are not loaded here. What has ended is not loaded.
    """

    def __init__(self, engine: Engine, clock: Clock = system_clock) -> None:
        super().__init__(engine, create_all_models=False, filtered=True)
        self._clock = clock

    def load_policy(self, model: Any) -> None:
        """Every organization's links."""
        with reading(self._engine) as connection:
            names = connection.execute(select(t.organization.c.id).order_by(t.organization.c.id)).scalars().all()
        for name in names:
            self.load_filtered_policy(model, Filter(name))

    def load_filtered_policy(self, model: Any, filter: Filter) -> None:
        """One organization's links, or one user's."""
        assertion = model["g"]["g"]
        for rule in self.links(filter):
            assertion.policy_map[",".join(rule)] = len(assertion.policy)
            assertion.policy.append(list(rule))
        self._filtered = True

    def links(self, chosen: Filter) -> Iterator[tuple[str, str, str]]:
        """The `g` rows: domains that exist, organization roles, project roles, memberships."""
        organization, now = chosen.organization, self._clock()
        yield organization, str(Kind.ORGANIZATION), organization
        with reading(self._engine) as connection:
            for kind, table in ((Kind.WORKSPACE, t.workspace), (Kind.PROJECT, t.project)):
                for row in connection.execute(select(table.c.id).where(table.c.organization == organization).order_by(table.c.id)):
                    yield Domain(kind, row.id).path(organization), str(kind), organization
            owner = connection.execute(select(t.organization.c.owner).where(t.organization.c.id == organization)).scalar()
            for row in connection.execute(_of(t.member, chosen).where(t.member.c.state == str(State.ACTIVE))):
                yield USER + row.user, str(Role.OWNER) if row.user == owner else row.role, organization
            for row in connection.execute(_of(t.project_role, chosen)):
                if in_force(row.until, now):
                    yield USER + row.user, row.role, Domain(Kind.PROJECT, row.project).path(organization)
            for kind, links in _MEMBERSHIPS:
                for row in connection.execute(_of(links, chosen)):
                    if in_force(row.until, now):
                        yield USER + row.user, MEMBER, Domain(kind, row._mapping[str(kind)]).path(organization)

    def _read_only(self, *_: object, **__: object) -> NoReturn:
        raise Refused("the store is not written through Casbin: use organization.acting(...)")

    save_policy = add_policy = add_policies = remove_policy = remove_policies = _read_only
    remove_filtered_policy = update_policy = update_policies = update_filtered_policies = _read_only


_MEMBERSHIPS: tuple[tuple[Kind, Any], ...] = ((Kind.WORKSPACE, t.workspace_member), (Kind.PROJECT, t.project_member))


def _of(table: Any, chosen: Filter) -> Select[Any]:
    query = select(table).where(table.c.organization == chosen.organization).order_by(*table.primary_key)
    return query if chosen.user is None else query.where(table.c.user == chosen.user)
