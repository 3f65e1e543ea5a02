"""One question, from names to an answer: resolve the names, evaluate with Casbin, trace for the reason.

`resolve` does all the reading: who asks, with which role in force where, and the facts. What is not known ends in a
denial with a reason. `evaluate` and `trace` read nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from rbac.decisions.decider import Decider
from rbac.decisions.trace import CellTrace, ensure_agreement, through_api
from rbac.errors import UnknownName
from rbac.names import parse_domain, parse_id, parse_permission, parse_task, parse_via
from rbac.policy.roles import USER, Subject
from rbac.snapshot.facts_of_records import RecordedFacts
from rbac.snapshot.records import DomainRecord, Instant, MemberRecord, OrganizationRecord
from rbac.snapshot.view import View, revision_of
from rbac.vocabulary import Decision, Domain, Kind, Permission, Request, State, Task, Via

_ACTIVE, _UI = State.ACTIVE, str(Via.UI)  # looking one up in its Enum costs as much as a call


class Question(msgspec.Struct, frozen=True, gc=False):
    """A request whose names are resolved, at one revision. Without `facts` the answer is no, and `reason` says why.

    `api` is the question whether the user has `api:access`, for a request that comes through the API; `given` is the task
    with what the application says of it.
    """

    subject: Subject
    path: str
    permission: Permission
    facts: RecordedFacts | None
    revision: int
    api: Question | None = None
    reason: str = ""
    given: Task | None = None

    @property
    def user(self) -> str:
        """The id of the member who asks."""
        return self.subject.removeprefix(USER)


def resolve(view: View, request: Request, now: Instant) -> Question:
    """Everything Casbin needs for a request, from one view at one instant; raises UnknownName for a mistake in it."""
    if type(request.user) is not str or type(request.domain) is not str:
        request = _as_text(request)
    permission = parse_permission(request.permission)
    member, domain = view.member(request.user), view.domain(request.domain)
    if request.task is not None or domain is None or domain.kind is not permission.kind:
        _check_names(request, permission)
    if member is None or domain is None or member.state is not _ACTIVE:
        return _unresolved(view, request, permission, member, domain, now)
    role = member.role_in(domain, now)
    organization = domain if type(domain) is OrganizationRecord else view.organization()
    assert role is not None and organization is not None, "an active member has a role in every domain, and a domain an organization"
    records = view.request_records(request, permission, member, domain, role, now)
    view.ensure_unchanged()
    facts = RecordedFacts(
        domain.kind, role, organization, member, domain, permission, now, request.target is not None, request.task is not None, records
    )
    api = None if request.via == _UI else _api_access(view, request, now)
    given = request.task if isinstance(request.task, Task) else None
    return Question(member.subject(role), domain.path, permission, facts, organization.revision, api, "", given)


def _as_text(request: Request) -> Request:
    """The request with its user and domain as plain text: records are kept under no other name."""
    return Request(
        parse_id(request.user, "user"), request.permission, str(parse_domain(request.domain)), request.target, request.task, request.via
    )


def _check_names(request: Request, permission: Permission) -> None:
    """What cannot be asked, whoever and wherever it is about."""
    kind = parse_domain(request.domain).kind
    if permission.kind is not kind:
        raise UnknownName(f"{permission} is asked in {permission.kind}, not in {kind}")
    if request.task is not None and kind is not Kind.PROJECT:
        raise UnknownName(f"a task is named in a project only, {permission} is asked in {kind}")
    if request.task is not None:
        parse_task(request.task)
    if request.target is not None:
        parse_id(request.target, "user")


def _unresolved(
    view: View, request: Request, permission: Permission, member: MemberRecord | None, domain: DomainRecord | None, now: Instant
) -> Question:
    if request.target is not None:
        parse_id(request.target, "user")
    view.ensure_unchanged()
    organization = view.organization_id
    if view.organization() is None:
        reason = f"there is no organization {organization}"
    elif member is None:
        reason = f"{request.user} is no member of {organization}"
    elif not member.active:
        reason = f"{request.user} is {member.state} in {organization}"
    else:
        reason = f"there is no {request.domain} in {organization}"
    path = parse_domain(request.domain).path(organization)
    api = None if request.via == _UI else _api_access(view, request, now)
    return Question(Subject(request.user, None), path, permission, None, revision_of(view), api, reason)


def _api_access(view: View, request: Request, now: Instant) -> Question | None:
    if parse_via(request.via) is not Via.API:
        return None
    return resolve(view, Request(request.user, Permission.API_ACCESS), now)


def evaluate(decider: Decider, question: Question) -> bool:
    """Casbin's answer, without a reason. A matcher that is not the packaged one is held against the policy each time."""
    if question.facts is None:
        return False
    if not decider.packaged:
        return trace(decider, question).allowed
    if not decider.allows(question.subject, question.path, question.permission, question.facts):
        return False
    return question.api is None or evaluate(decider, question.api)


@dataclass(frozen=True, slots=True)
class Trace:
    """A question with every line of its cell evaluated, and through the API that of `api:access` as well.

    `cell` is None where the answer is no before the policy is asked.
    """

    question: Question
    cell: CellTrace | None
    api: Trace | None

    @property
    def allowed(self) -> bool:
        """The answer to the question."""
        return self.cell is not None and self.cell.allowed and (self.api is None or self.api.allowed)

    @property
    def decision(self) -> Decision:
        """The answer with its reason. Deny lines come first, then `api:access`, then the allow lines."""
        cell = self.cell
        if cell is None:
            return Decision(False, self.question.reason, None, None, self.question.revision)
        if self.api is not None and not self.api.allowed and (cell.line is None or cell.allowed):
            return through_api(self.api.decision)
        line, given = cell.line, self.given
        reason = f"{cell.reason}; the question says {', '.join(given.values())}" if given else cell.reason
        at = self.question.revision
        return Decision(cell.allowed, reason, line.text if line else None, line.number if line else None, at, tuple(given))

    @property
    def given(self) -> dict[str, str]:
        """The facts that came with the question and that lines of the cell read, each in words."""
        task = self.question.given
        if task is None or self.cell is None:
            return {}
        read = frozenset().union(*(each.line.reads for each in (*self.cell.denials, *self.cell.grants)))
        words = {
            "task_exists": f"that the task {'exists' if task.exists else 'does not exist'}",
            "task_worked_on": f"that the user {'has' if task.worked_on else 'has not'} worked on it",
        }
        return {name: words[name] for name in task.given if name in read}


def trace(decider: Decider, question: Question) -> Trace:
    """Ask Casbin and the lines of the policy, raise unless they agree, and keep everything that was evaluated."""
    cell = None
    if question.facts is not None:
        cell = decider.trace_cell(question.facts.role, question.permission, question.facts)
        allowed = decider.allows(question.subject, question.path, question.permission, question.facts)
        ensure_agreement(decider.policy, allowed, cell)
    return Trace(question, cell, None if question.api is None else trace(decider, question.api))


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a user can do in a domain, in the order of the published table; `with_target` depends on the member it is about."""

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


def permissions(decider: Decider, view: View, asked: list[Request], user: str, domain: Domain, now: Instant) -> Permissions:
    """Everything a user can do in a domain, each as `trace` says; `asked` has a request for each permission."""
    traces = [trace(decider, resolve(view, request, now)) for request in asked]
    allowed = tuple(each.question.permission for each in traces if each.allowed)
    with_target = tuple(
        each.question.permission for each in traces if each.cell and each.cell.needs_target and (each.api is None or each.api.allowed)
    )
    return Permissions(user, domain, allowed, with_target, revision_of(view))
