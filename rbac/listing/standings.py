"""The domains of an organization: all of them, and those a member has something to do with, and how.

The other side of members.py, where the domain is known and its members are listed. Its one rule: it says where
somebody stands, never what they may do there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from rbac.database import tables as t
from rbac.names import stored_id
from rbac.policy.roles import role_in_force
from rbac.snapshot.records import Instant, MemberRecord, Until, ends_of, in_force
from rbac.vocabulary import MANAGER_OR_ABOVE, ORGANIZATION, Domain, Kind, Role


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a member stands in one domain.

    `role` is in force there, None for whoever is not active; `project_role` is what was given there, in force or not.
    `how` says how they belong: `member`, `created`, `through workspace:ID`; nothing for whoever does not, and whose
    project role or pause is without effect. `until` is when the membership ends, `paused` why they are stopped.
    """

    domain: Domain
    role: Role | None
    how: tuple[str, ...] = ()
    until: Until = None
    project_role: Role | None = None
    project_role_until: Until = None
    paused: str | None = None
    paused_until: Until = None


def domains(connection: Connection, organization: str) -> Iterator[Domain]:
    """The organization itself, its workspaces and its projects, each kind in id order, streamed."""
    yield ORGANIZATION
    for table, kind in ((t.workspace, Kind.WORKSPACE), (t.project, Kind.PROJECT)):
        query = select(table.c.id).where(table.c.organization == organization).order_by(table.c.id)
        for name in connection.execute(query, execution_options={"yield_per": 1000}).scalars():
            yield Domain(kind, stored_id(name, kind))


def standings(connection: Connection, organization: str, member: MemberRecord, now: Instant) -> list[Standing]:
    """The organization and every domain that a member belongs to or has something in; what has ended is not there."""
    own = member.role if member.active else None
    ways = _ways(connection, organization, member, now)
    roles = {_project(name): row for name, row in member.project_roles.items() if in_force(row[1], now)}
    pauses = {_project(name): row for name, row in member.pauses.items() if in_force(row[1], now)}
    found = [Standing(ORGANIZATION, own)]
    for domain in sorted({*ways, *roles, *pauses}, key=lambda each: (each.kind is Kind.PROJECT, each.id)):
        given, paused = roles.get(domain, (None, None)), pauses.get(domain, (None, None))
        role = None if own is None else role_in_force(own, given[0])
        how = ways.get(domain, {})
        found.append(Standing(domain, role, tuple(how), next(iter(how.values()), None), *given, *paused))
    return found


def _ways(connection: Connection, organization: str, member: MemberRecord, now: Instant) -> dict[Domain, dict[str, Until]]:
    """How a member belongs to which domain, the nearest way first, each with its end."""
    ways: dict[Domain, dict[str, Until]] = {}
    for kind, memberships in ((Kind.WORKSPACE, member.workspaces), (Kind.PROJECT, member.projects)):
        for name, until in ends_of(memberships).items():
            if in_force(until, now):
                ways.setdefault(Domain(kind, name), {})["member"] = until
    counts = member.role in MANAGER_OR_ABOVE
    for row in connection.execute(_created(t.workspace, organization, member.user)) if counts else ():
        ways.setdefault(Domain(Kind.WORKSPACE, row.id), {})["created"] = None
    for row in connection.execute(_created(t.project, organization, member.user)) if counts else ():
        ways.setdefault(_project(row.id), {})["created"] = None
    for row in connection.execute(_inherited(organization, member.user)):
        through = ways.get(Domain(Kind.WORKSPACE, row.workspace), {})
        for until in list(through.values())[:1]:
            ways.setdefault(_project(row.id), {})[f"through workspace:{row.workspace}"] = until
    return ways


def _created(table: Any, organization: str, user: str) -> Select[Any]:
    return select(table.c.id).where(table.c.organization == organization, table.c.created_by == user)


def _inherited(organization: str, user: str) -> Select[str, str]:
    """The projects of the workspaces that somebody is a member of or created."""
    c, links, home = t.project.c, t.workspace_member.c, t.workspace.c
    member_of = select(links.workspace).where(links.organization == organization, links.user == user)
    created = select(home.id).where(home.organization == organization, home.created_by == user)
    return select(c.id, c.workspace).where(and_(c.organization == organization, or_(c.workspace.in_(member_of), c.workspace.in_(created))))


def _project(name: str) -> Domain:
    return Domain(Kind.PROJECT, name)
