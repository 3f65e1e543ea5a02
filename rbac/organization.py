"""The facade: everything one organization can be asked, and `acting(...)` for every change.

A handle is two references and a name; make one wherever you need it, share it between threads. Every answer comes
from one revision. Its one rule: this file decides nothing, it names what is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rbac import members, questions
from rbac.acting import Acting, transfer_ownership
from rbac.context import Context
from rbac.database.audit import Entry, Verification, entries, verify
from rbac.errors import Denied, UnknownName
from rbac.facts import GivenFacts
from rbac.members import Membership
from rbac.records import MemberRecord, OrganizationRecord
from rbac.vocabulary import ORGANIZATION, Decision, Domain, Permission, Request, Role, Via, parse_domain, parse_id, parse_via


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a user can do in a domain, in the page's order; `with_target` depends on the member it is about."""

    user: str
    domain: Domain
    allowed: tuple[Permission, ...]
    with_target: tuple[Permission, ...]
    revision: int

    def __iter__(self) -> Iterator[Permission]:
        return iter(self.allowed)

    def __contains__(self, permission: object) -> bool:
        return permission in self.allowed

    def __len__(self) -> int:
        return len(self.allowed)


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
        at_least: int = 0,
    ) -> bool:
        """Whether `user` may. Raises UnknownName for a name that is none, StoreError when the store cannot answer."""
        request = questions.parse_request(user, permission, domain, target=target, task=task, via=via)
        with self.context.source(self.id, at_least) as source:
            return questions.allowed(self.context.decider, source, self.id, request, self.context.clock())

    def check(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
        at_least: int = 0,
    ) -> Decision:
        """Like `can`, with the line of the policy that decided, the reason and the revision."""
        request = questions.parse_request(user, permission, domain, target=target, task=task, via=via)
        with self.context.source(self.id, at_least) as source:
            return questions.decide(self.context.decider, source, self.id, request, self.context.clock())

    def require(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
        at_least: int = 0,
    ) -> Decision:
        """Like `check`, but raises Denied instead of returning a no."""
        decision = self.check(user, permission, domain, target=target, task=task, via=via, at_least=at_least)
        if not decision:
            raise Denied(decision)
        return decision

    def check_many(self, requests: Iterable[Request], *, at_least: int = 0) -> list[Decision]:
        """One Decision a request, in order, all from one revision."""
        with self.context.source(self.id, at_least) as source:
            now = self.context.clock()
            return [questions.decide(self.context.decider, source, self.id, request, now) for request in requests]

    def permissions(self, user: str, domain: str | Domain = ORGANIZATION, *, via: str = Via.UI) -> Permissions:
        """What `user` can do in a domain, agreeing with `check` in every one."""
        name, where, arriving = parse_id(user, "user"), parse_domain(domain), parse_via(via)
        may: list[Permission] = []
        depends: list[Permission] = []
        with self.context.source(self.id) as source:
            now = self.context.clock()
            for request in questions.everything(name, where, arriving):
                looked = questions.look(self.context.decider, source, self.id, request, now)
                if looked.allowed:
                    may.append(request.permission)
                elif looked.verdict and questions.needs_target(looked.verdict) and (looked.api is None or looked.api.allowed):
                    depends.append(request.permission)
            return Permissions(name, where, tuple(may), tuple(depends), questions.revision_of(source))

    def look(
        self,
        user: str,
        permission: str,
        domain: str | Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        via: str = Via.UI,
        at_least: int = 0,
    ) -> tuple[Decision, questions.Looked]:
        """A Decision with every line of that permission and role, each condition's value and each missing fact."""
        request = questions.parse_request(user, permission, domain, target=target, task=task, via=via)
        with self.context.source(self.id, at_least) as source:
            looked = questions.look(self.context.decider, source, self.id, request, self.context.clock())
            return questions.decision_of(self.context.decider, looked, questions.revision_of(source)), looked

    # -- what is so ----------------------------------------------------------------------------------------------------

    @property
    def owner(self) -> str:
        """The Owner's id."""
        return self.record().owner

    @property
    def revision(self) -> int:
        """The present revision: the number of changes so far."""
        return self.record().revision

    def record(self) -> OrganizationRecord:
        """The organization's own facts; raises UnknownName when there is no such organization."""
        with self.context.source(self.id) as source:
            found = source.organization()
        if found is None:
            raise UnknownName(f"there is no organization {self.id}")
        return found

    def role_of(self, user: str, domain: str | Domain = ORGANIZATION) -> Role | None:
        """The role in force there; None for whoever is not active, and for a domain that does not exist."""
        name, where = parse_id(user, "user"), parse_domain(domain)
        with self.context.source(self.id) as source:
            member, place = source.member(name), source.place(where)
            return None if member is None or place is None else member.role_in(place, self.context.clock())

    def member(self, user: str) -> MemberRecord | None:
        """A member with their memberships, project roles and pauses; None for whoever is none."""
        name = parse_id(user, "user")
        with self.context.source(self.id) as source:
            return source.member(name)

    def members(self, domain: str | Domain = ORGANIZATION) -> Iterator[Membership]:
        """The members of a domain in id order, streamed; of a project also those who are there through its workspace."""
        where = parse_domain(domain)
        with self.context.reading() as connection:
            yield from members.of(connection, self.id, where, self.context.clock())

    # -- changes -------------------------------------------------------------------------------------------------------

    def acting(self, actor: str, *, expect: int | None = None, key: str | None = None) -> Acting:
        """Every change is made by somebody: `acme.acting("ada").grant("andy", "reviewer")`, or a `with` block for several."""
        return Acting(self.context, self.id, parse_id(actor, "user"), expect=expect, key=key)

    def transfer_ownership(self, *, to: str, ticket: str, operator: str) -> int:
        """Make `to` the Owner; the old Owner becomes administrator. One transaction; returns the revision.

        An operator's operation with a reference to why: nobody inside the organization can do it, the Owner included.
        """
        return transfer_ownership(self.context, self.id, to=parse_id(to, "user"), ticket=ticket, operator=operator)

    # -- evidence ------------------------------------------------------------------------------------------------------

    def audit(self, **filters: Any) -> Iterator[Entry]:
        """The audit of this organization, streamed; see `rbac.database.entries` for the filters."""
        with self.context.reading() as connection:
            yield from entries(connection, self.id, **filters)

    def verify(self) -> Verification:
        """Recompute the hash chain and replay the audit to the present state; falsy with problems named."""
        with self.context.reading() as connection:
            return verify(connection, self.id)

    # -- Casbin's own API ----------------------------------------------------------------------------------------------

    def enforcer(self, *, stock: bool = False, user: str | None = None) -> Any:
        """A Casbin enforcer over this organization as it is now, for `enforce(*request(...))`.

        With `stock` it is Casbin's own class and nothing of ours decides but the functions and the role manager; with
        `user` only that user's links are loaded. It does not follow later changes.
        """
        from rbac.adapter import Filter, StoreAdapter
        from rbac.roles import DomainRoles

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
        asked = questions.parse_request(user, permission, domain, target=target, task=task)
        with self.context.source(self.id) as source:
            known = questions.know(source, self.id, asked, self.context.clock())
        facts = known.facts or GivenFacts(kind=asked.permission.kind)
        return str(known.subject), known.path, asked.permission.object, asked.permission.action, facts
