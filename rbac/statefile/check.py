"""Every name, role and reference of a state file, checked before anything is written.

The schema of the database would refuse most of it too, but not with the path of what is wrong. Its one rule: shapes,
names, references and closed sets only, never who may do what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from rbac.clock import parse_instant
from rbac.errors import StateError, UnknownName
from rbac.names import nearest, parse_id, parse_permission, parse_role
from rbac.statefile.shape import (
    MemberState,
    OrganizationState,
    Pause,
    ProjectRole,
    ProjectState,
    StateFile,
    TaskState,
    WorkspaceState,
    members_of,
)
from rbac.text import plain
from rbac.vocabulary import WORKERS, Distribution, PauseReason, Role, State


def check_state(state: StateFile, file: str = "") -> None:
    """Raise StateError with the path of the first thing that is wrong."""
    _Checker(file).state(state)


class _Checker:
    """Walks one file; lives for that walk and knows where it is."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._present: dict[str, State] = {}
        self._projects: set[str] = set()

    def state(self, state: StateFile) -> None:
        seen: set[str] = set()
        for number, organization in enumerate(state.organizations):
            path = f"organizations[{number}]"
            self._name(organization.id, "organization", f"{path}.id")
            self._once(organization.id, seen, f"{path}.id")
            self._organization(organization, path)

    def _organization(self, organization: OrganizationState, path: str) -> None:
        self._name(organization.owner, "user", f"{path}.owner")
        self._present = {organization.owner: State.ACTIVE}
        self._projects = set()
        for user, said in organization.members.items():
            self._member(user, said, organization.owner, f"{path}.members")
        for permission, level in organization.restrictions.items():
            self._parsed(parse_permission, permission, f"{path}.restrictions")
            self._parsed(parse_role, level, f"{path}.restrictions.{permission}")
        seen: set[str] = set()
        for number, workspace in enumerate(organization.workspaces):
            where = f"{path}.workspaces[{number}]"
            self._name(workspace.id, "workspace", f"{where}.id")
            self._once(workspace.id, seen, f"{where}.id")
            self._workspace(workspace, where)

    def _member(self, user: str, said: str | MemberState, owner: str, path: str) -> None:
        self._name(user, "user", path)
        if user == owner:
            self._wrong(f"{user} is the Owner and not listed again", f"{path}.{user}")
        shape = MemberState(said) if isinstance(said, str) else said
        state = State.named(shape.state)
        if state is None:
            self._wrong(f"unknown state {shape.state!r}{nearest(shape.state, State)}", f"{path}.{user}.state")
        if shape.role is not None and self._parsed(parse_role, shape.role, f"{path}.{user}") is Role.OWNER:
            self._wrong("there is one Owner, named by owner: above", f"{path}.{user}")
        if state is State.INVITED and shape.role is not None:
            self._wrong("an invited member has no role yet: leave role out, or make the state active", f"{path}.{user}")
        if state is State.ACTIVE and shape.role is None:
            self._wrong("an active member has a role", f"{path}.{user}")
        self._present[user] = state

    def _workspace(self, workspace: WorkspaceState, path: str) -> None:
        self._creator(workspace.created_by, path)
        if workspace.personal and workspace.created_by is None:
            self._wrong("a personal workspace is somebody's: created_by is missing", path)
        self._members(workspace, personal=workspace.personal, path=path)
        for number, project in enumerate(workspace.projects):
            where = f"{path}.projects[{number}]"
            self._name(project.id, "project", f"{where}.id")
            self._once(project.id, self._projects, f"{where}.id")
            self._project(project, workspace, where)

    def _project(self, project: ProjectState, workspace: WorkspaceState, path: str) -> None:
        self._creator(project.created_by, path)
        if workspace.personal and project.published:
            self._wrong("a project in a personal workspace cannot be published", f"{path}.published")
        if Distribution.named(project.distribution) is None:
            self._wrong(f"is automatic or manual, not {project.distribution!r}", f"{path}.distribution")
        for role in project.show_data_manager_to:
            self._worker(role, f"{path}.show_data_manager_to")
        self._unique(project.show_data_manager_to, f"{path}.show_data_manager_to")
        self._members(project, personal=workspace.personal, path=path)
        for user, given in project.project_roles.items():
            where = f"{path}.project_roles.{user}"
            self._somebody(user, where)
            shape = ProjectRole(given) if isinstance(given, str) else given
            self._worker(shape.role, where)
            self._instant(shape.until, where)
        for user, pause in project.paused.items():
            where = f"{path}.paused.{user}"
            self._somebody(user, where)
            stopped = Pause(pause) if isinstance(pause, str) else pause
            if PauseReason.named(stopped.reason) is None:
                self._wrong(f"unknown reason {stopped.reason!r}: one of {', '.join(PauseReason)}", where)
            self._instant(stopped.until, where)
        for task, said in project.tasks.items():
            self._name(task, "task", f"{path}.tasks")
            self._task(said or TaskState(), f"{path}.tasks.{task}")

    def _task(self, task: TaskState, path: str) -> None:
        for name in ("annotators", "reviewers", "worked_on_by"):
            users: list[str] = getattr(task, name)
            self._unique(users, f"{path}.{name}")
            for user in users:
                self._somebody(user, f"{path}.{name}")

    def _members(self, part: WorkspaceState | ProjectState, *, personal: bool, path: str) -> None:
        listed = list(members_of(part))
        if personal and listed:
            self._wrong("a personal workspace and its projects take no members", f"{path}.members")
        self._unique([user for user, _ in listed], f"{path}.members")
        for user, until in listed:
            self._somebody(user, f"{path}.members.{user}")
            self._instant(until, f"{path}.members.{user}.until")

    def _somebody(self, user: str, path: str) -> None:
        """A member of the organization who may hang on something: in any state but invited."""
        state = self._present.get(user)
        if state is None:
            self._wrong(f"{user!r} is no member of the organization{nearest(user, self._present)}", path)
        if state is State.INVITED:
            self._wrong(f"{user} is only invited and belongs to nothing yet", path)

    def _creator(self, user: str | None, path: str) -> None:
        if user is not None:
            self._somebody(user, f"{path}.created_by")

    def _worker(self, role: str, path: str) -> None:
        if self._parsed(parse_role, role, path) not in WORKERS:
            self._wrong(f"is annotator or reviewer, not {role}", path)

    def _instant(self, until: Any, path: str) -> None:
        if until is not None:
            self._parsed(parse_instant, until, path)

    def _name(self, text: str, what: str, path: str) -> None:
        self._parsed(lambda each: parse_id(each, what), text, path)

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
        raise StateError(message, file=self._file, path=plain(path))
