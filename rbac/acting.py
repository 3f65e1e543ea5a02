"""`Acting`: every change of one actor, in one transaction, under one revision, with one audit row.

The organization is locked first and authority is read after it, so that two changes at once cannot both rely on what
the other undoes. Each method parses names, and calls the rule in `rbac.administration` that decides and writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self, Unpack

from sqlalchemy import insert, select

from rbac.administration import members, people, projects, settings, tasks
from rbac.administration.authority import Authority
from rbac.administration.settings import Settings
from rbac.clock import parse_instant
from rbac.database import tables as t
from rbac.database.audit.refusals import Attempt, recorded
from rbac.database.unit_of_work import writing
from rbac.errors import Conflict, Refused, UnknownName
from rbac.names import parse_domain, parse_id, parse_permission, parse_role, parse_switch, quoted
from rbac.open_store import OpenStore
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.records import Until
from rbac.text import plain
from rbac.vocabulary import Domain, Kind, Revision

Moment = str | datetime | None
"""When something ends: an aware datetime or ISO text with a zone; None is never."""


class Acting:
    """One actor's changes to one organization.

    Each call is a transaction of its own and returns the new revision; inside a `with` block all calls together are
    one transaction and one revision, and an exception undoes them all. `expect` refuses with Conflict when the
    organization is at another revision; `key` makes a retry harmless: a key that was used returns its revision.
    What is refused is recorded once the transaction is over, also when the block went on after it.
    """

    def __init__(self, store: OpenStore, organization: str, actor: str, *, expect: int | None, key: str | None) -> None:
        self._store = store
        self._organization = organization
        self._actor = actor
        self._expect = expect
        self._key = None if key is None else parse_id(key, "key")
        self._block: _Block | None = None
        self._open: AbstractContextManager[_Block] | None = None

    def __enter__(self) -> Self:
        if self._block is not None:
            raise Conflict(f"{self._actor} is acting on {self._organization} in this block already")
        self._open = self._begin()
        self._block = self._open.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._open is not None
        self._block, opened, self._open = None, self._open, None
        opened.__exit__(kind, error, trace)

    # -- people --------------------------------------------------------------------------------------------------------

    def grant(self, user: str, role: str, *, on: str | Domain | None = None, until: Moment = None) -> Revision:
        """Give an organization role, or with `on="project:ID"` a role that replaces it there, perhaps until an instant."""
        name, given = parse_id(user, "user"), parse_role(role)
        if on is None:
            if until is not None:
                raise UnknownName("an organization role has no end: until goes with on=, a membership or a pause")
            with self._call("grant", name, given) as call:
                if call.authority:
                    people.grant(call.authority, name, given)
            return call.revision
        project, end = _project(on), self._until(until)
        with self._call("grant", name, given, on, end) as call:
            if call.authority:
                people.grant_in_project(call.authority, name, given, project, end)
        return call.revision

    def revoke(self, user: str, *, on: str | Domain) -> Revision:
        """Take a project role away."""
        name, project = parse_id(user, "user"), _project(on)
        with self._call("revoke", name, on) as call:
            if call.authority:
                people.revoke(call.authority, name, project)
        return call.revision

    def invite(self, user: str, role: str | None = None) -> Revision:
        """Bring somebody in: active at once with a role, `invited` without one."""
        name, given = parse_id(user, "user"), None if role is None else parse_role(role)
        with self._call("invite", name, given) as call:
            if call.authority:
                people.invite(call.authority, name, given)
        return call.revision

    def deactivate(self, user: str) -> Revision:
        """Take everything away and keep what they had."""
        name = parse_id(user, "user")
        with self._call("deactivate", name) as call:
            if call.authority:
                people.deactivate(call.authority, name)
        return call.revision

    def activate(self, user: str) -> Revision:
        """Give a deactivated member back what they had; judged like granting their role."""
        name = parse_id(user, "user")
        with self._call("activate", name) as call:
            if call.authority:
                people.activate(call.authority, name)
        return call.revision

    # -- memberships, pauses, tasks ------------------------------------------------------------------------------------

    def add(self, user: str, domain: str | Domain, *, until: Moment = None) -> Revision:
        """Make an active member a member of a workspace or project."""
        name, where, end = parse_id(user, "user"), parse_domain(domain), self._until(until)
        with self._call("add", name, where, end) as call:
            if call.authority:
                members.add(call.authority, name, where, end)
        return call.revision

    def remove(self, user: str, domain: str | Domain) -> Revision:
        """Take a membership of a workspace or project away."""
        name, where = parse_id(user, "user"), parse_domain(domain)
        with self._call("remove", name, where) as call:
            if call.authority:
                members.remove(call.authority, name, where)
        return call.revision

    def pause(self, user: str, domain: str | Domain, *, until: Moment = None) -> Revision:
        """Stop an annotator or reviewer in one project."""
        name, project, end = parse_id(user, "user"), _project(domain), self._until(until)
        with self._call("pause", name, domain, end) as call:
            if call.authority:
                members.pause(call.authority, name, project, end)
        return call.revision

    def unpause(self, user: str, domain: str | Domain) -> Revision:
        """Lift a pause that was made by hand."""
        name, project = parse_id(user, "user"), _project(domain)
        with self._call("unpause", name, domain) as call:
            if call.authority:
                members.unpause(call.authority, name, project)
        return call.revision

    def assign_annotator(self, user: str, *, task: str, project: str) -> Revision:
        """Give a task to a member of the project, to annotate."""
        return self._assign(user, "annotator", task, project)

    def assign_reviewer(self, user: str, *, task: str, project: str) -> Revision:
        """Give a task to a member of the project, to review."""
        return self._assign(user, "reviewer", task, project)

    def unassign(self, user: str, *, task: str, project: str) -> Revision:
        """Take a task away from a member, whatever they had it as."""
        name, what, where = parse_id(user, "user"), parse_id(task, "task"), parse_id(project, "project")
        with self._call("unassign", name, what, where) as call:
            if call.authority:
                tasks.unassign(call.authority, name, task=what, project=where)
        return call.revision

    # -- workspaces, projects, settings --------------------------------------------------------------------------------

    def create_workspace(self, workspace: str, *, personal: bool = False) -> Revision:
        """Make a workspace, or with `personal` the actor's own sandbox."""
        name = parse_id(workspace, "workspace")
        parse_switch(personal, "personal")
        with self._call("create_workspace", name, "personal" if personal else None) as call:
            if call.authority:
                projects.create_workspace(call.authority, name, personal=personal)
        return call.revision

    def delete_workspace(self, workspace: str) -> Revision:
        """Delete an empty workspace."""
        name = parse_id(workspace, "workspace")
        with self._call("delete_workspace", name) as call:
            if call.authority:
                projects.delete_workspace(call.authority, name)
        return call.revision

    def create_project(self, project: str, *, workspace: str) -> Revision:
        """Make a project in a workspace."""
        name, where = parse_id(project, "project"), parse_id(workspace, "workspace")
        with self._call("create_project", name, where) as call:
            if call.authority:
                projects.create_project(call.authority, name, workspace=where)
        return call.revision

    def move_project(self, project: str, *, workspace: str) -> Revision:
        """Move a project to another workspace."""
        name, where = parse_id(project, "project"), parse_id(workspace, "workspace")
        with self._call("move_project", name, where) as call:
            if call.authority:
                projects.move_project(call.authority, name, workspace=where)
        return call.revision

    def delete_project(self, project: str) -> Revision:
        """Delete a project with everything that hangs on it."""
        name = parse_id(project, "project")
        with self._call("delete_project", name) as call:
            if call.authority:
                projects.delete_project(call.authority, name)
        return call.revision

    def configure(self, domain: str | Domain, /, **given: Unpack[Settings]) -> Revision:
        """Change settings of `organization` or of a project."""
        where = parse_domain(domain)
        values = settings.parse_settings(where.kind, given)
        with self._call("configure", where, *settings.as_texts(values)) as call:
            if call.authority:
                settings.configure(call.authority, where, values)
        return call.revision

    def restrict(self, permission: str, level: str) -> Revision:
        """Take a permission from every role below a level."""
        asked, role = parse_permission(permission), parse_role(level)
        with self._call("restrict", asked, role) as call:
            if call.authority:
                settings.restrict(call.authority, asked, role)
        return call.revision

    def unrestrict(self, permission: str) -> Revision:
        """Take a restriction back."""
        asked = parse_permission(permission)
        with self._call("unrestrict", asked) as call:
            if call.authority:
                settings.unrestrict(call.authority, asked)
        return call.revision

    # -- how a change is made ------------------------------------------------------------------------------------------

    def _assign(self, user: str, kind: str, task: str, project: str) -> Revision:
        name, what, where = parse_id(user, "user"), parse_id(task, "task"), parse_id(project, "project")
        with self._call(f"assign_{kind}", name, what, where) as call:
            if call.authority:
                tasks.assign(call.authority, name, kind, task=what, project=where)
        return call.revision

    def _until(self, until: Moment) -> Until:
        if until is None:
            return None
        end = parse_instant(until)
        if end < self._store.clock():
            raise UnknownName(f"{until} is in the past")
        return end

    @contextmanager
    def _call(self, operation: str, *arguments: object) -> Iterator[_Call]:
        """One change: part of the open block, or else in a transaction of its own."""
        if self._block is not None:
            with self._block.call(operation, arguments) as call:
                yield call
            return
        with self._begin() as block, block.call(operation, arguments) as call:
            yield call

    @contextmanager
    def _begin(self) -> Iterator[_Block]:
        store, organization, actor = self._store, self._organization, self._actor
        engine, now = store.ready(), store.clock()
        with (
            recorded(engine, organization, actor=actor, at=now) as attempt,
            writing(engine, organization, actor=actor, actor_kind="member", operation="", at=now) as work,
        ):
            block = _Block(Authority(work, store.decider, actor, now), attempt, self._key)
            if not block.replayed and self._expect is not None and work.revision != self._expect:
                message = f"{organization} is at revision {work.revision}, not at {self._expect}: look again"
                raise Conflict(message, expected=self._expect, found=work.revision)
            yield block
            block.close()
        store.wrote(organization, work.revision)


