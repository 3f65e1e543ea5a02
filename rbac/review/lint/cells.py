"""Rules about roles and permissions: who must have something, who must not, and under which condition at least.

They check the sentences of the published table: membership, the order of the roles, the Owner, the guards.
"""

from __future__ import annotations

from itertools import product

from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import Line
from rbac.review.findings import Severity
from rbac.review.formatting import MEMBERSHIP
from rbac.review.hierarchy import EXCEPTIONS, gaps
from rbac.review.lint.rules import Found, Linted, rule
from rbac.vocabulary import MANAGER_OR_ABOVE, TARGETED, WORKERS, Effect, Kind, Permission, Role

AUTHORITY = frozenset(
    {
        Permission.MEMBER_ROLE_ASSIGN,
        Permission.USER_INVITE,
        Permission.SSO_CONFIGURE,
        Permission.ACCESS_TOKENS_CONFIGURE,
        Permission.SECURITY_SETTINGS_CONFIGURE,
        Permission.FEATURE_SETTINGS_CONFIGURE,
        Permission.PERMISSION_SETTINGS_CONFIGURE,
        Permission.BILLING_CONFIGURE,
    }
)
"""The permissions that decide over other people's permissions, or over the organization's money."""

GUARDS: tuple[tuple[Kind, str], ...] = (
    (Kind.PROJECT, "unknown_task"),
    (Kind.ORGANIZATION, "unknown_target"),
    (Kind.WORKSPACE, "unknown_target"),
    (Kind.PROJECT, "unknown_target"),
    (Kind.WORKSPACE, "foreign_sandbox"),
    (Kind.PROJECT, "foreign_sandbox"),
    (Kind.PROJECT, "paused"),
)
"""The deny lines that the order of a decision relies on, each in a kind of domain."""


@rule(Severity.ERROR)
def permission_without_role(linted: Linted) -> Found:
    """A permission that no role has."""
    given = {line.permission for line in linted.allow_lines}
    for permission in Permission:
        if permission not in given:
            row = permission.row
            yield _last(linted), f"nobody has {permission} (row {row.number}, {row.wording})"


@rule(Severity.ERROR)
def owner_missing_permission(linted: Linted) -> Found:
    """A permission that some role has and the Owner has not."""
    for permission in Permission:
        lines = [line for line in linted.allow_lines if line.permission == permission]
        if lines and not linted.policy.cell(Role.OWNER, permission):
            yield lines[-1].number, f"{lines[-1].role} has {permission} and owner has not"


@rule(Severity.ERROR)
def role_gap(linted: Linted) -> Found:
    """A lower role may where the next higher one, with the same facts, may not, and no exception is written down."""
    for gap in gaps(linted.policy):
        if (gap.lower, gap.higher, gap.permission) not in EXCEPTIONS:
            at = linted.policy.cell(gap.lower, gap.permission)[0].number
            yield at, f"{gap.lower} may {gap.permission} where {gap.higher} may not: {gap.example}"


@rule(Severity.ERROR)
def missing_membership(linted: Linted) -> Found:
    """A line in a workspace or project, for manager or below, that does not ask whether they belong there."""
    for line in linted.allow_lines:
        wanted = _membership(line)
        if wanted and wanted not in line.conditions:
            yield line.number, f"{line.role} has {line.permission} in every {line.kind}: add {wanted}"


def _membership(line: Line) -> str | None:
    if line.kind is Kind.ORGANIZATION or line.role in (Role.ADMINISTRATOR, Role.OWNER):
        return None
    if line.role is Role.MANAGER:
        return "created_or_invited"
    return "may_enter" if line.kind is Kind.PROJECT else "member"


@rule(Severity.WARNING)
def membership_of_everybody(linted: Linted) -> Found:
    """A line that asks an administrator or the Owner for a membership; they need none."""
    for line in linted.allow_lines:
        asked = [name for name in line.conditions if name in MEMBERSHIP]
        if asked and line.role in (Role.ADMINISTRATOR, Role.OWNER):
            yield line.number, f"{line.role} needs no membership: leave {' & '.join(asked)} out"


@rule(Severity.ERROR)
def restricted_owner(linted: Linted) -> Found:
    """The Owner's own line carries `unless_restricted`: the Owner could lock the organization out."""
    for line in linted.allow_lines:
        if line.role is Role.OWNER and "unless_restricted" in line.conditions:
            yield line.number, f"restricting {line.permission} is the Owner's and binds the roles below: leave unless_restricted out"


