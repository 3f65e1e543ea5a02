"""Which widenings of a diff the commits acknowledge.

`Policy-Widens: ROLE PERMISSION` acknowledges what that role had gained of that permission as of its commit, and nothing that a later
commit adds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rbac.errors import PolicyError, UnknownName
from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.space import space
from rbac.names import parse_permission, parse_role
from rbac.policy.reader import Policy, parse_policy
from rbac.review.diff.compare import PolicyDiff
from rbac.review.git import Trailer
from rbac.vocabulary import Permission, Role

Cell = tuple[Role, Permission]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The cells whose widening is acknowledged in full, and what is wrong with the other trailers, a sentence each."""

    cells: frozenset[Cell] = frozenset()
    wrong: tuple[str, ...] = ()


def acknowledge(old: Policy, new: Policy, diff: PolicyDiff, trailers: Iterable[Trailer]) -> Acknowledgement:
    """What the trailers of the commits between two policies acknowledge."""
    here, named, wrong = space(), dict[Cell, Node](), list[str]()
    widened = {(change.role, change.permission) for change in diff.widened}
    for trailer in trailers:
        try:
            cell = _cell(trailer.text)
            then = parse_policy(trailer.data or b"")
        except (UnknownName, PolicyError) as error:
            told = error if isinstance(error, UnknownName) else "the policy of that commit does not load"
            wrong.append(f"commit {trailer.commit[:9]}: Policy-Widens: {trailer.text}: {told}")
            continue
        if cell not in widened:
            wrong.append(f"commit {trailer.commit[:9]}: Policy-Widens: {trailer.text}: nothing is gained there")
        gained = here.diagrams.but_not(here.allowed(then, *cell), here.allowed(old, *cell))
        named[cell] = here.diagrams.either(named.get(cell, NO), gained)
    gains = {cell: here.diagrams.but_not(here.allowed(new, *cell), here.allowed(old, *cell)) for cell in widened & named.keys()}
    whole = frozenset(cell for cell, gained in gains.items() if here.diagrams.but_not(gained, named[cell]) == NO)
    wrong += [f"{' '.join(cell)} has gained more since the commit that says so" for cell in sorted(gains.keys() - whole)]
    return Acknowledgement(whole, tuple(wrong))


def _cell(text: str) -> Cell:
    role, _, permission = text.partition(" ")
    if "," in text or not permission.strip():
        raise UnknownName("write one role and one permission, as in `Policy-Widens: manager data:export`, on a line each")
    return parse_role(role), parse_permission(permission.strip())
