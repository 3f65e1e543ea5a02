"""Role gaps: what a lower role may where the next higher one, with the same facts, may not.

In the published table a higher role may whatever a lower one may; each departure is listed in EXCEPTIONS with its reason, and any
other is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.space import Space, space
from rbac.policy.reader import Policy
from rbac.vocabulary import Permission, Role


@dataclass(frozen=True, slots=True)
class Gap:
    """One departure: `lower` may `permission` where `higher` may not, for example with these facts."""

    lower: Role
    higher: Role
    permission: Permission
    example: str


_NO_TASK_TO_REVIEW = "a project that reviews only assigned tasks is closed to a reviewer who has none; an annotator enters by membership"
_OWN_SWITCH = "the Data Manager has a switch for each role, and a project may show it to annotators alone"

EXCEPTIONS: dict[tuple[Role, Role, Permission], str] = {
    (Role.ANNOTATOR, Role.REVIEWER, Permission.PROJECT_VIEW): _NO_TASK_TO_REVIEW,
    (Role.ANNOTATOR, Role.REVIEWER, Permission.DATA_MANAGER_VIEW): _OWN_SWITCH,
    (Role.ANNOTATOR, Role.REVIEWER, Permission.LABELING_ACCESS): _NO_TASK_TO_REVIEW,
    (Role.ANNOTATOR, Role.REVIEWER, Permission.BULK_LABELING_PERFORM): _OWN_SWITCH,
    (Role.ANNOTATOR, Role.REVIEWER, Permission.PROMPT_PREDICTION_VIEW): _NO_TASK_TO_REVIEW,
}
"""Where a lower role may more on purpose: lower role, next higher role, permission, and why."""


def gaps(policy: Policy) -> Iterator[Gap]:
    """Every gap of a policy, in the order of `Permission`, those of EXCEPTIONS included."""
    here = space()
    for permission in Permission:
        for lower, higher in pairwise(Role):
            found = gap(policy, lower, higher, permission, here)
            if found != NO:
                lines = (*policy.cell(lower, permission), *policy.cell(higher, permission))
                read = frozenset().union(*(line.reads for line in lines)) - {"kind", "role"}
                yield Gap(lower, higher, permission, here.example(found, read))


def gap(policy: Policy, lower: Role, higher: Role, permission: Permission, here: Space) -> Node:
    """Where `lower` is allowed and, were nothing else different, `higher` would not be."""
    allowed, diagrams = here.allowed(policy, lower, permission), here.diagrams
    if allowed == NO:
        return NO
    own = diagrams.literal("target_is_user", lambda value: value is True)
    asked = here.question(higher, permission.kind)
    missed = diagrams.but_not(asked, here.allowed(policy, higher, permission))
    about_others = diagrams.both(diagrams.but_not(allowed, own), diagrams.forget(diagrams.but_not(missed, own), ["role"]))
    forgotten = ["role", "target_role"]
    about_oneself = diagrams.both(diagrams.both(allowed, own), diagrams.forget(diagrams.both(missed, own), forgotten))
    return diagrams.either(about_others, about_oneself)
