"""The oracle agrees with the specification's examples, with the published table, and with itself."""

import copy
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from .acme import EXAMPLES, Example, acme
from .cells import Facts, answer, reads
from .change import OPERATIONS, RefusedByTheSpec, canonical, change
from .decide import KIND, PERMISSIONS, ROLES, TABLE, NotAQuestion, conditions, decide, parse_domain
from .random_worlds import LATER, NOW, TICK, USERS, some, some_change, some_state

HERE = Path(__file__).resolve().parent

State = dict[str, Any]


# The examples


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_example(example: Example) -> None:
    state = acme()
    for actor, operation, arguments in example.changes:
        state = change(state, "acme", actor, operation, arguments, now=NOW)
    if example.question is not None:
        user, permission, domain, named = example.question
        assert decide(state, "acme", user, permission, domain, now=NOW, **named) is example.expected
    else:
        assert example.change is not None
        actor, operation, arguments = example.change
        if example.expected:
            after = change(state, "acme", actor, operation, arguments, now=NOW)
            assert canonical(after, NOW) != canonical(state, NOW)
        else:
            with pytest.raises(RefusedByTheSpec):
                change(state, "acme", actor, operation, arguments, now=NOW)


def test_example_names_are_unique() -> None:
    assert max(Counter(example.name for example in EXAMPLES).values()) == 1


def test_the_file_is_the_same_state() -> None:
    file = HERE.parent.parent / "examples" / "acme.yaml"
    assert canonical(yaml.safe_load(file.read_text(encoding="utf-8")), NOW) == canonical(acme(), NOW)


# The published table

NOTES = {
    "created_or_invited": "1",
    "unless_restricted": "2",
    "manual_distribution": "3",
    "own_history": "4",
    "may_enter": "a",
    "member": "b",
    "data_manager_shown": "c",
    "task_to_label": "d",
    "task_in_data_manager": "e",
    "task_to_review": "f",
    "plugins_enabled": "g",
    "roles_managed_here": "h",
    "tokens_allowed": "i",
    "workspace_empty": "j",
    "not_personal": "k",
    "target_is_project_member": "l",
    "target_may_review": "m",
    "target_may_be_paused": "n",
    "own_or_shared_history": "o",
}


def test_the_typed_matrix_says_what_the_table_says() -> None:
    typed = (HERE.parent / "golden" / "matrix.md").read_text(encoding="utf-8").splitlines()
    lines = [line for line in typed[2:] if line.startswith("|") and not line.startswith("| **")]
    expected = []
    for row in TABLE:
        cells = []
        for role in ROLES:
            permissions = [permission for line in row.lines for permission in line.permissions]
            allowed = {permission: conditions(role, permission) for permission in permissions}
            held = {permission: names for permission, names in allowed.items() if names is not None}
            names = {name for condition in held.values() for name in condition}
            if row.number in (7, 8):
                thing = "workspace" if row.number == 7 else "project"
                verbs = {"C": "create", "R": "view", "U": "update", "D": "delete"}
                mark = "".join(letter for letter, verb in verbs.items() if f"{thing}:{verb}" in held)
            elif "data_manager_shown" in names and row.number == 9:
                mark = "Depends on project settings"
            elif held:
                mark = "✅" if len(held) == len(permissions) else "Partial"
            else:
                mark = ""
            notes = "".join(f"[^{note}]" for note in sorted(NOTES[name] for name in names))
            cells.append(f" {mark}{notes} " if held else " ")
        expected.append(f"| {row.wording} |{'|'.join(cells)}|")
    assert lines == expected
    assert [line.partition(":")[0] for line in typed if line.startswith("[^")] == [f"[^{note}]" for note in NOTES.values()]
    assert [row.number for row in TABLE] == list(range(1, len(TABLE) + 1))
    assert len(TABLE) >= 26


# The cells and the decisions


