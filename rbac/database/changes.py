"""A change of one fact: the row it touches and the audit entry it leaves.

Its one rule: facts are written here and nowhere else, so no row can change without its audit entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from sqlalchemy import Connection, delete, insert, select, update

from rbac.database import tables as t
from rbac.database.bulk import insert_many
from rbac.database.stored_facts import ORGANIZATION, UNAUDITED, Fact, Value, stored_kind
from rbac.database.task_facts import end_tasks, end_work, record
from rbac.database.unit_of_work import Work

_BATCH = 1000


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
    value = before if after is None else after
    if before == after or value is None:
        return None
    stored = stored_kind(kind, domain)
    table, row = stored.table, stored.row(work.organization, user, domain, value)
    if not stored.audited:
        return _write_task_fact(work, row, domain, gone=after is None)
    if table is t.project:
        home = (t.workspace.c.organization == work.organization, t.workspace.c.id == value["workspace"])
        row["personal"] = select(t.workspace.c.personal).where(*home).scalar_subquery()
    key = {column.name: row.pop(column.name) for column in table.primary_key}
    where = [table.c[name] == each for name, each in key.items()]
    if after is None:
        work.connection.execute(delete(table).where(*where))
    elif before is None:
        work.connection.execute(insert(table).values(**key, **row))
    else:
        work.connection.execute(update(table).where(*where).values(**row))
    return work.record(kind, user=user, domain=domain, before=before, after=after)


def _write_task_fact(work: Work, row: dict[str, str], domain: str, *, gone: bool) -> None:
    """One of the application's facts, as a state file names it: a task, or a user who has worked on it."""
    work.commit_unchanged()
    connection, organization, project = work.connection, work.organization, domain.partition(":")[2]
    if gone and "user" in row:
        return end_work(connection, organization, project, row["task"], row["user"], at=work.at)
    if gone:
        return end_tasks(connection, organization, project, at=work.at, tasks=[row["id"]])
    tasks, worked_on = ([], {row["task"]: [row["user"]]}) if "user" in row else ([row["id"]], {})
    return record(connection, organization, project, tasks=tasks, worked_on=worked_on, at=work.at)


def add_all(work: Work, facts: Iterable[Fact]) -> Iterator[int]:
    """Write facts that are not there yet, in the order given, a thousand rows a statement; yields how many so far."""
    written = 0
    for batch in _inserted(work.connection, work.organization, facts, work.at):
        for fact in batch if batch[0].kind not in UNAUDITED else ():
            work.record(fact.kind, user=fact.user, domain=fact.domain, after=fact.value, kept=False)
        written += len(batch)
        yield written


def copy_all(connection: Connection, organization: str, facts: Iterable[Fact], at: int) -> None:
    """Write facts that an audit has already, in the order given: into tables in memory that show the past."""
    for _ in _inserted(connection, organization, facts, at):
        pass


def _inserted(connection: Connection, organization: str, facts: Iterable[Fact], at: int) -> Iterator[list[Fact]]:
    """Insert facts of one kind after the other; yields each batch once it is there."""
    personal = frozenset[str]()
    for (kind, level), alike in groupby(facts, key=lambda fact: (fact.kind, fact.domain.partition(":")[0])):
        stored = stored_kind(kind, level)
        for batch in _batches(alike):
            rows = [stored.row(organization, fact.user, fact.domain, fact.value) for fact in batch]
            if stored.table is t.project:
                personal = personal or _personal_workspaces(connection, organization)
                rows = [{**row, "personal": row["workspace"] in personal} for row in rows]
            if not stored.audited:
                rows = [{**row, "since": at} for row in rows]
            insert_many(connection, stored.table, rows)
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
