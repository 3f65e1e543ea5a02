"""The specification's rules about changes, as one pure function: a state in, a new state out, or a refusal.

`change(state, organization, actor, operation, arguments, now=...)` returns a new state and leaves the old one alone, or raises
RefusedByTheSpec. What is no change at all (an unknown operation, argument, role, permission or setting, a name that cannot be
a name, a domain of the wrong kind, an `until` without a time zone) raises NotAQuestion. A change that changes nothing and is
allowed returns an equal state. A row that has expired is as if it were not there: adding replaces it, removing it changes nothing.
`canonical(state, now)` brings states into one form, to compare them whatever their spelling.

Where the specification is silent, the reading that refuses is taken:

1.  An organization role carries no `until`: giving one is refused.
2.  A project role is given to an active member whose organization role is annotator or reviewer, with a membership in force in the
    project or its workspace; having created it is no membership.
3.  "Nobody changes someone whose role is above their own" and, while administrators do not make administrators, "nor change an
    administrator" cover project roles too: a manager does not revoke the inert project role of an administrator.
4.  While roles are managed elsewhere, revoking a project role is refused like granting one.
5.  The rules about somebody's role look at the role a deactivated member keeps: who may not change an administrator may not change a
    deactivated one; a deactivated administrator is not removed from a project.
6.  An invited member is not activated: there is no role to give back, granting is the way. Deactivating one takes the invitation back.
7.  Activating an active member changes nothing, judged like granting the role they have.
8.  Deactivating while roles are managed elsewhere: whoever could assign roles if they were managed here.
9.  Only an active member is added, also when the row is there already.
10. Whom a change names must be a member of the organization in some state, also where nothing would change.
11. A live membership, project role or manual pause given again takes the `until` given, none included.
12. Somebody with neither row is "removed" without a change (creators and people who are not there); somebody whose direct row has
    expired and who is in the workspace is there through the workspace only, and that is refused.
13. Lifting a pause is judged as pausing: nobody lifts the pause of somebody who may not be paused now.
14. Unassigning is judged as assigning, so impossible for an annotator under automatic distribution.
15. Moving a project to where it is changes nothing, and is judged like any move.
16. Configuring no setting at all is refused. Several settings need the permission of each; `published: true` in a personal
    workspace is refused even where it is so already.
17. Transferring the ownership to the Owner changes nothing.
18. An id in use for a workspace or project of the organization is refused for a new one.

Not restricted, since no sentence forbids it: a second personal workspace, managers adding or removing their own membership, removing
administrators from workspaces, unrestricting what is not restricted, an `until` of exactly now.
"""

import copy
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

from .decide import (
    ROLES,
    TABLE,
    NotAQuestion,
    Record,
    State,
    View,
    check_id,
    check_permission,
    decide,
    in_force,
    instant,
    parse_domain,
    rank,
    rows,
    until_of,
)

OPERATOR = "operator"


class RefusedByTheSpec(Exception):
    """The specification refuses the change."""


def refuse(why: str) -> NoReturn:
    raise RefusedByTheSpec(why)


def child(record: Record, key: str) -> Record:
    """The dictionary under a key, put there when it is absent or empty."""
    if record.get(key) is None:
        record[key] = {}
    found: Record = record[key]
    return found


def check_role(role: object) -> str:
    if role not in ROLES:
        raise NotAQuestion(f"no such role: {role!r}")
    return str(role)


def check_bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise NotAQuestion(f"neither true nor false: {value!r}")
    return value


def check_distribution(value: object) -> str:
    if value not in ("manual", "automatic"):
        raise NotAQuestion(f"no such distribution: {value!r}")
    return str(value)


def check_shown(value: object) -> list[str]:
    if not isinstance(value, (list, tuple, set, frozenset)) or any(role not in ("annotator", "reviewer") for role in value):
        raise NotAQuestion(f"the Data Manager is shown to a list of annotator, reviewer: {value!r}")
    return [role for role in ("annotator", "reviewer") if role in value]


# Who changes which setting, and what it may be.
PROJECT_SETTINGS: dict[str, tuple[str, Callable[[object], Any], Any]] = {
    "distribution": ("project_settings:configure", check_distribution, "automatic"),
    "show_data_manager_to": ("project_settings:configure", check_shown, []),
    "review_only_assigned": ("project_settings:configure", check_bool, False),
    "published": ("project:update", check_bool, False),
}
ORGANIZATION_SETTINGS: dict[str, str] = {
    "plugins_enabled": "feature_settings:configure",
    "administrators_make_administrators": "permission_settings:configure",
    "tokens_for_annotators_and_reviewers": "access_tokens:configure",
    "manual_role_management": "sso:configure",
}


