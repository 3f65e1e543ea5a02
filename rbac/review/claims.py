"""Claims: sentences about a policy that are proven over the whole space, or refuted with the facts that do it.

    only owner may billing:configure
    never annotator data:export
    manager may data:export only when created_or_invited
    nobody may anything in a project when paused
    owner covers administrator covers manager
    every project line of manager carries created_or_invited
    published table

A claim that is not understood is an error, never taken for true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec

from rbac.documents import Strict, read_located
from rbac.errors import UnknownName
from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.formulas import node_of, parse_formula
from rbac.fact_space.space import space
from rbac.names import nearest, parse_permission, parse_role
from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import Line, Policy
from rbac.review.findings import Finding
from rbac.review.hierarchy import gap
from rbac.review.published import DENIED, published
from rbac.vocabulary import Effect, Kind, Permission, Role

PACKAGED = Path(__file__).parent.parent / "claims.yaml"
"""The claims that ship with the policy."""


class Claim(Strict, frozen=True):
    """One claim of a file. `excepts` are permissions a `covers` is not about, each with the reason."""

    claim: str
    because: str = ""
    excepts: dict[str, str] = msgspec.field(default_factory=dict)


class ClaimsFile(Strict, frozen=True):
    """A whole file of claims."""

    claims: list[str | Claim]


@dataclass(frozen=True, slots=True)
class ClaimsReport:
    """How many claims were proven, and a finding for each that is false."""

    file: str
    proven: int
    findings: tuple[Finding, ...]

    @property
    def summary(self) -> str:
        """How many claims hold."""
        total = self.proven + len(self.findings)
        return f"{self.file}: {self.proven} of {total} claims hold, over every combination of facts"


def check_claims(policy: Policy, path: Path) -> ClaimsReport:
    """Every claim of a file held against a policy; raises PolicyError for a claim that is not understood."""
    shape, lines = read_located(path, ClaimsFile)
    if not shape.claims:
        lines.wrong("has no claims: nothing would be proven", "claims")
    findings, proven = [], 0
    for number, each in enumerate(shape.claims):
        claim = Claim(each) if isinstance(each, str) else each
        try:
            against = refute(policy, claim)
        except UnknownName as error:
            lines.wrong(str(error), "claims", number)
        proven += against is None
        if against is not None:
            findings.append(Finding(lines.file, lines.at("claims", number), "claim", f"{claim.claim}: {against}"))
    return ClaimsReport(lines.file, proven, tuple(findings))


def refute(policy: Policy, claim: Claim) -> str | None:
    """What shows that a claim is false, or None when it holds; raises UnknownName when it is not understood."""
    for pattern, check in _FORMS:
        match = re.fullmatch(pattern, " ".join(claim.claim.split()))
        if match:
            if claim.excepts and check is not _covers:
                raise UnknownName(f"{claim.claim!r} takes no excepts: only 'covers' does")
            return next(iter(check(policy, claim, *match.groups())), None)
    raise UnknownName(f"{claim.claim!r} is no claim: write {', '.join(map(repr, _EXAMPLES))}")


# -- the forms a claim can have; each yields what refutes it ---------------------------------------------------------------


def _only(policy: Policy, _: Claim, roles: str, permissions: str) -> Iterator[str]:
    allowed = _roles(roles)
    for permission in _permissions(permissions):
        for role in Role:
            node = space().allowed(policy, role, permission)
            if role not in allowed and node != NO:
                yield f"{role} may {permission} too, {_shown(policy, role, permission, node)}"
        for role in allowed:
            if space().allowed(policy, role, permission) == NO:
                yield f"{role} never may {permission}"


def _never(policy: Policy, _: Claim, roles: str, permissions: str) -> Iterator[str]:
    for permission in _permissions(permissions):
        for role in _roles(roles):
            node = space().allowed(policy, role, permission)
            if node != NO:
                yield f"{role} may {permission}, {_shown(policy, role, permission, node)}"


def _only_when(policy: Policy, _: Claim, roles: str, permissions: str, formula: str) -> Iterator[str]:
    here = space()
    for permission in _permissions(permissions):
        for role in _roles(roles):
            without = here.diagrams.but_not(here.allowed(policy, role, permission), node_of(parse_formula(formula), here))
            if without != NO:
                yield f"{role} may {permission} also otherwise, {_shown(policy, role, permission, without, formula)}"


def _nobody_when(policy: Policy, claim: Claim, kind: str, formula: str) -> Iterator[str]:
    here, where = space(), node_of(parse_formula(formula), space())
    for permission in Permission:
        for role in Role:
            allowed = here.diagrams.both(here.allowed(policy, role, permission), where)
            if permission.kind == kind and allowed != NO:
                yield f"{role} may {permission}, {_shown(policy, role, permission, allowed, formula)}"


def _covers(policy: Policy, claim: Claim, roles: str) -> Iterator[str]:
    excepted = {parse_permission(name) for name in claim.excepts}
    needed = set()
    for higher, lower in pairwise(map(parse_role, roles.split(" covers "))):
        if higher.rank <= lower.rank:
            raise UnknownName(f"{higher} does not stand above {lower}")
        for permission in Permission:
            node = gap(policy, lower, higher, permission, space())
            if node == NO:
                continue
            needed.add(permission)
            if permission not in excepted:
                yield f"{lower} may {permission} where {higher} may not, {_shown(policy, lower, permission, node)}"
    for permission in sorted(excepted - needed):
        yield f"{permission} needs no exception: delete it"


def _carries(policy: Policy, _: Claim, kind: str, role: str, condition: str) -> Iterator[str]:
    if condition not in CONDITIONS:
        raise UnknownName(f"unknown condition {condition!r}{nearest(condition, CONDITIONS)}")
    named = parse_role(role)
    for line in policy.lines:
        if line.role is named and line.kind == kind and condition not in line.conditions:
            yield f"{policy.file}:{line.number} has {line.permission} without it"


def _published(policy: Policy, _: Claim) -> Iterator[str]:
    here = space()
    for (role, permission), formula in published().items():
        open_ = here.diagrams.but_not(here.question(role, permission.kind), node_of(DENIED[permission.kind], here))
        table, said = here.diagrams.both(open_, node_of(formula, here)), here.allowed(policy, role, permission)
        if table != said:
            wider = here.diagrams.but_not(said, table)
            node, way = (wider, "allows more") if wider != NO else (here.diagrams.but_not(table, said), "allows less")
            applying = [name for name in DENIED[permission.kind].names if here.diagrams.both(node, here.condition(name, Effect.DENY)) != NO]
            shown = _shown(policy, role, permission, node, " ".join((str(formula), *applying)))
            yield f"it says {role} {permission} {formula}; the policy {way}, {shown}"


_ROLES = r"((?:\w+)(?:, ?\w+)*)"
_PERMISSIONS = r"([\w:]+(?:, ?[\w:]+)*)"
_KINDS = f"({'|'.join(Kind)})"
_FORMS: Sequence[tuple[str, Callable[..., Iterator[str]]]] = (
    ("published table", _published),
    (rf"every {_KINDS} line of (\w+) carries (\w+)", _carries),
    (rf"nobody may anything in an? {_KINDS} when (.+)", _nobody_when),
    (rf"only {_ROLES} may {_PERMISSIONS}", _only),
    (rf"never {_ROLES} {_PERMISSIONS}", _never),
    (rf"{_ROLES} may {_PERMISSIONS} only when (.+)", _only_when),
    (r"(\w+(?: covers \w+)+)", _covers),
)
_EXAMPLES = (
    "only owner may billing:configure",
    "never annotator data:export",
    "manager may data:export only when created_or_invited",
    "nobody may anything in a project when paused",
    "owner covers administrator",
    "every project line of manager carries created_or_invited",
    "published table",
)


def _roles(text: str) -> list[Role]:
    return [parse_role(name.strip()) for name in text.split(",")]


def _permissions(text: str) -> list[Permission]:
    return [parse_permission(name.strip()) for name in text.split(",")]


def _shown(policy: Policy, role: Role, permission: Permission, node: Node, formula: str = "") -> str:
    """A counterexample: one combination of the facts that the cell and the conditions in `formula` read."""
    read: set[str] = set()
    for line in (*policy.cell(role, permission), *(line for line in policy.denials(role, permission) if _applies(line, node))):
        read |= line.reads
    for name, condition in CONDITIONS.items():
        if re.search(rf"\b{name}\b", formula):
            read |= condition.reads
    facts = space().example(node, read - {"role", "kind"})
    return "always" if facts == "always" else f"for example with {facts}"


def _applies(line: Line, node: Node) -> bool:
    return space().diagrams.both(node, space().line(line)) != NO
