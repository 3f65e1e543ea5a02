"""A view of one organization at one revision: where a question gets its records from.

Three things are views: a `Snapshot` (one read transaction), a `CachedView` (memory, completed by statements), and both of
them over the tables of a past revision. Each is made for the questions it is asked: what it lacks for any of them comes in
one statement.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, Protocol

from rbac.names import parse_task
from rbac.snapshot.records import DomainRecord, Instant, MemberRecord, OrganizationRecord, ProjectRecord, RequestRecords, TaskRecord
from rbac.snapshot.statements import ASSIGNED, EXISTS, WORKED_ON
from rbac.snapshot.wanted import Needs, not_given
from rbac.vocabulary import Permission, Request, Role, Task


class Version(NamedTuple):
    """A point in an organization's history: its revision, the hash that seals it, and the epoch of the store."""

    revision: int
    head: str
    epoch: str


class RevisionChanged(Exception):
    """The organization changed while a question gathered its records: gather them again."""


class View(Protocol):
    """The records of one organization, all of one revision.

    A name that cannot be a name raises UnknownName; a record that does not exist is None. RevisionChanged may be raised
    by every method of a view that is shared with others.
    """

    @property
    def organization_id(self) -> str: ...
    def organization(self) -> OrganizationRecord | None: ...
    def member(self, user: str) -> MemberRecord | None: ...
    def domain(self, address: str) -> DomainRecord | None: ...
    def request_records(
        self, request: Request, permission: Permission, user: MemberRecord, domain: DomainRecord, role: Role, now: Instant
    ) -> RequestRecords: ...
    def task(self, task: str, project: str, user: MemberRecord, what: int) -> TaskRecord: ...
    def assigned(self, user: MemberRecord, project: ProjectRecord) -> tuple[bool, bool]: ...
    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool: ...

    def ensure_unchanged(self) -> None:
        """Raise RevisionChanged unless everything read through this view belongs to one revision."""


def load_request_records(
    view: View, needs: Needs, request: Request, user: MemberRecord, domain: DomainRecord, now: Instant
) -> RequestRecords:
    """The records that only this request needs: those it names, and those that the lines of its cell read."""
    target = task = assigned = shares = None
    if request.target is not None:
        target = view.member(request.target)
        if target is not None and needs.shares:
            shares = view.shares(user, target, now)
    if request.task is not None:
        task = task_with(view, parse_task(request.task), domain.id, user, needs.task)
    if needs.assigned and type(domain) is ProjectRecord:
        assigned = view.assigned(user, domain)
    return RequestRecords(target, task, assigned, shares)


def task_with(view: View, task: Task, project: str, user: MemberRecord, what: int) -> TaskRecord:
    """What a user has to do with a task, as far as `what` says; what came with the question is not read."""
    if task.exists is None and task.worked_on is None:
        return view.task(task.id, project, user, what)
    record = view.task(task.id, project, user, not_given(task, what))
    exists = record.exists if task.exists is None else task.exists
    return TaskRecord(exists, record.annotator, record.reviewer, record.worked_on if task.worked_on is None else task.worked_on)


@cache
def task_record(read: int, bits: int) -> TaskRecord:
    """What was read of a task, as `tasks` of statements.py says it: the same record for the same answer."""
    annotator, reviewer = (bool(bits & 2), bool(bits & 4)) if read & ASSIGNED else (None, None)
    return TaskRecord(bool(bits & 1) if read & EXISTS else None, annotator, reviewer, bool(bits & 8) if read & WORKED_ON else None)


def revision_of(view: View) -> int:
    """The revision a view answers from, 0 where there is no such organization."""
    record = view.organization()
    return 0 if record is None else record.revision
