"""Claims: sentences about a policy that are proven over the whole space, or refuted with the facts that do it.

    published table
    only owner may billing:configure
    never annotator *:export via api
    manager may data:export only when created_or_invited
    manager may data:export whenever created_or_invited
    whoever may data:export may project:view
    never data:import and billing:configure together
    nobody may anything in a project when paused
    owner covers administrator covers manager
    every project line of manager carries created_or_invited
    allows nothing that the policy at v1.0 denied

A claim that is not understood is an error, never taken for true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rbac.documents import Strict, read_located
from rbac.errors import UnknownName
from rbac.policy.reader import Policy
from rbac.review.claim_forms import FORMS, covers
from rbac.review.findings import Finding

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
    for pattern, form, _ in FORMS:
        match = re.fullmatch(pattern, " ".join(claim.claim.split()))
        if match:
            if claim.excepts and form is not covers:
                raise UnknownName(f"{claim.claim!r} takes no excepts: only 'covers' does")
            return next(iter(form(policy, claim.excepts, *match.groups())), None)
    raise UnknownName(f"{claim.claim!r} is no claim: write {', '.join(repr(example) for _, _, example in FORMS)}")
