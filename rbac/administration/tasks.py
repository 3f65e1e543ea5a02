"""Tasks: assignments by a member, and the application's facts: which tasks exist and who has worked on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from rbac.administration.authority import Authority
from rbac.database import tables as t
from rbac.database.changes import write
from rbac.database.unit_of_work import Work
from rbac.errors import Refused
from rbac.vocabulary import Domain, Kind, Permission, State

_PERMISSIONS = {"annotator": Permission.TASK_ASSIGN_ANNOTATOR, "reviewer": Permission.TASK_ASSIGN_REVIEWER}
"""The permission that each kind of assignment takes, made or taken back."""


def assign(authority: Authority, user: str, kind: str, *, task: str, project: str) -> None:
    """Assign a task to a member of the project as `annotator` or `reviewer`."""
    authority.member(user)
    authority.require(_PERMISSIONS[kind], Domain(Kind.PROJECT, project), target=user, task=task)
    if kind not in _assigned(authority, user, task, project):
        write(authority.work, "assignment", user=user, domain=f"project:{project}", after={"task": task, "as": kind})


def unassign(authority: Authority, user: str, *, task: str, project: str) -> None:
    """Take back every assignment of a task to a member; takes what making it takes."""
    authority.member(user)
    kinds = _assigned(authority, user, task, project)
    for kind in kinds or ("annotator",):
        authority.require(_PERMISSIONS[kind], Domain(Kind.PROJECT, project), target=user, task=task)
    for kind in kinds:
        write(authority.work, "assignment", user=user, domain=f"project:{project}", before={"task": task, "as": kind})


def record(work: Work, project: str, *, tasks: Sequence[str], removed: Sequence[str], worked_on: Mapping[str, Sequence[str]]) -> None:
    """Write one batch of the application's facts; refused whole when it names a project, task or user that does not exist."""
    c = t.project.c
    if work.connection.execute(select(c.id).where(c.organization == work.organization, c.id == project)).first() is None:
        raise Refused(f"there is no project {project} in {work.organization}")
    domain = f"project:{project}"
    for task in tasks:
        if not _exists(work, project, task):
            write(work, "task", domain=domain, after={"task": task})
    for task, users in worked_on.items():
        if not _exists(work, project, task):
            raise Refused(f"there is no task {task} in {domain}")
        for user in dict.fromkeys(users):
            _record_work(work, project, task, user)
    for task in removed:
        if _exists(work, project, task):
            _remove_task(work, project, task)


def _exists(work: Work, project: str, task: str) -> bool:
    c = t.task.c
    where = (c.organization == work.organization, c.project == project, c.id == task)
    return work.connection.execute(select(c.id).where(*where)).first() is not None


def _record_work(work: Work, project: str, task: str, user: str) -> None:
    m, c = t.member.c, t.worked_on.c
    state = work.connection.execute(select(m.state).where(m.organization == work.organization, m.user == user)).scalar()
    if state is None or state == State.INVITED:
        raise Refused(f"{user} is {'invited and has no work yet' if state else 'no member'} in {work.organization}")
    where = (c.organization == work.organization, c.project == project, c.task == task, c.user == user)
    if work.connection.execute(select(c.user).where(*where)).first() is None:
        write(work, "worked_on", user=user, domain=f"project:{project}", after={"task": task})


def _remove_task(work: Work, project: str, task: str) -> None:
    domain = f"project:{project}"
    for table, name in ((t.worked_on, "worked_on"), (t.assignment, "assignment")):
        where = (table.c.organization == work.organization, table.c.project == project, table.c.task == task)
        for row in work.connection.execute(select(table).where(*where).order_by(*table.primary_key)).all():
            before = {"task": task} if name == "worked_on" else {"task": task, "as": row.kind}
            write(work, name, user=row.user, domain=domain, before=before)
    write(work, "task", domain=domain, before={"task": task})


def _assigned(authority: Authority, user: str, task: str, project: str) -> tuple[str, ...]:
    c = t.assignment.c
    where = (c.organization == authority.work.organization, c.project == project, c.task == task, c.user == user)
    return tuple(authority.work.connection.execute(select(c.kind).where(*where).order_by(c.kind)).scalars())
