"""A question made ready for Casbin: who asks, with which role in force where, and the facts.

What the order of a decision puts before the policy is settled here: the user is an active member, the domain
exists. Its one rule: whatever is not known ends in a "no" with a reason, never in a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from rbac.deciding import Decider, Verdict
from rbac.errors import UnknownName
from rbac.records import Asked, Instant, MemberRecord, OrganizationRecord, Place, RecordedFacts
from rbac.roles import Subject
from rbac.vocabulary import (
    ORGANIZATION,
    Decision,
    Domain,
    Kind,
    Permission,
    Request,
    Role,
    Via,
    parse_domain,
    parse_id,
    parse_permission,
    parse_via,
)


class Source(Protocol):
    """Where records come from: a transaction, or the cache."""

    def organization(self) -> OrganizationRecord | None: ...
    def member(self, user: str) -> MemberRecord | None: ...
    def place(self, domain: Domain) -> Place | None: ...
    def asked(self, request: Request, user: MemberRecord, place: Place, role: Role | None, now: Instant) -> Asked: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one question. Without `facts` the answer is no, and `reason` says why."""

    subject: Subject
    path: str
    permission: Permission
    facts: RecordedFacts | None
    reason: str


def parse_request(
    user: str,
    permission: str,
    domain: str | Domain,
    *,
    target: str | None = None,
    task: str | None = None,
    via: str = Via.UI,
) -> Request:
    """A request with every name checked; raises UnknownName for what is a mistake and not a "no"."""
    asked, where = parse_permission(permission), parse_domain(domain)
    if asked.kind is not where.kind:
        raise UnknownName(f"{asked} is asked in {asked.kind}, not in {where.kind}")
    if task is not None and where.kind is not Kind.PROJECT:
        raise UnknownName(f"a task is named in a project only, {asked} is asked in {where.kind}")
    return Request(
        user=parse_id(user, "user"),
        permission=asked,
        domain=where,
        target=None if target is None else parse_id(target, "user"),
        task=None if task is None else parse_id(task, "task"),
        via=parse_via(via),
    )


def know(source: Source, organization: str, request: Request, now: Instant) -> Known:
    """Everything Casbin needs for a request, from one source at one moment."""
    member, place = source.member(request.user), source.place(request.domain)
    if member is None or place is None or not member.active:
        return _unknown(source, organization, request, member, place)
    role = member.role_in(place, now)
    assert role is not None, "an active member has a role everywhere"
    record = place if isinstance(place, OrganizationRecord) else source.organization()
    assert record is not None, "a domain has an organization"
    asked = source.asked(request, member, place, role, now)
    facts = RecordedFacts(record, member, place, request.permission, role, now, asked)
    return Known(member.subject(role), place.path, request.permission, facts, "")


def _unknown(source: Source, organization: str, request: Request, member: MemberRecord | None, place: Place | None) -> Known:
    if source.organization() is None:
        reason = f"there is no organization {organization}"
    elif member is None:
        reason = f"{request.user} is no member of {organization}"
    elif not member.active:
        reason = f"{request.user} is {member.state} in {organization}"
    else:
        reason = f"there is no {request.domain} in {organization}"
    return Known(Subject(request.user, None), request.domain.path(organization), request.permission, None, reason)


def allowed(decider: Decider, source: Source, organization: str, request: Request, now: Instant) -> bool:
    """Casbin's answer, without a reason."""
    known = know(source, organization, request, now)
    if known.facts is None or not decider.allows(known.subject, known.path, known.permission, known.facts):
        return False
    return request.via is Via.UI or allowed(decider, source, organization, _api_access(request), now)


def decide(decider: Decider, source: Source, organization: str, request: Request, now: Instant) -> Decision:
    """Casbin's answer with the policy's reason."""
    return decision_of(decider, look(decider, source, organization, request, now), revision_of(source))


@dataclass(frozen=True, slots=True)
class Looked:
    """One question looked at from all sides: the request itself and, through the API, `api:access` as well."""

    request: Request
    known: Known
    verdict: Verdict | None
    api: Looked | None

    @property
    def allowed(self) -> bool:
        own = self.verdict is not None and self.verdict.allowed
        return own and (self.api is None or self.api.allowed)


def look(decider: Decider, source: Source, organization: str, request: Request, now: Instant) -> Looked:
    """Ask Casbin and the Policy, hold them against each other, and keep everything that was seen."""
    known = know(source, organization, request, now)
    verdict = None
    if known.facts is not None:
        verdict = decider.verdict(known.facts.role, known.permission, known.facts)
        decider.agree(decider.allows(known.subject, known.path, known.permission, known.facts), verdict)
    api = None
    if request.via is Via.API:
        api = look(decider, source, organization, _api_access(request), now)
    return Looked(request, known, verdict, api)


def decision_of(decider: Decider, looked: Looked, revision: int) -> Decision:
    """The Decision of a question that was looked at. Deny lines come first, then `api:access`, then the allow lines."""
    verdict = looked.verdict
    if verdict is None:
        return Decision(False, looked.known.reason, None, None, revision)
    if looked.api is not None and not looked.api.allowed and (verdict.line is None or verdict.allowed):
        through = decision_of(decider, looked.api, revision)
        return replace(through, reason=f"through the API: {through.reason}")
    line = verdict.line
    return Decision(verdict.allowed, verdict.reason, line.text if line else None, line.number if line else None, revision)


def revision_of(source: Source) -> int:
    """The revision a source answers from, 0 where there is no organization."""
    record = source.organization()
    return 0 if record is None else record.revision


def needs_target(verdict: Verdict) -> bool:
    """Whether nothing but the missing target stands between the question and a yes."""
    if verdict.allowed or verdict.line is not None:
        return False
    return any(
        all(check.value or check.missing == "target" for check in grant.checks) and any(check.missing for check in grant.checks)
        for grant in verdict.grants
    )


def everything(user: str, domain: Domain, via: Via) -> Iterator[Request]:
    """A request for each permission that is asked in that kind of domain, in the page's order."""
    for permission in Permission:
        if permission.kind is domain.kind:
            yield Request(user, permission, domain, via=via)


def _api_access(request: Request) -> Request:
    return Request(request.user, Permission.API_ACCESS, ORGANIZATION)
