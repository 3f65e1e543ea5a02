"""What the store knows of an organization, a member and a domain, as values; and the facts of a question over them.

Records are immutable and small: a member carries their own memberships, never a domain its members. Its one rule:
no I/O, everything a fact needs has been loaded before.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from rbac.policy.roles import Subject, role_in_force
from rbac.vocabulary import ORGANIZATION, Distribution, Domain, Kind, Role, State

Instant = int
"""Microseconds since 1970-01-01T00:00Z."""

Until = Instant | None
"""When something ends; None is never. From that very instant on it does not exist."""

GONE: Until = 0
_ACTIVE = State.ACTIVE  # a name of an Enum looked up in its class costs as much as a call


def in_force(until: Until, now: Instant) -> bool:
    """Whether something that ends at `until` is still there at `now`."""
    return until is None or until > now


Memberships = tuple[str, ...] | dict[str, Until]
"""The ids of workspaces or projects: a few that never end as they are, a third of the memory; else each with when it ends."""

_FEW = 8


def memberships_of(ends: dict[str, Until]) -> Memberships:
    """Memberships as they are kept."""
    return tuple(ends) if len(ends) <= _FEW and not any(until is not None for until in ends.values()) else ends


def ends_of(memberships: Memberships) -> dict[str, Until]:
    """When each membership ends."""
    return dict.fromkeys(memberships) if type(memberships) is tuple else memberships  # type: ignore[return-value]


def among(memberships: Memberships, name: str, now: Instant) -> bool:
    """Whether one of them is of that id and in force."""
    if type(memberships) is tuple:
        return name in memberships
    until = memberships.get(name, GONE)  # type: ignore[union-attr]
    return until is None or until > now


NOTHING: dict[Any, Any] = {}
"""An empty dictionary that all who have none share; nobody writes to it."""

_NO_ROLE: tuple[Role | None, Until] = (None, GONE)


class OrganizationRecord(msgspec.Struct, frozen=True, gc=False):
    """One organization at one revision."""

    id: str
    owner: str
    revision: int
    plugins_enabled: bool
    manual_role_management: bool
    administrators_make_administrators: bool
    tokens_for_annotators_and_reviewers: bool
    restrictions: dict[str, Role]
    kind: ClassVar[Kind] = Kind.ORGANIZATION

    @property
    def domain(self) -> Domain:
        return ORGANIZATION

    @property
    def path(self) -> str:
        """Its Casbin domain."""
        return self.id


class WorkspaceRecord(msgspec.Struct, frozen=True, gc=False):
    """One workspace."""

    id: str
    path: str
    created_by: str | None
    personal: bool
    empty: bool
    kind: ClassVar[Kind] = Kind.WORKSPACE

    @property
    def domain(self) -> Domain:
        return Domain(Kind.WORKSPACE, self.id)

    @property
    def workspace(self) -> str:
        """Itself: so that a condition asks a workspace as it asks a project."""
        return self.id

    @property
    def workspace_created_by(self) -> str | None:
        return self.created_by


class ProjectRecord(msgspec.Struct, frozen=True, gc=False):
    """One project, with what its workspace says of it."""

    id: str
    path: str
    workspace: str
    workspace_created_by: str | None
    personal: bool
    created_by: str | None
    published: bool
    distribution: Distribution
    show_data_manager_to: frozenset[Role]
    review_only_assigned: bool
    kind: ClassVar[Kind] = Kind.PROJECT

    @property
    def domain(self) -> Domain:
        return Domain(Kind.PROJECT, self.id)


DomainRecord = OrganizationRecord | WorkspaceRecord | ProjectRecord


class MemberRecord(msgspec.Struct, frozen=True, gc=False):
    """One member of an organization and everything that hangs on them, ended or not.

    `role` is the organization role (the Owner's is owner), None for an invited member. Project roles and pauses
    go from the id of a project to what it is and when it ends.
    `own` is this user as Casbin's `sub` with that role. `assigned` is filled as it is asked for: whether they have a task
    in a project as annotator, and as reviewer; or, by project
    and task, whether that one. Ids are interned and NOTHING stands for every empty one: there are millions.
    """

    user: str
    role: Role | None
    state: State
    workspaces: Memberships
    projects: Memberships
    project_roles: dict[str, tuple[Role | None, Until]]
    pauses: dict[str, tuple[str, Until]]
    own: Subject
    assigned: dict[str | tuple[str, str], tuple[bool, bool]] = NOTHING

    @property
    def active(self) -> bool:
        return self.state is _ACTIVE

    @property
    def weight(self) -> int:
        """How many facts it holds."""
        return 1 + len(self.workspaces) + len(self.projects) + len(self.project_roles) + len(self.pauses)

    def role_in(self, domain: DomainRecord, now: Instant) -> Role | None:
        """The role in force there, None for whoever is not active."""
        if self.state is not _ACTIVE:
            return None
        if not self.project_roles or type(domain) is not ProjectRecord or self.role is None:
            return self.role
        role, until = self.project_roles.get(domain.id, _NO_ROLE)
        return role_in_force(self.role, role if until is None or until > now else None)

    def subject(self, role: Role | None) -> Subject:
        """This user as Casbin's `sub`, with that role in force."""
        return self.own if role is self.role else Subject(self.user, role)

    def remember_assigned(self, what: str | tuple[str, str], found: tuple[bool, bool]) -> None:
        """Keep whether they have a task in a project, or one task of it; what two threads find at once is found again."""
        assigned = self.assigned
        if assigned is NOTHING:
            assigned = {}
            msgspec.structs.force_setattr(self, "assigned", assigned)
        assigned[what] = found

    def forget_assigned(self) -> None:
        """Drop what `remember_assigned` kept."""
        msgspec.structs.force_setattr(self, "assigned", NOTHING)

    def in_workspace(self, workspace: str, now: Instant) -> bool:
        """Whether a membership of that workspace is in force."""
        return among(self.workspaces, workspace, now)

    def in_project(self, project: str, now: Instant) -> bool:
        """Whether a direct membership of that project is in force."""
        return among(self.projects, project, now)


class TaskRecord(msgspec.Struct, frozen=True, gc=False):
    """A named task and what the user has to do with it; None is what was not read, because no line reads it."""

    exists: bool | None
    annotator: bool | None
    reviewer: bool | None
    worked_on: bool | None


class RequestRecords(msgspec.Struct, frozen=True, gc=False):
    """What only one request needs: the target and task it names, and what its lines read beyond user and domain; None is not loaded.

    `assigned` says whether the user has a task in the project as annotator, and as reviewer; `shares` whether user
    and target share a workspace or project.
    """

    target: MemberRecord | None = None
    task: TaskRecord | None = None
    assigned: tuple[bool, bool] | None = None
    shares: bool | None = None


NO_REQUEST_RECORDS = RequestRecords()
