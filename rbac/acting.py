"""`Acting`: every change of one actor, in one transaction, under one revision, with one audit row.

The organization is locked first and authority is read after it, so that two changes at once cannot both rely on what
the other undoes. Each method parses names, and calls the rule in `rbac.administration` that decides and writes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self, Unpack

from rbac.administration import members, people, projects, settings, tasks
from rbac.administration.authority import Authority
from rbac.administration.block import Block, Call, Opener, in_words
from rbac.administration.keys import parse_key
from rbac.administration.settings import Settings
from rbac.clock import parse_instant
from rbac.database.audit.refusals import recorded
from rbac.database.unit_of_work import writing
from rbac.errors import Conflict, UnknownName
from rbac.names import parse_domain, parse_id, parse_permission, parse_role, parse_switch
from rbac.open_store import OpenStore
from rbac.snapshot.records import Until
from rbac.vocabulary import Domain, Kind, Revision

Moment = str | datetime | None
"""When something ends: an aware datetime or ISO text with a zone; None is never."""


_of_the_parent: list[object] = []
"""Blocks that were open at a fork, in the child: ending one there would end the parent's transaction, on the parent's connection."""


class Acting:
    """One actor's changes to one organization.

    Each call is a transaction of its own and returns the new revision; inside a `with` block all calls together are
    one transaction and one revision, and an exception undoes them all. A block belongs to the asyncio task that opened it, or
    else the thread: this handle used from elsewhere meanwhile raises Conflict. Without a block it may be shared.

    `expect` raises Conflict when the organization is at another revision. `key`, any printable text, makes a retry harmless:
    the same changes sent by the same actor under the same key are made once, and a retry returns their revision; for 30 days.
    What is refused is recorded once the transaction is over, also when the block went on after it.
    """

    def __init__(self, store: OpenStore, organization: str, actor: str, *, expect: int | None, key: str | None) -> None:
        self._store = store
        self._organization = organization
        self._actor = actor
        self._expect = expect
        self._key = None if key is None else parse_key(key)
        self._free = threading.Lock()  # held while a block is open
        self._opener: Opener | None = None
        self._block: Block | None = None
        self._opened: AbstractContextManager[Block] | None = None

    def __enter__(self) -> Self:
        if not self._free.acquire(blocking=False):
            raise self._in_use()
        try:
            self._opener, self._opened = Opener.now(), self._begin()
            self._block = self._opened.__enter__()
        except BaseException:
            self._forget_block()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._opened is not None and self._opener is not None
        stray = None if error is not None or self._opener.is_running() else self._in_use()
        try:
            if self._opener.process != os.getpid():
                _of_the_parent.append(self._opened)
            elif stray is None:
                self._opened.__exit__(kind, error, trace)
            else:
                self._opened.__exit__(Conflict, stray, None)
        finally:
            self._forget_block()
        if stray is not None:
            raise stray

    def _forget_block(self) -> None:
        self._block = self._opened = self._opener = None
        self._free.release()

    # -- people --------------------------------------------------------------------------------------------------------

    def grant(self, user: str, role: str, *, on: str | Domain | None = None, until: Moment = None) -> Revision:
        """Give an organization role, or with `on="project:ID"` a project role, which replaces it there, perhaps until an instant."""
        name, given = parse_id(user, "user"), parse_role(role)
        if on is None:
            if until is not None:
                raise UnknownName("an organization role has no end: until goes with on=, a membership or a pause")
            with self._call("grant", name, given) as call:
                if call.authority:
                    people.grant(call.authority, name, given)
            return call.revision
        where, end = _project(on), _until(until)
        with self._call("grant", name, given, where, end) as call:
            if call.authority:
                people.grant_in_project(call.authority, name, given, where.id, end)
        return call.revision

    def revoke(self, user: str, *, on: str | Domain) -> Revision:
        """Take a project role away."""
        name, where = parse_id(user, "user"), _project(on)
        with self._call("revoke", name, where) as call:
            if call.authority:
                people.revoke(call.authority, name, where.id)
        return call.revision

    def invite(self, user: str, role: str | None = None) -> Revision:
        """Make somebody a member: active at once with a role, `invited` without one."""
        name, given = parse_id(user, "user"), None if role is None else parse_role(role)
        with self._call("invite", name, given) as call:
            if call.authority:
                people.invite(call.authority, name, given)
        return call.revision

    def deactivate(self, user: str) -> Revision:
        """Deactivate a member, who may do nothing then; memberships, roles, pauses and assignments are kept."""
        name = parse_id(user, "user")
        with self._call("deactivate", name) as call:
            if call.authority:
                people.deactivate(call.authority, name)
        return call.revision

    def activate(self, user: str) -> Revision:
        """Make a deactivated member active again; takes what granting their role takes."""
        name = parse_id(user, "user")
        with self._call("activate", name) as call:
            if call.authority:
                people.activate(call.authority, name)
        return call.revision

    # -- memberships, pauses, tasks ------------------------------------------------------------------------------------

    def add(self, user: str, domain: str | Domain, *, until: Moment = None) -> Revision:
        """Make an active member a member of a workspace or project."""
        name, where, end = parse_id(user, "user"), parse_domain(domain), _until(until)
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
        """Pause an annotator or reviewer in one project, where they may do nothing then."""
        name, where, end = parse_id(user, "user"), _project(domain), _until(until)
        with self._call("pause", name, where, end) as call:
            if call.authority:
                members.pause(call.authority, name, where.id, end)
        return call.revision

    def unpause(self, user: str, domain: str | Domain) -> Revision:
        """Lift a pause that was made by hand."""
        name, where = parse_id(user, "user"), _project(domain)
        with self._call("unpause", name, where) as call:
            if call.authority:
                members.unpause(call.authority, name, where.id)
        return call.revision

    def assign_annotator(self, user: str, *, task: str, project: str) -> Revision:
        """Assign a task to a member of the project, to annotate."""
        name, what, where = parse_id(user, "user"), parse_id(task, "task"), parse_id(project, "project")
        with self._call("assign_annotator", name, what, where) as call:
            if call.authority:
                tasks.assign(call.authority, name, "annotator", task=what, project=where)
        return call.revision

    def assign_reviewer(self, user: str, *, task: str, project: str) -> Revision:
        """Assign a task to a member of the project, to review."""
        name, what, where = parse_id(user, "user"), parse_id(task, "task"), parse_id(project, "project")
        with self._call("assign_reviewer", name, what, where) as call:
            if call.authority:
                tasks.assign(call.authority, name, "reviewer", task=what, project=where)
        return call.revision

    def unassign(self, user: str, *, task: str, project: str) -> Revision:
        """Take back every assignment of a task to a member."""
        name, what, where = parse_id(user, "user"), parse_id(task, "task"), parse_id(project, "project")
        with self._call("unassign", name, what, where) as call:
            if call.authority:
                tasks.unassign(call.authority, name, task=what, project=where)
        return call.revision

    # -- workspaces, projects, settings --------------------------------------------------------------------------------

    def create_workspace(self, workspace: str, *, personal: bool = False) -> Revision:
        """Make a workspace, with `personal` the actor's own."""
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
        """Delete a project with everything that belongs to it."""
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

    @contextmanager
    def _call(self, operation: str, *arguments: object) -> Iterator[Call]:
        """One change: part of the open block, or else a transaction of its own."""
        opener = self._opener
        if opener is None:
            with self._begin(in_words(operation, arguments)) as block, block.call(operation, arguments) as call:
                yield call
            return
        if self._block is None or not opener.is_running():
            raise self._in_use()
        with self._block.call(operation, arguments) as call:
            yield call

    @contextmanager
    def _begin(self, operation: str = "") -> Iterator[Block]:
        store, organization, actor = self._store, self._organization, self._actor
        engine, now, policy = store.ready(), store.clock(), store.decider.policy.digest
        with (
            recorded(engine, organization, actor=actor, operation=operation, at=now) as attempt,
            writing(engine, organization, actor=actor, actor_kind="member", operation="", at=now, policy=policy) as work,
        ):
            block = Block(Authority(work, store.decider, actor, now), attempt, self._key)
            if not block.replayed and self._expect is not None and work.revision != self._expect:
                message = f"{organization} is at revision {work.revision}, not at {self._expect}: look again"
                raise Conflict(message, expected=self._expect, found=work.revision)
            yield block
            block.close()
        store.wrote(organization, work.revision)

    def _in_use(self) -> Conflict:
        nested = self._opener is not None and self._opener.is_running()
        where = "this block already" if nested else "a block of another thread or task: make another handle"
        return Conflict(f"{self._actor} is acting on {self._organization} in {where}")


def _project(domain: str | Domain) -> Domain:
    """A domain that is a project; raises UnknownName for any other."""
    where = parse_domain(domain)
    if where.kind is not Kind.PROJECT:
        raise UnknownName(f"{where} is not a project: write project:ID, where project roles and pauses are")
    return where


def _until(until: Moment) -> Until:
    return None if until is None else parse_instant(until)
