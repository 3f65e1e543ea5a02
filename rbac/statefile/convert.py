"""A state file as facts and back: the same facts that the tables hold and the audit records.

Whatever the tables can hold, a file can say: importing an export gives the same facts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from rbac.clock import parse_instant
from rbac.database.stored_facts import (
    ORDER,
    ORGANIZATION,
    Fact,
    Value,
    member_value,
    membership_value,
    pause_value,
    project_role_value,
    project_value,
    workspace_value,
)
from rbac.errors import StoreError
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
    in_full,
    members_of,
)
from rbac.vocabulary import PauseReason, Role, State


def facts_from(state: OrganizationState) -> Iterator[Fact]:
    """The facts of one organization of a checked file, each kind after those it refers to; without owner and settings."""
    for kind in ORDER:
        if kind in _FACTS:
            yield from _FACTS[kind](state)


def settings_of(state: OrganizationState) -> dict[str, bool]:
    """The settings of an organization."""
    return {name: getattr(state.settings, name) for name in state.settings.__struct_fields__}


def state_from(organization: str, owner: str, facts: Iterable[Fact]) -> OrganizationState:
    """The organization of a state file that says these facts; raises StoreError for one that belongs to nothing that is there."""
    state = OrganizationState(id=organization, owner=owner)
    workspaces: dict[str, WorkspaceState] = {}
    projects: dict[str, ProjectState] = {}
    for fact in facts:
        try:
            _add(state, workspaces, projects, fact)
        except KeyError as error:
            raise StoreError(
                f"the store is damaged, restore a backup: {fact.kind} {fact.domain} belongs to {error}, which is not there"
            ) from None
    state.workspaces = list(workspaces.values())
    return state


def _add(state: OrganizationState, workspaces: dict[str, WorkspaceState], projects: dict[str, ProjectState], fact: Fact) -> None:
    kind, _, name = fact.domain.partition(":")
    if kind == "organization":
        _add_to_organization(state, fact)
    elif kind == "workspace":
        _add_to_workspaces(workspaces, name, fact)
    elif fact.kind == "project":
        projects[name] = _add_project(workspaces, name, fact.value)
    else:
        _add_to_project(projects[name], fact)


# -- from a file -----------------------------------------------------------------------------------------------------------


def _members(state: OrganizationState) -> Iterator[Fact]:
    for user, short in state.members.items():
        member = in_full(MemberState, short)
        yield Fact("member", user, ORGANIZATION, member_value(member.role, member.state))


def _restrictions(state: OrganizationState) -> Iterator[Fact]:
    for permission, level in state.restrictions.items():
        yield Fact("restriction", None, ORGANIZATION, {permission: level})


def _workspaces(state: OrganizationState) -> Iterator[Fact]:
    for workspace in state.workspaces:
        yield Fact("workspace", None, f"workspace:{workspace.id}", workspace_value(workspace))


def _projects(state: OrganizationState) -> Iterator[Fact]:
    for workspace in state.workspaces:
        for project in workspace.projects:
            yield Fact("project", None, f"project:{project.id}", project_value(project, workspace=workspace.id))


def _workspace_members(state: OrganizationState) -> Iterator[Fact]:
    for workspace in state.workspaces:
        for user, until in members_of(workspace):
            yield Fact("membership", user, f"workspace:{workspace.id}", membership_value(_instant(until)))


def _project_members(state: OrganizationState) -> Iterator[Fact]:
    for domain, project in _each_project(state):
        for user, until in members_of(project):
            yield Fact("membership", user, domain, membership_value(_instant(until)))


def _project_roles(state: OrganizationState) -> Iterator[Fact]:
    for domain, project in _each_project(state):
        for user, short in project.project_roles.items():
            given = in_full(ProjectRole, short)
            yield Fact("project_role", user, domain, project_role_value(given.role, _instant(given.until)))


def _pauses(state: OrganizationState) -> Iterator[Fact]:
    for domain, project in _each_project(state):
        for user, short in project.paused.items():
            pause = in_full(Pause, short)
            yield Fact("pause", user, domain, pause_value(pause.reason, _instant(pause.until)))


def _tasks(state: OrganizationState) -> Iterator[Fact]:
    for domain, task, _ in _each_task(state):
        yield Fact("task", None, domain, {"task": task})


def _assignments(state: OrganizationState) -> Iterator[Fact]:
    for domain, task, assigned in _each_task(state):
        for role, users in ((Role.ANNOTATOR, assigned.annotators), (Role.REVIEWER, assigned.reviewers)):
            for user in users:
                yield Fact("assignment", user, domain, {"task": task, "as": str(role)})


def _worked_on(state: OrganizationState) -> Iterator[Fact]:
    for domain, task, assigned in _each_task(state):
        for user in assigned.worked_on_by:
            yield Fact("worked_on", user, domain, {"task": task})


_FACTS: dict[tuple[str, str], Callable[[OrganizationState], Iterator[Fact]]] = {
    ("member", "organization"): _members,
    ("restriction", "organization"): _restrictions,
    ("workspace", "workspace"): _workspaces,
    ("project", "project"): _projects,
    ("membership", "workspace"): _workspace_members,
    ("membership", "project"): _project_members,
    ("project_role", "project"): _project_roles,
    ("pause", "project"): _pauses,
    ("task", "project"): _tasks,
    ("assignment", "project"): _assignments,
    ("worked_on", "project"): _worked_on,
}
"""How each kind of fact is read from a file; the order is that of stored_facts.ORDER."""


def _each_project(state: OrganizationState) -> Iterator[tuple[str, ProjectState]]:
    for workspace in state.workspaces:
        for project in workspace.projects:
            yield f"project:{project.id}", project


def _each_task(state: OrganizationState) -> Iterator[tuple[str, str, TaskState]]:
    for domain, project in _each_project(state):
        for task, assigned in project.tasks.items():
            yield domain, task, assigned or TaskState()


def _instant(until: datetime | None) -> int | None:
    return None if until is None else parse_instant(until)


# -- to a file -------------------------------------------------------------------------------------------------------------


def _add_to_organization(state: OrganizationState, fact: Fact) -> None:
    if fact.kind == "settings":
        state.settings = msgspec.convert(fact.value, SettingsState)
    elif fact.kind == "restriction":
        state.restrictions.update(fact.value)
    elif fact.user is not None and fact.user != state.owner:
        role, member_state = fact.value["role"], fact.value["state"]
        state.members[fact.user] = str(role) if member_state == State.ACTIVE else MemberState(role, member_state)


def _add_to_workspaces(workspaces: dict[str, WorkspaceState], name: str, fact: Fact) -> None:
    if fact.kind == "workspace":
        workspaces[name] = WorkspaceState(id=name, **fact.value)
    else:
        _add_member(workspaces[name], fact)


def _add_project(workspaces: dict[str, WorkspaceState], name: str, value: Value) -> ProjectState:
    own = {key: each for key, each in value.items() if key != "workspace"}
    own["distribution"] = sys.intern(own["distribution"])  # msgspec leaves a default out by identity
    project = ProjectState(id=name, **own)
    workspaces[value["workspace"]].projects.append(project)
    return project


def _add_to_project(project: ProjectState, fact: Fact) -> None:
    user = str(fact.user)
    match fact.kind:
        case "membership":
            _add_member(project, fact)
        case "project_role":
            role, until = str(fact.value["role"]), _moment(fact.value)
            project.project_roles[user] = role if until is None else ProjectRole(role, until)
        case "pause":
            reason, until = PauseReason(fact.value["reason"]), _moment(fact.value)
            project.paused[user] = str(reason) if until is None else Pause(reason, until)
        case "task":
            project.tasks[fact.value["task"]] = None
        case _:
            _add_to_task(project, user, fact)


def _add_to_task(project: ProjectState, user: str, fact: Fact) -> None:
    name = fact.value["task"]
    task = project.tasks[name] = project.tasks[name] or TaskState()
    if fact.kind == "worked_on":
        task.worked_on_by.append(user)
    else:
        {Role.ANNOTATOR: task.annotators, Role.REVIEWER: task.reviewers}[Role(fact.value["as"])].append(user)


def _add_member(domain: WorkspaceState | ProjectState, fact: Fact) -> None:
    """List a member; the list becomes a mapping once somebody's membership ends."""
    user, until = str(fact.user), _moment(fact.value)
    if isinstance(domain.members, list) and until is None:
        domain.members.append(user)
        return
    if isinstance(domain.members, list):
        domain.members = dict.fromkeys(domain.members)
    domain.members[user] = None if until is None else Ends(until)


def _moment(value: Value) -> datetime | None:
    until = value["until"]
    return None if until is None else datetime.fromisoformat(until)