@dataclass(slots=True)
class _Call:
    """One change under way: whose rules to ask, and the revision once it is made. `authority` is None where a key was used before."""

    authority: Authority | None
    revision: Revision


class _Block:
    """The changes of one transaction; lives as long as it. With a key that was used before nothing is changed, only compared."""

    def __init__(self, authority: Authority, attempt: Attempt, key: str | None) -> None:
        self._authority = authority
        self._attempt = attempt
        self._key = key
        self._names: list[str] = []
        self._said: list[str] = [authority.actor]
        self._broken = False
        self._stored = None if key is None else self._find(key)

    @property
    def replayed(self) -> bool:
        """Whether the key was used before."""
        return self._stored is not None

    @contextmanager
    def call(self, operation: str, arguments: tuple[object, ...]) -> Iterator[_Call]:
        """One change; its revision is the one it will have once the transaction commits."""
        self._said.append(" ".join(map(str, (operation, *arguments))))
        self._attempt.operation = " ".join(str(each) for each in (operation, *arguments) if each is not None)
        if self._stored is not None:
            yield _Call(None, Revision(self._stored.revision))
            return
        work = self._authority.work
        call, before = _Call(self._authority, Revision(work.revision)), len(work.facts)
        try:
            yield call
        except Refused as error:
            self._attempt.refused(error)
            raise
        except UnknownName:
            raise
        except BaseException:
            self._broken = True
            raise
        call.revision = Revision(work.revision + bool(work.changes), work.facts[before:])
        if call.revision.changed:
            self._names.append(operation)

    def close(self) -> None:
        """Name the operation and keep the key, before the transaction commits."""
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


