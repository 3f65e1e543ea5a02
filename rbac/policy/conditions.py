"""The footnotes of the published table, each one plain function over the facts of a question.

policy.csv names them, joined with `&`; Casbin calls them through `holds`. A condition reads facts and
nothing else. It declares the facts it reads, and exactly those are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rbac.policy.facts import Facts, MissingFact
from rbac.vocabulary import MANAGER_OR_ABOVE, WORKERS, Distribution, Effect, Kind, Role

Predicate = Callable[[Facts], bool]

ALWAYS = "always"
"""What stands in the policy where there is no condition."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One named condition: where it may be asked, what it reads, and in which lines it may stand.

    `summary` is the footnote in one line, `mark` how the matrix refers to it (`1` to `4` are those of the published table).
    """

    name: str
    function: Predicate
    reads: frozenset[str]
    asked_in: frozenset[Kind]
    effect: Effect
    mark: str
    summary: str


CONDITIONS: dict[str, Condition] = {}
"""Every condition by its name, in the order of this file."""

_ANNOTATOR, _REVIEWER, _MANAGER = Role.ANNOTATOR, Role.REVIEWER, Role.MANAGER  # a look-up in its Enum costs as much as a call
_AUTOMATIC, _MANUAL = Distribution.AUTOMATIC, Distribution.MANUAL
_PROJECT_KIND = Kind.PROJECT
_EVERYWHERE = (Role.ADMINISTRATOR, Role.OWNER)
"""The roles that need no membership."""

_ORGANIZATION = frozenset({Kind.ORGANIZATION})
_WORKSPACE = frozenset({Kind.WORKSPACE})
_PROJECT = frozenset({Kind.PROJECT})
_ANYWHERE = _ORGANIZATION | _WORKSPACE | _PROJECT


def condition(
    *,
    reads: str,
    asked_in: Iterable[Kind],
    mark: str,
    effect: Effect = Effect.ALLOW,
) -> Callable[[Predicate], Predicate]:
    """Register a function as the condition of its name. `reads` names its facts, separated by spaces.

    The docstring is the footnote. A condition with `effect` deny may stand in deny lines only, others in allow lines only.
    """

    def register(function: Predicate) -> Predicate:
        name = function.__name__
        summary = (function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        CONDITIONS[name] = Condition(name, function, frozenset(reads.split()), frozenset(asked_in), effect, mark, summary)
        return function

    return register


# -- deny lines ------------------------------------------------------------------------------------------------------------


@condition(reads="task_named task_exists", asked_in=_PROJECT, effect=Effect.DENY, mark="q")
def unknown_task(facts: Facts) -> bool:
    """The task named does not exist in the project."""
    return facts.task_named and not facts.task_exists


@condition(reads="target_named target_known", asked_in=_ANYWHERE, effect=Effect.DENY, mark="r")
def unknown_target(facts: Facts) -> bool:
    """The target named is no member of the organization."""
    return facts.target_named and not facts.target_known


@condition(reads="personal created_workspace", asked_in=_WORKSPACE | _PROJECT, effect=Effect.DENY, mark="s")
def foreign_sandbox(facts: Facts) -> bool:
    """A personal workspace and its projects exist for their user alone."""
    return facts.personal and not facts.created_workspace


@condition(reads="role paused", asked_in=_PROJECT, effect=Effect.DENY, mark="t")
def paused(facts: Facts) -> bool:
    """An annotator or reviewer who is paused in the project has nothing there."""
    return facts.role in WORKERS and facts.paused


# -- who is there ----------------------------------------------------------------------------------------------------------


@condition(
    reads="kind role created_project project_member created_workspace workspace_member",
    asked_in=_WORKSPACE | _PROJECT,
    mark="1",
)
def created_or_invited(facts: Facts) -> bool:
    """For workspaces or projects they created or were invited to.

    Membership goes down from workspace to project, never up. A demoted creator is no creator.
    """
    counts = facts.role in MANAGER_OR_ABOVE
    if facts.kind == _PROJECT_KIND and (facts.project_member or (counts and facts.created_project)):
        return True
    return facts.workspace_member or (counts and facts.created_workspace)


@condition(
    reads="role project_member workspace_member published distribution review_only_assigned assigned_as_annotator assigned_as_reviewer",
    asked_in=_PROJECT,
    mark="a",
)
def may_enter(facts: Facts) -> bool:
    """Only projects that include tasks assigned to them.

    A member of a published project whose role in force there finds work in it.
    """
    if not (facts.project_member or facts.workspace_member) or not facts.published:
        return False
    if facts.role == _ANNOTATOR:
        return facts.distribution == _AUTOMATIC or facts.assigned_as_annotator
    if facts.role != _REVIEWER:
        return False
    if not facts.review_only_assigned or facts.assigned_as_reviewer:
        return True
    return facts.distribution == _MANUAL and facts.assigned_as_annotator


@condition(reads="workspace_member personal created_workspace", asked_in=_WORKSPACE, mark="b")
def member(facts: Facts) -> bool:
    """Only workspaces they are a member of."""
    return facts.workspace_member or (facts.personal and facts.created_workspace)


# -- what the project is set to --------------------------------------------------------------------------------------------


@condition(reads="role show_data_manager_to", asked_in=_PROJECT, mark="c")
def data_manager_shown(facts: Facts) -> bool:
    """If the project shows the Data Manager to the role."""
    return facts.role in facts.show_data_manager_to


@condition(reads="distribution", asked_in=_PROJECT, mark="3")
def manual_distribution(facts: Facts) -> bool:
    """The project must be using manual distribution."""
    return facts.distribution == _MANUAL


@condition(reads="task_named distribution task_annotator", asked_in=_PROJECT, mark="d")
def task_to_label(facts: Facts) -> bool:
    """Only tasks they may label."""
    return not facts.task_named or facts.distribution == _AUTOMATIC or facts.task_annotator


@condition(reads="task_named distribution task_annotator task_worked_on", asked_in=_PROJECT, mark="e")
def task_in_data_manager(facts: Facts) -> bool:
    """Only tasks they were assigned or have worked on."""
    if not facts.task_named:
        return True
    return facts.task_annotator if facts.distribution == _MANUAL else facts.task_worked_on


@condition(reads="task_named review_only_assigned task_reviewer", asked_in=_PROJECT, mark="f")
def task_to_review(facts: Facts) -> bool:
    """Only tasks they may review."""
    return not facts.task_named or not facts.review_only_assigned or facts.task_reviewer


# -- what the organization is set to ---------------------------------------------------------------------------------------


@condition(reads="plugins_enabled", asked_in=_ANYWHERE, mark="g")
def plugins_enabled(facts: Facts) -> bool:
    """While plugins are enabled for the organization."""
    return facts.plugins_enabled


@condition(reads="role restricted_to", asked_in=_ANYWHERE, mark="2")
def unless_restricted(facts: Facts) -> bool:
    """Owners can restrict this in the org settings."""
    level = facts.restricted_to
    return level is None or facts.role.rank >= level.rank


@condition(reads="manual_role_management", asked_in=_ANYWHERE, mark="h")
def roles_managed_here(facts: Facts) -> bool:
    """While roles are managed here and not by an identity provider."""
    return facts.manual_role_management


@condition(reads="tokens_for_annotators_and_reviewers", asked_in=_ANYWHERE, mark="i")
def tokens_allowed(facts: Facts) -> bool:
    """While access tokens are enabled for annotators and reviewers."""
    return facts.tokens_for_annotators_and_reviewers


@condition(reads="workspace_empty", asked_in=_WORKSPACE, mark="j")
def workspace_empty(facts: Facts) -> bool:
    """Only an empty workspace."""
    return facts.workspace_empty


@condition(reads="personal", asked_in=_WORKSPACE | _PROJECT, mark="k")
def not_personal(facts: Facts) -> bool:
    """Not in a personal workspace."""
    return not facts.personal


# -- whom it is about ------------------------------------------------------------------------------------------------------


@condition(reads="target_is_user", asked_in=_ANYWHERE, mark="4")
def own_history(facts: Facts) -> bool:
    """For their own work/history."""
    return facts.target_is_user


@condition(reads="target_is_user shares_domain_with_target", asked_in=_ANYWHERE, mark="o")
def own_or_shared_history(facts: Facts) -> bool:
    """For their own history, or people they share a workspace or project with."""
    return facts.target_is_user or facts.shares_domain_with_target


_TARGET_THERE = (
    "personal target_active target_role target_created_workspace target_workspace_member target_created_project target_project_member"
)


@condition(reads=_TARGET_THERE, asked_in=_PROJECT, mark="l")
def target_is_project_member(facts: Facts) -> bool:
    """The member named must be a member of the project."""
    if not facts.target_active or (facts.personal and not facts.target_created_workspace):
        return False
    if facts.target_role in _EVERYWHERE or facts.target_project_member or facts.target_workspace_member:
        return True
    return facts.target_role == _MANAGER and (facts.target_created_project or facts.target_created_workspace)


@condition(reads=_TARGET_THERE, asked_in=_PROJECT, mark="m")
def target_may_review(facts: Facts) -> bool:
    """The member named must be a member of the project who may review there."""
    return target_is_project_member(facts) and facts.target_role.rank >= _REVIEWER.rank


@condition(reads="target_active target_role target_workspace_member target_project_member", asked_in=_PROJECT, mark="n")
def target_may_be_paused(facts: Facts) -> bool:
    """The member named must be an annotator or reviewer of the project."""
    there = facts.target_active and (facts.target_project_member or facts.target_workspace_member)
    return there and facts.target_role in WORKERS


# -- as Casbin calls them --------------------------------------------------------------------------------------------------


def names(text: str) -> tuple[str, ...]:
    """The conditions joined in the `cond` column of a line; none for `always`."""
    return () if text == ALWAYS else tuple(part.strip() for part in text.split("&"))


def holds(cond: str, eft: str, facts: Facts) -> bool:
    """The matcher function `holds(p.cond, p.eft, r.facts)`: whether every condition of a line is true.

    A missing fact makes a condition false in an allow line and true in a deny line. An unknown name raises KeyError.
    """
    return specialize(cond, eft)(facts)


def specialize(cond: str, eft: str, *_: object) -> Predicate:
    """`holds` for one policy line, whose conditions and effect never change: the conditions looked up, only facts left to give."""
    functions = tuple(CONDITIONS[name].function for name in names(cond))
    when_missing = eft == Effect.DENY
    match functions:
        case ():
            return lambda facts: True
        case (only,):
            return _one(only, when_missing)
        case (first, second) if not when_missing:
            return _both(first, second)
        case _:
            return _every(functions, when_missing)


def _one(function: Predicate, when_missing: bool) -> Predicate:
    def one(facts: Facts) -> bool:
        try:
            return True if function(facts) else False  # noqa: SIM210  # a Missing that is returned must raise here
        except MissingFact:
            return when_missing

    return one


def _both(first: Predicate, second: Predicate) -> Predicate:
    """Two conditions of an allow line, which is most of those with more than one."""

    def both(facts: Facts) -> bool:
        try:
            return True if first(facts) and second(facts) else False  # noqa: SIM210
        except MissingFact:
            return False

    return both


def _every(functions: tuple[Predicate, ...], when_missing: bool) -> Predicate:
    def every(facts: Facts) -> bool:
        for function in functions:
            try:
                if not function(facts):
                    return False
            except MissingFact:
                if not when_missing:
                    return False
        return True

    return every


holds.specialize = specialize  # type: ignore[attr-defined]  # the hook of CompiledEnforcer; stock Casbin ignores it
