"""The facade: everything one organization can be asked, and `acting(...)` for every change.

A handle is a reference and a name; make one wherever you need it, share it between threads. What only changes and
evidence need is imported when they are used: a decision does without. This file decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rbac.decisions.decider import CASBIN
from rbac.errors import UnknownName
from rbac.names import parse_id, parse_number, parse_switch, quoted
from rbac.open_store import OpenStore
from rbac.policy.facts import GivenFacts
from rbac.queries import Queries
from rbac.vocabulary import ORGANIZATION, Domain, Permission, Request, Revision, Role, Task

if TYPE_CHECKING:
    from rbac.acting import Acting
    from rbac.database.audit.heads import Head
    from rbac.database.audit.log import Entry
    from rbac.database.audit.refusals import Refusal
    from rbac.database.audit.verify import Verification
    from rbac.past import Past


@dataclass(frozen=True, slots=True)
class Details:
    """An organization's own facts at one revision; `restrictions` has the level below which each permission is taken away."""

    id: str
    owner: str
    revision: int
    plugins_enabled: bool
    manual_role_management: bool
    administrators_make_administrators: bool
    tokens_for_annotators_and_reviewers: bool
    restrictions: dict[str, Role]


@dataclass(frozen=True, slots=True)
class Organization(Queries):
    """One organization of a store; lives as long as the store it came from."""

    _store: OpenStore
    id: str

    # -- what is so ----------------------------------------------------------------------------------------------------

    @property
    def owner(self) -> str:
        """The Owner's id."""
        return self.details().owner

    @property
    def revision(self) -> int:
        """The present revision: the number of changes so far."""
        return self.details().revision

    def token(self, revision: int) -> str:
        """A revision for `at_least=` that is refused once a restored backup has made another one in its place."""
        return self._store.token(self.id, revision)

    def details(self) -> Details:
        """The organization's own facts; raises UnknownName when there is no such organization."""
        found = self._store.view(self.id).organization()
        if found is None:
            raise UnknownName(f"there is no organization {self.id}")
        return Details(
            found.id,
            found.owner,
            found.revision,
            found.plugins_enabled,
            found.manual_role_management,
            found.administrators_make_administrators,
            found.tokens_for_annotators_and_reviewers,
            dict(found.restrictions),
        )

    def ineffective_restrictions(self) -> dict[str, str]:
        """The restrictions that the policy defeats, each with the lines that do it: an edited policy can make one ineffective."""
        found = self.details().restrictions.items()
        why = {name: self.policy.why_ineffective(Permission(name), level) for name, level in found}
        return {name: said for name, said in why.items() if said}

    # -- changes -------------------------------------------------------------------------------------------------------

    def acting(self, actor: str, *, expect: int | None = None, key: str | None = None) -> Acting:
        """Every change is made by somebody: `acme.acting("ada").grant("andy", "reviewer")`, or a `with` block for several."""
        from rbac.acting import Acting

        revision = None if expect is None else parse_number(expect, "expect")
        return Acting(self._store, self.id, parse_id(actor, "user"), expect=revision, key=key)

    def transfer_ownership(self, *, to: str, ticket: str, operator: str) -> Revision:
        """Make `to` the Owner; the old Owner becomes administrator. One transaction; returns the revision.

        An operator's operation with a reference to why: nobody inside the organization can do it, the Owner included.
        """
        from rbac.administration import people
        from rbac.database.audit.refusals import recorded
        from rbac.database.unit_of_work import writing

        name, why, actor = parse_id(to, "user"), people.parse_ticket(ticket), parse_id(operator, "operator")
        store, operation, now = self._store, "transfer_ownership", self._store.clock()
        engine = store.ready()
        with (
            recorded(engine, self.id, actor=actor, operation=f"{operation} {name} {why}", at=now),
            writing(
                engine, self.id, actor=actor, actor_kind="operator", operation=operation, ticket=why, at=now, policy=self.policy.digest
            ) as work,
        ):
            people.transfer_ownership(work, to=name)
        store.wrote(self.id, work.revision)
        return Revision(work.revision, work.facts)

    def as_of(self, moment: int | str | datetime) -> Past:
        """The organization as it was at a revision, or at an instant, to be asked the same questions.

        The facts are those of then, exactly, replayed from the audit; the policy is the one the store was opened with.
        Raises UnknownName for a revision that is not there and for an instant that has not come.
        """
        from rbac.past import as_of

        return as_of(self._store, self.id, moment)

    # -- evidence ------------------------------------------------------------------------------------------------------

    def audit(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        since: int | None = None,
        until: int | None = None,
        actor: str | None = None,
        user: str | None = None,
        kind: str | None = None,
        newest_first: bool = False,
    ) -> Iterator[Entry]:
        """The audit of this organization, streamed revision by revision.

        `first` and `last` are revisions, both included; `since` and `until` instants in microseconds since 1970 UTC, the second
        excluded. `actor` made the revision; `user` and `kind` ask about its changes: revisions without such a change are left
        out, and so are the other changes of the rest.
        """
        from rbac.database.audit.log import entries

        for name, number in {"first": first, "last": last, "since": since, "until": until}.items():
            if number is not None:
                parse_number(number, name)
        parse_switch(newest_first, "newest_first")
        with self._store.reading() as connection:
            yield from entries(
                connection,
                self.id,
                first=first,
                last=last,
                since=since,
                until=until,
                actor=actor,
                user=user,
                kind=kind,
                newest_first=newest_first,
            )

    def refusals(
        self, *, actor: str | None = None, since: int | None = None, until: int | None = None, newest_first: bool = False
    ) -> Iterator[Refusal]:
        """The changes that were refused, the newest 10,000 of them, streamed; `since` and `until` as for `audit`."""
        from rbac.database.audit.refusals import refusals

        for name, number in {"since": since, "until": until}.items():
            if number is not None:
                parse_number(number, name)
        parse_switch(newest_first, "newest_first")
        with self._store.reading() as connection:
            yield from refusals(connection, self.id, actor=actor, since=since, until=until, newest_first=newest_first)

    def verify(self, *, head: Head | Iterable[Head] = ()) -> Verification:
        """Recompute the hash chain and replay the audit to the present state; falsy with problems named.

        `head` is one that was kept outside, or several: whatever was cut off or rewritten since then shows.
        """
        from rbac.database.audit.heads import Head
        from rbac.database.audit.verify import verify

        heads = [head] if isinstance(head, Head) else list(head)
        for each in heads:
            if not isinstance(each, Head):
                raise TypeError(f"head is a Head or several, as `head()` returns it: not {quoted(each)}")
        with self._store.reading() as connection:
            return verify(connection, self.id, heads)

    def head(self) -> Head:
        """The present head of the chain, to be kept outside; raises UnknownName when there is no such organization."""
        from rbac.database.audit.heads import head_of

        with self._store.reading() as connection:
            found = head_of(connection, self.id)
        if found is None:
            raise UnknownName(f"there is no organization {self.id}")
        return found

    # -- Casbin's own API ----------------------------------------------------------------------------------------------

    def enforcer(self, *, stock: bool = False, user: str | None = None) -> Any:
        """A Casbin enforcer over this organization as it is now, for `enforce(*request(...))`.

        With `stock` it is Casbin's own class and nothing of ours decides but the functions and the role manager; with
        `user` only that user's links are loaded. It does not follow later changes.
        """
        from rbac.decisions.adapter import Filter, StoreAdapter
        from rbac.policy.roles import DomainRoles

        adapter = StoreAdapter(self._store.engine, clock=self._store.clock)
        enforcer = self._store.decider.assemble(DomainRoles(), stock=parse_switch(stock, "stock"))
        chosen = None if user is None else parse_id(user, "user")
        adapter.load_filtered_policy(enforcer.get_model(), Filter(organization=self.id, user=chosen))
        enforcer.build_role_links()
        return enforcer

    def request(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | Task | None = None,
    ) -> tuple[str, str, str, str, Any]:
        """The five values of Casbin's `r` for a question: sub, dom, obj, act, facts."""
        question = self._resolve(Request(user, permission, domain, target, task))  # type: ignore[arg-type]  # as in check
        obj, act = CASBIN[question.permission]
        return str(question.subject), question.path, obj, act, question.facts or GivenFacts(kind=question.permission.kind)
