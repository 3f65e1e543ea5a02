"""A state file as facts and back: the same facts that the tables hold and the audit records.

Its one rule: whatever the tables can hold, the file can say; importing an export gives the same facts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from rbac.clock import parse_instant
from rbac.database.stored_facts import (
    ORGANIZATION,
    Fact,
    member_value,
    membership_value,
    pause_value,
    project_role_value,
    project_value,
    workspace_value,
)
from rbac.statefile.shape import (
    Ends,
    MemberState,
    OrganizationState,
    Pause,
    ProjectRole,
    ProjectState,
    SettingsState,
    TaskState,
    WorkspaceState,
    members_of,
)
from rbac.vocabulary import PauseReason, Role, State


def facts_from(state: OrganizationState) -> Iterator[Fact]:
    """The facts of one organization of a checked file, each kind after those it refers to; the Owner's own row is not one."""
    for user, said in state.members.items():
        shape = MemberState(said) if isinstance(said, str) else said
        yield Fact("member", user, ORGANIZATION, member_value(shape.role, shape.state))
    for permission, level in state.restrictions.items():
        yield Fact("restriction", None, ORGANIZATION, {permission: level})
    for workspace in state.workspaces:
        yield Fact("workspace", None, f"workspace:{workspace.id}", workspace_value(workspace))
    for workspace in state.workspaces:
        for project in workspace.projects:
            yield Fact("project", None, f"project:{project.id}", project_value(project, workspace=workspace.id))
    for workspace in state.workspaces:
        yield from _memberships(workspace, f"workspace:{workspace.id}")
    projects = [project for workspace in state.workspaces for project in workspace.projects]
    for project in projects:
        yield from _memberships(project, f"project:{project.id}")
    for project in projects:
        for user, given in project.project_roles.items():
            shape_ = ProjectRole(given) if isinstance(given, str) else given
            yield Fact("project_role", user, f"project:{project.id}", project_role_value(shape_.role, _instant(shape_.until)))
    for project in projects:
        for user, pause in project.paused.items():
            stopped = Pause(pause) if isinstance(pause, str) else pause
            yield Fact("pause", user, f"project:{project.id}", pause_value(stopped.reason, _instant(stopped.until)))
    for project in projects:
        for task in project.tasks:
            yield Fact("task", None, f"project:{project.id}", {"task": task})
    for project in projects:
        yield from _assignments(project)
    for project in projects:
        for task, said_ in project.tasks.items():
            for user in (said_ or TaskState()).worked_on_by:
                yield Fact("worked_on", user, f"project:{project.id}", {"task": task})


def settings_of(state: OrganizationState) -> dict[str, bool]:
    """The switches of an organization."""
    return {name: getattr(state.settings, name) for name in state.settings.__struct_fields__}


def state_from(organization: str, owner: str, facts: Iterable[Fact]) -> OrganizationState:
    """The organization of a state file that says these facts."""
    state = OrganizationState(id=organization, owner=owner)
    workspaces: dict[str, WorkspaceState] = {}
    projects: dict[str, ProjectState] = {}
    for fact in facts:
        where = fact.domain.partition(":")[2]
        match fact.kind:
            case "settings":
                state.settings = msgspec.convert(fact.value, SettingsState)
            case "member" if fact.user is not None and fact.user != owner:
                state.members[fact.user] = _member(fact.value)
            case "restriction":
                state.restrictions.update(fact.value)
            case "workspace":
                workspaces[where] = WorkspaceState(id=where, **fact.value)
            case "project":
                value = dict(fact.value)
                home = workspaces[value.pop("workspace")]
                value["distribution"] = sys.intern(value["distribution"])  # msgspec leaves a default out by identity
                projects[where] = ProjectState(id=where, **value)
                home.projects.append(projects[where])
            case "membership":
                part = workspaces[where] if fact.domain.startswith("workspace:") else projects[where]
                _join(part, str(fact.user), _moment(fact.value))
            case _ if fact.kind != "member":
                _hang(projects[where], fact)
    state.workspaces = list(workspaces.values())
    return state


def _memberships(part: WorkspaceState | ProjectState, domain: str) -> Iterator[Fact]:
    for user, until in members_of(part):
        yield Fact("membership", user, domain, membership_value(_instant(until)))


def _assignments(project: ProjectState) -> Iterator[Fact]:
    for task, said in project.tasks.items():
        shape = said or TaskState()
        for kind, users in ((Role.ANNOTATOR, shape.annotators), (Role.REVIEWER, shape.reviewers)):
            for user in users:
                yield Fact("assignment", user, f"project:{project.id}", {"task": task, "as": str(kind)})


def _member(value: dict[str, Any]) -> str | MemberState:
    if value["state"] == State.ACTIVE:
        return str(value["role"])
    return MemberState(role=value["role"], state=value["state"])


def _join(part: WorkspaceState | ProjectState, user: str, until: datetime | None) -> None:
    """List a member; the plain list becomes a mapping once somebody's membership ends."""
    if isinstance(part.members, list) and until is None:
        part.members.append(user)
        return
    if isinstance(part.members, list):
        part.members = dict.fromkeys(part.members)
    part.members[user] = None if until is None else Ends(until)


def _hang(project: ProjectState, fact: Fact) -> None:
    user, until = str(fact.user), _moment(fact.value)
    match fact.kind:
        case "project_role":
            role = str(fact.value["role"])
            project.project_roles[user] = role if until is None else ProjectRole(role, until)
        case "pause":
            reason = str(fact.value["reason"])
            project.paused[user] = reason if until is None else Pause(PauseReason(reason), until)
        case "task":
            project.tasks[fact.value["task"]] = None
        case "assignment" | "worked_on":
            task = project.tasks[fact.value["task"]] or TaskState()
            project.tasks[fact.value["task"]] = task
            names = {"annotator": task.annotators, "reviewer": task.reviewers}
            (names[fact.value["as"]] if fact.kind == "assignment" else task.worked_on_by).append(user)


def _instant(until: datetime | None) -> int | None:
    return None if until is None else parse_instant(until)


def _moment(value: dict[str, Any]) -> datetime | None:
    until = value.get("until")
    return None if until is None else datetime.fromisoformat(until)
