"""What one statement of reading brings, as records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from sys import intern
from typing import Any, TypeVar

import msgspec

from rbac.clock import kept_instant
from rbac.database.tables import SETTINGS
from rbac.errors import StoreError
from rbac.policy.roles import DomainPath, Subject
from rbac.snapshot.records import (
    NOTHING,
    DomainRecord,
    MemberRecord,
    OrganizationRecord,
    ProjectRecord,
    WorkspaceRecord,
    memberships_of,
)
from rbac.snapshot.statements import Part, names, text_of
from rbac.snapshot.view import Version
from rbac.snapshot.wanted import Wanted
from rbac.vocabulary import Distribution, Domain, Kind, Permission, Role, State

_Word = TypeVar("_Word", bound=StrEnum)


class Found(msgspec.Struct):
    """Records of one organization at one version, None where there is no such organization, member or domain.

    `changes` are those after the version that was asked about; None where the history does not contain it, or none was asked about.
    """

    version: Version | None = None
    organization: OrganizationRecord | None = None
    changes: list[Any] | None = None
    members: dict[str, MemberRecord | None] = msgspec.field(default_factory=dict)
    domains: dict[str, DomainRecord | None] = msgspec.field(default_factory=dict)
    assigned: dict[tuple[str, str], tuple[bool, bool]] = msgspec.field(default_factory=dict)
    tasks: dict[tuple[str, str, str], tuple[int, int]] = msgspec.field(default_factory=dict)
    shares: dict[tuple[str, str], int | None] = msgspec.field(default_factory=dict)

    def add(self, other: Found) -> None:
        """What another statement has brought of the same version."""
        self.version, self.organization = other.version, other.organization
        self.members.update(other.members)
        self.domains.update(other.domains)
        self.assigned.update(other.assigned)
        self.shares.update(other.shares)
        for key, (read, bits) in other.tasks.items():
            before = self.tasks.get(key, (0, 0))
            self.tasks[key] = before[0] | read, before[1] | bits


def statement(database: str, organization: str, wanted: Wanted, since: Version | None, limit: int) -> tuple[str, dict[str, Any]]:
    """The one statement that reads what is wanted and, with `since`, at most so many changes after that version; and its parameters."""
    parts: list[Part] = ["version", "restrictions"]
    values: dict[str, Any] = {"organization": organization}
    if since is not None:
        parts.append("history")
        values |= {"after": since.revision, "limit": limit}
    lists: tuple[tuple[Part, Any, int], ...] = (
        ("members", wanted.members, 1),
        ("workspaces", wanted.workspaces, 1),
        ("projects", wanted.projects, 1),
        ("assigned", wanted.assigned, 2),
        ("tasks", [(*key, what) for key, what in wanted.tasks.items()], 4),
        ("shares", wanted.shares, 2),
    )
    for part, listed, width in lists:
        if listed:
            parts.append(part)
            values |= names(database, part, list(listed), width)
    gated = wanted.readers is not None and bool(wanted.assigned or wanted.tasks or wanted.shares)
    if gated:
        values |= names(database, "readers", [str(role) for role in wanted.readers or ()])
    return text_of(database, tuple(parts), gated), values


def found_in(rows: Iterable[Any], organization: str, wanted: Wanted, since: Version | None) -> Found:
    """The records in the rows of `statement`."""
    reading = _Reading(organization)
    reading.read(rows)
    return reading.found(wanted, since)


class _Reading:
    """The rows of one statement, gathered; lives while they are read."""

    def __init__(self, organization: str) -> None:
        self._organization = organization
        self._found = Found()
        self._row: tuple[Any, ...] | None = None
        self._restrictions: dict[str, Role] = {}
        self._hash: str | None = None
        self._changes: list[Any] = []
        self._members: dict[str, tuple[Role | None, State]] = {}
        self._links: dict[str, dict[str, dict[str, Any]]] = {"w": {}, "p": {}, "r": {}, "x": {}}
        self._others: dict[str, Callable[..., None]] = {
            "version": self._version,
            "restriction": self._restriction,
            "hash": self._hashed,
            "change": self._change,
            "member": self._member,
            "workspace": self._workspace,
            "project": self._project,
            "assigned": self._assigned,
            "task": self._task,
            "shares": self._shares,
        }

    def read(self, rows: Iterable[Any]) -> None:
        """Take every row in; what belongs to members first, since most rows are that."""
        links, others = self._links, self._others
        for part, user, domain, word, fourth, fifth, number, bits in rows:
            linked = links.get(part)
            if linked is None:
                others[part](user, domain, word, fourth, fifth, number, bits)
                continue
            until = None if number is None else kept_instant(number)
            value: Any = until if word is None else (_one_of(Role, word) if part == "r" else word, until)
            mine = linked.get(user)
            if mine is None:
                mine = linked[user] = {}
            mine[intern(domain)] = value  # hundreds of members share a domain: its id is kept once

    def found(self, wanted: Wanted, since: Version | None) -> Found:
        """Everything that was read; what was wanted and is not there is None."""
        found = self._found
        if self._row is not None:
            head, epoch, owner, revision, bits = self._row
            found.version = Version(revision, head, epoch)
            switches = {name: bool(bits >> position & 1) for position, name in enumerate(SETTINGS)}
            found.organization = OrganizationRecord(self._organization, owner, revision, **switches, restrictions=self._restrictions)
        if since is not None and self._hash == since.head:
            found.changes = self._changes
        found.members = {user: self._member_record(user) for user in wanted.members}
        for kind, listed in ((Kind.WORKSPACE, wanted.workspaces), (Kind.PROJECT, wanted.projects)):
            for name in listed:
                found.domains.setdefault(f"{kind}:{name}", None)
        return found

    def _member_record(self, user: str) -> MemberRecord | None:
        row = self._members.get(user)
        if row is None:
            return None
        role, state = row
        if self._row is not None and self._row[2] == user:
            role = Role.OWNER
        workspaces, projects, roles, pauses = (self._links[part].get(user, NOTHING) for part in "wprx")
        own = Subject(user, role)
        return MemberRecord(user, role, state, memberships_of(workspaces), memberships_of(projects), roles, pauses, own)

    def _version(self, head: str, epoch: str, owner: str, _: None, __: None, revision: int, bits: int) -> None:
        self._row = head, epoch, owner, revision, bits

    def _restriction(self, permission: str, level: str, *_: None) -> None:
        self._restrictions[str(_permission(permission))] = _one_of(Role, level)

    def _hashed(self, found: str, *_: None) -> None:
        self._hash = found

    def _change(self, kind: str, user: str | None, domain: str, before: str | None, after: str | None, *_: None) -> None:
        self._changes.append((kind, user, domain, before, after))

    def _member(self, user: str, state: str, role: str | None, *_: None) -> None:
        self._members[user] = _one_of(Role, role) if role else None, _one_of(State, state)

    def _workspace(self, name: str, created_by: str | None, _: None, __: None, ___: None, ____: None, bits: int) -> None:
        path = DomainPath(Domain(Kind.WORKSPACE, name).path(self._organization))
        self._found.domains[f"workspace:{name}"] = WorkspaceRecord(name, path, created_by, bool(bits & 1), not bits & 2)

    def _project(
        self, name: str, workspace: str, created_by: str | None, workspace_created_by: str | None, distribution: str, _: None, bits: int
    ) -> None:
        self._found.domains[f"project:{name}"] = ProjectRecord(
            id=name,
            path=DomainPath(f"{self._organization}/project/{name}"),
            workspace=intern(workspace),
            workspace_created_by=workspace_created_by,
            personal=bool(bits & 1),
            created_by=created_by,
            published=bool(bits & 2),
            distribution=_one_of(Distribution, distribution),
            show_data_manager_to=_SHOWN[bits >> 2 & 3],
            review_only_assigned=bool(bits & 16),
        )

    def _assigned(self, user: str, project: str, _: None, __: None, ___: None, ____: None, bits: int) -> None:
        self._found.assigned[user, project] = bool(bits & 1), bool(bits & 2)

    def _task(self, project: str, task: str, user: str, _: None, __: None, read: int, bits: int) -> None:
        self._found.tasks[project, task, user] = read, bits

    def _shares(self, user: str, target: str, _: None, __: None, ___: None, until: int | None, ____: None) -> None:
        self._found.shares[user, target] = until


_SHOWN = tuple(frozenset(roles) for roles in ((), (Role.ANNOTATOR,), (Role.REVIEWER,), (Role.ANNOTATOR, Role.REVIEWER)))


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
