"""What the application records of its tasks: which there are, and who has worked on which.

Nobody's power depends on it, so it is outside revisions, audit and lock: written set by set, stamped with the instant, and
kept in `ended_task_fact` when it ends, so that a past moment can still be asked. Ids are written in order, since two
writers in opposite order would wait for each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, literal, select, text

from rbac.database import tables as t
from rbac.database.engine import is_sqlite
from rbac.database.stored_facts import Fact
from rbac.errors import Refused
from rbac.vocabulary import State

_MISSING = {
    "sqlite": """SELECT value FROM json_each(:ids) WHERE NOT EXISTS
        (SELECT 1 FROM rbac_task WHERE organization = :organization AND project = :project AND id = value) ORDER BY value LIMIT 1""",
    "postgresql": """SELECT value FROM unnest(CAST(:ids AS text[])) AS value WHERE NOT EXISTS
        (SELECT 1 FROM rbac_task WHERE organization = :organization AND project = :project AND id = value) ORDER BY value LIMIT 1""",
}
_NEW_TASKS = {
    "sqlite": """INSERT INTO rbac_task (organization, project, id, since)
        SELECT :organization, :project, value, :at FROM json_each(:ids) WHERE true ON CONFLICT DO NOTHING""",
    "postgresql": """INSERT INTO rbac_task (organization, project, id, since)
        SELECT :organization, :project, value, :at FROM unnest(CAST(:ids AS text[])) AS value ON CONFLICT DO NOTHING""",
}
_NEW_WORK = {
    "sqlite": """INSERT INTO rbac_worked_on (organization, project, task, "user", since)
        SELECT :organization, :project, json_extract(value, '$[0]'), json_extract(value, '$[1]'), :at
        FROM json_each(:ids) WHERE true ON CONFLICT DO NOTHING""",
    "postgresql": """INSERT INTO rbac_worked_on (organization, project, task, "user", since)
        SELECT :organization, :project, task, "user", :at
        FROM unnest(CAST(:ids AS text[]), CAST(:users AS text[])) AS work (task, "user") ON CONFLICT DO NOTHING""",
}


def record(
    connection: Connection, organization: str, project: str, *, tasks: Iterable[str], worked_on: Mapping[str, Sequence[str]], at: int
) -> None:
    """Write what is not there yet; refused whole when a project, task or user it names is not there."""
    known = {"organization": organization, "project": project}
    _ensure_project(connection, organization, project)
    new = sorted(set(tasks))
    if new:
        _run(connection, _NEW_TASKS, new, **known, at=at)
    work = sorted({(task, user) for task, users in worked_on.items() for user in users})
    if worked_on:
        missing = _run(connection, _MISSING, sorted(worked_on), **known).scalar()
        if missing is not None:
            raise Refused(f"there is no task {missing} in project:{project}")
    if work:
        _ensure_members(connection, organization, sorted({user for _, user in work}))
        _run(connection, _NEW_WORK, work, **known, at=at)


def end_tasks(connection: Connection, organization: str, project: str, *, at: int, tasks: Sequence[str] | None = None) -> None:
    """Take tasks of a project away, or all of them, with the work on them; what is assigned must have been taken back."""
    for part in _parts(tasks):  # so that no work is recorded between the two deletions below
        there = [t.task.c.organization == organization, t.task.c.project == project, *([t.task.c.id.in_(part)] if part is not None else [])]
        connection.execute(select(t.task.c.id).where(*there).order_by(t.task.c.id).with_for_update()).close()
    for table, task, user in ((t.worked_on, t.worked_on.c.task, t.worked_on.c.user), (t.task, t.task.c.id, literal(""))):
        for part in _parts(tasks):
            where = [table.c.organization == organization, table.c.project == project, *([task.in_(part)] if part is not None else [])]
            _end(connection, table, task, user, where, at)


def end_work(connection: Connection, organization: str, project: str, task: str, user: str, *, at: int) -> None:
    """Take one user's work on a task away."""
    c = t.worked_on.c
    _end(
        connection, t.worked_on, c.task, c.user, [c.organization == organization, c.project == project, c.task == task, c.user == user], at
    )


def task_facts_at(connection: Connection, organization: str, at: int) -> Iterator[Fact]:
    """The tasks of every project, and the work on them, as they were at an instant."""
    tasks, work, ended = t.task.c, t.worked_on.c, t.ended_task_fact.c
    for query in (
        select(tasks.project, tasks.id.label("task"), literal("").label("user")).where(
            tasks.organization == organization, tasks.since <= at
        ),
        select(work.project, work.task, work.user).where(work.organization == organization, work.since <= at),
        select(ended.project, ended.task, ended.user).where(ended.organization == organization, ended.since <= at, ended.gone > at),
    ):
        for row in connection.execute(query.execution_options(yield_per=1000)):
            yield Fact("worked_on" if row.user else "task", row.user or None, f"project:{row.project}", {"task": row.task})


def _end(connection: Connection, table: Any, task: Any, user: Any, where: list[Any], at: int) -> None:
    ended = select(table.c.organization, table.c.project, task, user, table.c.since, literal(at)).where(*where)
    columns = ["organization", "project", "task", "user", "since", "gone"]
    connection.execute(insert(t.ended_task_fact).from_select(columns, ended))
    connection.execute(delete(table).where(*where))


def _ensure_project(connection: Connection, organization: str, project: str) -> None:
    if connection.execute(select(t.organization.c.id).where(t.organization.c.id == organization)).first() is None:
        raise Refused(f"there is no organization {organization}")
    there = select(t.project.c.id).where(t.project.c.organization == organization, t.project.c.id == project)
    if connection.execute(there).first() is None:
        raise Refused(f"there is no project {project} in {organization}")


def _ensure_members(connection: Connection, organization: str, users: Sequence[str]) -> None:
    states: dict[str, str] = {}
    for part in _parts(users):
        query = select(t.member.c.user, t.member.c.state).where(t.member.c.organization == organization, t.member.c.user.in_(part or ()))
        states.update((row.user, row.state) for row in connection.execute(query))
    for user in users:
        state = states.get(user)
        if state is None or state == State.INVITED:
            raise Refused(f"{user} is {'invited and has no work yet' if state else 'no member'} in {organization}")


_MOST = 1000  # ids in one statement


def _parts(ids: Sequence[str] | None) -> Iterator[Sequence[str] | None]:
    if ids is None:
        yield None
        return
    for start in range(0, len(ids), _MOST):
        yield ids[start : start + _MOST]


def _run(connection: Connection, statements: Mapping[str, str], ids: Sequence[Any], **values: Any) -> Any:
    """A statement over a list of ids, or of pairs of ids, as each database takes one."""
    if is_sqlite(connection):
        return connection.execute(text(statements["sqlite"]), {**values, "ids": json.dumps(ids)})
    if ids and isinstance(ids[0], tuple):
        values["users"], ids = [user for _, user in ids], [task for task, _ in ids]
    return connection.execute(text(statements["postgresql"]), {**values, "ids": list(ids)})
