"""What a request over a state comes down to: one point of the permission space, decided by any policy in microseconds.

Coverage reads off points what a test exercised, and mutation decides them anew for every mutant. Deciding a point agrees
with the store's own decision, which a test checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rbac.fact_space.space import Space, places_of
from rbac.policy.reader import Policy
from rbac.review.testing.expectations import Asked
from rbac.vocabulary import Permission, Role


@dataclass(frozen=True, slots=True)
class Point:
    """One cell at one combination of facts, each fact as the place of its value in its domain."""

    role: Role
    permission: Permission
    places: Mapping[str, int]

    def allowed(self, policy: Policy, here: Space) -> bool:
        """Whether a policy allows it."""
        return here.diagrams.holds(here.decides(policy, self.role, self.permission), self.places)


def points_of(asked: Asked, here: Space) -> tuple[Point, ...]:
    """The points that must all be allowed for a yes; none where the answer is no before the policy."""
    if asked.facts is None:
        return ()
    point = Point(asked.facts.role, Permission(asked.request.permission), places_of(asked.facts, here))
    if asked.through is None:
        return (point,)
    return point, Point(asked.through.role, Permission.API_ACCESS, places_of(asked.through, here))
