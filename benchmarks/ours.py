"""Our workers: the compiled enforcer over facts in memory, and an open store over SQLite.

The store's rows are put in by SQL, since an import of five million memberships is another measurement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from sys import intern
from typing import Any

import rbac
from benchmarks.workload import RESTRICTED, Size, creator, projects, users
from rbac.decisions.decider import CASBIN, Decider
from rbac.policy.reader import read_policy
from rbac.policy.roles import DomainPath, Subject
from rbac.snapshot.cache import CAPACITY
from rbac.snapshot.facts_of_records import RecordedFacts
from rbac.snapshot.records import (
    NO_REQUEST_RECORDS,
    NOTHING,
    DomainRecord,
    MemberRecord,
    OrganizationRecord,
    ProjectRecord,
    WorkspaceRecord,
)
from rbac.vocabulary import Distribution, Permission, Role, State

Decide = Callable[[str, str, str], bool]


def enforcer(size: Size) -> Decide:
    """The compiled enforcer, facts in memory as the cache holds them."""
    members, places = {each.user: each for each in _members(size)}, dict(_places(size))
    organization, enforce = places["organization"], Decider(read_policy()).casbin.enforce
    named, now = {str(each): (each, *CASBIN[each]) for each in Permission}, 1

    def decide(user: str, permission: str, domain: str) -> bool:
        asked, obj, act = named[permission]
        member, place = members[user], places[domain]
        if member.state is not State.ACTIVE:
            return False
        role: Any = member.role_in(place, now)
        facts = RecordedFacts(place.kind, role, organization, member, place, asked, now, False, False, NO_REQUEST_RECORDS)  # type: ignore[arg-type]
        return enforce(member.subject(role), place.path, obj, act, facts)  # type: ignore[no-any-return]

    return decide


def store(size: Size, folder: Path, *, capacity: int = CAPACITY) -> rbac.Store:
    """An open store with the workload in it, made when it is not there; `capacity` is how many facts it keeps in memory."""
    path = folder / f"bench-{size.name}.db"
    if not path.exists():
        with rbac.connect(f"sqlite:///{path}") as made:
            made.create("acme", owner="u0")
        _fill(path, size)
    return rbac.connect(f"sqlite:///{path}", capacity=capacity)


def organization(size: Size, folder: Path) -> Decide:
    """`Organization.can` over SQLite; warm once its questions have been asked. Room for everything: nothing is let go."""
    return store(size, folder, capacity=20 * size.memberships).organization("acme").can


def state(size: Size) -> dict[str, Any]:
    """The workload as a state file."""
    homes: dict[str, dict[str, Any]] = {
        f"w{number}": {"id": f"w{number}", "created_by": creator(size, number), "members": [], "projects": []}
        for number in range(size.workspaces)
    }
    made = {each.id: _project_state(each) for each in projects(size)}
    for each in projects(size):
        homes[each.workspace]["projects"].append(made[each.id])
    members: dict[str, Any] = {}
    for who in users(size):
        members[who.id] = who.role if who.active else {"role": who.role, "state": "deactivated"}
        for name in who.workspaces:
            homes[name]["members"].append(who.id)
        for name in who.projects:
            made[name]["members"].append(who.id)
        for name in who.reviewer_in:
            made[name]["project_roles"][who.id] = "reviewer"
        for name in who.paused_in:
            made[name]["paused"][who.id] = "manual"
    owner = next(iter(members))
    del members[owner]
    settings, lifted = {"plugins_enabled": True}, dict(RESTRICTED)
    one = {"id": "acme", "owner": owner, "members": members, "settings": settings, "restrictions": lifted, "workspaces": [*homes.values()]}
    return {"organizations": [one]}


def _project_state(each: Any) -> dict[str, Any]:
    return {
        "id": each.id, "created_by": each.created_by, "published": each.published, "show_data_manager_to": sorted(each.shown_to),
        "members": [], "project_roles": {}, "paused": {},
    }  # fmt: skip


def _members(size: Size) -> Iterator[MemberRecord]:
    for each in users(size):
        workspaces, projects, paused = (tuple(map(intern, ids)) for ids in (each.workspaces, each.projects, each.paused_in))
        roles: dict[str, Any] = dict.fromkeys(each.reviewer_in, (Role.REVIEWER, None))
        pauses: dict[str, Any] = dict.fromkeys(paused, ("manual", None))
        state = State.ACTIVE if each.active else State.DEACTIVATED
        yield MemberRecord(
            each.id, Role(each.role), state, workspaces, projects, roles or NOTHING, pauses or NOTHING, Subject(each.id, Role(each.role))
        )


def _places(size: Size) -> Iterator[tuple[str, DomainRecord]]:
    yield "organization", OrganizationRecord("acme", "u0", 1, True, True, True, True, {name: Role(to) for name, to in RESTRICTED.items()})
    for number in range(size.workspaces):
        yield (
            f"workspace:w{number}",
            WorkspaceRecord(f"w{number}", DomainPath(f"acme/workspace/w{number}"), creator(size, number), False, False),
        )
    for each in projects(size):
        shown = frozenset(Role(role) for role in each.shown_to)
        yield (
            f"project:{each.id}",
            ProjectRecord(
                each.id, DomainPath(f"acme/project/{each.id}"), each.workspace, each.workspace_created_by, False, each.created_by,
                each.published, Distribution.AUTOMATIC, shown, False,
            ),
        )  # fmt: skip


def _fill(path: Path, size: Size) -> None:
    with sqlite3.connect(path) as base:
        base.execute("UPDATE rbac_organization SET plugins_enabled = 1")
        base.executemany("INSERT INTO rbac_restriction (organization, permission, level) VALUES ('acme', ?, ?)", RESTRICTED.items())
        insert = "INSERT INTO {} VALUES ('acme', {})"
        base.executemany(
            insert.format('member (organization, "user", role, state)', "?, ?, ?"),
            ((each.id, each.role, "active" if each.active else "deactivated") for each in users(size) if each.id != "u0"),
        )
        base.executemany(
            insert.format("workspace (organization, id, created_by, personal)", "?, ?, 0"),
            ((f"w{number}", creator(size, number)) for number in range(size.workspaces)),
        )
        columns = (
            "id, workspace, created_by, published, distribution, review_only_assigned, show_to_annotators, show_to_reviewers, personal"
        )
        base.executemany(
            insert.format(f"project (organization, {columns})", "?, ?, ?, ?, 'automatic', 0, ?, ?, 0"),
            (
                (each.id, each.workspace, each.created_by, each.published, "annotator" in each.shown_to, "reviewer" in each.shown_to)
                for each in projects(size)
            ),
        )
        for table, column, of in (("workspace_member", "workspace", "workspaces"), ("project_member", "project", "projects")):
            base.executemany(
                insert.format(f'{table} (organization, "user", {column}, personal)', "?, ?, 0"),
                ((each.id, where) for each in users(size) for where in getattr(each, of)),
            )
        base.executemany(
            insert.format('project_role (organization, "user", project, role)', "?, ?, 'reviewer'"),
            ((each.id, where) for each in users(size) for where in each.reviewer_in),
        )
        base.executemany(
            insert.format('pause (organization, "user", project, reason)', "?, ?, 'manual'"),
            ((each.id, where) for each in users(size) for where in each.paused_in),
        )
    base.close()
