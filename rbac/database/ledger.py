"""A change of one fact: the row it touches and the audit entry it leaves.

Its one rule: assignments are written here and nowhere else, so no row can change without its audit entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, delete, insert, select, update

from rbac.clock import parse_instant
from rbac.database import tables as t
from rbac.database.bulk import insert_many
from rbac.database.stored_facts import ORGANIZATION, Fact, Value
from rbac.database.unit_of_work import Work

_BATCH = 1000


class _Row(NamedTuple):
    """Where a fact is kept: its table, the columns that find it, and the others."""

    table: Table
    key: dict[str, Any]
    rest: dict[str, Any]


def write(
    work: Work,
    kind: str,
    *,
    user: str | None = None,
    domain: str = ORGANIZATION,
    before: Value | None = None,
    after: Value | None = None,
) -> None:
    """Change one fact, row and audit together; `None` for "is not there". Nothing happens when both are the same."""
    if before == after:
        return
    was = None if before is None else _row(work.organization, kind, user, domain, before)
    now = None if after is None else _row(work.organization, kind, user, domain, after)
    if was is not None and now is not None:
        work.connection.execute(update(now.table).where(*_at(now)).values(**now.rest))
    elif now is not None:
        work.connection.execute(insert(now.table).values(**now.key, **now.rest))
    elif was is not None:
        work.connection.execute(delete(was.table).where(*_at(was)))
    work.record(kind, user=user, domain=domain, before=before, after=after)


def add_all(work: Work, facts: Iterable[Fact]) -> Iterator[int]:
    """Write facts that are not there yet, in the order given, a thousand rows a statement; yields how many so far."""
    written = 0
    for batch in _inserted(work.connection, work.organization, facts):
        for fact in batch:
            work.record(fact.kind, user=fact.user, domain=fact.domain, after=fact.value, kept=False)
        written += len(batch)
        yield written


def copy_all(connection: Connection, organization: str, facts: Iterable[Fact]) -> None:
    """Write facts that an audit has already, in the order given: into tables in memory that show the past."""
    for _ in _inserted(connection, organization, facts):
        pass


def _inserted(connection: Connection, organization: str, facts: Iterable[Fact]) -> Iterator[list[Fact]]:
    """Insert facts of one kind after the other; yields each batch once it is there."""
    personal = frozenset[str]()
    for _, alike in groupby(facts, key=lambda fact: (fact.kind, fact.domain.partition(":")[0])):
        for batch in _batches(alike):
            rows = [_row(organization, fact.kind, fact.user, fact.domain, fact.value) for fact in batch]
            values = [{**row.key, **row.rest} for row in rows]
            if rows[0].table is t.project:
                personal = personal or _personal_workspaces(connection, organization)
                values = [{**each, "personal": each["workspace"] in personal} for each in values]
            insert_many(connection, rows[0].table, values)
            yield batch


def _batches(facts: Iterable[Fact]) -> Iterator[list[Fact]]:
    batch: list[Fact] = []
    for fact in facts:
        batch.append(fact)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _personal_workspaces(connection: Connection, organization: str) -> frozenset[str]:
    """Which workspaces are personal: a thousand projects cannot each ask."""
    query = select(t.workspace.c.id).where(t.workspace.c.organization == organization, t.workspace.c.personal)
    return frozenset(connection.execute(query).scalars())


def _at(row: _Row) -> list[Any]:
    return [row.table.c[name] == value for name, value in row.key.items()]


def _row(organization: str, kind: str, user: str | None, domain: str, value: Value) -> _Row:
    """The row of a fact."""
    where = domain.partition(":")[2]
    key: dict[str, Any] = {"organization": organization}
    match kind:
        case "settings":
            return _Row(t.organization, {"id": organization}, value)
        case "owner":
            return _Row(t.organization, {"id": organization}, {"owner": value["user"]})
        case "member":
            return _Row(t.member, {**key, "user": user}, value)
        case "restriction":
            ((permission, level),) = value.items()
            return _Row(t.restriction, {**key, "permission": permission}, {"level": level})
        case "workspace":
            return _Row(t.workspace, {**key, "id": where}, value)
        case "project":
            home = (t.workspace.c.organization == organization, t.workspace.c.id == value["workspace"])
            personal = select(t.workspace.c.personal).where(*home).scalar_subquery()
            return _Row(t.project, {**key, "id": where}, {**_project_columns(value), "personal": personal})
        case "membership":
            in_workspace = domain.startswith("workspace:")
            table, column = (t.workspace_member, "workspace") if in_workspace else (t.project_member, "project")
            return _Row(table, {**key, "user": user, column: where}, {"until": _instant(value["until"]), "personal": False})
        case "project_role":
            return _Row(t.project_role, {**key, "user": user, "project": where}, {"role": value["role"], "until": _instant(value["until"])})
        case "pause":
            return _Row(t.pause, {**key, "user": user, "project": where}, {"reason": value["reason"], "until": _instant(value["until"])})
        case "task":
            return _Row(t.task, {**key, "project": where, "id": value["task"]}, {})
        case "assignment":
            return _Row(t.assignment, {**key, "project": where, "task": value["task"], "user": user, "kind": value["as"]}, {})
        case "worked_on":
            return _Row(t.worked_on, {**key, "project": where, "task": value["task"], "user": user}, {})
    raise ValueError(f"no such kind of fact: {kind}")


def _project_columns(value: Value) -> dict[str, Any]:
    columns = {name: value[name] for name in ("workspace", "created_by", "published", "distribution", "review_only_assigned")}
    shown = value["show_data_manager_to"]
    return {
        **columns,
        "show_to_annotators": "annotator" in shown,
        "show_to_reviewers": "reviewer" in shown,
    }


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)
