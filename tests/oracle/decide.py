"""The specification's decisions, restated as plainly as possible; slow on purpose, shares nothing with the program.

A state is the dictionary of a state file: {"organizations": [{"id": ..., "owner": ..., "members": {...}, ...}]}.
Absent keys have their documented defaults. A row that carries `until` does not exist from exactly that instant on.
"""

import re
from datetime import datetime
from typing import Any, NamedTuple

State = dict[str, Any]
Record = dict[str, Any]


class NotAQuestion(Exception):
    """What the specification calls an error rather than a "no"."""


ROLES = ("annotator", "reviewer", "manager", "administrator", "owner")
KINDS = ("organization", "workspace", "project")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+|'~#:=-]{0,254}")

# ---------------------------------------------------------------------------------------------------------------------
# The table, as the specification prints it: implied conditions left out. None: no; "always": yes; else the conditions.

Cell = str | None


class Line(NamedTuple):
    permissions: tuple[str, ...]
    kind: str
    cells: tuple[Cell, Cell, Cell, Cell, Cell]


class Row(NamedTuple):
    number: int
    wording: str
    lines: tuple[Line, ...]


Y = "always"
DM_TASK = "data_manager_shown & task_in_data_manager"
DM_REVIEW = "data_manager_shown & task_to_review"
BULK_LABEL = "manual_distribution & data_manager_shown & task_to_label"
TOKENS = "tokens_allowed & unless_restricted"
PLUGINS = "plugins_enabled & unless_restricted"
ASSIGN = "manual_distribution & target_is_project_member"
OWN = "own_history & unless_restricted"
SHARED = "own_or_shared_history & unless_restricted"
FREE = "unless_restricted"
EMPTY = "workspace_empty"
ORG, WSP, PRJ = KINDS