def restrictable(permission: str, level: str) -> bool:
    """Some line carries unless_restricted, and every line for a role below the level does."""
    lines = {
        role: cell.split(" & ")
        for row in TABLE
        for line in row.lines
        if permission in line.permissions
        for role, cell in zip(ROLES, line.cells, strict=True)
        if cell is not None
    }
    carrying = [role for role, names in lines.items() if "unless_restricted" in names]
    return bool(carrying) and all(role in carrying for role in lines if rank(role) < rank(level))


class Operations:
    """Each method is one operation on a state of its own."""

    def __init__(self, state: State, organization: str, actor: str, now: datetime) -> None:
        self.state, self.id, self.actor, self.now = state, organization, actor, now
        self.view = View(state, organization, now)
        self.organization = self.view.organization

    # what several need

    def need(self, permission: str, domain: str, *, target: str | None = None, task: str | None = None) -> None:
        if not decide(self.state, self.id, self.actor, permission, domain, target=target, task=task, now=self.now):
            refuse(f"{self.actor} may not {permission} in {domain}")

    def known(self, user: str) -> str:
        """The state of a member."""
        state = self.view.state_of(check_id(user, "a user"))
        if state is None:
            refuse(f"{user} is no member of the organization")
        return state

    def future(self, until: datetime | str | None) -> datetime | None:
        if until is None:
            return None
        moment = instant(until)
        if moment < self.now:
            refuse("until is in the past")
        return moment

    def place(self, domain: str) -> tuple[str, Record, Record]:
        """The kind of the domain, its record and that of the workspace, which are one for a workspace. It exists."""
        kind, id = parse_domain(domain)
        if kind == "workspace":
            workspace = self.view.workspace(id)
            assert workspace is not None
            return kind, workspace, workspace
        pair = self.view.project(id)
        assert pair is not None
        return kind, pair[0], pair[1]

    def judge_role(self, user: str, role: str | None) -> None:
        """May the actor change this member, and give this role?"""
        mine = self.view.role_of(self.actor)
        assert mine is not None
        current = self.view.kept_role_of(user)
        if user == self.actor:
            refuse("nobody changes their own role or state")
        if user == self.organization["owner"]:
            refuse("the Owner cannot be deactivated, removed or given another role")
        if role == "owner":
            refuse("owner is never assignable")
        if role is not None and rank(role) > rank(mine):
            refuse("nobody gives a role above their own")
        if current is not None and rank(current) > rank(mine):
            refuse("nobody changes someone whose role is above their own")
        if mine == "administrator" and not self.view.setting("administrators_make_administrators") and "administrator" in (role, current):
            refuse("administrators do not make, change or deactivate administrators here")

    def members(self) -> Record:
        return child(self.organization, "members")

    # organization roles and states

    def grant(self, user: str, role: str, on: str | None = None, until: datetime | str | None = None) -> None:
        check_id(user, "a user")
        check_role(role)
        if on is not None:
            self.grant_on_project(user, role, on, until)
            return
        self.need("member_role:assign", "organization")
        if until is not None:
            refuse("an organization role carries no until")
        self.known(user)
        self.judge_role(user, role)
        if self.view.role_of(user) != role:
            self.members()[user] = role

    def deactivate(self, user: str) -> None:
        check_id(user, "a user")
        managed = copy.deepcopy(self.state)
        child(View(managed, self.id, self.now).organization, "settings")["manual_role_management"] = True
        if not decide(managed, self.id, self.actor, "member_role:assign", "organization", now=self.now):
            refuse(f"{self.actor} may not deactivate")
        state = self.known(user)
        self.judge_role(user, None)
        if state == "invited":
            self.members()[user] = {"state": "deactivated"}
        if state == "active":
            self.members()[user] = {"role": self.view.kept_role_of(user), "state": "deactivated"}

    def activate(self, user: str) -> None:
        check_id(user, "a user")
        self.need("member_role:assign", "organization")
        state = self.known(user)
        role = self.view.kept_role_of(user)
        self.judge_role(user, role)
        if role is None or state == "invited":
            refuse("there is no role to give back")
        if state == "deactivated":
            self.members()[user] = role

    def invite(self, user: str, role: str | None = None) -> None:
        check_id(user, "a user")
        self.need("user:invite", "organization")
        if role is not None:
            check_role(role)
            self.need("member_role:assign", "organization")
        if self.view.state_of(user) is not None:
            refuse(f"{user} is there already")
        self.judge_role(user, role)
        self.members()[user] = {"state": "invited"} if role is None else role

    def transfer_ownership(self, to: str) -> None:
        check_id(to, "a user")
        if self.actor != OPERATOR:
            refuse("nobody inside the organization transfers its ownership")
        owner = self.organization["owner"]
        if self.known(to) != "active":
            refuse("ownership goes to an active member")
        if to == owner:
            return
        del self.members()[to]
        self.members()[owner] = "administrator"
        self.organization["owner"] = to

    # project roles

    def judge_project_role(self, user: str, on: str, role: str | None) -> Record:
        self.need("project_member:manage", on)
        if not self.view.setting("manual_role_management"):
            refuse("roles are managed elsewhere")
        self.known(user)
        self.judge_role(user, role)
        _, project, _ = self.place(on)
        return project

    def grant_on_project(self, user: str, role: str, on: str, until: datetime | str | None) -> None:
        moment = self.future(until)
        project = self.judge_project_role(user, on, role)
        _, _, workspace = self.place(on)
        if role not in ("annotator", "reviewer"):
            refuse("a project role is annotator or reviewer")
        if self.view.role_of(user) not in ("annotator", "reviewer"):
            refuse("a project role is for members whose organization role is annotator or reviewer")
        if not self.view.member_of_project(user, project, workspace):
            refuse(f"{user} is no member of the project")
        before = (project.get("project_roles") or {}).get(user)
        if before is not None and in_force(before, self.now) and until_of(before) == moment and self.view.role_in(user, project) == role:
            return
        child(project, "project_roles")[user] = role if moment is None else {"role": role, "until": moment}

    def revoke(self, user: str, on: str) -> None:
        check_id(user, "a user")
        project = self.judge_project_role(user, on, None)
        before = (project.get("project_roles") or {}).get(user)
        if before is not None and in_force(before, self.now):
            del project["project_roles"][user]

    # memberships

    def add(self, user: str, domain: str, until: datetime | str | None = None) -> None:
        check_id(user, "a user")
        kind, _ = parse_domain(domain)
        moment = self.future(until)
        self.need("workspace_member:manage" if kind == "workspace" else "project_member:manage", domain)
        _, place, workspace = self.place(domain)
        if self.known(user) != "active":
            refuse("only active members of the organization can be added")
        if workspace.get("personal"):
            refuse("a personal workspace and its projects take no members")
        present = rows(place.get("members"))
        if self.view.has_row(user, place) and until_of(present[user]) == moment:
            return
        present[user] = None if moment is None else {"until": moment}
        plain = not isinstance(place.get("members"), dict) and all(row is None for row in present.values())
        place["members"] = list(present) if plain else present

    def remove(self, user: str, domain: str) -> None:
        check_id(user, "a user")
        kind, _ = parse_domain(domain)
        self.need("workspace_member:manage" if kind == "workspace" else "project_member:manage", domain)
        _, place, workspace = self.place(domain)
        self.known(user)
        direct = self.view.has_row(user, place)
        if kind == "project":
            if self.view.kept_role_of(user) in ("administrator", "owner"):
                refuse("administrators and the Owner are not removed from projects")
            if not direct and self.view.has_row(user, workspace):
                refuse(f"{user} is there through the workspace only")
        if direct and isinstance(place["members"], dict):
            del place["members"][user]
        elif direct:
            place["members"] = [member for member in place["members"] if member != user]

    # pauses

    def evaluated(self, user: str, project: Record) -> bool:
        """A pause in force that came from annotator evaluation."""
        if not self.view.is_paused(user, project):
            return False
        entry = project["paused"][user]
        return bool((entry.get("reason") if isinstance(entry, dict) else entry) == "annotator_evaluation")

    def pause(self, user: str, domain: str, until: datetime | str | None = None) -> None:
        check_id(user, "a user")
        moment = self.future(until)
        self.need("project_member:pause", domain, target=user)
        _, project, _ = self.place(domain)
        if self.evaluated(user, project):
            refuse("a pause from annotator evaluation is not replaced by a manual one")
        if self.view.is_paused(user, project) and until_of(project["paused"][user]) == moment:
            return
        child(project, "paused")[user] = "manual" if moment is None else {"reason": "manual", "until": moment}

    def unpause(self, user: str, domain: str) -> None:
        check_id(user, "a user")
        self.need("project_member:pause", domain, target=user)
        _, project, _ = self.place(domain)
        if self.evaluated(user, project):
            refuse("a pause from annotator evaluation is not lifted by hand")
        if self.view.is_paused(user, project):
            del project["paused"][user]

    # assignments

    def assign(self, user: str, project: str, task: str, permission: str, as_what: str) -> None:
        check_id(project, "a project")
        domain = f"project:{project}"
        self.need(permission, domain, target=check_id(user, "a user"), task=check_id(task, "a task"))
        _, record, _ = self.place(domain)
        facts = child(child(record, "tasks"), task)
        if user not in (facts.get(as_what) or []):
            facts[as_what] = [*(facts.get(as_what) or []), user]

    def assign_annotator(self, user: str, project: str, task: str) -> None:
        self.assign(user, project, task, "task:assign_annotator", "annotators")

    def assign_reviewer(self, user: str, project: str, task: str) -> None:
        self.assign(user, project, task, "task:assign_reviewer", "reviewers")

    def unassign(self, user: str, project: str, task: str) -> None:
        check_id(user, "a user")
        check_id(project, "a project")
        check_id(task, "a task")
        pair = self.view.project(project)
        facts: Record = ((pair[0].get("tasks") or {}).get(task) or {}) if pair else {}
        annotates = user in (facts.get("annotators") or [])
        reviews = user in (facts.get("reviewers") or [])
        if annotates or not reviews:
            self.need("task:assign_annotator", f"project:{project}", target=user, task=task)
        if reviews:
            self.need("task:assign_reviewer", f"project:{project}", target=user, task=task)
        for as_what, assigned in (("annotators", annotates), ("reviewers", reviews)):
            if assigned:
                facts[as_what] = [one for one in facts[as_what] if one != user]

    # places

    def create_workspace(self, workspace: str, personal: bool = False) -> None:
        check_id(workspace, "a workspace")
        check_bool(personal)
        self.need("workspace:create", "organization")
        if self.view.workspace(workspace) is not None:
            refuse(f"the workspace {workspace} exists")
        record: Record = {"id": workspace, "created_by": self.actor}
        if personal:
            record["personal"] = True
        self.organization["workspaces"] = [*self.view.workspaces(), record]

    def create_project(self, project: str, workspace: str) -> None:
        check_id(project, "a project")
        check_id(workspace, "a workspace")
        self.need("project:create", f"workspace:{workspace}")
        if self.view.project(project) is not None:
            refuse(f"the project {project} exists")
        _, record, _ = self.place(f"workspace:{workspace}")
        record["projects"] = [*(record.get("projects") or []), {"id": project, "created_by": self.actor}]

    def move_project(self, project: str, workspace: str) -> None:
        check_id(project, "a project")
        check_id(workspace, "a workspace")
        domain = f"project:{project}"
        self.need("project:update", domain)
        self.need("project:create", f"workspace:{workspace}")
        _, record, source = self.place(domain)
        _, target, _ = self.place(f"workspace:{workspace}")
        if target.get("personal"):
            if target.get("created_by") != self.actor:
                refuse("into a personal workspace only its user moves a project")
            if not self.view.created(self.actor, record):
                refuse("into a personal workspace goes only a project its user created")
            self.need("project:delete", domain)
        if source["id"] == target["id"]:
            return
        source["projects"] = [one for one in source["projects"] if one["id"] != project]
        target["projects"] = [*(target.get("projects") or []), record]
        if target.get("personal"):
            record["published"] = False
            record.pop("members", None)

    def delete_workspace(self, workspace: str) -> None:
        check_id(workspace, "a workspace")
        self.need("workspace:delete", f"workspace:{workspace}")
        self.organization["workspaces"] = [one for one in self.view.workspaces() if one["id"] != workspace]

    def delete_project(self, project: str) -> None:
        check_id(project, "a project")
        self.need("project:delete", f"project:{project}")
        _, _, workspace = self.place(f"project:{project}")
        workspace["projects"] = [one for one in workspace["projects"] if one["id"] != project]

    # settings

    def configure(self, domain: str, settings: Record) -> None:
        kind, _ = parse_domain(domain)
        known = {"organization": set(ORGANIZATION_SETTINGS), "workspace": set(), "project": set(PROJECT_SETTINGS)}[kind]
        if not isinstance(settings, dict) or not known.issuperset(settings):
            raise NotAQuestion(f"not settings of {domain}: {settings!r}")
        if not settings:
            refuse("no setting to configure")
        if kind == "organization":
            wanted = {name: check_bool(value) for name, value in settings.items()}
            for name in wanted:
                self.need(ORGANIZATION_SETTINGS[name], "organization")
            for name, value in wanted.items():
                if self.view.setting(name) != value:
                    child(self.organization, "settings")[name] = value
            return
        checked = {name: PROJECT_SETTINGS[name][1](value) for name, value in settings.items()}
        for name in checked:
            self.need(PROJECT_SETTINGS[name][0], domain)
        _, project, workspace = self.place(domain)
        if checked.get("published") and workspace.get("personal"):
            refuse("nothing is published in a personal workspace")
        for name, value in checked.items():
            before = project.get(name)
            if before is None:
                before = PROJECT_SETTINGS[name][2]
            same = set(before) == set(value) if isinstance(value, list) else before == value
            if not same:
                project[name] = value

    def restrict(self, permission: str, level: str) -> None:
        check_permission(permission)
        check_role(level)
        self.need("permission_settings:configure", "organization")
        if not restrictable(permission, level):
            refuse(f"{permission} cannot be restricted to {level}")
        if self.view.restriction(permission) != level:
            child(self.organization, "restrictions")[permission] = level

    def unrestrict(self, permission: str) -> None:
        check_permission(permission)
        self.need("permission_settings:configure", "organization")
        if self.view.restriction(permission) is not None:
            del self.organization["restrictions"][permission]


