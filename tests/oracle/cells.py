"""One cell of the table over flat facts, for exhaustive comparisons; the conditions are stated here a second time.

`answer(role, permission, facts)` takes the role whose column is asked, which is the role in force in the domain asked, and a
dictionary of facts. A key that is absent is a missing fact: a condition that needs it to come out true is false in an allow
line, and true in a deny line. So a condition has three values, yes, no and unknown (None), joined as usual: no and unknown is
no, yes or unknown is yes, the negation of unknown is unknown. An allow line needs yes, a deny line is stopped by no only.

`facts["role"]` says the role once more, as the fact that conditions look at: absent, the conditions that look at it miss it.
`facts["kind"]` is the kind of the domain asked; absent, only created_or_invited, which differs by kind, misses it.
The other facts:

    plugins_enabled, manual_role_management, tokens_for_annotators_and_reviewers    bool
    restricted_to              None or a role: the level of the restriction on the very permission
    created_workspace, workspace_member, personal, workspace_empty                  bool
    created_project, project_member, published, review_only_assigned                bool
    distribution               "manual" or "automatic"
    show_data_manager_to       frozenset of role names
    assigned_as_annotator, assigned_as_reviewer     bool: at least one task of the project
    paused                     bool: a pause in force for the user there
    task_named, task_exists, task_annotator, task_reviewer, task_worked_on          bool
    target_named, target_known, target_is_user, target_active                       bool
    target_role                None or the target's role in force in that domain
    target_created_workspace, target_workspace_member, target_created_project, target_project_member,
    shares_domain_with_target                                                       bool

created_* are raw, "created_by is that person": that it counts only while the creator is an active member with organization role
manager or above is added here. A role in force of manager or above always is the organization role.
"""

from collections.abc import Callable
from typing import Any

from .decide import KIND, ROLES, conditions, rank

Facts = dict[str, Any]
Truth = bool | None  # None: unknown


# Three-valued logic


def no(value: Truth) -> Truth:
    return None if value is None else not value


def both(*values: Truth) -> Truth:
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def either(*values: Truth) -> Truth:
    if any(value is True for value in values):
        return True
    return None if any(value is None for value in values) else False


# Facts


def is_true(facts: Facts, key: str) -> Truth:
    return bool(facts[key]) if key in facts else None


def equals(facts: Facts, key: str, value: object) -> Truth:
    return facts[key] == value if key in facts else None


def at_least(facts: Facts, key: str, floor: str) -> Truth:
    """The role under this key is there and is `floor` or above."""
    if key not in facts:
        return None
    role = facts[key]
    return role is not None and rank(role) >= rank(floor)


def one_of(facts: Facts, key: str, *values: str) -> Truth:
    return facts[key] in values if key in facts else None


# Deny lines


def unknown_task(f: Facts) -> Truth:
    return both(is_true(f, "task_named"), no(is_true(f, "task_exists")))


def unknown_target(f: Facts) -> Truth:
    return both(is_true(f, "target_named"), no(is_true(f, "target_known")))


def foreign_sandbox(f: Facts) -> Truth:
    return both(is_true(f, "personal"), no(is_true(f, "created_workspace")))


def paused(f: Facts) -> Truth:
    return both(one_of(f, "role", "annotator", "reviewer"), is_true(f, "paused"))


DENY_LINES: dict[str, tuple[Callable[[Facts], Truth], ...]] = {
    "organization": (unknown_target,),
    "workspace": (unknown_target, foreign_sandbox),
    "project": (unknown_task, unknown_target, foreign_sandbox, paused),
}


# Conditions


def created(f: Facts, place: str) -> Truth:
    return both(is_true(f, f"created_{place}"), at_least(f, "role", "manager"))


def target_created(f: Facts, place: str) -> Truth:
    return both(is_true(f, f"target_created_{place}"), is_true(f, "target_active"), at_least(f, "target_role", "manager"))


def created_or_invited(f: Facts) -> Truth:
    of_workspace = either(created(f, "workspace"), is_true(f, "workspace_member"))
    of_project = either(created(f, "project"), is_true(f, "project_member"), of_workspace)
    if "kind" not in f:
        return None
    return of_project if f["kind"] == "project" else of_workspace


