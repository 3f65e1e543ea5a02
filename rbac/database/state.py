"""The state of one organization as a set of facts, read in two ways that must agree: from the tables, and from the audit.

One rule: both ways end in the same canonical value, so that comparing them is `==`. What each kind of change carries:

    organization   {"owner", and every setting}        settings      {only the changed ones}
    owner          {"user"}                            restriction   {permission: level or null}
    member         user: {"role", "state"}             workspace     domain: {"created_by", "personal"}
    project        domain: {"workspace", "created_by", "published", "distribution",
                            "show_data_manager_to": [sorted], "review_only_assigned"}
    membership     user, domain: {"until"}             project_role  user, domain: {"role", "until"}
    pause          user, domain: {"reason", "until"}   task          domain: {"task"}
    assignment     user, domain: {"task", "as"}        worked_on     user, domain: {"task"}

`until` is ISO text or null. A change of a fact that stays may name only the keys that changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select

from rbac import tables
from rbac.database.chain import canonical, iso
from rbac.tables import SETTINGS
from rbac.vocabulary import Role


class Fact(NamedTuple):
    """The name of one fact. `user` and `name` are empty where the kind has none; `name` is a setting, permission or task."""

    kind: str
    domain: str
    user: str
    name: str

    def __str__(self) -> str:
        return " ".join(part for part in self if part)


@dataclass(slots=True)
class State:
    """The facts of one organization, each with its canonical JSON. Grows while it is read; equal when all facts are."""

    facts: dict[Fact, str] = field(default_factory=dict)

    def put(self, kind: str, value: dict[str, Any], *, domain: str = "organization", user: str | None = None) -> None:
        """Add what a table row says."""
        self.facts.update({fact: canonical(each) for fact, each in _facts(kind, domain, user, value).items()})

    def apply(self, kind: str, user: str | None, domain: str, before: str | None, after: str | None) -> str | None:
        """Replay one change (JSON texts); a sentence when it does not fit what was there, applied all the same."""
        old = _facts(kind, domain, user, json.loads(before) if before is not None else None)
        new = _facts(kind, domain, user, json.loads(after) if after is not None else None)
        problems = [*self._misfits(old), *(f"{fact} comes to be a second time" for fact in new if fact not in old and fact in self.facts)]
        for fact in old.keys() - new.keys():
            self.facts.pop(fact, None)
        for fact, value in new.items():
            self.facts[fact] = canonical(_merged(self.facts.get(fact), value))
        return problems[0] if problems else None

    def _misfits(self, old: dict[Fact, Any]) -> Iterator[str]:
        for fact, value in old.items():
            there = self.facts.get(fact)
            if there is None:
                yield f"{fact} changes and is not there"
            elif canonical(_merged(there, value)) != there:
                yield f"{fact} was {there} and not {canonical(value)} before"

    def differences(self, other: State) -> Iterator[str]:
        """Facts that are not the same here and there, in the order of their names."""
        unlike = {fact for fact, _ in self.facts.items() ^ other.facts.items()}
        for fact in sorted(unlike):
            yield f"{fact} is {other.facts.get(fact, 'nothing')} and by the audit {self.facts.get(fact, 'nothing')}"


def _merged(there: str | None, value: Any) -> Any:
    return {**json.loads(there), **value} if there is not None and isinstance(value, dict) else value


def _facts(kind: str, domain: str, user: str | None, value: dict[str, Any] | None) -> dict[Fact, Any]:
    """The facts that a change of this kind is about; a null setting or restriction is not there."""
    if value is None:
        return {}
    if kind == "organization":
        owner = {Fact("owner", domain, "", ""): {"user": value["owner"]}}
        return owner | _facts("settings", domain, None, {name: each for name, each in value.items() if name != "owner"})
    if kind in ("settings", "restriction"):
        return {Fact(kind, domain, "", name): each for name, each in value.items() if each is not None}
    return {Fact(kind, domain, user or "", _name(kind, value)): value}


def _name(kind: str, value: dict[str, Any]) -> str:
    if kind == "assignment":
        return f"{value['task']} {value['as']}"
    return str(value["task"]) if kind in ("task", "worked_on") else ""


def present(connection: Connection, organization: str) -> State:
    """The state as the tables have it; expired grants are there, as they are in the tables."""
    state = State()
    for read in (_organization, _members, _domains, _memberships, _project_roles_and_pauses, _tasks):
        read(connection, organization, state)
    return state


def _rows(connection: Connection, query: Select[Any]) -> Iterable[Row[Any]]:
    return connection.execute(query, execution_options={"yield_per": 1000})


def _until(at: int | None) -> str | None:
    return None if at is None else iso(at)


def _organization(connection: Connection, organization: str, state: State) -> None:
    table = tables.organization
    for row in _rows(connection, select(table).where(table.c.id == organization)):
        state.put("organization", {"owner": row.owner, **{name: getattr(row, name) for name in SETTINGS}})
    limits = tables.restriction
    for row in _rows(connection, select(limits).where(limits.c.organization == organization)):
        state.put("restriction", {row.permission: row.level})


def _members(connection: Connection, organization: str, state: State) -> None:
    table = tables.member
    for row in _rows(connection, select(table).where(table.c.organization == organization)):
        state.put("member", {"role": row.role, "state": row.state}, user=row.user)


def _domains(connection: Connection, organization: str, state: State) -> None:
    workspace, project = tables.workspace, tables.project
    for row in _rows(connection, select(workspace).where(workspace.c.organization == organization)):
        state.put("workspace", {"created_by": row.created_by, "personal": row.personal}, domain=f"workspace:{row.id}")
    for row in _rows(connection, select(project).where(project.c.organization == organization)):
        shown = {Role.ANNOTATOR: row.show_to_annotators, Role.REVIEWER: row.show_to_reviewers}
        value = {
            "workspace": row.workspace,
            "created_by": row.created_by,
            "published": row.published,
            "distribution": row.distribution,
            "show_data_manager_to": sorted(role for role in shown if shown[role]),
            "review_only_assigned": row.review_only_assigned,
        }
        state.put("project", value, domain=f"project:{row.id}")


def _memberships(connection: Connection, organization: str, state: State) -> None:
    workspace, project = tables.workspace_member, tables.project_member
    for row in _rows(connection, select(workspace).where(workspace.c.organization == organization)):
        state.put("membership", {"until": _until(row.until)}, user=row.user, domain=f"workspace:{row.workspace}")
    for row in _rows(connection, select(project).where(project.c.organization == organization)):
        state.put("membership", {"until": _until(row.until)}, user=row.user, domain=f"project:{row.project}")


def _project_roles_and_pauses(connection: Connection, organization: str, state: State) -> None:
    role, pause = tables.project_role, tables.pause
    for row in _rows(connection, select(role).where(role.c.organization == organization)):
        state.put("project_role", {"role": row.role, "until": _until(row.until)}, user=row.user, domain=f"project:{row.project}")
    for row in _rows(connection, select(pause).where(pause.c.organization == organization)):
        state.put("pause", {"reason": row.reason, "until": _until(row.until)}, user=row.user, domain=f"project:{row.project}")


def _tasks(connection: Connection, organization: str, state: State) -> None:
    task, assignment, worked_on = tables.task, tables.assignment, tables.worked_on
    for row in _rows(connection, select(task).where(task.c.organization == organization)):
        state.put("task", {"task": row.id}, domain=f"project:{row.project}")
    for row in _rows(connection, select(assignment).where(assignment.c.organization == organization)):
        state.put("assignment", {"task": row.task, "as": row.kind}, user=row.user, domain=f"project:{row.project}")
    for row in _rows(connection, select(worked_on).where(worked_on.c.organization == organization)):
        state.put("worked_on", {"task": row.task}, user=row.user, domain=f"project:{row.project}")
