"""The table, cell by cell, as the specification has it: 26 rows, five columns, conditions over flat facts.

A fact that is not in the dictionary is not known: a condition that asks for it is false in the table and true among
the reasons to deny.
"""

from __future__ import annotations

from typing import Any

Facts = dict[str, Any]

ROLES = ("annotator", "reviewer", "manager", "administrator", "owner")
Y, N = "", None

SETTINGS_OF_BOTH = "access_tokens:configure sso:configure organization_name:configure usage_and_license:view"
SETTINGS_OF_OWNER = (
    "security_settings:configure feature_settings:configure permission_settings:configure "
    "email_notifications:configure support_reports:configure embedding:configure billing:configure"
)
PAUSE = "target_may_be_paused"
ASSIGN = "manual_distribution & target_is_project_member"
LABEL_BULK = "manual_distribution & data_manager_shown & task_to_label"
OWN = "own_history & unless_restricted"
TOKEN = "tokens_allowed & unless_restricted"
FREE = "unless_restricted"

# row, permissions, asked in, then AN RE MA AD OW: "" is yes, None is no
TABLE: list[tuple[Any, ...]] = [
    (1, "organization_page:view", "organization", N, N, N, Y, Y),
    (2, "member_role:assign", "organization", N, N, N, "roles_managed_here", "roles_managed_here"),
    (3, "user:invite", "organization", N, N, N, Y, Y),
    (4, "activity_log:view", "organization", N, N, N, Y, Y),
    (5, "model_provider:configure", "organization", N, N, N, Y, Y),
    (6, SETTINGS_OF_BOTH, "organization", N, N, N, Y, Y),
    (6, SETTINGS_OF_OWNER, "organization", N, N, N, N, Y),
    (7, "workspace:create", "organization", N, N, Y, Y, Y),
    (7, "workspace:view", "workspace", "member", "member", Y, Y, Y),
    (7, "workspace:update workspace_member:manage", "workspace", N, N, Y, Y, Y),
    (7, "workspace:delete", "workspace", N, N, "workspace_empty", "workspace_empty", "workspace_empty"),
    (8, "project:create", "workspace", N, N, Y, Y, Y),
    (8, "project:view", "project", Y, Y, Y, Y, Y),
    (8, "project:update project_member:manage", "project", N, N, Y, Y, Y),
    (8, "project:delete task:delete", "project", N, N, FREE, FREE, Y),
    (9, "data_manager:view", "project", "data_manager_shown & task_in_data_manager", "data_manager_shown & task_to_review", Y, Y, Y),
    (10, "project_settings:configure", "project", N, N, Y, Y, Y),
    (10, "storage:configure webhook:configure", "project", N, N, FREE, FREE, Y),
    (11, "plugin:view plugin:configure", "project", N, N, "plugins_enabled & unless_restricted", "plugins_enabled", "plugins_enabled"),
    (12, "project_member:pause", "project", N, N, PAUSE, PAUSE, PAUSE),
    (13, "data:import", "project", N, N, Y, Y, Y),
    (14, "data:export", "project", N, N, Y, Y, Y),
    (15, "task:assign_annotator", "project", N, N, ASSIGN, ASSIGN, ASSIGN),
    (16, "labeling:access", "project", "task_to_label", Y, Y, Y, Y),
    (17, "review:access annotation:update", "project", N, "task_to_review", Y, Y, Y),
    (18, "agreement:monitor", "project", N, "task_to_review", Y, Y, Y),
    (19, "annotation:verify", "project", N, "task_to_review", Y, Y, Y),
    (20, "task:assign_reviewer", "project", N, N, "target_may_review", "target_may_review", "target_may_review"),
    (21, "bulk_labeling:perform", "project", LABEL_BULK, "data_manager_shown & task_to_review", Y, Y, Y),
    (22, "api:access", "organization", "tokens_allowed", "tokens_allowed", Y, Y, Y),
    (22, "api_token:create", "organization", TOKEN, TOKEN, FREE, FREE, Y),
    (23, "project_dashboard:view members_dashboard:view", "project", N, N, FREE, FREE, Y),
    (24, "annotator_dashboard:view", "organization", OWN, OWN, "own_or_shared_history & unless_restricted", FREE, Y),
    (25, "prompt:create prompt:evaluate prompt:run prompt:apply", "project", N, N, "not_personal", "not_personal", "not_personal"),
    (26, "prompt_prediction:view", "project", "task_to_label", "task_to_review", Y, Y, Y),
]

KIND = {name: kind for _, names, kind, *_ in TABLE for name in names.split()}
DENY = {
    "organization": ("unknown_target",),
    "workspace": ("unknown_target", "foreign_sandbox"),
    "project": ("unknown_task", "unknown_target", "foreign_sandbox", "paused"),
}


