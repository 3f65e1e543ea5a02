"""Every change is made by somebody, in one transaction, under one revision, with one audit row.

The organization is locked first, authority is read after it, then the change is written: two careful changes at once
cannot both rely on what the other undoes. Its one rule: nothing is written outside a unit of work of this file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import insert, select

from rbac import administration as change
from rbac.administration.authority import Authority
from rbac.clock import parse_instant
from rbac.database import tables as t
from rbac.database.audit.refusals import Attempt, recorded
from rbac.database.unit_of_work import writing
from rbac.errors import Conflict, Refused, UnknownName
from rbac.names import parse_domain, parse_id, parse_permission, parse_role
from rbac.open_store import Context
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.records import Until
from rbac.text import plain
from rbac.vocabulary import Domain, Kind

Moment = str | datetime | None
"""When something ends: an aware datetime or ISO text with a zone; None is never."""


class Acting:
    """One actor's changes to one organization.

    Each call is a transaction of its own and returns the new revision; inside a `with` block all calls together are
    one transaction and one revision, and an exception undoes them all. `expect` refuses with Conflict when the
    organization is at another revision; `key` makes a retry harmless: a key that was used returns its revision.
    What is refused is recorded once the transaction is over, also when the block went on after it.
    """

    def __init__(self, context: Context, organization: str, actor: str, *, expect: int | None, key: str | None) -> None:
        self._context = context
        self._organization = organization
        self._actor = actor
        self._expect = expect
        self._key = None if key is None else parse_id(key, "key")
        self._batch: _Batch | None = None
        self._open: AbstractContextManager[_Batch] | None = None

    def __enter__(self) -> Self:
        if self._batch is not None:
            raise Conflict(f"{self._actor} is acting on {self._organization} in this block already")
        self._open = self._begin()
        self._batch = self._open.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._open is not None
        self._batch, opened, self._open = None, self._open, None
        opened.__exit__(kind, error, trace)

    # -- people --------------------------------------------------------------------------------------------------------

    def grant(self, user: str, role: str, *, on: str | Domain | None = None, until: Moment = None) -> int:
        """Give an organization role, or with `on="project:ID"` a role that replaces it there, perhaps until an instant."""
        name, given = parse_id(user, "user"), parse_role(role)
        if on is None:
            if until is not None:
                raise UnknownName("an organization role has no end: until goes with on=, a membership or a pause")
            return self._do(lambda a: change.grant(a, name, given), "grant", name, given)
        project, end = _project(on), self._until(until)
        return self._do(lambda a: change.grant_in_project(a, name, given, project, end), "grant", name, given, on, end)

    def revoke(self, user: str, *, on: str | Domain) -> int:
        """Take a project role away."""
        name, project = parse_id(user, "user"), _project(on)
        return self._do(lambda a: change.revoke(a, name, project), "revoke", name, on)

    def invite(self, user: str, role: str | None = None) -> int:
        """Bring somebody in: active at once with a role, `invited` without one."""
        name, given = parse_id(user, "user"), None if role is None else parse_role(role)
        return self._do(lambda a: change.invite(a, name, given), "invite", name, given)

    def deactivate(self, user: str) -> int:
        """Take everything away and keep what they had."""
        name = parse_id(user, "user")
        return self._do(lambda a: change.deactivate(a, name), "deactivate", name)

    def activate(self, user: str) -> int:
        """Give a deactivated member back what they had; judged like granting their role."""
        name = parse_id(user, "user")
        return self._do(lambda a: change.activate(a, name), "activate", name)

    # -- memberships, pauses, tasks ------------------------------------------------------------------------------------

    def add(self, user: str, domain: str | Domain, *, until: Moment = None) -> int:
        """Make an active member a member of a workspace or project."""
        name, where, end = parse_id(user, "user"), parse_domain(domain), self._until(until)
        return self._do(lambda a: change.add(a, name, where, end), "add", name, where, end)

    def remove(self, user: str, domain: str | Domain) -> int:
        """Take a membership of a workspace or project away."""
        name, where = parse_id(user, "user"), parse_domain(domain)
        return self._do(lambda a: change.remove(a, name, where), "remove", name, where)

    def pause(self, user: str, domain: str | Domain, *, until: Moment = None) -> int:
        """Stop an annotator or reviewer in one project."""
        name, project, end = parse_id(user, "user"), _project(domain), self._until(until)
        return self._do(lambda a: change.pause(a, name, project, end), "pause", name, domain, end)

    def unpause(self, user: str, domain: str | Domain) -> int:
        """Lift a pause that was made by hand."""
        name, project = parse_id(user, "user"), _project(domain)
        return self._do(lambda a: change.unpause(a, name, project), "unpause", name, domain)

    def assign_annotator(self, user: str, *, task: str, project: str) -> int:
        """Give a task to a member of the project, to annotate."""
        return self._assign(user, "annotator", task, project)

    def assign_reviewer(self, user: str, *, task: str, project: str) -> int:
        """Give a task to a member of the project, to review."""
        return self._assign(user, "reviewer", task, project)

    def unassign(self, user: str, *, task: str, project: str) -> int:
        """Take a task away from a member, whatever they had it as."""
        name, what, where = parse_id(user, "user"), parse_id(task, "task"), parse_id(project, "project")
        return self._do(lambda a: change.unassign(a, name, task=what, project=where), "unassign", name, what, where)

    # -- workspaces, projects, settings --------------------------------------------------------------------------------

    def create_workspace(self, workspace: str, *, personal: bool = False) -> int:
        """Make a workspace, or with `personal` the actor's own sandbox."""
        name = parse_id(workspace, "workspace")
        return self._do(
            lambda a: change.create_workspace(a, name, personal=personal), "create_workspace", name, "personal" if personal else None
        )

    def delete_workspace(self, workspace: str) -> int:
        """Delete an empty workspace."""
        name = parse_id(workspace, "workspace")
        return self._do(lambda a: change.delete_workspace(a, name), "delete_workspace", name)

    def create_project(self, project: str, *, workspace: str) -> int:
        """Make a project in a workspace."""
        name, where = parse_id(project, "project"), parse_id(workspace, "workspace")
        return self._do(lambda a: change.create_project(a, name, workspace=where), "create_project", name, where)

    def move_project(self, project: str, *, workspace: str) -> int:
        """Move a project to another workspace."""
        name, where = parse_id(project, "project"), parse_id(workspace, "workspace")
        return self._do(lambda a: change.move_project(a, name, workspace=where), "move_project", name, where)

    def delete_project(self, project: str) -> int:
        """Delete a project with everything that hangs on it."""
        name = parse_id(project, "project")
        return self._do(lambda a: change.delete_project(a, name), "delete_project", name)

    def configure(self, domain: str | Domain, /, **settings: Any) -> int:
        """Change settings of `organization` or of a project."""
        where = parse_domain(domain)
        if not settings:
            raise UnknownName("nothing to configure: name a setting, as in distribution='manual'")
        shown = [f"{name}={sorted(value) if isinstance(value, (set, frozenset)) else value}" for name, value in sorted(settings.items())]
        return self._do(lambda a: change.configure(a, where, settings), "configure", where, *shown)

    def restrict(self, permission: str, level: str) -> int:
        """Take a permission from every role below a level."""
        asked, role = parse_permission(permission), parse_role(level)
        return self._do(lambda a: change.restrict(a, asked, role), "restrict", asked, role)

    def unrestrict(self, permission: str) -> int:
        """Take a restriction back."""
        asked = parse_permission(permission)
        return self._do(lambda a: change.unrestrict(a, asked), "unrestrict", asked)

    # -- how a change is made ------------------------------------------------------------------------------------------

    def _assign(self, user: str, kind: str, task: str, project: str) -> int:
        name, what, where = parse_id(user, "user"), parse_id(task, "task"), parse_id(project, "project")
        operation = f"assign_{kind}"
        return self._do(lambda a: change.assign(a, name, kind, task=what, project=where), operation, name, what, where)

    def _until(self, until: Moment) -> Until:
        if until is None:
            return None
        end = parse_instant(until)
        if end < self._context.clock():
            raise UnknownName(f"{until} is in the past")
        return end

    def _do(self, make: Callable[[Authority], None], operation: str, *arguments: object) -> int:
        if self._batch is not None:
            return self._batch.make(make, operation, arguments)
        with self._begin() as batch:
            batch.make(make, operation, arguments)
        return batch.revision

    @contextmanager
    def _begin(self) -> Iterator[_Batch]:
        context, organization, actor = self._context, self._organization, self._actor
        engine, now = context.ready(), context.clock()
        with (
            recorded(engine, organization, actor=actor, at=now) as attempt,
            writing(engine, organization, actor=actor, actor_kind="member", operation="", at=now) as work,
        ):
            batch = _Batch(Authority(work, context.decider, actor, now), attempt, self._key)
            if batch.replayed is None and self._expect is not None and work.revision != self._expect:
                message = f"{organization} is at revision {work.revision}, not at {self._expect}: look again"
                raise Conflict(message, expected=self._expect, found=work.revision)
            yield batch
            batch.close()
        batch.revision = work.revision if batch.replayed is None else batch.replayed
        context.wrote(organization, work.revision)