PRINTED: tuple[Row, ...] = (
    Row(1, "View the Organization page", (Line(("organization_page:view",), ORG, (None, None, None, Y, Y)),)),
    Row(
        2,
        "Assign member roles",
        (Line(("member_role:assign",), ORG, (None, None, None, "roles_managed_here", "roles_managed_here")),),
    ),
    Row(3, "Invite users", (Line(("user:invite",), ORG, (None, None, None, Y, Y)),)),
    Row(4, "View system-wide activity log", (Line(("activity_log:view",), ORG, (None, None, None, Y, Y)),)),
    Row(5, "Set up model providers for the org", (Line(("model_provider:configure",), ORG, (None, None, None, Y, Y)),)),
    Row(
        6,
        "Configure organization settings",
        (
            Line(
                ("access_tokens:configure", "sso:configure", "organization_name:configure", "usage_and_license:view"),
                ORG,
                (None, None, None, Y, Y),
            ),
            Line(
                (
                    "security_settings:configure",
                    "feature_settings:configure",
                    "permission_settings:configure",
                    "email_notifications:configure",
                    "support_reports:configure",
                    "embedding:configure",
                    "billing:configure",
                ),
                ORG,
                (None, None, None, None, Y),
            ),
        ),
    ),
    Row(
        7,
        "Workspace access",
        (
            Line(("workspace:create",), ORG, (None, None, Y, Y, Y)),
            Line(("workspace:view",), WSP, ("member", "member", Y, Y, Y)),
            Line(("workspace:update", "workspace_member:manage"), WSP, (None, None, Y, Y, Y)),
            Line(("workspace:delete",), WSP, (None, None, EMPTY, EMPTY, EMPTY)),
        ),
    ),
    Row(
        8,
        "Project access",
        (
            Line(("project:create",), WSP, (None, None, Y, Y, Y)),
            Line(("project:view",), PRJ, (Y, Y, Y, Y, Y)),
            Line(("project:update", "project_member:manage"), PRJ, (None, None, Y, Y, Y)),
            Line(("project:delete", "task:delete"), PRJ, (None, None, FREE, FREE, Y)),
        ),
    ),
    Row(9, "View the Data Manager", (Line(("data_manager:view",), PRJ, (DM_TASK, DM_REVIEW, Y, Y, Y)),)),
    Row(
        10,
        "Configure project settings",
        (
            Line(("project_settings:configure",), PRJ, (None, None, Y, Y, Y)),
            Line(("storage:configure", "webhook:configure"), PRJ, (None, None, FREE, FREE, Y)),
        ),
    ),
    Row(
        11,
        "View and configure project plugins",
        (Line(("plugin:view", "plugin:configure"), PRJ, (None, None, PLUGINS, "plugins_enabled", "plugins_enabled")),),
    ),
    Row(
        12,
        "Pause annotators and reviewers",
        (
            Line(
                ("project_member:pause",),
                PRJ,
                (None, None, "target_may_be_paused", "target_may_be_paused", "target_may_be_paused"),
            ),
        ),
    ),
    Row(13, "Import data", (Line(("data:import",), PRJ, (None, None, Y, Y, Y)),)),
    Row(14, "Export data", (Line(("data:export",), PRJ, (None, None, Y, Y, Y)),)),
    Row(15, "Assign annotators to tasks", (Line(("task:assign_annotator",), PRJ, (None, None, ASSIGN, ASSIGN, ASSIGN)),)),
    Row(16, "Access labeling workflow", (Line(("labeling:access",), PRJ, ("task_to_label", Y, Y, Y, Y)),)),
    Row(
        17,
        "Access review workflow",
        (Line(("review:access", "annotation:update"), PRJ, (None, "task_to_review", Y, Y, Y)),),
    ),
    Row(18, "Monitor annotator agreement", (Line(("agreement:monitor",), PRJ, (None, "task_to_review", Y, Y, Y)),)),
    Row(19, "Verify annotation results", (Line(("annotation:verify",), PRJ, (None, "task_to_review", Y, Y, Y)),)),
    Row(
        20,
        "Assign reviewers to tasks",
        (Line(("task:assign_reviewer",), PRJ, (None, None, "target_may_review", "target_may_review", "target_may_review")),),
    ),
    Row(21, "Perform bulk labeling", (Line(("bulk_labeling:perform",), PRJ, (BULK_LABEL, DM_REVIEW, Y, Y, Y)),)),
    Row(
        22,
        "API access to equivalent functionality",
        (
            Line(("api:access",), ORG, ("tokens_allowed", "tokens_allowed", Y, Y, Y)),
            Line(("api_token:create",), ORG, (TOKENS, TOKENS, FREE, FREE, Y)),
        ),
    ),
    Row(
        23,
        "View project dashboard and members dashboard",
        (Line(("project_dashboard:view", "members_dashboard:view"), PRJ, (None, None, FREE, FREE, Y)),),
    ),
    Row(24, "View annotator dashboard", (Line(("annotator_dashboard:view",), ORG, (OWN, OWN, SHARED, FREE, Y)),)),
    Row(
        25,
        "Use Prompts (create/evaluate/run/apply)",
        (
            Line(
                ("prompt:create", "prompt:evaluate", "prompt:run", "prompt:apply"),
                PRJ,
                (None, None, "not_personal", "not_personal", "not_personal"),
            ),
        ),
    ),
    Row(
        26,
        "See predictions generated by Prompts",
        (Line(("prompt_prediction:view",), PRJ, ("task_to_label", "task_to_review", Y, Y, Y)),),
    ),
)


def with_implied(kind: str, role: str, cell: Cell) -> Cell:
    """Every cell asked in a project also carries created_or_invited (manager) and may_enter (annotator, reviewer);
    every cell asked in a workspace carries created_or_invited for the manager."""
    if cell is None:
        return None
    if role == "manager" and kind in ("workspace", "project"):
        implied = "created_or_invited"
    elif role in ("annotator", "reviewer") and kind == "project":
        implied = "may_enter"
    else:
        return cell
    return implied if cell == Y else f"{implied} & {cell}"


def _complete(line: Line) -> Line:
    an, re_, ma, ad, ow = (with_implied(line.kind, role, cell) for role, cell in zip(ROLES, line.cells, strict=True))
    return line._replace(cells=(an, re_, ma, ad, ow))


TABLE: tuple[Row, ...] = tuple(row._replace(lines=tuple(_complete(line) for line in row.lines)) for row in PRINTED)

PERMISSIONS: tuple[str, ...] = tuple(permission for row in TABLE for line in row.lines for permission in line.permissions)
KIND: dict[str, str] = {permission: line.kind for row in TABLE for line in row.lines for permission in line.permissions}


def conditions(role: str, permission: str) -> tuple[str, ...] | None:
    """The conditions of the one cell, () when it is a plain yes, None when it is a plain no."""
    for row in TABLE:
        for line in row.lines:
            if permission in line.permissions:
                cell = line.cells[ROLES.index(role)]
                if cell is None:
                    return None
                return () if cell == Y else tuple(cell.split(" & "))
    raise NotAQuestion(f"no such permission: {permission!r}")


