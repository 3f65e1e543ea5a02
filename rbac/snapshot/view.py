"""A view of one organization at one revision: where a question gets its records from.

Three things are views: a `Snapshot` (one read transaction), a `CachedView` (memory, completed by queries), and both of them
over the tables of a past revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from rbac.names import parse_id
from rbac.snapshot.records import (
    DomainRecord,
    Instant,
    MemberRecord,
    OrganizationRecord,
    ProjectRecord,
    RequestRecords,
    TaskRecord,
)
from rbac.vocabulary import Permission, Request, Role

Reads = Mapping[tuple[Role, Permission], frozenset[str]]
"""Which facts decide which cell, by the lines of the policy: only those are loaded."""

ASSIGNED = frozenset({"assigned_as_annotator", "assigned_as_reviewer"})
"""The facts that need a look at the user's assignments in a project."""


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
    def task(self, task: str, project: str, user: str) -> TaskRecord: ...
    def assigned(self, user: MemberRecord, project: ProjectRecord) -> tuple[bool, bool]: ...
    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool: ...

    def ensure_unchanged(self) -> None:
        """Raise RevisionChanged unless everything read through this view belongs to one revision."""


def load_request_records(
    view: View, reads: frozenset[str], request: Request, user: MemberRecord, domain: DomainRecord, now: Instant
) -> RequestRecords:
    """The records that only this request needs: those it names, and those that the lines of its cell read."""
    target = task = assigned = shares = None
    if request.target is not None:
        target = view.member(request.target)
        if target is not None and "shares_domain_with_target" in reads:
            shares = view.shares(user, target, now)
    if request.task is not None:
        task = view.task(parse_id(request.task, "task"), domain.id, user.user)
    if type(domain) is ProjectRecord and not ASSIGNED.isdisjoint(reads):
        assigned = view.assigned(user, domain)
    return RequestRecords(target, task, assigned, shares)


def revision_of(view: View) -> int:
    """The revision a view answers from, 0 where there is no such organization."""
    record = view.organization()
    return 0 if record is None else record.revision