class Plain:
    """A generated state, read a second time: rows that have expired dropped, defaults already there."""

    def __init__(self, state: State) -> None:
        organization = copy.deepcopy(state["organizations"][0])
        self.settings = organization["settings"]
        self.restrictions = organization["restrictions"]
        self.people: dict[str, tuple[str | None, str]] = {"o": ("owner", "active")}
        for user, entry in organization["members"].items():
            self.people[user] = (entry, "active") if isinstance(entry, str) else (None, entry["state"])
        self.workspaces = {workspace["id"]: workspace for workspace in organization["workspaces"]}
        self.projects = {}
        for workspace in self.workspaces.values():
            workspace["members"] = self.live(workspace["members"])
            for project in workspace["projects"]:
                self.projects[project["id"]] = (project, workspace)
                for key in ("members", "project_roles", "paused"):
                    project[key] = self.live(project[key])
                project["tasks"] = {
                    task: facts or {"annotators": [], "reviewers": [], "worked_on_by": []} for task, facts in project["tasks"].items()
                }

    @staticmethod
    def live(entries: Any) -> dict[str, Any]:
        if isinstance(entries, list):
            return dict.fromkeys(entries)
        kept = {}
        for user, entry in entries.items():
            end = entry.get("until") if isinstance(entry, dict) else None
            moment: datetime | None = end if isinstance(end, datetime) else None
            if isinstance(end, str):
                moment = datetime.strptime(end if "." in end else f"{end[:-1]}.0Z", "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
            if moment is None or moment > NOW:
                kept[user] = entry.get("role", entry.get("reason")) if isinstance(entry, dict) else entry
        return kept

    def role(self, user: str, project: dict[str, Any] | None) -> str | None:
        role, _ = self.people.get(user, (None, ""))
        if project is not None and role in ("annotator", "reviewer") and user in project["project_roles"]:
            return str(project["project_roles"][user])
        return role

    def high(self, user: str) -> bool:
        return self.people.get(user, (None, ""))[0] in ("manager", "administrator", "owner")

    def insiders(self, place: dict[str, Any]) -> set[str]:
        """Whoever created the place, and counts as its creator, or was invited to it."""
        return set(place["members"]) | {user for user in (place["created_by"],) if self.high(user)}

    def shared(self, one: str, other: str) -> bool:
        groups = []
        for workspace in self.workspaces.values():
            if not workspace["personal"]:
                groups.append(self.insiders(workspace))
                groups.extend(self.insiders(workspace) | self.insiders(project) for project in workspace["projects"])
        return any({one, other} <= group for group in groups)


def facts_of(plain: Plain, user: str, role: str, permission: str, domain: str, target: str | None, task: str | None) -> Facts:
    kind, id = parse_domain(domain)
    facts: Facts = {
        "kind": kind,
        "role": role,
        "plugins_enabled": plain.settings["plugins_enabled"],
        "manual_role_management": plain.settings["manual_role_management"],
        "tokens_for_annotators_and_reviewers": plain.settings["tokens_for_annotators_and_reviewers"],
        "restricted_to": plain.restrictions.get(permission),
        "task_named": task is not None,
        "target_named": target is not None,
    }
    project = None
    workspace = None
    if kind == "workspace":
        workspace = plain.workspaces[id]
    elif kind == "project":
        project, workspace = plain.projects[id]
    if workspace is not None:
        facts |= {
            "created_workspace": workspace["created_by"] == user,
            "workspace_member": user in workspace["members"],
            "personal": workspace["personal"],
            "workspace_empty": workspace["projects"] == [],
        }
    if project is not None:
        tasks = project["tasks"]
        facts |= {
            "created_project": project["created_by"] == user,
            "project_member": user in project["members"],
            "published": project["published"],
            "distribution": project["distribution"],
            "show_data_manager_to": frozenset(project["show_data_manager_to"]),
            "review_only_assigned": project["review_only_assigned"],
            "assigned_as_annotator": user in {one for each in tasks.values() for one in each["annotators"]},
            "assigned_as_reviewer": user in {one for each in tasks.values() for one in each["reviewers"]},
            "paused": user in project["paused"],
        }
        if task is not None:
            facts["task_exists"] = task in tasks
            if task in tasks:
                facts["task_annotator"] = user in tasks[task]["annotators"]
                facts["task_reviewer"] = user in tasks[task]["reviewers"]
                facts["task_worked_on"] = user in tasks[task]["worked_on_by"]
    if target is not None:
        facts |= {
            "target_known": target in plain.people,
            "target_is_user": target == user,
            "target_active": plain.people.get(target, (None, ""))[1] == "active",
            "target_role": plain.role(target, project),
            "shares_domain_with_target": plain.shared(user, target),
        }
        if workspace is not None:
            facts["target_created_workspace"] = workspace["created_by"] == target
            facts["target_workspace_member"] = target in workspace["members"]
        if project is not None:
            facts["target_created_project"] = project["created_by"] == target
            facts["target_project_member"] = target in project["members"]
    return facts


@pytest.mark.parametrize("seed", range(12))
def test_cells_agree_with_decide(seed: int) -> None:
    dice = random.Random(seed)
    allowed: Counter[tuple[str, str]] = Counter()
    for _ in range(40):
        state = some_state(dice)
        before = copy.deepcopy(state)
        plain = Plain(state)
        domains = {
            "organization": ["organization"],
            "workspace": [f"workspace:{id}" for id in plain.workspaces],
            "project": [f"project:{id}" for id in plain.projects],
        }
        for permission in PERMISSIONS:
            kind = KIND[permission]
            for domain in domains[kind]:
                project = plain.projects[domain.removeprefix("project:")][0] if kind == "project" else None
                for user in (*USERS, "stranger"):
                    target = dice.choice([None, user, *USERS, *USERS, "stranger"])
                    task = dice.choice([None, "t1", "t2", "t3"]) if kind == "project" else None
                    via = dice.choice(["ui", "api"])
                    said = decide(state, "acme", user, permission, domain, target=target, task=task, via=via, now=NOW)
                    role = plain.role(user, project)
                    if role is None:
                        assert said is False
                        continue
                    facts = facts_of(plain, user, role, permission, domain, target, task)
                    expected = answer(role, permission, facts)
                    if via == "api":
                        at_home = plain.role(user, None)
                        assert at_home is not None
                        home = facts_of(plain, user, at_home, "api:access", "organization", None, None)
                        expected = expected and answer(at_home, "api:access", home)
                    assert said is expected, (user, permission, domain, target, task, via, facts)
                    kept = {key: facts[key] for key in reads(role, permission) if key in facts}
                    assert answer(role, permission, kept) is answer(role, permission, facts), (permission, facts)
                    allowed[role, permission] += said
        assert state == before
    if seed == 0:
        cells = {(role, permission) for role in ROLES for permission in PERMISSIONS if conditions(role, permission) is not None}
        assert {cell for cell, count in allowed.items() if count} <= cells
        assert len(cells - {cell for cell, count in allowed.items() if count}) < len(cells) / 20


def test_a_missing_fact_never_helps() -> None:
    """Leaving facts out turns a yes into a no, and never a no into a yes."""
    dice = random.Random(99)
    turned = 0
    for _ in range(60):
        plain = Plain(some_state(dice))
        for permission in PERMISSIONS:
            kind = KIND[permission]
            places = {"organization": ["organization"], "workspace": plain.workspaces, "project": plain.projects}[kind]
            for id in places:
                domain = "organization" if kind == "organization" else f"{kind}:{id}"
                project = plain.projects[id][0] if kind == "project" else None
                user = dice.choice(USERS)
                role = plain.role(user, project)
                if role is None:
                    continue
                facts = facts_of(plain, user, role, permission, domain, dice.choice([None, *USERS]), None)
                left = {key: value for key, value in facts.items() if some(dice, 0.9)}
                whole, part = answer(role, permission, facts), answer(role, permission, left)
                assert whole or not part, (permission, facts, left)
                read = {key: value for key, value in left.items() if key in reads(role, permission)}
                assert answer(role, permission, read) is part, (permission, left)
                turned += whole and not part
    assert turned > 100


def test_missing_facts_one_by_one() -> None:
    facts = {
        "kind": "project",
        "role": "reviewer",
        "task_named": True,
        "task_exists": True,
        "task_reviewer": True,
        "target_named": False,
        "personal": False,
        "created_workspace": False,
        "paused": False,
        "project_member": True,
        "published": True,
        "review_only_assigned": False,
    }
    assert answer("reviewer", "review:access", facts)
    for key in ("task_named", "task_exists", "target_named", "personal", "paused", "role", "published", "review_only_assigned"):
        less = {name: value for name, value in facts.items() if name != key}
        # A task that exists, no matter whether it is named; a task assigned, no matter the setting, but the setting lets them in.
        assert answer("reviewer", "review:access", less) is (key == "task_named"), key
    assert answer("reviewer", "review:access", {name: value for name, value in facts.items() if name != "created_workspace"})


# Errors


@pytest.mark.parametrize(
    ("user", "permission", "domain", "named"),
    [
        ("", "data:export", "project:p1", {}),
        ("andy\n", "data:export", "project:p1", {}),
        ("a b", "data:export", "project:p1", {}),
        ("a" * 256, "data:export", "project:p1", {}),
        ("é", "data:export", "project:p1", {}),
        ("andy", "data:burn", "project:p1", {}),
        ("andy", "data:export", "organization", {}),
        ("andy", "data:export", "workspace:w1", {}),
        ("andy", "data:export", "project", {}),
        ("andy", "data:export", "project:", {}),
        ("andy", "data:export", "project:p/1", {}),
        ("andy", "data:export", "Project:p1", {}),
        ("andy", "data:export", "project:p1", {"via": "mail"}),
        ("andy", "data:export", "project:p1", {"task": ""}),
        ("andy", "data:export", "project:p1", {"target": "*"}),
        ("andy", "workspace:view", "workspace:w1", {"task": "t1"}),
        ("andy", "api:access", "organization", {"task": "t1"}),
    ],
)
def test_no_questions(user: str, permission: str, domain: str, named: dict[str, str]) -> None:
    with pytest.raises(NotAQuestion):
        decide(acme(), "acme", user, permission, domain, now=NOW, **named)


def test_a_long_id_and_unknown_names_are_a_no() -> None:
    for user, domain in (("a" * 128, "project:p1"), ("max", "project:p9"), ("max", "project:organization")):
        assert decide(acme(), "acme", user, "data:export", domain, now=NOW) is False
    assert decide(acme(), "globex", "max", "data:export", "project:p1", now=NOW) is False
    assert decide(acme(), "acme", "max", "data:export", "project:p2", task="t1", now=NOW) is True
    assert decide(acme(), "acme", "max", "data:export", "project:p2", task="t9", now=NOW) is False
    assert decide(acme(), "acme", "max", "data:export", "project:p1", target="dan", now=NOW) is True
    assert decide(acme(), "acme", "max", "data:export", "project:p1", target="zoe", now=NOW) is False


# Time


def test_a_row_ends_exactly_at_until() -> None:
    state = change(acme(), "acme", "ada", "add", {"user": "rita", "domain": "project:p4", "until": LATER}, now=NOW)
    for now, expected in ((NOW, True), (LATER - TICK, True), (LATER, False), (LATER + TICK, False)):
        assert decide(state, "acme", "rita", "project:view", "project:p4", now=now) is expected
    after = change(state, "acme", "ada", "remove", {"user": "rita", "domain": "project:p4"}, now=LATER)
    assert after == state
    after = change(state, "acme", "ada", "add", {"user": "rita", "domain": "project:p4"}, now=LATER)
    assert decide(after, "acme", "rita", "project:view", "project:p4", now=LATER)


# Changes

Try = tuple[str, str, dict[str, Any], bool]
SWITCH_ADMINISTRATORS = ("olga", "configure", {"domain": "organization", "settings": {"administrators_make_administrators": False}})
SWITCH_ROLES = ("ada", "configure", {"domain": "organization", "settings": {"manual_role_management": False}})
SECOND_ADMINISTRATOR = ("ada", "grant", {"user": "mia", "role": "administrator"})


def run(tries: list[Any]) -> State:
    """Each entry is a change, made; or a change and whether it is done, tried."""
    state = acme()
    for actor, operation, arguments, *done in tries:
        before = copy.deepcopy(state)
        try:
            state = change(state, "acme", actor, operation, arguments, now=NOW)
        except RefusedByTheSpec:
            assert done == [False], (actor, operation, arguments)
        else:
            assert done in ([], [True]), (actor, operation, arguments)
        if done == [False]:
            assert state == before
    return state


def test_administrators_and_administrators() -> None:
    run([SECOND_ADMINISTRATOR, ("mia", "deactivate", {"user": "ada"}, True), ("mia", "activate", {"user": "ada"}, True)])
    run(
        [
            SECOND_ADMINISTRATOR,
            ("ada", *SWITCH_ADMINISTRATORS[1:], False),
            SWITCH_ADMINISTRATORS,
            ("mia", "deactivate", {"user": "ada"}, False),
            ("mia", "grant", {"user": "ada", "role": "manager"}, False),
            ("ada", "grant", {"user": "max", "role": "administrator"}, False),
            ("ada", "invite", {"user": "zoe", "role": "administrator"}, False),
            ("ada", "invite", {"user": "zoe", "role": "manager"}, True),
            ("olga", "deactivate", {"user": "mia"}, True),
            ("ada", "activate", {"user": "mia"}, False),
            ("olga", "activate", {"user": "mia"}, True),
        ],
    )


def test_nobody_changes_themselves_and_ownership_is_out_of_band() -> None:
    state = run(
        [
            ("ada", "grant", {"user": "ada", "role": "manager"}, False),
            ("olga", "deactivate", {"user": "olga"}, False),
            ("olga", "grant", {"user": "ada", "role": "owner"}, False),
            ("olga", "transfer_ownership", {"to": "ada"}, False),
            ("operator", "transfer_ownership", {"to": "dan"}, False),
            ("operator", "transfer_ownership", {"to": "nina"}, False),
            ("operator", "transfer_ownership", {"to": "zoe"}, False),
            ("operator", "transfer_ownership", {"to": "max"}, True),
        ],
    )
    organization = state["organizations"][0]
    assert organization["owner"] == "max"
    assert "max" not in organization["members"]
    assert organization["members"]["olga"] == "administrator"


def test_roles_managed_elsewhere() -> None:
    run(
        [
            SWITCH_ROLES,
            ("olga", "grant", {"user": "andy", "role": "reviewer"}, False),
            ("olga", "grant", {"user": "andy", "role": "reviewer", "on": "project:p1"}, False),
            ("olga", "invite", {"user": "zoe", "role": "annotator"}, False),
            ("olga", "invite", {"user": "zoe"}, True),
            ("max", "deactivate", {"user": "andy"}, False),
            ("ada", "deactivate", {"user": "andy"}, True),
            ("ada", "activate", {"user": "andy"}, False),
        ],
    )


def test_members_and_project_roles() -> None:
    state = run(
        [
            ("max", "add", {"user": "dan", "domain": "workspace:w1"}, False),
            ("max", "add", {"user": "nina", "domain": "workspace:w1"}, False),
            ("max", "add", {"user": "zoe", "domain": "workspace:w1"}, False),
            ("max", "add", {"user": "andy", "domain": "workspace:max-sandbox"}, False),
            ("max", "add", {"user": "andy", "domain": "project:p5"}, False),
            ("mia", "add", {"user": "andy", "domain": "workspace:w1"}, False),
            ("max", "remove", {"user": "andy", "domain": "project:p1"}, False),
            ("max", "add", {"user": "andy", "domain": "project:p1"}, True),
            ("max", "remove", {"user": "andy", "domain": "project:p1"}, True),
            ("max", "remove", {"user": "ada", "domain": "project:p1"}, False),
            ("max", "remove", {"user": "mia", "domain": "project:p1"}, True),
            ("max", "grant", {"user": "andy", "role": "reviewer", "on": "project:p4"}, False),
            ("mia", "add", {"user": "andy", "domain": "project:p4"}, True),
            ("max", "grant", {"user": "andy", "role": "manager", "on": "project:p4"}, False),
            ("max", "grant", {"user": "andy", "role": "reviewer", "on": "project:p4", "until": NOW - TICK}, False),
            ("max", "grant", {"user": "andy", "role": "reviewer", "on": "project:p4", "until": LATER}, True),
            ("max", "revoke", {"user": "andy", "on": "project:p4"}, True),
            ("max", "revoke", {"user": "andy", "on": "project:p4"}, True),
            ("andy", "revoke", {"user": "andy", "on": "project:p4"}, False),
            ("mia", "remove", {"user": "andy", "domain": "project:p4"}, True),
        ],
    )
    assert canonical(state, NOW) == canonical(acme(), NOW)


def test_pauses_from_annotator_evaluation_stay() -> None:
    state = acme()
    project = state["organizations"][0]["workspaces"][0]["projects"][0]
    project["paused"] = {"andy": "annotator_evaluation", "rita": {"reason": "annotator_evaluation", "until": NOW}}
    for operation in ("pause", "unpause"):
        with pytest.raises(RefusedByTheSpec):
            change(state, "acme", "olga", operation, {"user": "andy", "domain": "project:p1"}, now=NOW)
    after = change(state, "acme", "olga", "pause", {"user": "rita", "domain": "project:p1"}, now=NOW)
    assert not decide(after, "acme", "rita", "project:view", "project:p1", now=NOW)
    after = change(after, "acme", "max", "unpause", {"user": "rita", "domain": "project:p1"}, now=NOW)
    assert decide(after, "acme", "rita", "project:view", "project:p1", now=NOW)
    with pytest.raises(RefusedByTheSpec):
        change(state, "acme", "olga", "pause", {"user": "mia", "domain": "project:p4"}, now=NOW)


def test_moving() -> None:
    state = run(
        [
            ("max", "add", {"user": "mia", "domain": "project:p1"}, True),
            ("mia", "move_project", {"project": "p1", "workspace": "w2"}, True),
            ("max", "move_project", {"project": "p1", "workspace": "max-sandbox"}, True),
            ("olga", "move_project", {"project": "p2", "workspace": "max-sandbox"}, False),
            ("max", "move_project", {"project": "p4", "workspace": "max-sandbox"}, False),
            ("olga", "restrict", {"permission": "project:delete", "level": "administrator"}, True),
            ("max", "move_project", {"project": "p2", "workspace": "max-sandbox"}, False),
            ("max", "move_project", {"project": "p2", "workspace": "w1"}, True),
            ("max", "configure", {"domain": "project:p1", "settings": {"published": True}}, False),
            ("max", "move_project", {"project": "p1", "workspace": "w1"}, True),
        ],
    )
    project = next(one for one in state["organizations"][0]["workspaces"][0]["projects"] if one["id"] == "p1")
    assert project["published"] is False
    assert not project.get("members")
    assert decide(state, "acme", "mia", "project:view", "project:p1", now=NOW) is False


def test_assigning_and_deleting() -> None:
    run(
        [
            ("max", "assign_annotator", {"user": "rita", "project": "p2", "task": "t2"}, True),
            ("max", "assign_annotator", {"user": "mia", "project": "p2", "task": "t2"}, False),
            ("max", "assign_annotator", {"user": "ada", "project": "p2", "task": "t2"}, True),
            ("max", "assign_annotator", {"user": "rita", "project": "p2", "task": "t9"}, False),
            ("max", "assign_reviewer", {"user": "andy", "project": "p2", "task": "t2"}, False),
            ("max", "assign_reviewer", {"user": "rita", "project": "p2", "task": "t2"}, True),
            ("max", "configure", {"domain": "project:p2", "settings": {"distribution": "automatic"}}, True),
            ("max", "assign_annotator", {"user": "andy", "project": "p2", "task": "t2"}, False),
            ("max", "unassign", {"user": "rita", "project": "p2", "task": "t2"}, False),
            ("max", "unassign", {"user": "rita", "project": "p2", "task": "t1"}, True),
            ("max", "delete_workspace", {"workspace": "w1"}, False),
            *(("max", "delete_project", {"project": project}, True) for project in ("p1", "p2", "p3")),
            ("mia", "delete_workspace", {"workspace": "w1"}, False),
            ("max", "delete_workspace", {"workspace": "w1"}, True),
            ("mia", "create_workspace", {"workspace": "w1"}, True),
            ("max", "create_project", {"project": "p1", "workspace": "w1"}, False),
            ("mia", "create_project", {"project": "p4", "workspace": "w1"}, False),
            ("mia", "create_project", {"project": "p1", "workspace": "w1"}, True),
            ("andy", "create_workspace", {"workspace": "w9", "personal": True}, False),
        ],
    )


def test_what_may_be_restricted() -> None:
    highest = {}
    for permission in PERMISSIONS:
        for level in ROLES:
            try:
                change(acme(), "acme", "olga", "restrict", {"permission": permission, "level": level}, now=NOW)
            except RefusedByTheSpec:
                continue
            highest[permission] = level
    up_to_owner = (
        "project:delete",
        "task:delete",
        "storage:configure",
        "webhook:configure",
        "api_token:create",
        "project_dashboard:view",
        "members_dashboard:view",
        "annotator_dashboard:view",
    )
    assert highest == dict.fromkeys(("plugin:view", "plugin:configure"), "administrator") | dict.fromkeys(up_to_owner, "owner")
    with pytest.raises(RefusedByTheSpec):
        change(acme(), "acme", "ada", "restrict", {"permission": "task:delete", "level": "owner"}, now=NOW)


def test_what_is_no_change() -> None:
    for operation, arguments in (
        ("promote", {}),
        ("grant", {"user": "andy"}),
        ("grant", {"user": "andy", "role": "king"}),
        ("grant", {"user": "andy", "role": "reviewer", "on": "workspace:w1"}),
        ("add", {"user": "andy", "domain": "organization"}),
        ("add", {"user": "andy", "domain": "project:p1", "until": NOW.replace(tzinfo=None)}),
        ("configure", {"domain": "project:p1", "settings": {"colour": "red"}}),
        ("configure", {"domain": "project:p1", "settings": {"published": "yes"}}),
        ("restrict", {"permission": "data:burn", "level": "owner"}),
    ):
        with pytest.raises(NotAQuestion):
            change(acme(), "acme", "olga", operation, arguments, now=NOW)


def test_changes_keep_what_always_holds() -> None:
    dice = random.Random(1000)
    done: Counter[str] = Counter()
    for _ in range(120):
        state = some_state(dice)
        for _ in range(120):
            actor, operation, arguments = some_change(dice)
            before = copy.deepcopy(state)
            try:
                after = change(state, "acme", actor, operation, arguments, now=NOW)
            except RefusedByTheSpec:
                assert state == before
                continue
            assert state == before
            old, new = canonical(before, NOW)["acme"], canonical(after, NOW)["acme"]
            if old == new:
                assert after == before, (operation, arguments)
            else:
                # The very same change once more is the same state, or refused (inviting, creating, deleting, a transfer).
                try:
                    again = change(after, "acme", actor, operation, arguments, now=NOW)
                except RefusedByTheSpec:
                    pass
                else:
                    assert again == after, (operation, arguments)
                done[operation] += 1
            assert new["owner"] not in new["members"]
            if operation != "transfer_ownership":
                assert new["owner"] == old["owner"]
                assert new["members"].get(actor) == old["members"].get(actor)
            state = after
    assert set(done) == set(OPERATIONS)