def cell(role: str, permission: str) -> list[str] | None:
    """The conditions of one cell, the implied ones first; None where the table says no."""
    (found,) = [row for row in TABLE if permission in row[1].split()]
    stated = found[3 + ROLES.index(role)]
    if stated is None:
        return None
    implied = []
    if found[2] in ("workspace", "project") and role == "manager":
        implied = ["created_or_invited"]
    if found[2] == "project" and role in ("annotator", "reviewer"):
        implied = ["may_enter"]
    return implied + [name.strip() for name in stated.split("&") if name.strip()]


def answer(role: str, permission: str, facts: Facts) -> bool:
    """Whether an active member with that role in force may, in a domain that exists."""
    for name in DENY[KIND[permission]]:
        try:
            if CONDITIONS[name](facts):
                return False
        except KeyError:
            return False
    conditions = cell(role, permission)
    if conditions is None:
        return False
    for name in conditions:
        try:
            if not CONDITIONS[name](facts):
                return False
        except KeyError:
            return False
    return True


def at_least(role: str, level: str) -> bool:
    return ROLES.index(role) >= ROLES.index(level)


# -- reasons to deny


def unknown_task(f: Facts) -> Any:
    return f["task_named"] and not f["task_exists"]


def unknown_target(f: Facts) -> Any:
    return f["target_named"] and not f["target_known"]


def foreign_sandbox(f: Facts) -> Any:
    return f["personal"] and not f["created_workspace"]


def paused(f: Facts) -> Any:
    return f["role"] in ("annotator", "reviewer") and f["paused"]


# -- conditions


def created_or_invited(f: Facts) -> Any:
    counts = at_least(f["role"], "manager")
    workspace = (f["created_workspace"] and counts) or f["workspace_member"]
    if f["kind"] == "workspace":
        return bool(workspace)
    return bool((f["created_project"] and counts) or f["project_member"] or workspace)


def member(f: Facts) -> Any:
    return f["workspace_member"] or (f["personal"] and f["created_workspace"])


def may_enter(f: Facts) -> Any:
    there = f["project_member"] or f["workspace_member"]
    if not (there and f["published"]):
        return False
    manual = f["distribution"] == "manual"
    if f["role"] == "annotator":
        return f["assigned_as_annotator"] if manual else True
    if f["role"] == "reviewer":
        if not f["review_only_assigned"]:
            return True
        return f["assigned_as_reviewer"] or (manual and f["assigned_as_annotator"])
    return False


def data_manager_shown(f: Facts) -> Any:
    return f["role"] in f["show_data_manager_to"]


def manual_distribution(f: Facts) -> Any:
    return f["distribution"] == "manual"


def task_to_label(f: Facts) -> Any:
    if not f["task_named"]:
        return True
    if f["distribution"] == "manual":
        return f["task_annotator"]
    return f["distribution"] == "automatic"


def task_in_data_manager(f: Facts) -> Any:
    if not f["task_named"]:
        return True
    if f["distribution"] == "manual":
        return f["task_annotator"]
    return f["distribution"] == "automatic" and f["task_worked_on"]


def task_to_review(f: Facts) -> Any:
    return not f["task_named"] or not f["review_only_assigned"] or f["task_reviewer"]


def plugins_enabled(f: Facts) -> Any:
    return f["plugins_enabled"]


def unless_restricted(f: Facts) -> Any:
    level = f["restricted_to"]
    return level is None or at_least(f["role"], level)


def roles_managed_here(f: Facts) -> Any:
    return f["manual_role_management"]


def tokens_allowed(f: Facts) -> Any:
    return f["tokens_for_annotators_and_reviewers"]


def own_history(f: Facts) -> Any:
    return f["target_is_user"]


def own_or_shared_history(f: Facts) -> Any:
    return f["target_is_user"] or f["shares_domain_with_target"]


def workspace_empty(f: Facts) -> Any:
    return f["workspace_empty"]


def not_personal(f: Facts) -> Any:
    return not f["personal"]


def target_is_project_member(f: Facts) -> Any:
    if not f["target_active"]:
        return False
    if f["personal"] and not f["target_created_workspace"]:
        return False
    if f["target_role"] in ("administrator", "owner"):
        return True
    counts = at_least(f["target_role"], "manager")
    created = counts and (f["target_created_project"] or f["target_created_workspace"])
    return bool(created or f["target_project_member"] or f["target_workspace_member"])


def target_may_review(f: Facts) -> Any:
    return target_is_project_member(f) and at_least(f["target_role"], "reviewer")


def target_may_be_paused(f: Facts) -> Any:
    there = f["target_project_member"] or f["target_workspace_member"]
    return f["target_active"] and there and f["target_role"] in ("annotator", "reviewer")


CONDITIONS = {name: value for name, value in globals().items() if callable(value) and name in {
    *["unknown_task", "unknown_target", "foreign_sandbox", "paused", "created_or_invited", "member", "may_enter", "data_manager_shown"],
    *["manual_distribution", "task_to_label", "task_in_data_manager", "task_to_review", "plugins_enabled", "unless_restricted"],
    *["roles_managed_here", "tokens_allowed", "own_history", "own_or_shared_history", "workspace_empty", "not_personal"],
    *["target_is_project_member", "target_may_review", "target_may_be_paused"],
}}  # fmt: skip
