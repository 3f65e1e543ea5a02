"""Facts of an organization as rows, and a change of one fact as the row it touches and the audit entry it leaves.

A fact has a kind, perhaps a user, a domain and a small JSON value, the same in the tables, the audit and the state
file. Its one rule: assignments are written here and nowhere else, so no row can change without its audit entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, delete, insert, select, update

from rbac import tables as t
from rbac.clock import parse_instant, write_instant
from rbac.database.work import Work
from rbac.vocabulary import Domain

Value = dict[str, Any]

ORGANIZATION = "organization"
_BATCH = 1000


class Fact(NamedTuple):
    """One fact. `key` tells facts of one kind, user and domain apart: the task, or the permission restricted."""

    kind: str
    user: str | None
    domain: str
    value: Value

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What two values of the same fact have in common."""
        detail = "" if self.kind not in _DETAILED else " ".join(str(self.value[name]) for name in _DETAILED[self.kind])
        return self.kind, self.user or "", self.domain, next(iter(self.value)) if self.kind == "restriction" else detail


_DETAILED = {"task": ("task",), "assignment": ("task", "as"), "worked_on": ("task",)}


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
    written, personal = 0, frozenset[str]()
    for _, alike in groupby(facts, key=lambda fact: (fact.kind, fact.domain.partition(":")[0])):
        for batch in _batches(alike):
            rows = [_row(work.organization, fact.kind, fact.user, fact.domain, fact.value) for fact in batch]
            values = [{**row.key, **row.rest} for row in rows]
            if rows[0].table is t.project:
                personal = personal or _personal_workspaces(work)
                values = [{**each, "personal": each["workspace"] in personal} for each in values]
            work.connection.execute(insert(rows[0].table), values)
            for fact in batch:
                work.record(fact.kind, user=fact.user, domain=fact.domain, after=fact.value)
            written += len(batch)
            yield written


def facts_of(connection: Connection, organization: str) -> Iterator[Fact]:
    """Every fact of an organization but the Owner, streamed, each kind after those it refers to; ids in order."""
    yield Fact("settings", None, ORGANIZATION, _settings(connection, organization))
    for table, read in _READERS:
        query = select(table).where(table.c.organization == organization).order_by(*table.primary_key)
        with connection.execution_options(yield_per=_BATCH).execute(query) as rows:
            for row in rows:
                yield read(row)


def facts_in(connection: Connection, organization: str, table: Table, domain: Domain) -> Iterator[Fact]:
    """The facts that one table keeps about one domain, in key order."""
    read = next(reader for kept, reader in _READERS if kept is table)
    where = (table.c.organization == organization, table.c[str(domain.kind)] == domain.id)
    for row in connection.execute(select(table).where(*where).order_by(*table.primary_key)):
        yield read(row)


def _batches(facts: Iterable[Fact]) -> Iterator[list[Fact]]:
    batch: list[Fact] = []
    for fact in facts:
        batch.append(fact)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _personal_workspaces(work: Work) -> frozenset[str]:
    """Which workspaces are personal: a thousand projects cannot each ask."""
    query = select(t.workspace.c.id).where(t.workspace.c.organization == work.organization, t.workspace.c.personal)
    return frozenset(work.connection.execute(query).scalars())


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


def _project_value(row: Any) -> Value:
    shown = [role for role, on in (("annotator", row.show_to_annotators), ("reviewer", row.show_to_reviewers)) if on]
    return {
        "workspace": row.workspace,
        "created_by": row.created_by,
        "published": bool(row.published),
        "distribution": row.distribution,
        "show_data_manager_to": shown,
        "review_only_assigned": bool(row.review_only_assigned),
    }


def _settings(connection: Connection, organization: str) -> Value:
    row = connection.execute(select(t.organization).where(t.organization.c.id == organization)).mappings().one()
    return {name: bool(row[name]) for name in t.SETTINGS}


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)


def until_text(until: int | None) -> str | None:
    """An end as a fact has it: ISO text, None for never."""
    return None if until is None else write_instant(until)


_READERS: tuple[tuple[Table, Any], ...] = (
    (t.member, lambda row: Fact("member", row.user, ORGANIZATION, {"role": row.role, "state": row.state})),
    (t.restriction, lambda row: Fact("restriction", None, ORGANIZATION, {row.permission: row.level})),
    (
        t.workspace,
        lambda row: Fact("workspace", None, f"workspace:{row.id}", {"created_by": row.created_by, "personal": bool(row.personal)}),
    ),
    (t.project, lambda row: Fact("project", None, f"project:{row.id}", _project_value(row))),
    (t.workspace_member, lambda row: Fact("membership", row.user, f"workspace:{row.workspace}", {"until": until_text(row.until)})),
    (t.project_member, lambda row: Fact("membership", row.user, f"project:{row.project}", {"until": until_text(row.until)})),
    (
        t.project_role,
        lambda row: Fact("project_role", row.user, f"project:{row.project}", {"role": row.role, "until": until_text(row.until)}),
    ),
    (t.pause, lambda row: Fact("pause", row.user, f"project:{row.project}", {"reason": row.reason, "until": until_text(row.until)})),
    (t.task, lambda row: Fact("task", None, f"project:{row.project}", {"task": row.id})),
    (t.assignment, lambda row: Fact("assignment", row.user, f"project:{row.project}", {"task": row.task, "as": row.kind})),
    (t.worked_on, lambda row: Fact("worked_on", row.user, f"project:{row.project}", {"task": row.task})),
)
"""The tables in the order of their references, and how a row of each reads as a fact."""
