"""Many questions at once: grouped by user, permission and line, so that what decides alike is decided once.

What a condition may read of a domain is a handful of values. Domains that agree in all of them get one and the same
Decision, made by `decide` for the first of them. Its one rule: a value that any condition reads belongs to the group's
signature, and whatever has more to it than user, permission and domain is asked by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from types import CodeType
from typing import Any

from rbac.decisions.decider import Decider
from rbac.decisions.evaluate import decide
from rbac.policy.facts import VALUES
from rbac.snapshot.reader import Source
from rbac.snapshot.records import Instant, ProjectRecord, among
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


READ: dict[str, str] = {
    "created_project": "user == place.created_by",
    "created_workspace": "user == place.workspace_created_by",
    "project_member": "place.id in projects if few else among(projects, place.id, now)",
    "workspace_member": "place.workspace in workspaces if few else among(workspaces, place.workspace, now)",
    "paused": "place.id in pauses and ((until := pauses[place.id][1]) is None or until > now)",
    "role": "role_in(place, now) is reviewer",  # or the other one a member can have there
    "personal": "place.personal",
    "published": "place.published",
    "distribution": "place.distribution is manual",  # one of two: by identity, since an Enum is slow to hash
    "show_data_manager_to": "place.show_data_manager_to",
    "review_only_assigned": "place.review_only_assigned",
    "assigned_as_annotator": "assigned(member, place)",
    "assigned_as_reviewer": "assigned(member, place)",
}
"""What a project changes of each fact that a condition may read; every other fact is the same in all of them."""

_SAME = frozenset(VALUES) - READ.keys()
"""Facts about the organization, and about a target and a task that nobody named."""


def _signature(decider: Decider, source: Source, user: str, permission: str, now: Instant) -> Signature | None:
    """What tells two projects apart for a user, in the facts that the lines read; None where questions are better asked one by one."""
    asked, member = Permission.named(permission), source.member(user)
    if asked is None or asked.kind is not Kind.PROJECT or member is None or member.state is not State.ACTIVE:
        return None
    roles = WORKERS if member.role in WORKERS else {member.role}
    read = {fact for role in roles for fact in decider.policy.reads[role, asked]}  # type: ignore[index]
    if member.role in WORKERS:
        read.add("role")  # which decides what is read, too
    else:
        read.discard("role")
    projects, workspaces = member.projects, member.workspaces
    names = {
        "member": member, "user": member.user, "projects": projects, "workspaces": workspaces, "pauses": member.pauses, "now": now,
        "few": type(projects) is type(workspaces) is tuple, "among": among, "role_in": member.role_in, "reviewer": Role.REVIEWER,
        "manual": Distribution.MANUAL, "assigned": source.assigned,
    }  # fmt: skip
    return eval(_written(frozenset(read - _SAME)), names)  # type: ignore[no-any-return]


@cache
def _written(read: frozenset[str]) -> CodeType:
    """The function that looks at these facts of a project, and at no other."""
    looks = dict.fromkeys(look for fact, look in READ.items() if fact in read)
    return compile(f"lambda place: ({''.join(f'({look}), ' for look in looks)})", "<signature of a project>", "eval")