OPERATIONS = (
    "grant",
    "revoke",
    "invite",
    "deactivate",
    "activate",
    "add",
    "remove",
    "pause",
    "unpause",
    "assign_annotator",
    "assign_reviewer",
    "unassign",
    "create_workspace",
    "create_project",
    "move_project",
    "delete_workspace",
    "delete_project",
    "configure",
    "restrict",
    "unrestrict",
    "transfer_ownership",
)


def change(
    state: State,
    organization: str,
    actor: str,
    operation: str,
    arguments: dict[str, Any],
    *,
    now: datetime,
) -> State:
    check_id(organization, "an organization")
    check_id(actor, "a user")
    if operation not in OPERATIONS:
        raise NotAQuestion(f"no such operation: {operation!r}")
    new = copy.deepcopy(state)
    operations = Operations(new, organization, actor, now)
    if not operations.view.exists:
        refuse(f"no such organization: {organization}")
    method = getattr(operations, operation)
    try:
        inspect.signature(method).bind(**arguments)
    except TypeError as error:
        raise NotAQuestion(f"{operation}: {error}") from None
    method(**copy.deepcopy(arguments))
    return new


# ---------------------------------------------------------------------------------------------------------------------
# One form for equal states


def _moment(row: Any) -> str | None:
    until = until_of(row)
    return None if until is None else until.astimezone(UTC).isoformat()