# ---------------------------------------------------------------------------------------------------------------------
# Reading a state


def rank(role: str) -> int:
    return ROLES.index(role)


def instant(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is None:
        raise NotAQuestion(f"not an instant, it has no time zone: {value!r}")
    return moment


def until_of(row: Any) -> datetime | None:
    """The `until` of a row: None for a plain value, and for a dictionary without one."""
    if isinstance(row, dict) and row.get("until") is not None:
        return instant(row["until"])
    return None


def in_force(row: Any, now: datetime) -> bool:
    until = until_of(row)
    return until is None or now < until


def rows(members: Any) -> Record:
    """A list of members or a dictionary of them, as a dictionary."""
    if members is None:
        return {}
    return dict(members) if isinstance(members, dict) else dict.fromkeys(members)


class View:
    """One organization of a state at one instant."""

    def __init__(self, state: State, organization: str, now: datetime) -> None:
        self.now = now
        found = [one for one in state.get("organizations") or [] if one["id"] == organization]
        self.exists = bool(found)
        self.organization: Record = found[0] if found else {"id": organization, "owner": None}

    # people

    def state_of(self, user: str) -> str | None:
        """active, invited, deactivated; None: not a member."""
        if user == self.organization["owner"]:
            return "active"
        members = self.organization.get("members") or {}
        if user not in members:
            return None
        entry = members[user]
        return "active" if isinstance(entry, str) else str(entry.get("state") or "active")

    def kept_role_of(self, user: str) -> str | None:
        """The organization role the member has, or would have again when activated."""
        if user == self.organization["owner"]:
            return "owner"
        entry = (self.organization.get("members") or {}).get(user)
        if isinstance(entry, dict):
            return entry.get("role")
        return entry if entry is None else str(entry)

    def role_of(self, user: str) -> str | None:
        """The organization role in force."""
        return self.kept_role_of(user) if self.state_of(user) == "active" else None

    def role_in(self, user: str, project: Record) -> str | None:
        """The role in force in a project."""
        role = self.role_of(user)
        if role in ("annotator", "reviewer"):
            entry = (project.get("project_roles") or {}).get(user)
            if entry is not None and in_force(entry, self.now):
                return str(entry["role"] if isinstance(entry, dict) else entry)
        return role

    # places

    def setting(self, name: str) -> bool:
        defaults = {
            "plugins_enabled": False,
            "manual_role_management": True,
            "administrators_make_administrators": True,
            "tokens_for_annotators_and_reviewers": True,
        }
        return bool((self.organization.get("settings") or {}).get(name, defaults[name]))

    def restriction(self, permission: str) -> str | None:
        level = (self.organization.get("restrictions") or {}).get(permission)
        return None if level is None else str(level)

    def workspaces(self) -> list[Record]:
        return list(self.organization.get("workspaces") or [])

    def projects(self) -> list[tuple[Record, Record]]:
        return [(project, workspace) for workspace in self.workspaces() for project in workspace.get("projects") or []]

    def workspace(self, id: str) -> Record | None:
        return next((workspace for workspace in self.workspaces() if workspace["id"] == id), None)

    def project(self, id: str) -> tuple[Record, Record] | None:
        """The project and its workspace."""
        return next((pair for pair in self.projects() if pair[0]["id"] == id), None)

    def has_row(self, user: str, place: Record) -> bool:
        """A direct membership in force, of a workspace or of a project."""
        members = rows(place.get("members"))
        return user in members and in_force(members[user], self.now)

    def created(self, user: str, place: Record) -> bool:
        """Counts only while the creator is an active member with organization role manager or above."""
        role = self.role_of(user)
        return place.get("created_by") == user and role is not None and rank(role) >= rank("manager")

    def member_of_project(self, user: str, project: Record, workspace: Record) -> bool:
        """Directly or through its workspace."""
        return self.has_row(user, project) or self.has_row(user, workspace)

    def is_paused(self, user: str, project: Record) -> bool:
        entry = (project.get("paused") or {}).get(user)
        return entry is not None and in_force(entry, self.now)

    # conditions two questions share

    def created_or_invited_workspace(self, user: str, workspace: Record) -> bool:
        return self.created(user, workspace) or self.has_row(user, workspace)

    def created_or_invited_project(self, user: str, project: Record, workspace: Record) -> bool:
        return self.created(user, project) or self.has_row(user, project) or self.created_or_invited_workspace(user, workspace)

    def share_something(self, user: str, other: str) -> bool:
        """For some one workspace, or some one project, not personal, created_or_invited holds for both alike."""
        for workspace in self.workspaces():
            if workspace.get("personal"):
                continue
            if self.created_or_invited_workspace(user, workspace) and self.created_or_invited_workspace(other, workspace):
                return True
            for project in workspace.get("projects") or []:
                if self.created_or_invited_project(user, project, workspace) and self.created_or_invited_project(other, project, workspace):
                    return True
        return False


def task_of(project: Record, task: str) -> Record:
    return (project.get("tasks") or {}).get(task) or {}


def works_on_some(user: str, project: Record, as_what: str) -> bool:
    """as_what: annotators or reviewers."""
    return any(user in ((task or {}).get(as_what) or []) for task in (project.get("tasks") or {}).values())


def manual(project: Record) -> bool:
    return (project.get("distribution") or "automatic") == "manual"


# ---------------------------------------------------------------------------------------------------------------------
# The conditions


class Question(NamedTuple):
    view: View
    user: str
    role: str  # in force in the domain asked
    permission: str
    workspace: Record | None  # also of the project asked
    project: Record | None
    target: str | None
    task: str | None

    @property
    def in_workspace(self) -> Record:
        assert self.workspace is not None
        return self.workspace

    @property
    def in_project(self) -> Record:
        assert self.project is not None
        return self.project


def created_or_invited(q: Question) -> bool:
    if q.project is not None:
        return q.view.created_or_invited_project(q.user, q.project, q.in_workspace)
    return q.view.created_or_invited_workspace(q.user, q.in_workspace)


def member(q: Question) -> bool:
    workspace = q.in_workspace
    if workspace.get("personal") and workspace.get("created_by") == q.user:
        return True
    return q.view.has_row(q.user, workspace)


def may_enter(q: Question) -> bool:
    project = q.in_project
    if not q.view.member_of_project(q.user, project, q.in_workspace):
        return False
    if not project.get("published"):
        return False
    if q.role == "annotator":
        return works_on_some(q.user, project, "annotators") if manual(project) else True
    if not project.get("review_only_assigned"):
        return True
    if works_on_some(q.user, project, "reviewers"):
        return True
    return manual(project) and works_on_some(q.user, project, "annotators")


def data_manager_shown(q: Question) -> bool:
    return q.role in (q.in_project.get("show_data_manager_to") or [])


def manual_distribution(q: Question) -> bool:
    return manual(q.in_project)


def task_to_label(q: Question) -> bool:
    if q.task is None:
        return True
    if manual(q.in_project):
        return q.user in (task_of(q.in_project, q.task).get("annotators") or [])
    return True


def task_in_data_manager(q: Question) -> bool:
    if q.task is None:
        return True
    if manual(q.in_project):
        return q.user in (task_of(q.in_project, q.task).get("annotators") or [])
    return q.user in (task_of(q.in_project, q.task).get("worked_on_by") or [])


def task_to_review(q: Question) -> bool:
    if q.task is None or not q.in_project.get("review_only_assigned"):
        return True
    return q.user in (task_of(q.in_project, q.task).get("reviewers") or [])


def plugins_enabled(q: Question) -> bool:
    return q.view.setting("plugins_enabled")


def unless_restricted(q: Question) -> bool:
    level = q.view.restriction(q.permission)
    return level is None or rank(level) <= rank(q.role)


def roles_managed_here(q: Question) -> bool:
    return q.view.setting("manual_role_management")


def tokens_allowed(q: Question) -> bool:
    return q.view.setting("tokens_for_annotators_and_reviewers")


def own_history(q: Question) -> bool:
    return q.target is not None and q.target == q.user


def own_or_shared_history(q: Question) -> bool:
    return q.target is not None and (q.target == q.user or q.view.share_something(q.user, q.target))


def workspace_empty(q: Question) -> bool:
    return not q.in_workspace.get("projects")


def not_personal(q: Question) -> bool:
    return not q.in_workspace.get("personal")


def target_is_project_member(q: Question) -> bool:
    if q.target is None or q.view.state_of(q.target) != "active":
        return False
    if q.in_workspace.get("personal") and q.in_workspace.get("created_by") != q.target:
        return False
    if q.view.role_of(q.target) in ("administrator", "owner"):
        return True
    return q.view.created_or_invited_project(q.target, q.in_project, q.in_workspace)


def target_may_review(q: Question) -> bool:
    if q.target is None or not target_is_project_member(q):
        return False
    role = q.view.role_in(q.target, q.in_project)
    return role is not None and rank(role) >= rank("reviewer")


def target_may_be_paused(q: Question) -> bool:
    if q.target is None or q.view.state_of(q.target) != "active":
        return False
    if not q.view.member_of_project(q.target, q.in_project, q.in_workspace):
        return False
    return q.view.role_in(q.target, q.in_project) in ("annotator", "reviewer")


CONDITIONS = {
    condition.__name__: condition
    for condition in (
        created_or_invited,
        member,
        may_enter,
        data_manager_shown,
        manual_distribution,
        task_to_label,
        task_in_data_manager,
        task_to_review,
        plugins_enabled,
        unless_restricted,
        roles_managed_here,
        tokens_allowed,
        own_history,
        own_or_shared_history,
        workspace_empty,
        not_personal,
        target_is_project_member,
        target_may_review,
        target_may_be_paused,
    )
}


# ---------------------------------------------------------------------------------------------------------------------
# The decision


def check_id(value: object, what: str) -> str:
    if not isinstance(value, str) or (USER_ID if what == "a user" else ID).fullmatch(value) is None:
        raise NotAQuestion(f"not the id of {what}: {value!r}")
    return value


def parse_domain(domain: object) -> tuple[str, str]:
    """("organization", ""), ("workspace", ID) or ("project", ID)."""
    if domain == "organization":
        return "organization", ""
    if isinstance(domain, str):
        kind, colon, id = domain.partition(":")
        if colon and kind in ("workspace", "project"):
            return kind, check_id(id, f"a {kind}")
    raise NotAQuestion(f"not a domain: {domain!r}")


def check_permission(permission: object) -> str:
    if not isinstance(permission, str) or permission not in KIND:
        raise NotAQuestion(f"no such permission: {permission!r}")
    return permission


def decide(
    state: State,
    organization: str,
    user: str,
    permission: str,
    domain: str,
    *,
    target: str | None = None,
    task: str | None = None,
    via: str = "ui",
    now: datetime,
) -> bool:
    # Names are well formed and the permission exists and belongs to that kind of domain: else an error, not a "no".
    check_id(organization, "an organization")
    check_id(user, "a user")
    check_permission(permission)
    kind, id = parse_domain(domain)
    if KIND[permission] != kind:
        raise NotAQuestion(f"{permission} is asked in a domain of the kind {KIND[permission]}, not in {domain!r}")
    if target is not None:
        check_id(target, "a user")
    if task is not None:
        check_id(task, "a task")
        if kind != "project":
            raise NotAQuestion("a task is named in questions asked in a project only")
    if via not in ("ui", "api"):
        raise NotAQuestion(f"via is ui or api, not {via!r}")

    # The user is an active member.
    view = View(state, organization, now)
    if not view.exists:
        return False
    role = view.role_of(user)
    if role is None:
        return False

    # The domain exists.
    workspace: Record | None = None
    project: Record | None = None
    if kind == "workspace":
        workspace = view.workspace(id)
        if workspace is None:
            return False
    elif kind == "project":
        pair = view.project(id)
        if pair is None:
            return False
        project, workspace = pair
        role = view.role_in(user, project)
        assert role is not None

    # The deny lines.
    if task is not None and project is not None and task not in (project.get("tasks") or {}):
        return False  # unknown_task
    if target is not None and view.state_of(target) is None:
        return False  # unknown_target
    if workspace is not None and workspace.get("personal") and workspace.get("created_by") != user:
        return False  # foreign_sandbox
    if project is not None and role in ("annotator", "reviewer") and view.is_paused(user, project):
        return False  # paused

    # A request made via the API needs api:access in the organization, and then the permission exactly as in the UI.
    if via == "api" and not decide(state, organization, user, "api:access", "organization", now=now):
        return False

    # The allow lines.
    names = conditions(role, permission)
    if names is None:
        return False
    question = Question(view, user, role, permission, workspace, project, target, task)
    return all(CONDITIONS[name](question) for name in names)
