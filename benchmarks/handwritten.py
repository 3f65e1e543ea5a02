"""What somebody writes who needs no policy: if/else, and a dict of functions. Facts are tuples and sets."""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any

from benchmarks.workload import IN_ORGANIZATION, IN_PROJECT, IN_WORKSPACE, Size, creator, projects, users

Decide = Callable[[str, str, str], bool]

MANAGES = frozenset({*IN_PROJECT} - {"storage:configure"})


def facts(size: Size) -> tuple[dict[str, Any], dict[str, Any]]:
    """Members and domains by name."""
    members = {
        each.id: (
            each.role, each.active, frozenset(map(intern, each.workspaces)), frozenset(map(intern, each.projects)),
            frozenset(each.reviewer_in), frozenset(each.paused_in),
        )
        for each in users(size)
    }  # fmt: skip
    places: dict[str, Any] = {f"workspace:w{number}": (f"w{number}", creator(size, number)) for number in range(size.workspaces)}
    for each in projects(size):
        places[f"project:{each.id}"] = each
    return members, places


def if_else(size: Size) -> Decide:
    """One function with everything in it."""
    members, places = facts(size)

    def decide(user: str, permission: str, domain: str) -> bool:
        role: str
        role, active, workspaces, direct, reviewer_in, paused_in = members[user]
        if not active:
            return False
        if domain == "organization":
            if permission == "workspace:create":
                return role not in ("annotator", "reviewer")
            return role in ("administrator", "owner")
        place = places[domain]
        if permission == "workspace:view" or permission == "workspace:update":
            name, made_by = place
            if role in ("administrator", "owner"):
                return True
            if role == "manager":
                return name in workspaces or made_by == user
            return permission == "workspace:view" and name in workspaces
        if role in ("administrator", "owner"):
            return True
        name, home, home_made_by, made_by, published, shown_to = place
        if role == "manager":
            if permission == "storage:configure":
                return False
            return name in direct or home in workspaces or made_by == user or home_made_by == user
        if name in reviewer_in:
            role = "reviewer"
        if name in paused_in or not published or not (name in direct or home in workspaces):
            return False
        if permission == "data_manager:view":
            return role in shown_to
        if permission == "review:access":
            return role == "reviewer"
        return permission == "project:view" or permission == "labeling:access"

    return decide


def dictionary(size: Size) -> Decide:
    """A function for each filled cell, found by permission and role."""
    members, places = facts(size)

    def invited(user: str, member: Any, place: Any, role: str) -> bool:
        if len(place) == 2:
            return place[0] in member[2] or place[1] == user
        return place.id in member[3] or place.workspace in member[2] or user in (place.created_by, place.workspace_created_by)

    def enters(user: str, member: Any, place: Any, role: str) -> bool:
        return place.published and (place.id in member[3] or place.workspace in member[2]) and place.id not in member[5]

    def yes(*_: Any) -> bool:
        return True

    cells: dict[tuple[str, str], Callable[..., bool]] = {}
    for permission in ("project:view", "labeling:access", "data_manager:view", "review:access"):
        cells[permission, "annotator"] = cells[permission, "reviewer"] = enters
    del cells["review:access", "annotator"]
    for role in ("annotator", "reviewer"):
        cells["data_manager:view", role] = lambda user, member, place, role: enters(user, member, place, role) and role in place.shown_to
        cells["workspace:view", role] = lambda user, member, place, role: place[0] in member[2]
    for permission in MANAGES | {"workspace:view", "workspace:update"}:
        cells[permission, "manager"] = invited
    cells["workspace:create", "manager"] = yes
    for permission in (*IN_PROJECT, *IN_WORKSPACE, *IN_ORGANIZATION):
        cells[permission, "administrator"] = cells[permission, "owner"] = yes

    def decide(user: str, permission: str, domain: str) -> bool:
        member, place = members[user], places.get(domain, ())
        role = member[0]
        if member[4] and len(place) > 2 and place[0] in member[4] and role == "annotator":
            role = "reviewer"
        cell = cells.get((permission, role))
        return member[1] and cell is not None and cell(user, member, place, role)

    return decide
