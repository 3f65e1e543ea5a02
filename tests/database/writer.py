"""Changes as the program makes them: a row of a table and the change of the audit that says so, side by side.

`put` and `drop` take what the audit takes; they know no authority rule and leave every invariant to the database.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, insert, select, update

from rbac.database import tables
from rbac.database.audit.replay import State, present
from rbac.database.unit_of_work import Work

Value = dict[str, Any]

_TABLES: dict[str, Table[Any]] = {
    "member": tables.member,
    "workspace": tables.workspace,
    "project": tables.project,
    "project_role": tables.project_role,
    "pause": tables.pause,
    "task": tables.task,
    "assignment": tables.assignment,
    "worked_on": tables.worked_on,
}


def put(work: Work, kind: str, value: Value, *, user: str | None = None, domain: str = "organization", before: Value | None = None) -> None:
    """Write and record one fact; `before` is what it was, None when it is new."""
    table, key, columns = _row(work, kind, value, user, domain)
    if kind in ("task", "worked_on"):  # outside revisions
        work.commit_unchanged()
        work.connection.execute(insert(table).values(**key, **columns, since=work.at))
        return
    if before is None:
        work.connection.execute(insert(table).values(**key, **columns))
    else:
        work.connection.execute(update(table).where(*(table.c[name] == each for name, each in key.items())).values(**columns))
    work.record(kind, user=user, domain=domain, before=before, after=value)


def drop(work: Work, kind: str, value: Value, *, user: str | None = None, domain: str = "organization") -> None:
    """Remove and record one fact."""
    table, key, _ = _row(work, kind, value, user, domain)
    work.connection.execute(delete(table).where(*(table.c[name] == each for name, each in key.items())))
    work.record(kind, user=user, domain=domain, before=value)


def settings(work: Work, value: dict[str, bool]) -> None:
    """Set switches of the organization and record the ones that change."""
    table = tables.organization
    row = work.connection.execute(select(table).where(table.c.id == work.organization)).one()
    changed = {name: each for name, each in value.items() if getattr(row, name) != each}
    if changed:
        work.connection.execute(update(table).where(table.c.id == work.organization).values(**changed))
        work.record("settings", before={name: getattr(row, name) for name in changed}, after=changed)


def restrict(work: Work, permission: str, level: str | None) -> None:
    """Set or lift a restriction and record it."""
    table = tables.restriction
    here = (table.c.organization == work.organization) & (table.c.permission == permission)
    before = work.connection.scalar(select(table.c.level).where(here))
    work.connection.execute(delete(table).where(here))
    if level is not None:
        work.connection.execute(insert(table).values(organization=work.organization, permission=permission, level=level))
    work.record("restriction", before={permission: before}, after={permission: level})


def hand_over(work: Work, to: str) -> None:
    """Make `to` the Owner and record it."""
    table = tables.organization
    before = work.connection.scalar(select(table.c.owner).where(table.c.id == work.organization))
    work.connection.execute(update(table).where(table.c.id == work.organization).values(owner=to))
    work.record("owner", before={"user": before}, after={"user": to})


def now(work: Work) -> State:
    """What the tables say inside the transaction."""
    return present(work.connection, work.organization)


def _row(work: Work, kind: str, value: Value, user: str | None, domain: str) -> tuple[Table[Any], Value, Value]:
    """The table, the key and the other columns of a fact."""
    place, _, name = domain.partition(":")
    key: Value = {"organization": work.organization, **({"user": user} if user is not None else {})}
    columns = dict(value)
    if "until" in columns and columns["until"] is not None:
        columns["until"] = round(datetime.fromisoformat(columns["until"]).timestamp() * 1_000_000)
    if kind == "membership":
        table: Table[Any] = tables.workspace_member if place == "workspace" else tables.project_member
        return table, key | {place: name}, columns | {"personal": False}
    if kind in ("workspace", "project"):
        key["id"] = name
    elif place == "project":
        key["project"] = name
    if kind == "project":
        shown = columns.pop("show_data_manager_to")
        workspace = tables.workspace
        here = (workspace.c.organization == work.organization) & (workspace.c.id == columns["workspace"])
        columns["personal"] = bool(work.connection.scalar(select(workspace.c.personal).where(here)))
        columns |= {"show_to_annotators": "annotator" in shown, "show_to_reviewers": "reviewer" in shown}
    if kind in ("task", "assignment", "worked_on"):
        key["id" if kind == "task" else "task"] = columns.pop("task")
    if "as" in columns:
        key["kind"] = columns.pop("as")
    return _TABLES[kind], key, columns
