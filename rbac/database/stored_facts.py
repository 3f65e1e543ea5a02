"""Facts: what the tables hold of one organization, row by row, as small JSON values.

A fact has a kind, perhaps a user, a domain and a value, the same in the tables, the audit and the state file:

    settings       {every switch}                      restriction   {permission: level}
    member         user: {"role", "state"}             workspace     domain: {"created_by", "personal"}
    project        domain: {"workspace", "created_by", "published", "distribution",
                            "show_data_manager_to": [sorted], "review_only_assigned"}
    membership     user, domain: {"until"}             project_role  user, domain: {"role", "until"}
    pause          user, domain: {"reason", "until"}   task          domain: {"task"}
    assignment     user, domain: {"task", "as"}        worked_on     user, domain: {"task"}

`until` is ISO text or null. Its one rule: this is the only place where a row is read as a fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from rbac.clock import kept_instant
from rbac.database import tables as t
from rbac.database.chain import iso
from rbac.vocabulary import Domain

Value = dict[str, Any]

ORGANIZATION = "organization"
_BATCH = 1000


class Fact(NamedTuple):
    """One fact of an organization."""

    kind: str
    user: str | None
    domain: str
    value: Value

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What two values of the same fact have in common: with kind, user and domain the task, or the permission restricted."""
        detail = "" if self.kind not in _DETAILED else " ".join(str(self.value[name]) for name in _DETAILED[self.kind])
        return self.kind, self.user or "", self.domain, next(iter(self.value)) if self.kind == "restriction" else detail


_DETAILED = {"task": ("task",), "assignment": ("task", "as"), "worked_on": ("task",)}


def facts_of(connection: Connection, organization: str) -> Iterator[Fact]:
    """Every fact of an organization but the Owner, streamed, each kind after those it refers to; ids in order."""
    yield Fact("settings", None, ORGANIZATION, _settings(connection, organization))
    for table, read in _READERS:
        query = select(table).where(table.c.organization == organization).order_by(*table.primary_key)
        with connection.execute(query.execution_options(yield_per=_BATCH)) as rows:
            for row in rows:
                yield read(row)


def facts_in(connection: Connection, organization: str, table: Table, domain: Domain) -> Iterator[Fact]:
    """The facts that one table keeps about one domain, in key order."""
    read = next(reader for kept, reader in _READERS if kept is table)
    where = (table.c.organization == organization, table.c[str(domain.kind)] == domain.id)
    for row in connection.execute(select(table).where(*where).order_by(*table.primary_key)):
        yield read(row)


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


def until_text(until: int | None) -> str | None:
    """An end as a fact has it: ISO text, None for never."""
    end = kept_instant(until)
    return None if end is None else iso(end)


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