def member(f: Facts) -> Truth:
    return either(is_true(f, "workspace_member"), both(is_true(f, "personal"), is_true(f, "created_workspace")))


def may_enter(f: Facts) -> Truth:
    inside = either(is_true(f, "project_member"), is_true(f, "workspace_member"))
    manual = equals(f, "distribution", "manual")
    automatic = equals(f, "distribution", "automatic")
    as_annotator = is_true(f, "assigned_as_annotator")
    as_reviewer = is_true(f, "assigned_as_reviewer")
    only_assigned = is_true(f, "review_only_assigned")
    annotator_finds = either(automatic, both(manual, as_annotator))
    reviewer_finds = either(no(only_assigned), both(only_assigned, either(as_reviewer, both(manual, as_annotator))))
    finds_work = either(
        both(equals(f, "role", "annotator"), annotator_finds),
        both(equals(f, "role", "reviewer"), reviewer_finds),
    )
    return both(inside, is_true(f, "published"), finds_work)


def data_manager_shown(f: Facts) -> Truth:
    if "role" not in f or "show_data_manager_to" not in f:
        return None
    return f["role"] in f["show_data_manager_to"]


def manual_distribution(f: Facts) -> Truth:
    return equals(f, "distribution", "manual")


def task_to_label(f: Facts) -> Truth:
    return either(
        no(is_true(f, "task_named")),
        both(equals(f, "distribution", "manual"), is_true(f, "task_annotator")),
        equals(f, "distribution", "automatic"),
    )


def task_in_data_manager(f: Facts) -> Truth:
    return either(
        no(is_true(f, "task_named")),
        both(equals(f, "distribution", "manual"), is_true(f, "task_annotator")),
        both(equals(f, "distribution", "automatic"), is_true(f, "task_worked_on")),
    )


def task_to_review(f: Facts) -> Truth:
    return either(no(is_true(f, "task_named")), no(is_true(f, "review_only_assigned")), is_true(f, "task_reviewer"))


def plugins_enabled(f: Facts) -> Truth:
    return is_true(f, "plugins_enabled")


def unless_restricted(f: Facts) -> Truth:
    if "restricted_to" not in f:
        return None
    return True if f["restricted_to"] is None else at_least(f, "role", f["restricted_to"])


def roles_managed_here(f: Facts) -> Truth:
    return is_true(f, "manual_role_management")


def tokens_allowed(f: Facts) -> Truth:
    return is_true(f, "tokens_for_annotators_and_reviewers")


def own_history(f: Facts) -> Truth:
    return both(is_true(f, "target_named"), is_true(f, "target_is_user"))


def own_or_shared_history(f: Facts) -> Truth:
    return either(own_history(f), both(is_true(f, "target_named"), is_true(f, "shares_domain_with_target")))


def workspace_empty(f: Facts) -> Truth:
    return is_true(f, "workspace_empty")


def not_personal(f: Facts) -> Truth:
    return no(is_true(f, "personal"))


def target_is_project_member(f: Facts) -> Truth:
    return both(
        is_true(f, "target_named"),
        is_true(f, "target_active"),
        either(
            at_least(f, "target_role", "administrator"),
            target_created(f, "project"),
            is_true(f, "target_project_member"),
            target_created(f, "workspace"),
            is_true(f, "target_workspace_member"),
        ),
        no(both(is_true(f, "personal"), no(is_true(f, "target_created_workspace")))),
    )


def target_may_review(f: Facts) -> Truth:
    return both(target_is_project_member(f), at_least(f, "target_role", "reviewer"))


def target_may_be_paused(f: Facts) -> Truth:
    return both(
        is_true(f, "target_named"),
        is_true(f, "target_active"),
        either(is_true(f, "target_project_member"), is_true(f, "target_workspace_member")),
        one_of(f, "target_role", "annotator", "reviewer"),
    )