@rule(Severity.ERROR)
def restriction_gap(linted: Linted) -> Found:
    """A permission that can be restricted for one role and not for a lower one, so that no restriction is accepted."""
    for permission in Permission:
        lines = [line for line in linted.allow_lines if line.permission == permission]
        restricted = [line.role for line in lines if line.role and "unless_restricted" in line.conditions]
        for line in lines:
            if line.role not in restricted and any(line.role and line.role.rank < role.rank for role in restricted):
                yield line.number, f"{permission} can be restricted for a higher role and not for {line.role}: add unless_restricted"


@rule(Severity.ERROR)
def authority_below_administrator(linted: Linted) -> Found:
    """A role below administrator decides over other people's permissions."""
    for line in linted.allow_lines:
        if line.permission in AUTHORITY and line.role in WORKERS | {Role.MANAGER}:
            yield line.number, f"{line.role} gets {line.permission}: the published table gives it to administrator and owner"


@rule(Severity.ERROR)
def worker_configures(linted: Linted) -> Found:
    """An annotator or reviewer who creates, changes, deletes, configures or exports; in the published table they only work."""
    changing = {"create", "update", "delete", "configure", "manage", "assign", "export", "import"}
    for line in linted.allow_lines:
        if line.role in WORKERS and line.permission and line.permission.action in changing and line.permission not in _WORK:
            yield line.number, f"{line.role} gets {line.permission}: the published table gives it to manager and above"


_WORK = frozenset({Permission.ANNOTATION_UPDATE, Permission.API_TOKEN_CREATE})


@rule(Severity.ERROR)
def missing_guard(linted: Linted) -> Found:
    """A deny line that every decision relies on is not there, or is narrower than it must be."""
    for kind, name in GUARDS:
        diagrams, condition = linted.space.diagrams, linted.space.condition(name, Effect.DENY)
        for role, permission in product(Role, Permission):
            where = diagrams.both(linted.space.question(role, kind), condition)
            if permission.kind is kind and not linted.implies(where, linted.space.denied(linted.policy, role, permission)):
                yield _guard(linted, kind, name), f"not everything is denied in a {kind} when {name}: {role} {permission} is not"
                break


def _guard(linted: Linted, kind: Kind, name: str) -> int:
    """The line that should be the guard, else the first of the file."""
    near = [line.number for line in linted.policy.deny_lines if line.kind is kind and name in line.conditions]
    return near[0] if near else linted.policy.lines[0].number


@rule(Severity.WARNING)
def unused_condition(linted: Linted) -> Found:
    """A condition of rbac/policy/conditions.py that no line names."""
    used = {name for line in linted.policy.lines for name in line.conditions}
    for name in CONDITIONS:
        if name not in used:
            yield _last(linted), f"{name} stands in no line: delete the function, or use it"


@rule(Severity.WARNING)
def target_condition_without_target(linted: Linted) -> Found:
    """A condition about a target where permissions are not about another member."""
    for line in linted.policy.lines:
        if line.permission in TARGETED:
            continue
        for name in line.conditions:
            about = any(fact.startswith("target_") or fact == "shares_domain_with_target" for fact in CONDITIONS[name].reads)
            if about and line.effect is Effect.ALLOW:
                yield line.number, f"{line.permission} is asked without a target: {name} would never be true"
            elif about and CONDITIONS[name].effect is Effect.ALLOW:
                what = line.permission or "what this line denies"
                yield line.number, f"{what} is asked without a target, and a deny line takes a missing target for a yes: {name} is true"


@rule(Severity.WARNING)
def worker_condition_on_manager(linted: Linted) -> Found:
    """A condition about one's own tasks, or the Data Manager's switch, on a role from manager up."""
    own = {"data_manager_shown", "task_to_label", "task_in_data_manager", "task_to_review", "may_enter", "tokens_allowed"}
    for line in linted.allow_lines:
        asked = [name for name in line.conditions if name in own]
        if asked and line.role in MANAGER_OR_ABOVE:
            yield line.number, f"{' & '.join(asked)} binds annotators and reviewers, not {line.role}: leave it out"


@rule(Severity.WARNING)
def general_deny_for_one_role(linted: Linted) -> Found:
    """A deny line for one role over every permission; who may not is written by leaving the allow line out."""
    for line in linted.policy.deny_lines:
        if line.role is not None and line.permission is None:
            yield line.number, f"denies {line.role} everything in a {line.kind}: a cell without a line is a no already"


def _last(linted: Linted) -> int:
    return linted.policy.lines[-1].number
