"""Every name, role and reference of a state file, checked before anything is written, each error with the path of what is wrong.

What a file says is checked, never who may do it: an import takes every state that changes can lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from rbac.clock import parse_instant
from rbac.errors import StateError, UnknownName
from rbac.names import nearest, parse_id, parse_permission, parse_role, quoted
from rbac.statefile.shape import (
    MemberState,
    OrganizationState,
    Pause,
    ProjectRole,
    ProjectState,
    StateFile,
    TaskState,
    WorkspaceState,
    in_full,
    members_of,
    printable,
)
from rbac.vocabulary import WORKERS, Distribution, PauseReason, Role, State


def check_state(state: StateFile, file: str = "") -> None:
    """Raise StateError with the path of the first thing that is wrong."""
    _Checker(file).state(state)


class _Checker:
    """Walks one file; lives for that walk and knows who is a member of the organization it is in."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._members: dict[str, State] = {}
        self._projects: set[str] = set()

    def state(self, state: StateFile) -> None:
        seen: set[str] = set()
        for number, organization in enumerate(state.organizations):
            path = f"organizations[{number}]"
            self._new_id(organization.id, "organization", seen, path)
            self._organization(organization, path)

    def _organization(self, organization: OrganizationState, path: str) -> None:
        self._id(organization.owner, "user", f"{path}.owner")
        self._members, self._projects = {organization.owner: State.ACTIVE}, set()
        for user, short in organization.members.items():
            self._member(user, in_full(MemberState, short), organization.owner, f"{path}.members")
        for permission, level in organization.restrictions.items():
            self._parsed(parse_permission, permission, f"{path}.restrictions")
            self._parsed(parse_role, level, f"{path}.restrictions.{permission}")
        seen: set[str] = set()
        for number, workspace in enumerate(organization.workspaces):
            where = f"{path}.workspaces[{number}]"
            self._new_id(workspace.id, "workspace", seen, where)
            self._workspace(workspace, where)

    def _member(self, user: str, member: MemberState, owner: str, path: str) -> None:
        self._id(user, "user", path)
        where = f"{path}.{user}"
        if user == owner:
            self._wrong(f"{user} is the Owner and not listed again", where)
        state = State.named(member.state)
        if state is None:
            self._wrong(f"unknown state {quoted(member.state)}{nearest(member.state, State)}", f"{where}.state")
        if member.role is not None and self._parsed(parse_role, member.role, where) is Role.OWNER:
            self._wrong("there is one Owner, named by owner: above", where)
        if state is State.INVITED and member.role is not None:
            self._wrong("an invited member has no role yet: leave role out, or make the state active", where)
        if state is State.ACTIVE and member.role is None:
            self._wrong("an active member has a role", where)
        self._members[user] = state

    def _workspace(self, workspace: WorkspaceState, path: str) -> None:
        self._creator(workspace.created_by, path)
        if workspace.personal and workspace.created_by is None:
            self._wrong("a personal workspace belongs to the user who created it: created_by is missing", path)
        self._memberships(workspace, personal=workspace.personal, path=path)
        for number, project in enumerate(workspace.projects):
            where = f"{path}.projects[{number}]"
            self._new_id(project.id, "project", self._projects, where)
            self._project(project, where, personal=workspace.personal)

    def _project(self, project: ProjectState, path: str, *, personal: bool) -> None:
        self._creator(project.created_by, path)
        if personal and project.published:
            self._wrong("a project in a personal workspace cannot be published", f"{path}.published")
        if Distribution.named(project.distribution) is None:
            self._wrong(f"is automatic or manual, not {quoted(project.distribution)}", f"{path}.distribution")
        for role in project.show_data_manager_to:
            self._worker(role, f"{path}.show_data_manager_to")
        self._unique(project.show_data_manager_to, f"{path}.show_data_manager_to")
        self._memberships(project, personal=personal, path=path)
        for user, short in project.project_roles.items():
            self._project_role(user, in_full(ProjectRole, short), f"{path}.project_roles.{user}")
        for user, reason in project.paused.items():
            self._pause(user, in_full(Pause, reason), f"{path}.paused.{user}")
        for task, assigned in project.tasks.items():
            self._task(task, assigned or TaskState(), f"{path}.tasks")

    def _memberships(self, domain: WorkspaceState | ProjectState, *, personal: bool, path: str) -> None:
        listed = list(members_of(domain))
        if personal and listed:
            self._wrong("a personal workspace and its projects take no members", f"{path}.members")
        self._unique([user for user, _ in listed], f"{path}.members")
        for user, until in listed:
            self._belongs(user, f"{path}.members.{user}")
            self._instant(until, f"{path}.members.{user}.until")

    def _project_role(self, user: str, given: ProjectRole, path: str) -> None:
        self._belongs(user, path)
        self._worker(given.role, path)
        self._instant(given.until, path)

    def _pause(self, user: str, pause: Pause, path: str) -> None:
        self._belongs(user, path)
        if PauseReason.named(pause.reason) is None:
            self._wrong(f"unknown reason {quoted(pause.reason)}: one of {', '.join(PauseReason)}", path)
        self._instant(pause.until, path)

    def _task(self, task: str, assigned: TaskState, path: str) -> None:
        self._id(task, "task", path)
        for name in ("annotators", "reviewers", "worked_on_by"):
            users: list[str] = getattr(assigned, name)
            self._unique(users, f"{path}.{task}.{name}")
            for user in users:
                self._belongs(user, f"{path}.{task}.{name}")

    def _belongs(self, user: str, path: str) -> None:
        """A member of the organization in any state but invited: whom a membership, a role, a pause or a task can name."""
        state = self._members.get(user)
        if state is None:
            self._wrong(f"{quoted(user)} is no member of the organization{nearest(user, self._members)}", path)
        if state is State.INVITED:
            self._wrong(f"{user} is only invited and belongs to nothing yet", path)

    def _creator(self, user: str | None, path: str) -> None:
        if user is not None:
            self._belongs(user, f"{path}.created_by")

    def _worker(self, role: str, path: str) -> None:
        if self._parsed(parse_role, role, path) not in WORKERS:
            self._wrong(f"is annotator or reviewer, not {role}", path)

    def _instant(self, until: Any, path: str) -> None:
        if until is not None and self._parsed(parse_instant, until, path) < 0:
            self._wrong("an end before 1970 cannot be kept: what has ended is left out", path)

    def _id(self, text: str, what: str, path: str) -> None:
        try:
            parse_id(text, what)
        except UnknownName as error:
            self._wrong(str(error), path)

    def _new_id(self, name: str, what: str, seen: set[str], path: str) -> None:
        self._id(name, what, f"{path}.id")
        self._once(name, seen, f"{path}.id")

    def _once(self, name: str, seen: set[str], path: str) -> None:
        if name in seen:
            self._wrong(f"{name!r} is there already", path)
        seen.add(name)

    def _unique(self, names: Iterable[str], path: str) -> None:
        seen: set[str] = set()
        for name in names:
            self._once(name, seen, path)

    def _parsed(self, parse: Callable[[Any], Any], text: Any, path: str) -> Any:
        try:
            return parse(text)
        except UnknownName as error:
            self._wrong(str(error), path)

    def _wrong(self, message: str, path: str) -> NoReturn:
        raise StateError(message, file=self._file, path=printable(path))