CONDITIONS: dict[str, Callable[[Facts], Truth]] = {
    "created_or_invited": created_or_invited,
    "member": member,
    "may_enter": may_enter,
    "data_manager_shown": data_manager_shown,
    "manual_distribution": manual_distribution,
    "task_to_label": task_to_label,
    "task_in_data_manager": task_in_data_manager,
    "task_to_review": task_to_review,
    "plugins_enabled": plugins_enabled,
    "unless_restricted": unless_restricted,
    "roles_managed_here": roles_managed_here,
    "tokens_allowed": tokens_allowed,
    "own_history": own_history,
    "own_or_shared_history": own_or_shared_history,
    "workspace_empty": workspace_empty,
    "not_personal": not_personal,
    "target_is_project_member": target_is_project_member,
    "target_may_review": target_may_review,
    "target_may_be_paused": target_may_be_paused,
}


# The cell


def answer(role: str, permission: str, facts: Facts) -> bool:
    kind = KIND[permission]
    if facts.get("kind", kind) != kind:
        raise ValueError(f"{permission} is not asked in a domain of the kind {facts['kind']}")
    if facts.get("role", role) != role:
        raise ValueError(f"the role in force is {facts['role']}, the column asked is {role}")
    names = conditions(role, permission)
    if names is None:
        return False
    if any(line(facts) is not False for line in DENY_LINES[kind]):
        return False
    return all(CONDITIONS[name](facts) is True for name in names)


# What a cell can depend on

READS_OF_DENY_LINES: dict[str, frozenset[str]] = {
    "organization": frozenset({"target_named", "target_known"}),
    "workspace": frozenset({"target_named", "target_known", "personal", "created_workspace"}),
    "project": frozenset(
        {"task_named", "task_exists", "target_named", "target_known", "personal", "created_workspace", "role", "paused"},
    ),
}

_TARGET_IN_PROJECT = frozenset(
    {
        "target_named",
        "target_active",
        "target_role",
        "target_created_project",
        "target_project_member",
        "target_created_workspace",
        "target_workspace_member",
        "personal",
    },
)

READS_OF_CONDITIONS: dict[str, frozenset[str]] = {
    "member": frozenset({"workspace_member", "personal", "created_workspace"}),
    "data_manager_shown": frozenset({"role", "show_data_manager_to"}),
    "manual_distribution": frozenset({"distribution"}),
    "task_to_label": frozenset({"task_named", "distribution", "task_annotator"}),
    "task_in_data_manager": frozenset({"task_named", "distribution", "task_annotator", "task_worked_on"}),
    "task_to_review": frozenset({"task_named", "review_only_assigned", "task_reviewer"}),
    "plugins_enabled": frozenset({"plugins_enabled"}),
    "unless_restricted": frozenset({"role", "restricted_to"}),
    "roles_managed_here": frozenset({"manual_role_management"}),
    "tokens_allowed": frozenset({"tokens_for_annotators_and_reviewers"}),
    "own_history": frozenset({"target_named", "target_is_user"}),
    "own_or_shared_history": frozenset({"target_named", "target_is_user", "shares_domain_with_target"}),
    "workspace_empty": frozenset({"workspace_empty"}),
    "not_personal": frozenset({"personal"}),
    "target_is_project_member": _TARGET_IN_PROJECT,
    "target_may_review": _TARGET_IN_PROJECT,
    "target_may_be_paused": frozenset(
        {"target_named", "target_active", "target_project_member", "target_workspace_member", "target_role"},
    ),
}


def _reads_of(condition: str, role: str, kind: str) -> frozenset[str]:
    if condition == "created_or_invited":
        keys = {"kind", "role", "created_workspace", "workspace_member"}
        return frozenset(keys | {"created_project", "project_member"} if kind == "project" else keys)
    if condition == "may_enter":
        keys = {"role", "project_member", "workspace_member", "published", "distribution", "assigned_as_annotator"}
        return frozenset(keys | {"review_only_assigned", "assigned_as_reviewer"} if role == "reviewer" else keys)
    return READS_OF_CONDITIONS[condition]


def reads(role: str, permission: str) -> frozenset[str]:
    """The keys that the cell's answer can depend on; none where the cell is a plain no."""
    assert role in ROLES
    names = conditions(role, permission)
    if names is None:
        return frozenset()
    kind = KIND[permission]
    keys = READS_OF_DENY_LINES[kind]
    for name in names:
        keys |= _reads_of(name, role, kind)
    return keys
