"""Many questions at once: grouped by user, permission and what their lines read, so that equal questions are decided once.

What a condition may read of a project is a handful of values. Projects that agree in all of them get one and the same
Decision, traced for the first of them. Every value that a condition reads belongs to the group's signature; a request
that names a target or a task is decided by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from types import CodeType
from typing import Any

from rbac.decisions.decider import Decider
from rbac.decisions.evaluate import resolve, trace
from rbac.policy.facts import VALUES
from rbac.snapshot.records import Instant, ProjectRecord, among
from rbac.snapshot.view import View
from rbac.vocabulary import WORKERS, Decision, Distribution, Kind, Permission, Request, Role, State

Signature = Callable[[ProjectRecord], Any]


def decide_many(decider: Decider, view: View, requests: Sequence[Request], now: Instant) -> list[Decision]:
    """One Decision a request, in order, all from one view."""
    try:
        return _decide_in_groups(decider, view, requests, now)
    except AttributeError:
        if all(isinstance(request, Request) for request in requests):
            raise
        raise TypeError("check_many is asked Requests: rbac.Request(user, permission, domain, ...)") from None


def _decide_in_groups(decider: Decider, view: View, requests: Sequence[Request], now: Instant) -> list[Decision]:
    if not decider.packaged:  # another matcher may look at the name of a domain
        return [trace(decider, resolve(view, request, now)).decision for request in requests]
    groups: dict[tuple[str, str, str], tuple[Signature | None, dict[Any, Decision]]] = {}
    user = permission = via = None
    signature, known = None, dict[Any, Decision]()
    domain_of, decisions = view.domain, list[Decision]()
    for request in requests:
        if request.user != user or request.permission != permission or request.via != via:
            group = user, permission, via = request.user, request.permission, request.via
            if type(user) is not str or not isinstance(permission, str) or not isinstance(via, str):
                resolve(view, request, now)  # which says what is wrong with the name, or takes it as text
                group = user, permission, via = str(user), permission, via
            if group not in groups:
                groups[group] = _signature(decider, view, user, permission, now), {}
            signature, known = groups[group]
        domain = None if signature is None or request.target is not None or request.task is not None else domain_of(request.domain)
        if type(domain) is not ProjectRecord or signature is None:
            decisions.append(trace(decider, resolve(view, request, now)).decision)
            continue
        key = signature(domain)
        decision = known.get(key)
        if decision is None:
            decision = known[key] = trace(decider, resolve(view, request, now)).decision
        decisions.append(decision)
    view.ensure_unchanged()
    return decisions


READ: dict[str, str] = {
    "created_project": "user == project.created_by",
    "created_workspace": "user == project.workspace_created_by",
    "project_member": "project.id in projects if few else among(projects, project.id, now)",
    "workspace_member": "project.workspace in workspaces if few else among(workspaces, project.workspace, now)",
    "paused": "project.id in pauses and ((until := pauses[project.id][1]) is None or until > now)",
    "role": "role_in(project, now) is reviewer",  # or the other one a member can have there
    "personal": "project.personal",
    "published": "project.published",
    "distribution": "project.distribution is manual",  # one of two: by identity, since an Enum is slow to hash
    "show_data_manager_to": "project.show_data_manager_to",
    "review_only_assigned": "project.review_only_assigned",
    "assigned_as_annotator": "assigned(member, project)",
    "assigned_as_reviewer": "assigned(member, project)",
}
"""What a project changes of each fact that a condition may read; every other fact is the same in all of them."""

_SAME = frozenset(VALUES) - READ.keys()
"""Facts about the organization, and about a target and a task that nobody named."""


def _signature(decider: Decider, view: View, user: str, permission: str, now: Instant) -> Signature | None:
    """What tells two projects apart for a user, in the facts that the lines read; None where questions are better asked one by one."""
    asked, member = Permission.named(permission), view.member(user)
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
        "manual": Distribution.MANUAL, "assigned": view.assigned,
    }  # fmt: skip
    return eval(_written(frozenset(read - _SAME)), names)  # type: ignore[no-any-return]


@cache
def _written(read: frozenset[str]) -> CodeType:
    """The function that looks at these facts of a project, and at no other."""
    looks = dict.fromkeys(look for fact, look in READ.items() if fact in read)
    return compile(f"lambda project: ({''.join(f'({look}), ' for look in looks)})", "<signature of a project>", "eval")
