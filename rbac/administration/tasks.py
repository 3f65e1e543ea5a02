"""To whom tasks are assigned. Which tasks there are the application records: rbac/database/task_facts.py."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from rbac.administration.authority import Authority
from rbac.database import tables as t
from rbac.database.changes import write
from rbac.database.unit_of_work import Work
from rbac.vocabulary import Domain, Kind, Permission

_PERMISSIONS = {"annotator": Permission.TASK_ASSIGN_ANNOTATOR, "reviewer": Permission.TASK_ASSIGN_REVIEWER}
"""The permission that each kind of assignment takes, made or taken back."""


def assign(authority: Authority, user: str, kind: str, *, task: str, project: str) -> None:
    """Assign a task to a member of the project as `annotator` or `reviewer`."""
    authority.about(user, Domain(Kind.PROJECT, project))
    authority.member(user)
    authority.require(_PERMISSIONS[kind], Domain(Kind.PROJECT, project), target=user, task=task)
    if kind not in _assigned(authority, user, task, project):
        write(authority.work, "assignment", user=user, domain=f"project:{project}", after={"task": task, "as": kind})


def unassign(authority: Authority, user: str, *, task: str, project: str) -> None:
    """Take back every assignment of a task to a member; takes what making it takes."""
    authority.about(user, Domain(Kind.PROJECT, project))
    authority.member(user)
    kinds = _assigned(authority, user, task, project)
    for kind in kinds or ("annotator",):
        authority.require(_PERMISSIONS[kind], Domain(Kind.PROJECT, project), target=user, task=task)
    for kind in kinds:
        write(authority.work, "assignment", user=user, domain=f"project:{project}", before={"task": task, "as": kind})


def take_back(work: Work, project: str, tasks: Sequence[str]) -> None:
    """Take the assignments of tasks back, as audited changes, before the application's tasks are taken away."""
    c, wanted = t.assignment.c, set(tasks)
    query = select(c.task, c.user, c.kind).where(c.organization == work.organization, c.project == project).order_by(c.task, c.user, c.kind)
    for row in work.connection.execute(query).all() if wanted else ():
        if row.task in wanted:
            write(work, "assignment", user=row.user, domain=f"project:{project}", before={"task": row.task, "as": row.kind})


def _assigned(authority: Authority, user: str, task: str, project: str) -> tuple[str, ...]:
    c = t.assignment.c
    where = (c.organization == authority.work.organization, c.project == project, c.task == task, c.user == user)
    return tuple(authority.work.connection.execute(select(c.kind).where(*where).order_by(c.kind)).scalars())
