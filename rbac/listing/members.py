"""Who is in a domain: its members streamed in id order, with the role in force there and how they got in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, case, literal, select, union

from rbac.clock import kept_instant
from rbac.database import tables as t
from rbac.policy.roles import role_in_force
from rbac.snapshot.records import Instant, MemberRecord, Until, ends_of, in_force
from rbac.vocabulary import WORKERS, Domain, Kind, Role, State


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an organization with what they were given, ended or not.

    `role` is the organization role, None for an invited member. Memberships go from the id of a workspace or project to
    their end in microseconds since 1970 UTC, None for never; project roles and pauses from the id of a project to the
    role, or the reason, and the end.
    """

    user: str
    role: Role | None
    state: State
    workspaces: dict[str, Until]
    projects: dict[str, Until]
    project_roles: dict[str, tuple[Role | None, Until]]
    pauses: dict[str, tuple[str, Until]]


def member(record: MemberRecord) -> Member:
    """A record as a value of the caller's own."""
    workspaces, projects = dict(ends_of(record.workspaces)), dict(ends_of(record.projects))
    return Member(record.user, record.role, record.state, workspaces, projects, dict(record.project_roles), dict(record.pauses))


@dataclass(frozen=True, slots=True)
class Membership:
    """One member of a domain. `role` is in force there, None for whoever is not active.

    `direct` is False for those who are in a project through its workspace only; `until` is when the membership ends, the
    direct one or else the workspace's. `paused` is True for an annotator or reviewer who is stopped there, until
    `paused_until`; `role_until` is when a project role that is in force ends.
    """

    user: str
    role: Role | None
    state: State
    direct: bool
    until: Until
    paused: bool
    paused_until: Until = None
    role_until: Until = None


def members(connection: Connection, organization: str, domain: Domain, now: Instant) -> Iterator[Membership]:
    """The members of one domain; nothing for a domain that does not exist. Ended memberships are not there."""
    query = {Kind.ORGANIZATION: _organization, Kind.WORKSPACE: _workspace, Kind.PROJECT: _project}[domain.kind](organization, domain.id)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        found = _membership(row, now)
        if found is not None:
            yield found


def _membership(row: Any, now: Instant) -> Membership | None:
    for end in (row.until, row.inherited_until, row.project_role_until, row.paused_until):
        kept_instant(end)
    direct = row.direct is not None and in_force(row.until, now)
    inherited = row.inherited is not None and in_force(row.inherited_until, now)
    if not direct and not inherited:
        return None
    state, role = State(row.state), Role(row.role) if row.role else None
    until = row.until if direct else row.inherited_until
    if state is not State.ACTIVE or role is None:
        return Membership(row.user, None, state, direct, until, False)
    replaced = role in WORKERS and row.project_role is not None and in_force(row.project_role_until, now)
    role = role_in_force(role, Role(row.project_role) if replaced else None)
    paused = role in WORKERS and row.paused is not None and in_force(row.paused_until, now)
    ends = row.paused_until if paused else None, row.project_role_until if replaced else None
    return Membership(row.user, role, state, direct, until, paused, *ends)


_role = case((t.member.c.user == t.organization.c.owner, literal("owner")), else_=t.member.c.role).label("role")
_NOTHING: dict[str, Any] = dict.fromkeys(
    ("inherited", "inherited_until", "project_role", "project_role_until", "paused", "paused_until"), None
)


def _select(organization: str, joined: Any, **columns: Any) -> Select[Any]:
    named = [(literal(value) if value is None or isinstance(value, int) else value).label(name) for name, value in columns.items()]
    return (
        select(t.member.c.user, t.member.c.state, _role, *named)
        .select_from(joined.join(t.organization, t.organization.c.id == t.member.c.organization))
        .where(t.member.c.organization == organization)
        .order_by(t.member.c.user)
    )


def _on(table: Any, column: str, value: str) -> Any:
    return and_(table.c.organization == t.member.c.organization, table.c.user == t.member.c.user, table.c[column] == value)


def _organization(organization: str, _: str) -> Select[Any]:
    return _select(organization, t.member, direct=1, until=None, **_NOTHING)


def _workspace(organization: str, workspace: str) -> Select[Any]:
    links = t.workspace_member
    joined = links.join(t.member, _on(links, "workspace", workspace))
    return _select(organization, joined, direct=1, until=links.c.until, **_NOTHING)


def _project(organization: str, project: str) -> Select[Any]:
    direct, inherited, roles, pauses = t.project_member, t.workspace_member, t.project_role, t.pause
    home = select(t.project.c.workspace).where(t.project.c.organization == organization, t.project.c.id == project).scalar_subquery()
    there = union(
        select(direct.c.user).where(direct.c.organization == organization, direct.c.project == project),
        select(inherited.c.user).where(inherited.c.organization == organization, inherited.c.workspace == home),
    ).subquery()
    joined = (
        there.join(t.member, and_(t.member.c.organization == organization, t.member.c.user == there.c.user))
        .outerjoin(direct, _on(direct, "project", project))
        .outerjoin(inherited, _on(inherited, "workspace", home))  # type: ignore[arg-type]
        .outerjoin(roles, _on(roles, "project", project))
        .outerjoin(pauses, _on(pauses, "project", project))
    )
    return _select(
        organization,
        joined,
        direct=direct.c.user,
        until=direct.c.until,
        inherited=inherited.c.user,
        inherited_until=inherited.c.until,
        project_role=roles.c.role,
        project_role_until=roles.c.until,
        paused=pauses.c.user,
        paused_until=pauses.c.until,
    )