class _Batch:
    """The changes of one unit of work; lives as long as its transaction, and knows its revision afterwards."""

    def __init__(self, authority: Authority, attempt: Attempt, key: str | None) -> None:
        self.revision = authority.work.revision
        self.replayed: int | None = None
        self._authority = authority
        self._attempt = attempt
        self._key = key
        self._names: list[str] = []
        self._said: list[str] = [authority.actor]
        self._broken = False
        self._stored = None if key is None else self._find(key)
        if self._stored is not None:
            self.replayed = self._stored.revision

    def make(self, change: Callable[[Authority], None], operation: str, arguments: tuple[object, ...]) -> int:
        """Make one change; the revision it will have once the unit of work commits."""
        self._said.append(" ".join(map(str, (operation, *arguments))))
        self._attempt.operation = " ".join(str(each) for each in (operation, *arguments) if each is not None)
        if self.replayed is not None:
            return self.replayed
        work = self._authority.work
        before = work.changes
        try:
            change(self._authority)
        except Refused as error:
            self._attempt.refused(error)
            raise
        except UnknownName:
            raise
        except BaseException:
            self._broken = True
            raise
        if work.changes > before:
            self._names.append(operation)
        return work.revision + 1 if work.changes else work.revision

    def close(self) -> None:
        """Name the operation and keep the key, before the unit of work commits."""
        if self._broken:
            raise Refused("a change of this block failed: none of it was written")
        work, fingerprint = self._authority.work, hashlib.sha256("\n".join(self._said).encode()).hexdigest()
        if self._stored is not None:
            if self._stored.fingerprint != fingerprint:
                raise Conflict(f"the key {self._key} was used for another change, at revision {self._stored.revision}")
            return
        work.operation = ", ".join(dict.fromkeys(self._names))
        if self._key is not None and work.changes:
            values = {"organization": work.organization, "key": self._key, "revision": work.revision + 1, "fingerprint": fingerprint}
            work.connection.execute(insert(t.request_key).values(**values))

    def _find(self, key: str) -> Any:
        work, c = self._authority.work, t.request_key.c
        query = select(c.revision, c.fingerprint).where(c.organization == work.organization, c.key == key)
        return work.connection.execute(query).first()


