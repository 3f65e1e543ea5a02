"""The forms a claim can have: each is a function that yields what refutes it, one counterexample a cell.

A counterexample gives every fact that the lines, the guards and the claim read, so that it can be asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import NamedTuple

from rbac.errors import UnknownName
from rbac.fact_space.constraints import known_in
from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.formulas import Formula, node_of, parse_formula
from rbac.fact_space.space import Space, space
from rbac.names import nearest, parse_permission, parse_role
from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import Policy
from rbac.review.git import find_source
from rbac.review.hierarchy import gap
from rbac.review.published import DENIED, published
from rbac.vocabulary import WORKERS, Kind, Permission, Role

Excepts = Mapping[str, str]
Form = Callable[..., Iterator[str]]

_SHARED = ("plugins_enabled", "manual_role_management", "tokens_for_annotators_and_reviewers")
"""The facts of an organization that questions in all its domains share."""


class Asked(NamedTuple):
    """The permissions a claim is about, and whether they are asked through the API."""

    permissions: list[Permission]
    api: bool


def only(policy: Policy, _: Excepts, roles: str, permissions: str) -> Iterator[str]:
    """`only owner may billing:configure`"""
    named, asked = _roles(roles), _asked(permissions)
    for permission in asked.permissions:
        for role in Role:
            node = _allowed(policy, role, permission, api=asked.api)
            if role not in named and node != NO:
                yield f"{role} may {permission} too, {_shown(policy, role, permission, node, api=asked.api)}"
        for role in named:
            if _allowed(policy, role, permission, api=asked.api) == NO:
                yield f"{role} never may {permission}"


def never(policy: Policy, _: Excepts, roles: str, permissions: str) -> Iterator[str]:
    """`never annotator data:export`"""
    asked = _asked(permissions)
    for permission in asked.permissions:
        for role in _roles(roles):
            node = _allowed(policy, role, permission, api=asked.api)
            if node != NO:
                yield f"{role} may {permission}, {_shown(policy, role, permission, node, api=asked.api)}"


def only_when(policy: Policy, _: Excepts, roles: str, permissions: str, formula: str) -> Iterator[str]:
    """`manager may data:export only when created_or_invited`"""
    asked = _asked(permissions)
    for permission in asked.permissions:
        said = _formula(formula, permission.kind)
        for role in _roles(roles):
            otherwise = space().diagrams.but_not(_allowed(policy, role, permission, api=asked.api), node_of(said, space()))
            if otherwise != NO:
                yield f"{role} may {permission} also otherwise, {_shown(policy, role, permission, otherwise, said, api=asked.api)}"


def whenever(policy: Policy, _: Excepts, roles: str, permissions: str, formula: str) -> Iterator[str]:
    """`manager may data:export whenever created_or_invited`: unless a guard of the published table applies."""
    here, asked = space(), _asked(permissions)
    for permission in asked.permissions:
        said, guards = _formula(formula, permission.kind), DENIED[permission.kind]
        for role in _roles(roles):
            open_ = here.diagrams.but_not(here.question(role, permission.kind), node_of(guards, here))
            wanted = here.diagrams.both(open_, node_of(said, here))
            missed = here.diagrams.but_not(wanted, _allowed(policy, role, permission, api=asked.api, surely=True))
            if missed != NO:
                yield f"{role} may not {permission}, {_shown(policy, role, permission, missed, said, guards, api=asked.api)}"


def nobody_when(policy: Policy, _: Excepts, kind: str, formula: str) -> Iterator[str]:
    """`nobody may anything in a project when paused`"""
    said = _formula(formula, Kind(kind))
    for permission in (each for each in Permission if each.kind == kind):
        for role in Role:
            allowed = space().diagrams.both(space().allowed(policy, role, permission), node_of(said, space()))
            if allowed != NO:
                yield f"{role} may {permission}, {_shown(policy, role, permission, allowed, said)}"


def covers(policy: Policy, excepts: Excepts, roles: str) -> Iterator[str]:
    """`owner covers administrator covers manager`"""
    excepted = {parse_permission(name) for name in excepts}
    needed = set()
    for higher, lower in pairwise(map(parse_role, roles.split(" covers "))):
        if higher.rank <= lower.rank:
            raise UnknownName(f"{higher} is not above {lower}")
        for permission in Permission:
            node = gap(policy, lower, higher, permission, space())
            if node == NO:
                continue
            needed.add(permission)
            if permission not in excepted:
                yield f"{lower} may {permission} where {higher} may not, {_shown(policy, lower, permission, node, also=higher)}"
    for permission in sorted(excepted - needed):
        yield f"{permission} needs no exception: delete it"


def whoever(policy: Policy, _: Excepts, first: str, second: str) -> Iterator[str]:
    """`whoever may data:export may project:view`: each under whatever restriction it has of its own."""
    here, (one, other) = space(), _same_kind(first, second)
    for role in Role:
        asked = here.question(role, one.kind)
        given = here.diagrams.forget(here.allowed(policy, role, one), ["restricted_to"])
        missed = here.diagrams.both(given, here.diagrams.but_not(asked, here.allowed(policy, role, other)))
        if missed != NO:
            yield f"{role} may {one} and not {other}, {_shown(policy, role, other, missed, beside=one)}"


def never_together(policy: Policy, _: Excepts, first: str, second: str) -> Iterator[str]:
    """`never data:export and data:import together`: nobody may both with the same facts."""
    here, one, other = space(), parse_permission(first), parse_permission(second)
    for role in Role:
        mine, theirs = (here.allowed(policy, role, each) for each in (one, other))
        if one.kind is other.kind:
            mine, theirs = (here.diagrams.forget(each, ["restricted_to"]) for each in (mine, theirs))
        else:
            mine, theirs = _shared(mine, here), _shared(theirs, here)
        both = here.diagrams.both(mine, theirs)
        if both != NO:
            yield f"{role} may both, {_shown(policy, role, one, both, beside=other)}"


def carries(policy: Policy, _: Excepts, kind: str, role: str, condition: str) -> Iterator[str]:
    """`every project line of manager carries created_or_invited`"""
    if condition not in CONDITIONS:
        raise UnknownName(f"unknown condition {condition!r}{nearest(condition, CONDITIONS)}")
    _formula(condition, Kind(kind))
    named = parse_role(role)
    for line in policy.lines:
        if line.role is named and line.kind == kind and condition not in line.conditions:
            yield f"{policy.file}:{line.number} has {line.permission} without it"


def nothing_more_than(policy: Policy, _: Excepts, revision: str) -> Iterator[str]:
    """`allows nothing that the policy at v1.0 denied`"""
    here, old = space(), find_source(revision, file=policy.file).policy()
    for permission in Permission:
        for role in Role:
            gained = here.diagrams.but_not(here.allowed(policy, role, permission), here.allowed(old, role, permission))
            if gained != NO:
                yield f"{role} may {permission}, {_shown(policy, role, permission, gained)}; {old.file} denies it"


def published_table(policy: Policy, _: Excepts) -> Iterator[str]:
    """`published table`"""
    here = space()
    for (role, permission), formula in published().items():
        guards = DENIED[permission.kind]
        open_ = here.diagrams.but_not(here.question(role, permission.kind), node_of(guards, here))
        table, said = here.diagrams.both(open_, node_of(formula, here)), here.allowed(policy, role, permission)
        if table != said:
            wider = here.diagrams.but_not(said, table)
            node, way = (wider, "allows more") if wider != NO else (here.diagrams.but_not(table, said), "allows less")
            yield f"it says {role} {permission} {formula}; the policy {way}, {_shown(policy, role, permission, node, formula, guards)}"


_ROLES = r"((?:\w+)(?:, ?\w+)*)"
_PERMISSION = r"([\w]+:[\w]+)"
_PERMISSIONS = r"([\w:*]+(?:, ?[\w:*]+)*(?: via api)?)"
_KINDS = f"({'|'.join(Kind)})"

FORMS: Sequence[tuple[str, Form, str]] = (
    ("published table", published_table, "published table"),
    (r"allows nothing that the policy at (\S+) denied", nothing_more_than, "allows nothing that the policy at v1.0 denied"),
    (rf"every {_KINDS} line of (\w+) carries (\w+)", carries, "every project line of manager carries created_or_invited"),
    (rf"nobody may anything in an? {_KINDS} when (.+)", nobody_when, "nobody may anything in a project when paused"),
    (rf"only {_ROLES} may {_PERMISSIONS}", only, "only owner may billing:configure"),
    (rf"never {_PERMISSION} and {_PERMISSION} together", never_together, "never data:import and billing:configure together"),
    (rf"never {_ROLES} {_PERMISSIONS}", never, "never annotator *:export via api"),
    (rf"whoever may {_PERMISSION} may {_PERMISSION}", whoever, "whoever may data:export may project:view"),
    (rf"{_ROLES} may {_PERMISSIONS} only when (.+)", only_when, "manager may data:export only when created_or_invited"),
    (rf"{_ROLES} may {_PERMISSIONS} whenever (.+)", whenever, "manager may data:export whenever created_or_invited"),
    (r"(\w+(?: covers \w+)+)", covers, "owner covers administrator"),
)
"""The forms: how each is written, the function that refutes it, and an example."""


# -- names -------------------------------------------------------------------------------------------------------------------


def _roles(text: str) -> list[Role]:
    return [parse_role(name.strip()) for name in text.split(",")]


def _asked(text: str) -> Asked:
    """The permissions named, with `*` for any object or action."""
    names = text.removesuffix(" via api")
    found: dict[Permission, None] = {}
    for name in map(str.strip, names.split(",")):
        if "*" not in name:
            found[parse_permission(name)] = None
            continue
        matching = [permission for permission in Permission if fnmatchcase(permission, name)]
        if not matching:
            raise UnknownName(f"{name!r} stands for no permission")
        found |= dict.fromkeys(matching)
    return Asked(list(found), api=names != text)


def _same_kind(first: str, second: str) -> tuple[Permission, Permission]:
    one, other = parse_permission(first), parse_permission(second)
    if one.kind is not other.kind:
        raise UnknownName(f"{one} is asked in {one.kind}, {other} in {other.kind}: they are never asked with the same facts")
    return one, other


def _formula(text: str, kind: Kind) -> Formula:
    """A formula whose conditions can be asked in such a domain."""
    formula = parse_formula(text)
    for name in formula.names:
        if kind not in CONDITIONS[name].asked_in:
            raise UnknownName(f"{name} cannot be asked in {kind}: nothing would be proven")
    return formula


# -- where -------------------------------------------------------------------------------------------------------------------


def _allowed(policy: Policy, role: Role, permission: Permission, *, api: bool, surely: bool = False) -> Node:
    """Where a cell is allowed; through the API where `api:access` is, for some role that may be theirs, or surely for each."""
    here = space()
    allowed = here.allowed(policy, role, permission)
    if not api:
        return allowed
    own = WORKERS if permission.kind is Kind.PROJECT and role in WORKERS else {role}
    through = [_api(policy, each, surely=surely) for each in own]
    combine = here.diagrams.all if surely else here.diagrams.any
    return here.diagrams.both(allowed, combine(through))


def _api(policy: Policy, role: Role, *, surely: bool) -> Node:
    """Where a role has `api:access`, by the facts that questions everywhere share; under some restriction of it, or surely under any."""
    here, permission = space(), Permission.API_ACCESS
    allowed, asked = here.allowed(policy, role, permission), here.question(role, permission.kind)
    unnamed = here.diagrams.literal("target_named", lambda value: value is False)
    asked = here.diagrams.both(asked, unnamed)
    if surely:
        return here.diagrams.but_not(_shared(asked, here), _shared(here.diagrams.but_not(asked, allowed), here))
    return _shared(here.diagrams.both(asked, allowed), here)


def _shared(node: Node, here: Space) -> Node:
    return here.diagrams.forget(node, (name for name in here.diagrams.names if name not in _SHARED))


# -- counterexamples -----------------------------------------------------------------------------------------------------------


def _shown(
    policy: Policy,
    role: Role,
    permission: Permission,
    node: Node,
    *formulas: Formula,
    also: Role | None = None,
    beside: Permission | None = None,
    api: bool = False,
) -> str:
    """A counterexample: one combination of all the facts that the cell, its deny lines and the claim read."""
    cells = [(each, name) for each in filter(None, (role, also)) for name in filter(None, (permission, beside))]
    lines = [line for cell in cells for line in (*policy.cell(*cell), *policy.denials(*cell))]
    read = frozenset().union(*(line.reads for line in lines), *(CONDITIONS[name].reads for each in formulas for name in each.names))
    kinds = {name.kind for _, name in cells}
    known = known_in(permission.kind) if len(kinds) == 1 else frozenset(_SHARED)
    through = frozenset(_SHARED if api else ())
    return f"for example with {space().counterexample(node, _ordered((read & known | through) - {'role', 'kind'}))}"


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=space().diagrams.names.index)
