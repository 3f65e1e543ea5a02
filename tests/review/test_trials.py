"""The space leaves out nothing that a store can say: random states are imported, and their facts looked for in it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from rbac.fact_space.diagrams import NO, Node
from rbac.fact_space.space import space
from rbac.policy.reader import Policy
from rbac.review.testing.expectations import NOON, Asked
from rbac.review.testing.fixtures import StoreTrial, Trials
from rbac.review.testing.points import points_of
from rbac.vocabulary import Kind, Permission, Request, Role

USERS = ("olga", "una", "ulf", "uma", "udo")
LOADED_WHEN_NEEDED = {"assigned_as_annotator", "assigned_as_reviewer", "shares_domain_with_target"}
"""Facts the store looks up only for roles and settings whose conditions can turn on them; elsewhere they are left open."""


def a_state(source: random.Random) -> dict[str, Any]:
    """One organization with everything at random: roles and states, sandboxes, demoted creators, pauses, tasks, restrictions."""
    members = {user: source.choice((*map(str, Role), "deactivated")[:4]) for user in USERS[1:]}

    def somebody() -> list[str]:
        return source.sample(USERS, source.randint(0, 3))

    projects = iter(f"p{number}" for number in range(9))

    def project(*, personal: bool) -> dict[str, Any]:
        tasks = {f"t{number}": {"annotators": somebody(), "reviewers": somebody(), "worked_on_by": somebody()} for number in range(2)}
        return {
            "id": next(projects),
            "created_by": source.choice(USERS),
            "published": not personal and source.random() < 0.7,
            "distribution": source.choice(("automatic", "manual")),
            "show_data_manager_to": source.choice(([], ["annotator"], ["annotator", "reviewer"])),
            "review_only_assigned": source.random() < 0.5,
            "members": [] if personal else somebody(),
            "project_roles": {user: source.choice(("annotator", "reviewer")) for user in somebody()},
            "paused": dict.fromkeys(somebody(), "manual"),
            "tasks": tasks,
        }

    def workspace(name: str) -> dict[str, Any]:
        personal = source.random() < 0.4
        inside = [project(personal=personal) for _ in range(source.randint(0, 2))]
        return {
            "id": name,
            "created_by": source.choice(USERS),
            "personal": personal,
            "members": [] if personal else somebody(),
            "projects": inside,
        }

    state = {user: {"role": role, "state": source.choice(("active", "active", "active", "deactivated"))} for user, role in members.items()}
    restrictions = {source.choice(list(Permission)): source.choice(list(Role)) for _ in range(2)}
    settings = {"plugins_enabled": source.random() < 0.5, "tokens_for_annotators_and_reviewers": source.random() < 0.5}
    workspaces = [workspace(f"w{number}") for number in range(3)]
    organization = {"id": "acme", "owner": "olga", "members": state, "settings": settings, "restrictions": restrictions}
    return {"organizations": [{**organization, "workspaces": workspaces}]}


def requests(state: dict[str, Any], source: random.Random) -> list[Request]:
    """Random questions about everything that is there, and about targets and tasks that are not."""
    workspaces = state["organizations"][0]["workspaces"]
    domains = {
        Kind.ORGANIZATION: ["organization"],
        Kind.WORKSPACE: [f"workspace:{workspace['id']}" for workspace in workspaces],
        Kind.PROJECT: [f"project:{project['id']}" for workspace in workspaces for project in workspace["projects"]],
    }
    asked = []
    for permission in source.sample(list(Permission), 30):
        if not domains[permission.kind]:
            continue
        task = source.choice((None, "t0", "t1", "t9")) if permission.kind is Kind.PROJECT else None
        target = source.choice((None, "nobody", *USERS, *USERS))
        asked.append(Request(source.choice(USERS), permission, source.choice(domains[permission.kind]), target=target, task=task))
    return asked


def test_every_question_to_a_random_state_lies_in_the_space(shipped: Policy) -> None:
    source, seen, points = random.Random(20261124), set[tuple[Kind, Role]](), 0
    for _ in range(60):
        state = a_state(source)
        trials = Trials(shipped)
        trial = trials.open(state, Path("x"), None, NOON)
        for request in requests(state, source):
            for node, kind, role in _looked(trial, request):
                assert node != NO, (request, state)
                seen.add((kind, role))
                points += 1
        trials.close()

    assert points >= 1_000
    assert len(seen) == len(Kind) * len(Role)


def _looked(trial: StoreTrial, request: Request) -> list[tuple[Node, Kind, Role]]:
    """For each point of a question, the combinations of the space that agree with the facts that are known of it."""
    here, found = space(), []
    for point in points_of(Asked("", 0, request, False, "", trial, trial.facts(request), None), here):
        node = here.question(point.role, point.permission.kind)
        for name, place in point.places.items():
            left_open = name in LOADED_WHEN_NEEDED and place + 1 == len(here.diagrams.domains[name])
            if not left_open:
                node = here.diagrams.both(node, here.diagrams.literal_at(name, place))
        found.append((node, point.permission.kind, point.role))
    return found