def transfer_ownership(context: Context, organization: str, *, to: str, ticket: str, operator: str) -> int:
    """Make `to` the Owner of an organization, as an operator with a ticket; returns the revision."""
    if not ticket or plain(ticket, 255) != ticket:
        raise UnknownName(f"a ticket is 1 to 255 printable ASCII characters, not {ticket!r}")
    engine, actor, now, operation = context.ready(), parse_id(operator, "operator"), context.clock(), "transfer_ownership"
    with (
        recorded(engine, organization, actor=actor, operation=f"{operation} {to} {ticket}", at=now),
        writing(engine, organization, actor=actor, actor_kind="operator", operation=operation, ticket=ticket, at=now) as work,
    ):
        snapshot = Snapshot(work.connection, organization, context.decider.policy.reads)
        record = snapshot.organization()
        assert record is not None, "the unit of work has locked it"
        change.transfer_ownership(work, snapshot.member(to), record.owner, to)
    context.wrote(organization, work.revision)
    return work.revision


def _project(domain: str | Domain) -> str:
    """The id of a project's address; raises UnknownName for any other domain."""
    where = parse_domain(domain)
    if where.kind is not Kind.PROJECT:
        raise UnknownName(f"{where} is no project: project roles and pauses are project:ID")
    return where.id
