"""Many questions at once: grouped by role, permission and what their lines read, so that equal questions are decided once.

What a condition may read of a user, a project and a task is a handful of values. Questions that agree in all of them get one
and the same Decision, traced for the first of them. Every value that a condition reads belongs to the signature of a
question; a request that names a target is decided by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from rbac.decisions.decider import Decider
from rbac.decisions.evaluate import resolve, trace
from rbac.names import parse_task
from rbac.policy.facts import VALUES
from rbac.snapshot.records import Instant, MemberRecord, ProjectRecord, among
from rbac.snapshot.view import View, task_with
from rbac.vocabulary import WORKERS, Decision, Distribution, Kind, Permission, Request, Role, State, Task

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
    groups: dict[tuple[str, str, str], _Group | None] = {}
    alike: dict[tuple[Permission, str, Role], dict[Any, Decision]] = {}
    user = permission = via = None
    group: Any = None  # and its signature and decisions, which are read for every request
    signature: Any = None
    known = dict[Any, Decision]()
    domain_of, decisions = view.domain, list[Decision]()
    for request in requests:
        if request.user != user or request.permission != permission or request.via != via:
            name = user, permission, via = request.user, request.permission, request.via
            if type(user) is not str or not isinstance(permission, str) or not isinstance(via, str):
                resolve(view, request, now)  # which says what is wrong with the name, or takes it as text
                name = user, permission, via = str(user), permission, via
            if name not in groups:
                groups[name] = _group(decider, view, user, permission, via, now, alike)
            group = groups[name]
            signature, known = (None, known) if group is None else (group.signature, group.known)
        domain = None if signature is None or request.target is not None else domain_of(request.domain)
        if type(domain) is not ProjectRecord:
            decisions.append(trace(decider, resolve(view, request, now)).decision)
            continue
        key = signature(domain)
        if request.task is not None:
            key = key, _task(decider, view, group, request.task, domain, now)
        decision = known.get(key)
        if decision is None:
            decision = known[key] = trace(decider, resolve(view, request, now)).decision
        decisions.append(decision)
    view.ensure_unchanged()
    return decisions


class _Group:
    """The questions of one user about one permission; lives while many are decided.

    `known` has the decisions so far, by signature: those of everybody with the same organization role.
    """

    __slots__ = ("known", "member", "permission", "signature")

    def __init__(self, member: MemberRecord, permission: Permission, signature: Signature, known: dict[Any, Decision]) -> None:
        self.member, self.permission, self.signature, self.known = member, permission, signature, known


def _task(decider: Decider, view: View, group: _Group, named: str | Task, project: ProjectRecord, now: Instant) -> Any:
    """What the lines read of a task, and what of it came with the question."""
    role = group.member.role_in(project, now)
    assert role is not None, "only active members have a signature"
    what, task = decider.cells.of(role, group.permission).task, parse_task(named)
    record = task_with(view, task, project.id, group.member, what)
    return (record, task.given) if task.given else record


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


def _group(
    decider: Decider,
    view: View,
    user: str,
    permission: str,
    via: str,
    now: Instant,
    alike: dict[tuple[Permission, str, Role], dict[Any, Decision]],
) -> _Group | None:
    """The questions of a user about a permission; None where they are better asked one by one."""
    asked, member = Permission.named(permission), view.member(user)
    if asked is None or asked.kind is not Kind.PROJECT or member is None or member.state is not State.ACTIVE or member.role is None:
        return None
    return _Group(member, asked, _signature(decider, view, member, asked, now), alike.setdefault((asked, via, member.role), {}))


def _signature(decider: Decider, view: View, member: MemberRecord, permission: Permission, now: Instant) -> Signature:
    """What tells two projects apart for a user, in the facts that the lines read."""
    roles = WORKERS if member.role in WORKERS else {member.role}
    read = {fact for role in roles for fact in decider.policy.reads[role, permission]}  # type: ignore[index]
    if member.role in WORKERS:
        read.add("role")  # which decides what is read, too
    else:
        read.discard("role")
    projects, workspaces = member.projects, member.workspaces
    few = type(projects) is type(workspaces) is tuple
    made: Signature = _written(frozenset(read - _SAME))(
        member, member.user, projects, workspaces, member.pauses, now, few, member.role_in, view.assigned
    )
    return made


@cache
def _written(read: frozenset[str]) -> Callable[..., Signature]:
    """The function that looks at these facts of a project, and at no other, for whatever user it is given."""
    looks = dict.fromkeys(look for fact, look in READ.items() if fact in read)
    given = "member, user, projects, workspaces, pauses, now, few, role_in, assigned"
    text = f"lambda {given}: lambda project: ({''.join(f'({look}), ' for look in looks)})"
    names = {"among": among, "reviewer": Role.REVIEWER, "manual": Distribution.MANUAL}
    return eval(compile(text, "<signature of a project>", "eval"), names)  # type: ignore[no-any-return]
