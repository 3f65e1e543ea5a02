"""Many questions at once: grouped by user, permission and line, so that what decides alike is decided once.

What a condition may read of a domain is a handful of values. Domains that agree in all of them get one and the same
Decision, made by `decide` for the first of them. Its one rule: a value that any condition reads belongs to the group's
signature, and whatever has more to it than user, permission and domain is asked by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rbac.deciding import Decider
from rbac.directory import ASSIGNED, Source
from rbac.questions import decide
from rbac.records import Instant, MemberRecord, ProjectRecord, among
from rbac.vocabulary import WORKERS, Decision, Distribution, Kind, Permission, Request, Role, State

Signature = Callable[[ProjectRecord], Any]


def decide_many(decider: Decider, source: Source, organization: str, requests: Sequence[Request], now: Instant) -> list[Decision]:
    """One Decision a request, in order, all from one revision."""
    if not decider.packaged:  # another matcher may look at the name of a domain
        return [decide(decider, source, organization, request, now) for request in requests]
    groups: dict[tuple[str, str, str], tuple[Signature | None, dict[Any, Decision]]] = {}
    user = permission = via = None
    signature, known = None, dict[Any, Decision]()
    place_of, decisions = source.place, list[Decision]()
    for request in requests:
        if request.user != user or request.permission != permission or request.via != via:
            group = user, permission, via = request.user, request.permission, request.via
            if group not in groups:
                groups[group] = _signature(decider, source, user, permission, now), {}
            signature, known = groups[group]
        place = None if signature is None or request.target is not None or request.task is not None else place_of(request.domain)
        if type(place) is not ProjectRecord or signature is None:
            decisions.append(decide(decider, source, organization, request, now))
            continue
        key = signature(place)
        decision = known.get(key)
        if decision is None:
            decision = known[key] = decide(decider, source, organization, request, now)
        decisions.append(decision)
    source.settle()
    return decisions


def _signature(decider: Decider, source: Source, user: str, permission: str, now: Instant) -> Signature | None:
    """What tells two projects apart for a user; None where questions are better asked one by one."""
    asked, member = Permission.named(permission), source.member(user)
    if asked is None or asked.kind is not Kind.PROJECT or member is None or member.state is not State.ACTIVE:
        return None
    with_tasks = {role for role in Role if not ASSIGNED.isdisjoint(decider.policy.reads[role, asked])}
    varies = member.role in WORKERS or member.role in with_tasks
    return _varying(source, member, with_tasks, now) if varies else _plain(member, now)


def _plain(member: MemberRecord, now: Instant) -> Signature:
    """For a manager or above, whom neither project role nor tasks concern. Every fact of `RecordedFacts` that a project changes."""
    user, workspaces, projects, pauses = member.user, member.workspaces, member.projects, member.pauses
    few = type(projects) is type(workspaces) is tuple
    manual = Distribution.MANUAL  # one of two: by identity, since an Enum is slow to hash

    def signature(place: ProjectRecord) -> Any:
        name, home = place.id, place.workspace
        return (
            user == place.created_by, user == place.workspace_created_by,
            name in projects if few else among(projects, name, now), home in workspaces if few else among(workspaces, home, now),
            name in pauses and ((until := pauses[name][1]) is None or until > now),
            place.personal, place.published, place.distribution is manual, place.show_data_manager_to, place.review_only_assigned,
        )  # fmt: skip

    return signature


def _varying(source: Source, member: MemberRecord, with_tasks: set[Role], now: Instant) -> Signature:
    """Also the role in force there, and whether they have a task there where the lines for that role ask."""
    plain, reviewer = _plain(member, now), Role.REVIEWER  # or the other one a member can have

    def signature(place: ProjectRecord) -> Any:
        role = member.role_in(place, now)
        return plain(place), role is reviewer, source.assigned(member, place) if role in with_tasks else None

    return signature