def _live(members: Any, now: datetime) -> Record:
    return {user: _moment(row) for user, row in rows(members).items() if in_force(row, now)}


def _named(entries: Any, key: str, now: datetime) -> Record:
    return {
        user: (entry[key] if isinstance(entry, dict) else entry, _moment(entry))
        for user, entry in (entries or {}).items()
        if in_force(entry, now)
    }


def _canonical_project(project: Record, now: datetime) -> Record:
    return {
        "created_by": project.get("created_by"),
        "published": bool(project.get("published")),
        "distribution": project.get("distribution") or "automatic",
        "show_data_manager_to": sorted(set(project.get("show_data_manager_to") or [])),
        "review_only_assigned": bool(project.get("review_only_assigned")),
        "members": _live(project.get("members"), now),
        "project_roles": _named(project.get("project_roles"), "role", now),
        "paused": _named(project.get("paused"), "reason", now),
        "tasks": {
            task: {key: sorted(set((facts or {}).get(key) or [])) for key in ("annotators", "reviewers", "worked_on_by")}
            for task, facts in (project.get("tasks") or {}).items()
        },
    }


def canonical(state: State, now: datetime) -> dict[str, Any]:
    """Defaults filled in, lists without an order sorted, what has expired left out, everything under its id."""
    result: dict[str, Any] = {}
    for organization in state.get("organizations") or []:
        view = View(state, organization["id"], now)
        result[organization["id"]] = {
            "owner": organization["owner"],
            "members": {user: (view.kept_role_of(user), view.state_of(user)) for user in organization.get("members") or {}},
            "settings": {name: view.setting(name) for name in ORGANIZATION_SETTINGS},
            "restrictions": dict(organization.get("restrictions") or {}),
            "workspaces": {
                workspace["id"]: {
                    "created_by": workspace.get("created_by"),
                    "personal": bool(workspace.get("personal")),
                    "members": _live(workspace.get("members"), now),
                    "projects": {project["id"]: _canonical_project(project, now) for project in workspace.get("projects") or []},
                }
                for workspace in view.workspaces()
            },
        }
    return result