def transfer_ownership(store: OpenStore, organization: str, *, to: str, ticket: str, operator: str) -> Revision:
    """Make `to` the Owner of an organization, as an operator with a ticket; returns the revision."""
    if not ticket or plain(ticket, 255) != ticket:
        raise UnknownName(f"a ticket is 1 to 255 printable ASCII characters, not {quoted(ticket)}")
    engine, actor, now, operation = store.ready(), parse_id(operator, "operator"), store.clock(), "transfer_ownership"
    with (
        recorded(engine, organization, actor=actor, operation=f"{operation} {to} {ticket}", at=now),
        writing(engine, organization, actor=actor, actor_kind="operator", operation=operation, ticket=ticket, at=now) as work,
    ):
        snapshot = Snapshot(work.connection, organization, store.decider.policy.reads)
        record = snapshot.organization()
        assert record is not None, "the unit of work has locked it"
        people.transfer_ownership(work, snapshot.member(to), record.owner, to)
    store.wrote(organization, work.revision)
    return Revision(work.revision, work.facts)


def _project(domain: str | Domain) -> str:
    """The id of a project's address; raises UnknownName for any other domain."""
    where = parse_domain(domain)
    if where.kind is not Kind.PROJECT:
        raise UnknownName(f"{where} is no project: project roles and pauses are project:ID")
    return where.id
