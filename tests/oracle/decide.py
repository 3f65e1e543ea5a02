"""A whole question over the dictionary of a state file: the facts are derived the plain, slow way, then the table answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from tests.oracle.cells import KIND, ROLES, answer

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
WORKERS = ("annotator", "reviewer")
State = dict[str, Any]


class NotAQuestion(Exception):
    """What is an error, and not a no."""


def decide(
    state: State,
    organization: str,
    user: str,
    permission: str,
    domain: str,
    *,
    target: str | None = None,
    task: str | None = None,
    via: str = "ui",
    now: datetime,
) -> bool:
    """Whether the user may."""
    kind, where = domain_of(domain)
    if permission not in KIND or KIND[permission] != kind or via not in ("ui", "api"):
        raise NotAQuestion(permission)
    if task is not None and kind != "project":
        raise NotAQuestion(task)
    for name in (user, target, task):
        if name is not None and not ID.fullmatch(name):
            raise NotAQuestion(name)
    for there in state["organizations"]:
        if there["id"] == organization:
            return Organization(there, now).decide(user, permission, kind, where, target, task, via)
    return False


def domain_of(domain: str) -> tuple[str, str]:
    """The kind and the id of an address."""
    if domain == "organization":
        return "organization", ""
    kind, _, name = domain.partition(":")
    if kind not in ("workspace", "project") or not ID.fullmatch(name):
        raise NotAQuestion(domain)
    return kind, name


def instant(value: Any) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value if value is None else value.astimezone(UTC)


class Organization:
    """One organization of a state file, read as the specification reads it."""

    def __init__(self, said: State, now: datetime) -> None:
        self.said, self.now = said, now
        self.workspaces = {each["id"]: each for each in said.get("workspaces", [])}
        self.projects = {each["id"]: (each, home) for home in said.get("workspaces", []) for each in home.get("projects", [])}
        self.settings = {
            "plugins_enabled": False,
            "manual_role_management": True,
            "administrators_make_administrators": True,
            "tokens_for_annotators_and_reviewers": True,
            **said.get("settings", {}),
        }

    # people

    def is_member(self, user: str) -> bool:
        return user == self.said["owner"] or user in self.said.get("members", {})

    def status(self, user: str) -> str:
        said = self.said.get("members", {}).get(user, "annotator")
        return "active" if user == self.said["owner"] or isinstance(said, str) else said.get("state", "active")

    def is_active(self, user: str) -> bool:
        return self.is_member(user) and self.status(user) == "active"

    def role(self, user: str) -> str | None:
        """The organization role, whatever the state."""
        if user == self.said["owner"]:
            return "owner"
        said = self.said["members"][user]
        return said if isinstance(said, str) else said.get("role")

    def role_in(self, user: str, project: str | None) -> str | None:
        """The role in force."""
        role = self.role(user)
        if project is not None and role in WORKERS:
            given = self.projects[project][0].get("project_roles", {}).get(user)
            if isinstance(given, str):
                return given
            if given is not None and self.lasts(given):
                return str(given["role"])
        return role

    def lasts(self, row: State | None) -> bool:
        until = instant((row or {}).get("until"))
        return until is None or until > self.now

    def listed(self, part: State, user: str) -> bool:
        members = part.get("members", [])
        if isinstance(members, list):
            return user in members
        return user in members and self.lasts(members[user])

    def counts(self, user: str) -> bool:
        """Whether having created something counts: an active member, manager or above."""
        return self.is_active(user) and self.role(user) in ROLES[2:]

    def reaches_workspace(self, user: str, home: State) -> bool:
        return (home.get("created_by") == user and self.counts(user)) or self.listed(home, user)

    def reaches_project(self, user: str, project: State, home: State) -> bool:
        made = project.get("created_by") == user and self.counts(user)
        return made or self.listed(project, user) or self.reaches_workspace(user, home)

    def share(self, one: str, other: str) -> bool:
        for home in self.workspaces.values():
            if home.get("personal"):
                continue
            if self.reaches_workspace(one, home) and self.reaches_workspace(other, home):
                return True
            for project in home.get("projects", []):
                if self.reaches_project(one, project, home) and self.reaches_project(other, project, home):
                    return True
        return False

    # questions

    def decide(self, user: str, permission: str, kind: str, where: str, target: str | None, task: str | None, via: str) -> bool:
        if not self.is_active(user):
            return False
        if (kind == "workspace" and where not in self.workspaces) or (kind == "project" and where not in self.projects):
            return False
        if via == "api" and not self.decide(user, "api:access", "organization", "", None, None, "ui"):
            return False
        role = self.role_in(user, where if kind == "project" else None)
        assert role is not None
        return answer(role, permission, self.facts(user, role, permission, kind, where, target, task))

    def facts(self, user: str, role: str, permission: str, kind: str, where: str, target: str | None, task: str | None) -> State:
        facts: State = {
            "kind": kind,
            "role": role,
            "plugins_enabled": self.settings["plugins_enabled"],
            "manual_role_management": self.settings["manual_role_management"],
            "tokens_for_annotators_and_reviewers": self.settings["tokens_for_annotators_and_reviewers"],
            "restricted_to": self.said.get("restrictions", {}).get(permission),
            "target_named": target is not None,
            "task_named": task is not None,
        }
        if kind == "workspace":
            facts |= self.about_workspace(user, self.workspaces[where])
        if kind == "project":
            project, home = self.projects[where]
            facts |= self.about_workspace(user, home) | self.about_project(user, project, task)
        if target is not None:
            facts["target_known"] = self.is_member(target)
            if self.is_member(target):
                facts |= self.about_target(user, target, kind, where)
        return facts

    def about_workspace(self, user: str, home: State) -> State:
        return {
            "created_workspace": home.get("created_by") == user,
            "workspace_member": self.listed(home, user),
            "personal": home.get("personal", False),
            "workspace_empty": not home.get("projects"),
        }

    def about_project(self, user: str, project: State, task: str | None) -> State:
        tasks = {name: said or {} for name, said in project.get("tasks", {}).items()}
        pause = project.get("paused", {}).get(user)
        facts = {
            "created_project": project.get("created_by") == user,
            "project_member": self.listed(project, user),
            "published": project.get("published", False),
            "distribution": project.get("distribution", "automatic"),
            "show_data_manager_to": frozenset(project.get("show_data_manager_to", [])),
            "review_only_assigned": project.get("review_only_assigned", False),
            "assigned_as_annotator": any(user in each.get("annotators", []) for each in tasks.values()),
            "assigned_as_reviewer": any(user in each.get("reviewers", []) for each in tasks.values()),
            "paused": isinstance(pause, str) or (pause is not None and self.lasts(pause)),
        }
        if task is not None:
            said = tasks.get(task, {})
            facts["task_exists"] = task in tasks
            facts["task_annotator"] = user in said.get("annotators", [])
            facts["task_reviewer"] = user in said.get("reviewers", [])
            facts["task_worked_on"] = user in said.get("worked_on_by", [])
        return facts

    def about_target(self, user: str, target: str, kind: str, where: str) -> State:
        facts = {
            "target_is_user": target == user,
            "target_active": self.is_active(target),
            "target_role": self.role_in(target, where if kind == "project" else None),
            "shares_domain_with_target": self.share(user, target),
        }
        if kind == "project":
            project, home = self.projects[where]
            facts["target_created_project"] = project.get("created_by") == target
            facts["target_project_member"] = self.listed(project, target)
            facts["target_created_workspace"] = home.get("created_by") == target
            facts["target_workspace_member"] = self.listed(home, target)
        return facts
