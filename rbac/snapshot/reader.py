"""Records read from the store in one transaction.

Every statement is bound to one organization and walks an index; none reads tasks or members in bulk.
"""

from __future__ import annotations

from enum import StrEnum
from sys import intern
from typing import Any, TypeVar

from sqlalchemy import Connection

from rbac.clock import kept_instant
from rbac.errors import StoreError
from rbac.names import parse_domain, parse_id
from rbac.policy.roles import DomainPath, Subject
from rbac.snapshot import statements
from rbac.snapshot.records import (
    NOTHING,
    DomainRecord,
    Instant,
    MemberRecord,
    OrganizationRecord,
    ProjectRecord,
    RequestRecords,
    TaskRecord,
    WorkspaceRecord,
    memberships_of,
)
from rbac.snapshot.view import Reads, Version, load_request_records
from rbac.vocabulary import MANAGER_OR_ABOVE, Distribution, Domain, Kind, Permission, Request, Role, State

_ENDS = frozenset({"w", "p"})
_Word = TypeVar("_Word", bound=StrEnum)


class Snapshot:
    """One organization as one transaction sees it: a View. Lives as long as that transaction.

    `version` is the one at which the last member, workspace or project was read, None where there is no such organization.
    """

    def __init__(self, connection: Connection, organization: str, reads: Reads) -> None:
        self.organization_id = organization
        self.version: Version | None = None
        self._connection = connection
        self._reads = reads

    def organization(self) -> OrganizationRecord | None:
        """The organization's own facts, None when there is none of that name."""
        row = self._one(statements.ORGANIZATION_ROW)
        if row is None:
            return None
        restrictions = {str(_permission(each.permission)): _one_of(Role, each.level) for each in self.rows(statements.RESTRICTIONS)}
        return OrganizationRecord(
            id=row.id,
            owner=row.owner,
            revision=row.revision,
            plugins_enabled=bool(row.plugins_enabled),
            manual_role_management=bool(row.manual_role_management),
            administrators_make_administrators=bool(row.administrators_make_administrators),
            tokens_for_annotators_and_reviewers=bool(row.tokens_for_annotators_and_reviewers),
            restrictions=restrictions,
        )

    def member(self, user: str) -> MemberRecord | None:
        """A member with memberships, project roles and pauses, in one query; None for whoever is not one."""
        user = parse_id(user, "user")
        links: dict[str, dict[str, Any]] = {}
        role, state, self.version = None, None, None
        for part, where, word, until in self.rows(statements.MEMBER, user=user):
            if part == "v":
                self.version = Version(until, where, word)
            elif part == "m":
                role, state = _one_of(Role, word) if word else None, _one_of(State, where)
            else:  # hundreds of members share a domain: its id is kept once
                end = kept_instant(until)
                value = end if part in _ENDS else (_one_of(Role, word) if part == "r" else word, end)
                links.setdefault(part, {})[intern(where)] = value
        if state is None:
            return None
        workspaces, projects, roles, pauses = (links.get(part, NOTHING) for part in "wprx")
        own = Subject(user, role)
        return MemberRecord(user, role, state, memberships_of(workspaces), memberships_of(projects), roles, pauses, own)

    def domain(self, address: str) -> DomainRecord | None:
        """The facts of the domain at an address, None when there is no such domain."""
        where = parse_domain(address)
        if where.kind is Kind.ORGANIZATION:
            return self.organization()
        return self.workspace(where.id) if where.kind is Kind.WORKSPACE else self.project(where.id)

    def workspace(self, workspace: str) -> WorkspaceRecord | None:
        """A workspace, None when there is none."""
        row = self._one(statements.WORKSPACE, id=parse_id(workspace, "workspace"))
        self.version = None if row is None else Version(row.revision, row.head, row.epoch)
        if row is None or row.id is None:
            return None
        path = DomainPath(Domain(Kind.WORKSPACE, row.id).path(self.organization_id))
        return WorkspaceRecord(row.id, path, row.created_by, bool(row.personal), not row.holds)

    def project(self, project: str) -> ProjectRecord | None:
        """A project with its workspace's creator, None when there is none."""
        row = self._one(statements.PROJECT, id=parse_id(project, "project"))
        self.version = None if row is None else Version(row.revision, row.head, row.epoch)
        if row is None or row.id is None:
            return None
        shown = ((Role.ANNOTATOR, row.show_to_annotators), (Role.REVIEWER, row.show_to_reviewers))
        return ProjectRecord(
            id=row.id,
            path=DomainPath(Domain(Kind.PROJECT, row.id).path(self.organization_id)),
            workspace=row.workspace,
            workspace_created_by=row.workspace_created_by,
            personal=bool(row.personal),
            created_by=row.created_by,
            published=bool(row.published),
            distribution=_one_of(Distribution, row.distribution),
            show_data_manager_to=frozenset(role for role, on in shown if on),
            review_only_assigned=bool(row.review_only_assigned),
        )

    def request_records(
        self, request: Request, permission: Permission, user: MemberRecord, domain: DomainRecord, role: Role, now: Instant
    ) -> RequestRecords:
        """The records that only this request needs."""
        return load_request_records(self, self._reads[role, permission], request, user, domain, now)

    def ensure_unchanged(self) -> None:
        """Nothing: a transaction sees one revision."""

    def task(self, task: str, project: str, user: str) -> TaskRecord:
        """A task of a project and what the user has to do with it, in one query."""
        row = self._one(statements.TASK, id=project, task=task, user=user)
        return TaskRecord(False, False, False, False) if row is None else TaskRecord(True, *map(bool, row))

    def assigned(self, user: MemberRecord, project: ProjectRecord) -> tuple[bool, bool]:
        """Whether the user has a task there as annotator, and as reviewer."""
        row = self._one(statements.ASSIGNED, id=project.id, user=user.user)
        return (bool(row[0]), bool(row[1])) if row else (False, False)

    def shares(self, user: MemberRecord, target: MemberRecord, now: Instant) -> bool:
        """Whether for some workspace or project, not personal, `created_or_invited` holds for both."""
        counts = {
            f"{who}_counts": member.active and member.role in MANAGER_OR_ABOVE for who, member in (("user", user), ("target", target))
        }
        row = self._one(statements.SHARES, user=user.user, target=target.user, now=now, **counts)
        return bool(row and row[0])

    def present_version(self) -> Version | None:
        """The version of the organization, None when there is none."""
        row = self._one(statements.VERSION)
        return None if row is None else Version(*row)

    def changed_since(self, version: Version, limit: int) -> list[Any] | None:
        """The changed facts after an earlier version, at most `limit`; None when the history has no such version.

        Each is kind, user, domain, before, after. A restored backup can reach the same revision by another way: the
        hash tells.
        """
        row = self._one(statements.HASH, after=version.revision)
        if row is None or row.hash != version.head:
            return None
        return self.rows(statements.CHANGES, after=version.revision, limit=limit)  # type: ignore[no-any-return]

    def rows(self, statement: Any, **values: Any) -> Any:
        """The rows of a statement about this organization: all that is read is read here."""
        return self._connection.execute(statement, {"organization": self.organization_id, **values}).all()

    def _one(self, statement: Any, **values: Any) -> Any:
        return next(iter(self.rows(statement, **values)), None)


def _one_of(words: type[_Word], text: str) -> _Word:
    """A word of a closed set; the database's own checks let no other in, so another is damage of the file."""
    try:
        return words(text)
    except ValueError:
        raise StoreError(f"the store is damaged, restore a backup: {text!r} is not a {words.__name__.lower()}") from None


def _permission(name: str) -> Permission:
    known = Permission.named(name)
    if known is None:
        raise StoreError(f"the store restricts {name}, which this program does not know: it is too old for this store")
    return known
