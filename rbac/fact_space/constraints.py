"""Which combinations of facts there can be: what a store, whatever its history, can say about one question.

Each function is a sentence that holds of every question; a combination that breaks one is left out of every review,
because no facts can produce it. What is not certain is left in: leaving it out would hide a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rbac.fact_space.diagrams import is_missing
from rbac.policy.facts import VALUES, Facts, Missing
from rbac.vocabulary import MANAGER_OR_ABOVE, Kind, Role

Constraint = Callable[[Facts], bool]

_WORKSPACE = ("created_workspace", "workspace_member", "personal")
_PROJECT = (
    "created_project", "project_member", "published", "distribution", "show_data_manager_to", "review_only_assigned",
    "assigned_as_annotator", "assigned_as_reviewer", "paused",
)  # fmt: skip
_TASK = ("task_exists", "task_annotator", "task_reviewer", "task_worked_on")
_TARGET = ("target_is_user", "target_active", "shares_domain_with_target")
_TARGET_IN_WORKSPACE = ("target_created_workspace", "target_workspace_member")
_TARGET_IN_PROJECT = ("target_created_project", "target_project_member")
_SAME_PERSON = tuple((f"target_{name}", name) for name in ("role", *_WORKSPACE[:2], *_PROJECT[:2]))

_ORDER = (
    "kind", "role", "target_named", "target_known", "target_is_user", "target_active", "target_role", "personal",
    "created_workspace", "target_created_workspace", "workspace_member", "target_workspace_member",
    "created_project", "target_created_project", "project_member", "target_project_member", "shares_domain_with_target",
    "published", "distribution", "review_only_assigned", "task_named", "task_exists", "assigned_as_annotator", "task_annotator",
    "assigned_as_reviewer", "task_reviewer", "task_worked_on",
)  # fmt: skip


def domains() -> dict[str, tuple[Any, ...]]:
    """Each fact's values, and where it can be missing a `Missing`; facts that decide together stand together."""
    order = (*_ORDER, *(name for name in VALUES if name not in _ORDER))
    return {name: (*VALUES[name], Missing(name)) if name in _KNOWN else VALUES[name] for name in order}


def constraints() -> Iterator[Constraint]:
    """Every sentence of this file."""
    for name, known in _KNOWN.items():
        yield _known_exactly_when(name, known)
    for pair in _SAME_PERSON:
        yield _same(*pair)
    yield from (
        tasks_are_named_in_projects_only, an_assigned_task_is_one_of_the_tasks_assigned, a_sandbox_takes_no_members,
        a_task_that_is_not_there_is_nobodys, a_sandbox_takes_no_target, a_sandbox_is_not_published, one_creator, one_owner,
        the_owner_and_the_user_are_active, who_is_not_named_is_not_known, who_meets_here_shares_a_domain,
    )  # fmt: skip


def known_in(kind: Kind) -> frozenset[str]:
    """The facts that a question asked in such a domain can have; a record may have attributes of other names."""
    there = {
        Kind.ORGANIZATION: (),
        Kind.WORKSPACE: (*_WORKSPACE, *_TARGET_IN_WORKSPACE, "workspace_empty"),
        Kind.PROJECT: (*_WORKSPACE, *_TARGET_IN_WORKSPACE, *_PROJECT, *_TARGET_IN_PROJECT, *_TASK),
    }
    elsewhere = {name for names in there.values() for name in names} - set(there[kind])
    return frozenset(VALUES) - elsewhere


# -- what is known when ----------------------------------------------------------------------------------------------------


def asked_about_a_workspace(facts: Facts) -> bool:
    """A question asked in a workspace or project is about one workspace."""
    return facts.kind != Kind.ORGANIZATION


def asked_about_a_project(facts: Facts) -> bool:
    """A question asked in a project is about one project."""
    return facts.kind == Kind.PROJECT


def task_is_there(facts: Facts) -> bool:
    """A task is named and exists."""
    return facts.task_named and facts.task_exists


def target_is_there(facts: Facts) -> bool:
    """A target is named and is a member of the organization, in any state."""
    return facts.target_named and facts.target_known


_KNOWN: dict[str, Constraint] = {
    **dict.fromkeys(_WORKSPACE, asked_about_a_workspace),
    **dict.fromkeys(_PROJECT, asked_about_a_project),
    "workspace_empty": lambda facts: facts.kind == Kind.WORKSPACE,
    **dict.fromkeys(_TASK, lambda facts: facts.task_named),
    **dict.fromkeys(_TARGET, target_is_there),
    "target_role": lambda facts: target_is_there(facts) and facts.target_active,
    **dict.fromkeys(_TARGET_IN_WORKSPACE, lambda facts: asked_about_a_workspace(facts) and target_is_there(facts)),
    **dict.fromkeys(_TARGET_IN_PROJECT, lambda facts: asked_about_a_project(facts) and target_is_there(facts)),
}
"""When each fact is known; facts that are not listed always are."""


