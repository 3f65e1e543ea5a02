"""Tasks: to whom they are assigned, and what the application records of them: which there are and who has worked on which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from rbac.administration.authority import Authority
from rbac.database import tables as t
from rbac.database.changes import write
from rbac.database.unit_of_work import Work
from rbac.errors import Refused
from rbac.vocabulary import Domain, Kind, Permission, State

ASSIGNING = {"annotator": Permission.TASK_ASSIGN_ANNOTATOR, "reviewer": Permission.TASK_ASSIGN_REVIEWER}
"""Which permission assigns, and takes away, which kind of assignment."""


def assign(authority: Authority, user: str, kind: str, *, task: str, project: str) -> None:
    """Give a task to a member of the project as `annotator` or `reviewer`."""
    authority.member(user)
    authority.require(ASSIGNING[kind], Domain(Kind.PROJECT, project), target=user, task=task)
    if kind not in _assigned(authority, user, task, project):
        write(authority.work, "assignment", user=user, domain=f"project:{project}", after={"task": task, "as": kind})


def unassign(authority: Authority, user: str, *, task: str, project: str) -> None:
    """Take a task away from a member, whatever they had it as; judged like giving it."""
    authority.member(user)
    kinds = _assigned(authority, user, task, project)
    for kind in kinds or ("annotator",):
        authority.require(ASSIGNING[kind], Domain(Kind.PROJECT, project), target=user, task=task)
    for kind in kinds:
        write(authority.work, "assignment", user=user, domain=f"project:{project}", before={"task": task, "as": kind})


def record(work: Work, project: str, *, tasks: Sequence[str], removed: Sequence[str], worked_on: Mapping[str, Sequence[str]]) -> None:
    """Write one batch; refused whole when a project, task or user it names is not there."""
    c = t.project.c
    if work.connection.execute(select(c.id).where(c.organization == work.organization, c.id == project)).first() is None:
        raise Refused(f"there is no project {project} in {work.organization}")
    domain = f"project:{project}"
    for task in tasks:
        if not _there(work, project, task):
            write(work, "task", domain=domain, after={"task": task})
    for task, users in worked_on.items():
        if not _there(work, project, task):
            raise Refused(f"there is no task {task} in {domain}")
        for user in dict.fromkeys(users):
            _work(work, project, task, user)
    for task in removed:
        if _there(work, project, task):
            _remove(work, project, task)


def _there(work: Work, project: str, task: str) -> bool:
    c = t.task.c
    where = (c.organization == work.organization, c.project == project, c.id == task)
    return work.connection.execute(select(c.id).where(*where)).first() is not None


def _work(work: Work, project: str, task: str, user: str) -> None:
    m, c = t.member.c, t.worked_on.c
    state = work.connection.execute(select(m.state).where(m.organization == work.organization, m.user == user)).scalar()
    if state is None or state == State.INVITED:
        raise Refused(f"{user} is {'invited and has no work yet' if state else 'no member'} in {work.organization}")
    where = (c.organization == work.organization, c.project == project, c.task == task, c.user == user)
    if work.connection.execute(select(c.user).where(*where)).first() is None:
        write(work, "worked_on", user=user, domain=f"project:{project}", after={"task": task})


def _remove(work: Work, project: str, task: str) -> None:
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
