"""The facade: everything one organization can be asked, and `acting(...)` for every change.

A handle is two references and a name; make one wherever you need it, share it between threads. Every answer comes
from one revision. What only changes and evidence need is imported when they are asked for: a decision does without.
Its one rule: this file decides nothing, it names what is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rbac.decisions import evaluate as questions
from rbac.decisions.batch import decide_many
from rbac.decisions.decider import CASBIN
from rbac.decisions.evaluate import Permissions
from rbac.errors import Denied, Stale, UnknownName
from rbac.names import parse_domain, parse_id
from rbac.open_store import Context
from rbac.policy.facts import GivenFacts
from rbac.snapshot.records import MemberRecord, OrganizationRecord
from rbac.vocabulary import ORGANIZATION, Decision, Domain, Permission, Request, Revision, Role, Via

if TYPE_CHECKING:
    from rbac.acting import Acting
    from rbac.database.audit.heads import Head
    from rbac.database.audit.log import Entry
    from rbac.database.audit.refusals import Refusal
    from rbac.database.audit.verify import Verification
    from rbac.listing.members import Membership
    from rbac.listing.standings import Standing
    from rbac.past import Past


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization of a store; lives as long as the store it came from."""

    context: Context
    id: str

    # -- questions -----------------------------------------------------------------------------------------------------

    def can(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
        at_least: int | str = 0,
    ) -> bool:
        """Whether `user` may. Raises UnknownName for a name that is none, StoreError when the store cannot answer."""
        request = Request(user, permission, domain if type(domain) is str else str(domain), target, task, via)
        try:
            return self.context.ask(self.id, questions.allowed, request, at_least)
        except Stale:
            return False

    def check(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
        at_least: int | str = 0,
    ) -> Decision:
        """Like `can`, with the line of the policy that decided, the reason and the revision; 0 where the node is stale."""
        request = Request(user, permission, domain if type(domain) is str else str(domain), target, task, via)
        try:
            return self.context.ask(self.id, questions.decide, request, at_least)
        except Stale as stale:
            return _no(stale)

    def require(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
        at_least: int | str = 0,
    ) -> Decision:
        """Like `check`, but raises Denied instead of returning a no."""
        decision = self.check(user, permission, domain, target=target, task=task, via=via, at_least=at_least)
        if not decision:
            raise Denied(decision)
        return decision

    def check_many(self, requests: Iterable[Request], *, at_least: int | str = 0) -> list[Decision]:
        """One Decision a request, in order, all from one revision; `rbac.Request(user, permission, domain, ...)`."""
        asked = list(requests)
        try:
            return self.context.ask(self.id, decide_many, asked, at_least)
        except Stale as stale:
            return [_no(stale)] * len(asked)

    def permissions(self, user: str, domain: str | Domain = ORGANIZATION, *, via: str = Via.UI) -> Permissions:
        """What `user` can do in a domain, agreeing with `check` in every one."""
        request = Request(user, Permission.API_ACCESS, str(domain), via=via)
        return self.context.ask(self.id, questions.permissions, request)

    def look(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
        at_least: int | str = 0,
    ) -> tuple[Decision, questions.Looked]:
        """A Decision with every line of that permission and role, each condition's value and each missing fact."""
        request = Request(user, permission, str(domain), target, task, via)
        return self.context.ask(self.id, questions.look_and_decide, request, at_least)

    # -- what is so ----------------------------------------------------------------------------------------------------

    @property
    def owner(self) -> str:
        """The Owner's id."""
        return self.record().owner

    @property
    def revision(self) -> int:
        """The present revision: the number of changes so far."""
        return self.record().revision

    def token(self, revision: int) -> str:
        """A revision for `at_least=` that is refused once a restored backup has made another one in its place."""
        return self.context.token(self.id, revision)

    def record(self) -> OrganizationRecord:
        """The organization's own facts; raises UnknownName when there is no such organization."""
        found = self.context.ask(self.id, questions.record_of, None)
        if found is None:
            raise UnknownName(f"there is no organization {self.id}")
        return found

    def role_of(self, user: str, domain: str | Domain = ORGANIZATION) -> Role | None:
        """The role in force there; None for whoever is not active, and for a domain that does not exist."""
        return self.context.ask(self.id, questions.role_of, (user, str(domain)))

    def member(self, user: str) -> MemberRecord | None:
        """A member with their memberships, project roles and pauses; None for whoever is none."""
        return self.context.ask(self.id, questions.member_of, user)

    def members(self, domain: str | Domain = ORGANIZATION) -> Iterator[Membership]:
        """The members of a domain in id order, streamed; of a project also those who are there through its workspace."""
        from rbac.listing import members

        where = parse_domain(domain)
        with self.context.reading() as connection:
            yield from members.of(connection, self.id, where, self.context.clock())

    def standings(self, user: str) -> list[Standing]:
        """Where a member stands, domain by domain, the organization first; nothing for whoever is no member."""
        from rbac.listing import standings as domains

        member = self.member(user)
        if member is None:
            return []
        with self.context.reading() as connection:
            return domains.standings(connection, self.id, member, self.context.clock())

    def domains(self) -> list[Domain]:
        """The organization itself, its workspaces and its projects, each kind in id order."""
        from rbac.listing import standings as domains

        with self.context.reading() as connection:
            return list(domains.every(connection, self.id))

    # -- changes -------------------------------------------------------------------------------------------------------

    def acting(self, actor: str, *, expect: int | None = None, key: str | None = None) -> Acting:
        """Every change is made by somebody: `acme.acting("ada").grant("andy", "reviewer")`, or a `with` block for several."""
        from rbac.acting import Acting

        return Acting(self.context, self.id, parse_id(actor, "user"), expect=expect, key=key)

    def transfer_ownership(self, *, to: str, ticket: str, operator: str) -> Revision:
        """Make `to` the Owner; the old Owner becomes administrator. One transaction; returns the revision.

        An operator's operation with a reference to why: nobody inside the organization can do it, the Owner included.
        """
        from rbac.acting import transfer_ownership

        return transfer_ownership(self.context, self.id, to=parse_id(to, "user"), ticket=ticket, operator=operator)

    def as_of(self, moment: int | str | datetime) -> Past:
        """The organization as it was at a revision, or at an instant, to be asked the same questions.

        The facts are those of then, exactly, replayed from the audit; the policy is the one the store was opened with.
        Raises UnknownName for a revision that is not there and for an instant that has not come.
        """
        from rbac.past import as_of

        return as_of(self.context, self.id, moment)

    # -- evidence ------------------------------------------------------------------------------------------------------

    def audit(self, **filters: Any) -> Iterator[Entry]:
        """The audit of this organization, streamed; see `rbac.database.audit.log.entries` for the filters."""
        from rbac.database.audit.log import entries

        with self.context.reading() as connection:
            yield from entries(connection, self.id, **filters)

    def refusals(self, **filters: Any) -> Iterator[Refusal]:
        """The changes that were refused, the newest 10,000 of them; see `rbac.database.audit.refusals.refusals` for the filters."""
        from rbac.database.audit.refusals import refusals

        with self.context.reading() as connection:
            yield from refusals(connection, self.id, **filters)

    def verify(self, *, head: Head | Iterable[Head] = ()) -> Verification:
        """Recompute the hash chain and replay the audit to the present state; falsy with problems named.

        `head` is one that was kept outside, or several: whatever was cut off or rewritten since then shows.
        """
        from rbac.database.audit.heads import Head
        from rbac.database.audit.verify import verify

        with self.context.reading() as connection:
            return verify(connection, self.id, [head] if isinstance(head, Head) else head)

    def head(self) -> Head:
        """The present head of the chain, to be kept outside; raises UnknownName when there is no such organization."""
        from rbac.database.audit.heads import head_of

        with self.context.reading() as connection:
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

        adapter = StoreAdapter(self.context.engine, clock=self.context.clock)
        enforcer = self.context.decider.assemble(DomainRoles(), stock=stock)
        adapter.load_filtered_policy(enforcer.get_model(), Filter(organization=self.id, user=user))
        enforcer.build_role_links()
        return enforcer

    def request(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
    ) -> tuple[str, str, str, str, Any]:
        """The five values of Casbin's `r` for a question: sub, dom, obj, act, facts."""
        request = Request(user, permission, str(domain), target, task)
        known = self.context.ask(self.id, lambda _, source, name, asked, now: questions.know(source, name, asked, now), request)
        obj, act = CASBIN[known.permission]
        return str(known.subject), known.path, obj, act, known.facts or GivenFacts(kind=known.permission.kind)


def _no(stale: Stale) -> Decision:
    """What a node says to a question when it has not heard from the database for too long."""
    return Decision(False, str(stale), None, None, 0)
