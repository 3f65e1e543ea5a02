"""Random organizations and random changes, from a die that a test throws."""

import copy
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from .change import OPERATIONS
from .decide import KIND, PERMISSIONS, ROLES, State

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
USERS = ("o", "a", "b", "c", "d")
LATER = NOW + timedelta(hours=1)


def some(dice: random.Random, chance: float = 0.5) -> bool:
    return dice.random() < chance


def until(dice: random.Random) -> Any:
    """Never, later, exactly now and so no more, long ago."""
    return dice.choice([None, None, LATER, NOW, "2027-01-31T12:00:00.000001Z", "2026-01-01T00:00:00Z"])


def some_members(dice: random.Random, chance: float) -> Any:
    members = [user for user in USERS if some(dice, chance)]
    return members if some(dice) else {user: {"until": until(dice)} if some(dice) else None for user in members}


def some_project(dice: random.Random, id: str) -> dict[str, Any]:
    def row(key: str, value: str) -> Any:
        return value if some(dice) else {key: value, "until": until(dice)}

    def people() -> list[str]:
        return [user for user in USERS if some(dice, 0.4)]

    return {
        "id": id,
        "created_by": dice.choice(USERS),
        "published": some(dice, 0.8),
        "distribution": dice.choice(["manual", "automatic"]),
        "show_data_manager_to": [role for role in ("annotator", "reviewer") if some(dice)],
        "review_only_assigned": some(dice),
        "members": some_members(dice, 0.35),
        "project_roles": {user: row("role", dice.choice(["annotator", "reviewer"])) for user in USERS if some(dice, 0.3)},
        "paused": {user: row("reason", dice.choice(["manual", "annotator_evaluation"])) for user in USERS if some(dice, 0.2)},
        "tasks": {
            task: dice.choice([None, {"annotators": people(), "reviewers": people(), "worked_on_by": people()}])
            for task in ("t1", "t2")
            if some(dice, 0.8)
        },
    }


def some_state(dice: random.Random) -> State:
    def standing() -> Any:
        role = dice.choice(ROLES[:4])
        return dice.choice([role] * 8 + [{"role": role, "state": "deactivated"}, {"state": "invited"}])

    return {
        "organizations": [
            {
                "id": "acme",
                "owner": "o",
                "members": {user: standing() for user in USERS[1:]},
                "settings": {
                    name: some(dice, 0.7)
                    for name in (
                        "plugins_enabled",
                        "manual_role_management",
                        "administrators_make_administrators",
                        "tokens_for_annotators_and_reviewers",
                    )
                },
                "restrictions": {permission: dice.choice(ROLES) for permission in PERMISSIONS if some(dice, 0.15)},
                "workspaces": [
                    {
                        "id": workspace,
                        "created_by": dice.choice(USERS),
                        "personal": some(dice, 0.2),
                        "members": some_members(dice, 0.25),
                        "projects": [some_project(dice, workspace + project) for project in ("p", "q") if some(dice, 0.6)],
                    }
                    for workspace in ("w1", "w2")
                ],
            },
        ],
    }


def some_change(dice: random.Random) -> tuple[str, str, dict[str, Any]]:
    user = dice.choice(USERS)
    end = dice.choice([None, None, LATER, NOW - TICK])
    project, workspace = dice.choice(["w1p", "w1q", "w2p", "w2q"]), dice.choice(["w1", "w2"])
    where = dice.choice([f"project:{project}", f"workspace:{workspace}"])
    named = {"user": user, "project": project, "task": dice.choice(["t1", "t2", "t3"])}
    settings: list[tuple[str, dict[str, Any]]] = [
        ("organization", {dice.choice(["plugins_enabled", "administrators_make_administrators"]): some(dice)}),
        (f"project:{project}", {"published": some(dice), "distribution": dice.choice(["manual", "automatic"])}),
    ]
    domain, wanted = dice.choice(settings)
    arguments: dict[str, dict[str, Any]] = {
        "grant": dice.choice(
            [
                {"user": user, "role": dice.choice(ROLES)},
                {"user": user, "role": dice.choice(ROLES[:2]), "on": f"project:{project}", "until": end},
            ],
        ),
        "revoke": {"user": user, "on": f"project:{project}"},
        "invite": {"user": dice.choice([user, "zoe"]), "role": dice.choice([None, *ROLES])},
        "deactivate": {"user": user},
        "activate": {"user": user},
        "add": {"user": user, "domain": where, "until": end},
        "remove": {"user": user, "domain": where},
        "pause": {"user": user, "domain": f"project:{project}", "until": end},
        "unpause": {"user": user, "domain": f"project:{project}"},
        "assign_annotator": named,
        "assign_reviewer": named,
        "unassign": named,
        "create_workspace": {"workspace": dice.choice(["w1", "w3"]), "personal": some(dice)},
        "create_project": {"project": project, "workspace": workspace},
        "move_project": {"project": project, "workspace": workspace},
        "delete_workspace": {"workspace": workspace},
        "delete_project": {"project": project},
        "configure": {"domain": domain, "settings": wanted},
        "restrict": {"permission": dice.choice(PERMISSIONS), "level": dice.choice(ROLES)},
        "unrestrict": {"permission": dice.choice(PERMISSIONS)},
        "transfer_ownership": {"to": user},
    }
    assert set(arguments) == set(OPERATIONS)
    operation = dice.choice(OPERATIONS)
    return dice.choice([*USERS, "o", "operator"]), operation, arguments[operation]


def importable(state: State) -> State:
    """The state without what no history of changes leads to: members of sandboxes, and anything hanging on who is only invited."""
    state = copy.deepcopy(state)
    for organization in state["organizations"]:
        invited = {user for user, said in organization["members"].items() if isinstance(said, dict) and said["state"] == "invited"}

        def kept(users: Any, invited: set[str] = invited) -> Any:
            if isinstance(users, list):
                return [user for user in users if user not in invited]
            return {user: row for user, row in users.items() if user not in invited}

        for workspace in organization["workspaces"]:
            workspace["members"] = [] if workspace["personal"] else kept(workspace["members"])
            for part in (workspace, *workspace["projects"]):
                part["created_by"] = "o" if part["created_by"] in invited else part["created_by"]
            for project in workspace["projects"]:
                project["members"] = [] if workspace["personal"] else kept(project["members"])
                project["published"] = project["published"] and not workspace["personal"]
                project["project_roles"], project["paused"] = kept(project["project_roles"]), kept(project["paused"])
                for facts in filter(None, project["tasks"].values()):
                    for name, users in facts.items():
                        facts[name] = kept(users)
    return state


def some_question(dice: random.Random) -> tuple[str, str, str, dict[str, str]]:
    """User, permission, domain and what else is named; now and then of somebody or something that is not there."""
    permission = dice.choice(PERMISSIONS)
    kind = KIND[permission]
    where = {"organization": ["organization"], "workspace": ["w1", "w2", "w3"], "project": ["w1p", "w1q", "w2p", "w2q"]}[kind]
    domain = dice.choice(where)
    extra = {}
    if some(dice, 0.5):
        extra["target"] = dice.choice([*USERS, "zoe"])
    if kind == "project" and some(dice, 0.4):
        extra["task"] = dice.choice(["t1", "t2", "t9"])
    if some(dice, 0.2):
        extra["via"] = "api"
    return dice.choice([*USERS, *USERS, "zoe"]), permission, domain if kind == "organization" else f"{kind}:{domain}", extra