def _known_exactly_when(name: str, known: Constraint) -> Constraint:
    return lambda facts: known(facts) != is_missing(getattr(facts, name))


# -- what goes with what ---------------------------------------------------------------------------------------------------


def tasks_are_named_in_projects_only(facts: Facts) -> bool:
    """A task is named in questions asked in a project; elsewhere it is an error."""
    return asked_about_a_project(facts) or not facts.task_named


def an_assigned_task_is_one_of_the_tasks_assigned(facts: Facts) -> bool:
    """Whoever has the task named, as annotator or reviewer, has at least one."""
    if not task_is_there(facts):
        return True
    return (not facts.task_annotator or facts.assigned_as_annotator) and (not facts.task_reviewer or facts.assigned_as_reviewer)


def a_task_that_is_not_there_is_nobodys(facts: Facts) -> bool:
    """A task that does not exist in the project is assigned to nobody, and nobody has worked on it."""
    if not facts.task_named or facts.task_exists:
        return True
    return not (facts.task_annotator or facts.task_reviewer or facts.task_worked_on)


def a_sandbox_takes_no_members(facts: Facts) -> bool:
    """A personal workspace and its projects have their user and no members."""
    if not asked_about_a_workspace(facts) or not facts.personal:
        return True
    return not facts.workspace_member and not (asked_about_a_project(facts) and facts.project_member)


def a_sandbox_takes_no_target(facts: Facts) -> bool:
    """The same, said of the target."""
    if not asked_about_a_workspace(facts) or not facts.personal or not target_is_there(facts):
        return True
    return not facts.target_workspace_member and not (asked_about_a_project(facts) and facts.target_project_member)


def a_sandbox_is_not_published(facts: Facts) -> bool:
    """Publishing is refused in a personal workspace, and moving a project there un-publishes it."""
    return not asked_about_a_project(facts) or not facts.personal or not facts.published


def one_creator(facts: Facts) -> bool:
    """A workspace has one creator, and a project: user and target are both only when they are one person."""
    if not asked_about_a_workspace(facts) or not target_is_there(facts) or facts.target_is_user:
        return True
    if facts.created_workspace and facts.target_created_workspace:
        return False
    return not (asked_about_a_project(facts) and facts.created_project and facts.target_created_project)


def one_owner(facts: Facts) -> bool:
    """An organization has one Owner: user and target are both only when they are one person."""
    if facts.role != Role.OWNER or not target_is_there(facts) or facts.target_is_user:
        return True
    return not facts.target_active or facts.target_role != Role.OWNER


def the_owner_and_the_user_are_active(facts: Facts) -> bool:
    """Only active members ask, and the Owner is one; nobody else has a role in force."""
    return not target_is_there(facts) or facts.target_active or not facts.target_is_user


def who_is_not_named_is_not_known(facts: Facts) -> bool:
    """Without a name there is no target."""
    return facts.target_named or not facts.target_known


def who_meets_here_shares_a_domain(facts: Facts) -> bool:
    """User and target who both created or were invited to the workspace or project asked about share one."""
    if not asked_about_a_workspace(facts) or not target_is_there(facts) or facts.personal or facts.shares_domain_with_target:
        return True
    return not (_user_is_here(facts) and _target_is_here(facts))


def _user_is_here(facts: Facts) -> bool:
    invited = facts.workspace_member or (asked_about_a_project(facts) and facts.project_member)
    created = facts.created_workspace or (asked_about_a_project(facts) and facts.created_project)
    return invited or (facts.role in MANAGER_OR_ABOVE and created)


def _target_is_here(facts: Facts) -> bool:
    invited = facts.target_workspace_member or (asked_about_a_project(facts) and facts.target_project_member)
    created = facts.target_created_workspace or (asked_about_a_project(facts) and facts.target_created_project)
    return invited or (facts.target_active and facts.target_role in MANAGER_OR_ABOVE and created)


def _same(of_target: str, of_user: str) -> Constraint:
    """A target who is the user has the user's own role, memberships and creations."""

    def the_target_who_is_the_user_has_the_users_facts(facts: Facts) -> bool:
        if not target_is_there(facts) or not facts.target_is_user:
            return True
        theirs, own = getattr(facts, of_target), getattr(facts, of_user)
        return is_missing(theirs) or bool(theirs == own)

    return the_target_who_is_the_user_has_the_users_facts
