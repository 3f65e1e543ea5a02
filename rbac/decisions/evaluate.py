"""A question made ready for Casbin: who asks, with which role in force where, and the facts.

What the order of a decision puts before the policy is settled here: the user is an active member, the domain
exists. Its one rule: whatever is not known ends in a "no" with a reason, never in a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from rbac.decisions.decider import Decider, Verdict
from rbac.errors import UnknownName
from rbac.names import parse_domain, parse_id, parse_permission, parse_via
from rbac.policy.roles import Subject
from rbac.snapshot.facts_of_records import RecordedFacts
from rbac.snapshot.reader import Source
from rbac.snapshot.records import Instant, MemberRecord, OrganizationRecord, Place
from rbac.vocabulary import Decision, Domain, Kind, Permission, Request, Role, State, Via

_ACTIVE, _UI = State.ACTIVE, str(Via.UI)  # looking one up in its Enum costs as much as a call


class Known(msgspec.Struct, frozen=True, gc=False):
    """What is known of one question. Without `facts` the answer is no, and `reason` says why."""

    subject: Subject
    path: str
    permission: Permission
    facts: RecordedFacts | None
    reason: str = ""


def know(source: Source, organization: str, request: Request, now: Instant) -> Known:
    """Everything Casbin needs for a request, from one source at one moment; raises UnknownName for a mistake in it."""
    permission = parse_permission(request.permission)
    member, place = source.member(request.user), source.place(request.domain)
    if request.task is not None or place is None or place.kind is not permission.kind:
        _check(request, permission)
    if member is None or place is None or member.state is not _ACTIVE:
        return _unknown(source, organization, request, permission, member, place)
    role = member.role_in(place, now)
    record = place if type(place) is OrganizationRecord else source.organization()
    assert role is not None and record is not None, "an active member has a role in every domain, and a domain an organization"
    asked = source.asked(request, permission, member, place, role, now)
    source.settle()
    facts = RecordedFacts(
        place.kind, role, record, member, place, permission, now, request.target is not None, request.task is not None, asked
    )
    return Known(member.subject(role), place.path, permission, facts)


def _check(request: Request, permission: Permission) -> None:
    """What a question cannot ask, whoever and wherever it is about."""
    kind = parse_domain(request.domain).kind
    if permission.kind is not kind:
        raise UnknownName(f"{permission} is asked in {permission.kind}, not in {kind}")
    if request.task is not None and kind is not Kind.PROJECT:
        raise UnknownName(f"a task is named in a project only, {permission} is asked in {kind}")
    for name, what in ((request.task, "task"), (request.target, "user")):
        if name is not None:
            parse_id(name, what)


def _unknown(
    source: Source, organization: str, request: Request, permission: Permission, member: MemberRecord | None, place: Place | None
) -> Known:
    if request.target is not None:
        parse_id(request.target, "user")
    source.settle()
    if source.organization() is None:
        reason = f"there is no organization {organization}"
    elif member is None:
        reason = f"{request.user} is no member of {organization}"
    elif not member.active:
        reason = f"{request.user} is {member.state} in {organization}"
    else:
        reason = f"there is no {request.domain} in {organization}"
    path = parse_domain(request.domain).path(organization)
    return Known(Subject(request.user, None), path, permission, None, reason)


def allowed(decider: Decider, source: Source, organization: str, request: Request, now: Instant) -> bool:
    """Casbin's answer, without a reason."""
    known = know(source, organization, request, now)
    through_api = request.via != _UI and parse_via(request.via) is Via.API
    if known.facts is None or not decider.allows(known.subject, known.path, known.permission, known.facts):
        return False
    return not through_api or allowed(decider, source, organization, _api_access(request), now)


def decide(decider: Decider, source: Source, organization: str, request: Request, now: Instant) -> Decision:
    """Casbin's answer with the policy's reason."""
    return decision_of(decider, look(decider, source, organization, request, now), revision_of(source))


def look_and_decide(decider: Decider, source: Source, organization: str, request: Request, now: Instant) -> tuple[Decision, Looked]:
    """A Decision and everything that was seen on the way to it."""
    looked = look(decider, source, organization, request, now)
    return decision_of(decider, looked, revision_of(source)), looked


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a user can do in a domain, in the page's order; `with_target` depends on the member it is about."""

    user: str
    domain: Domain
    allowed: tuple[Permission, ...]
    with_target: tuple[Permission, ...]
    revision: int

    def __iter__(self) -> Iterator[Permission]:
        return iter(self.allowed)

    def __contains__(self, permission: object) -> bool:
        return permission in self.allowed

    def __len__(self) -> int:
        return len(self.allowed)


def permissions(decider: Decider, source: Source, organization: str, request: Request, now: Instant) -> Permissions:
    """Everything the user of a request can do in its domain, each as `decide` says; its own permission does not matter."""
    domain = parse_domain(request.domain)
    may: list[Permission] = []
    depends: list[Permission] = []
    for permission in (each for each in Permission if each.kind is domain.kind):
        asked = Request(request.user, permission, request.domain, via=request.via)
        looked = look(decider, source, organization, asked, now)
        if looked.allowed:
            may.append(permission)
        elif looked.verdict and needs_target(looked.verdict) and (looked.api is None or looked.api.allowed):
            depends.append(permission)
    return Permissions(request.user, domain, tuple(may), tuple(depends), revision_of(source))


def role_of(_: Decider, source: Source, organization: str, where: tuple[str, str], now: Instant) -> Role | None:
    """The role in force of a user in a domain; None for whoever is not active, and for a domain that does not exist."""
    member, place = source.member(where[0]), source.place(where[1])
    source.settle()
    return None if member is None or place is None else member.role_in(place, now)


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
    if parse_via(request.via) is Via.API:
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


def record_of(_: Decider, source: Source, organization: str, __: None, now: Instant) -> OrganizationRecord | None:
    """The organization's own facts, of which the caller may change what they like: memory keeps its own."""
    found = source.organization()
    return None if found is None else msgspec.structs.replace(found, restrictions=dict(found.restrictions))


def member_of(_: Decider, source: Source, organization: str, user: str, now: Instant) -> MemberRecord | None:
    """A member with everything that hangs on them; a copy, as above."""
    found = source.member(user)
    if found is None:
        return None
    kept: dict[str, Any] = msgspec.structs.asdict(found)
    return msgspec.structs.replace(found, **{name: dict(value) for name, value in kept.items() if type(value) is dict})


def needs_target(verdict: Verdict) -> bool:
    """Whether nothing but the missing target stands between the question and a yes."""
    if verdict.allowed or verdict.line is not None:
        return False
    return any(
        all(check.value or check.missing == "target" for check in grant.checks) and any(check.missing for check in grant.checks)
        for grant in verdict.grants
    )


def _api_access(request: Request) -> Request:
    return Request(request.user, Permission.API_ACCESS)
