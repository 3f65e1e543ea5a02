"""Every question that an organization can be asked, in the present and in the past.

Each question is answered from a view of one revision. Where the organization changes while a question gathers its records,
the question is answered from one read transaction instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from rbac.decisions.batch import decide_many
from rbac.decisions.decider import Decider
from rbac.decisions.evaluate import Permissions, Question, Trace, evaluate, permissions, resolve, trace
from rbac.errors import Denied
from rbac.names import parse_domain, parse_id, parse_via
from rbac.policy.reader import Policy
from rbac.snapshot.records import Instant, MemberRecord
from rbac.snapshot.view import RevisionChanged, View
from rbac.snapshot.wanted import Asked
from rbac.vocabulary import ORGANIZATION, Decision, Domain, Permission, Request, Role, Task, Via

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from rbac.listing.members import Member, Membership
    from rbac.listing.standings import Standing


class Views(Protocol):
    """What questions are asked of: a store, or the tables of a past revision."""

    decider: Decider

    def clock(self) -> Instant:
        """The instant that questions are judged at."""

    def view(self, organization: str, at_least: int | str = 0, asked: Asked = None) -> View:
        """A view of one revision for the questions `asked`, not before `at_least`.

        It is shared, so that gathering records may raise RevisionChanged.
        """

    def snapshot(self, organization: str, at_least: int | str = 0, asked: Asked = None) -> AbstractContextManager[View]:
        """The same in a read transaction of its own."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection in one read transaction."""


class Queries:
    """The questions of one organization. `user` is a member's id, `domain` is `organization`, `workspace:ID` or `project:ID`.

    Every question raises UnknownName for a name that cannot be one, and StoreError when the store cannot answer; a node that
    has not heard from its database for too long raises Stale, which is a StoreError. `at_least` is a revision, or a token of one:
    the answer is from it or from a later one.
    """

    __slots__ = ()
    id: str
    _store: Views

    @property
    def policy(self) -> Policy:
        """The policy that decides: the one the store was opened with."""
        return self._store.decider.policy

    def can(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | Task | None = None,
        via: str = Via.UI,
        at_least: int | str = 0,
    ) -> bool:
        """Whether `user` may."""
        request = Request(user, permission, domain, target, task, via)  # type: ignore[arg-type]  # a Domain becomes its text in resolve
        return evaluate(self._store.decider, self._resolve(request, at_least))

    def check(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | Task | None = None,
        via: str = Via.UI,
        at_least: int | str = 0,
    ) -> Decision:
        """Like `can`, with the line of the policy that decided, the reason and the revision."""
        return self.trace(user, permission, domain, target=target, task=task, via=via, at_least=at_least).decision

    def require(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | Task | None = None,
        via: str = Via.UI,
        at_least: int | str = 0,
    ) -> Decision:
        """Like `check`, but raises Denied instead of returning a no."""
        decision = self.check(user, permission, domain, target=target, task=task, via=via, at_least=at_least)
        if not decision:
            raise Denied(decision)
        return decision

    def trace(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | Task | None = None,
        via: str = Via.UI,
        at_least: int | str = 0,
    ) -> Trace:
        """Like `check`, with every line of that permission and role, each condition's value and each missing fact."""
        request = Request(user, permission, domain, target, task, via)  # type: ignore[arg-type]  # a Domain becomes its text in resolve
        return trace(self._store.decider, self._resolve(request, at_least))

    def check_many(self, requests: Iterable[Request], *, at_least: int | str = 0) -> list[Decision]:
        """One Decision a request, in order, all from one revision; `rbac.Request(user, permission, domain, ...)`."""
        store, asked = self._store, list(requests)
        try:
            return decide_many(store.decider, store.view(self.id, at_least, asked), asked, store.clock())
        except RevisionChanged:
            with store.snapshot(self.id, at_least, asked) as view:
                return decide_many(store.decider, view, asked, store.clock())

    def permissions(self, user: str, domain: str | Domain = ORGANIZATION, *, via: str = Via.UI) -> Permissions:
        """What `user` can do in a domain, agreeing with `check` in every one."""
        store, name, where, by = self._store, parse_id(user, "user"), parse_domain(domain), parse_via(via)
        asked = [Request(name, permission, str(where), via=by) for permission in Permission if permission.kind is where.kind]
        try:
            return permissions(store.decider, store.view(self.id, 0, asked), asked, name, where, store.clock())
        except RevisionChanged:
            with store.snapshot(self.id, 0, asked) as view:
                return permissions(store.decider, view, asked, name, where, store.clock())

    def role_of(self, user: str, domain: str | Domain = ORGANIZATION) -> Role | None:
        """The role in force there; None for whoever is not active, and for a domain that does not exist."""
        name, where = parse_id(user, "user"), str(parse_domain(domain))
        asked = Request(name, "", where)
        try:
            return _role_in(self._store.view(self.id, 0, asked), name, where, self._store.clock())
        except RevisionChanged:
            with self._store.snapshot(self.id, 0, asked) as view:
                return _role_in(view, name, where, self._store.clock())

    def member(self, user: str) -> Member | None:
        """A member with their memberships, project roles and pauses; None for whoever is none."""
        from rbac.listing.members import member

        found = self._member_record(user)
        return None if found is None else member(found)

    def members(self, domain: str | Domain = ORGANIZATION) -> Iterator[Membership]:
        """The members of a domain in id order, streamed; of a project also those who are there through its workspace."""
        from rbac.listing.members import members

        where = parse_domain(domain)
        with self._store.reading() as connection:
            yield from members(connection, self.id, where, self._store.clock())

    def standings(self, user: str) -> list[Standing]:
        """What a member is in each domain they belong to, the organization first; nothing for whoever is no member."""
        from rbac.listing.standings import standings

        found = self._member_record(user)
        if found is None:
            return []
        with self._store.reading() as connection:
            return standings(connection, self.id, found, self._store.clock())

    def domains(self) -> list[Domain]:
        """The organization itself, its workspaces and its projects, each kind in id order."""
        from rbac.listing.standings import domains

        with self._store.reading() as connection:
            return list(domains(connection, self.id))

    def _resolve(self, request: Request, at_least: int | str = 0) -> Question:
        store = self._store
        try:
            return resolve(store.view(self.id, at_least, request), request, store.clock())
        except RevisionChanged:
            with store.snapshot(self.id, at_least, request) as view:
                return resolve(view, request, store.clock())

    def _member_record(self, user: str) -> MemberRecord | None:
        name = parse_id(user, "user")
        asked = Request(name, "")
        try:
            return self._store.view(self.id, 0, asked).member(name)
        except RevisionChanged:
            with self._store.snapshot(self.id, 0, asked) as view:
                return view.member(name)


def _role_in(view: View, user: str, domain: str, now: Instant) -> Role | None:
    member, record = view.member(user), view.domain(domain)
    view.ensure_unchanged()
    return None if member is None or record is None else member.role_in(record, now)
