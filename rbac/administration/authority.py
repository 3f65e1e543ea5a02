"""The actor's authority inside one transaction: what they may, and the sentence when they may not.

The organization is locked before anything is read, and every rule reads the store anew, so what an earlier change
of the same batch did counts. Its one rule: no change is written before its authority was asked for here.
"""

from __future__ import annotations

from msgspec.structs import replace

from rbac.database.unit_of_work import Work
from rbac.decisions.decider import Decider
from rbac.errors import Refused
from rbac.snapshot.facts_of_records import RecordedFacts
from rbac.snapshot.reader import Snapshot
from rbac.snapshot.records import Instant, MemberRecord, OrganizationRecord, ProjectRecord, WorkspaceRecord
from rbac.vocabulary import ORGANIZATION, Domain, Permission, Request, Role


class Authority:
    """One actor in one unit of work; lives as long as that transaction."""

    def __init__(self, work: Work, decider: Decider, actor: str, now: Instant) -> None:
        self.work = work
        self.decider = decider
        self.actor = actor
        self.now = now
        self._snapshot = Snapshot(work.connection, work.organization, decider.policy.reads)

    def organization(self) -> OrganizationRecord:
        """The organization as this transaction sees it."""
        found = self._snapshot.organization()
        if found is None:
            raise Refused(f"there is no organization {self.work.organization}")
        return found

    def member(self, user: str) -> MemberRecord:
        """A member in any state; refused when there is none."""
        found = self._snapshot.member(user)
        if found is None:
            raise Refused(f"{user} is no member of {self.work.organization}: invite them first")
        return found

    def active(self, user: str) -> MemberRecord:
        """An active member; refused otherwise."""
        member = self.member(user)
        if not member.active:
            raise Refused(f"{user} is {member.state} in {self.work.organization}: only active members can be given anything")
        return member

    def workspace(self, workspace: str) -> WorkspaceRecord:
        """A workspace; refused when there is none."""
        found = self._snapshot.workspace(workspace)
        if found is None:
            raise Refused(f"there is no workspace {workspace} in {self.work.organization}")
        return found

    def project(self, project: str) -> ProjectRecord:
        """A project; refused when there is none."""
        found = self._snapshot.project(project)
        if found is None:
            raise Refused(f"there is no project {project} in {self.work.organization}")
        return found

    def there_is(self, domain: Domain) -> bool:
        """Whether the domain exists."""
        return self._snapshot.domain(str(domain)) is not None

    def rank(self) -> Role:
        """The actor's organization role; refused unless they are an active member."""
        role = self._actor().role
        assert role is not None, "an active member has a role"
        return role

    def require(
        self,
        permission: Permission,
        domain: Domain = ORGANIZATION,
        *,
        target: str | None = None,
        task: str | None = None,
        roles_managed_elsewhere: bool = True,
    ) -> None:
        """Refuse unless the actor may, by the same lines that answer `check`.

        With `roles_managed_elsewhere=False` the question is asked as if roles were managed here: deactivation stays
        possible when an identity provider owns them.
        """
        actor = self._actor()
        place = self._snapshot.domain(str(domain))
        if place is None:
            raise Refused(f"there is no {domain} in {self.work.organization}")
        organization = self.organization()
        if not roles_managed_elsewhere:
            organization = replace(organization, manual_role_management=True)
        role = actor.role_in(place, self.now)
        assert role is not None, "an active member has a role in every domain"
        request = Request(self.actor, permission, str(domain), target, task)
        records = self._snapshot.request_records(request, permission, actor, place, role, self.now)
        facts = RecordedFacts(
            place.kind, role, organization, actor, place, permission, self.now, target is not None, task is not None, records
        )
        if not self.decider.allows(actor.subject(role), place.path, permission, facts):
            reason = self.decider.trace_cell(role, permission, facts).reason
            about = f" {target}" if target else ""
            raise Refused(f"{self.actor} may not {permission}{about} in {domain}: {reason}")

    def over(self, user: str, *, giving: Role | None = None) -> MemberRecord | None:
        """The rules of who may change whom, before a role or state of `user` changes; None when they are not there yet."""
        if user == self.actor:
            raise Refused("nobody changes their own role or state")
        member = self._snapshot.member(user)
        organization, mine = self.organization(), self.rank()
        theirs = member.role if member else None
        if giving is Role.OWNER:
            raise Refused("owner cannot be given: transfer the ownership")
        if user == organization.owner:
            raise Refused(f"{user} is the Owner of {organization.id}: transfer the ownership first")
        if theirs is not None and theirs.rank > mine.rank:
            raise Refused(f"{self.actor} is {mine} and cannot change {user}, who is {theirs}")
        if giving is not None and giving.rank > mine.rank:
            raise Refused(f"{self.actor} is {mine} and cannot make anybody {giving}")
        between = Role.ADMINISTRATOR in (giving, theirs)
        if mine is Role.ADMINISTRATOR and between and not organization.administrators_make_administrators:
            raise Refused("administrators cannot make or change administrators here: administrators_make_administrators is off")
        return member

    def _actor(self) -> MemberRecord:
        actor = self._snapshot.member(self.actor)
        if actor is None:
            raise Refused(f"{self.actor} is no member of {self.work.organization}")
        if not actor.active:
            raise Refused(f"{self.actor} is {actor.state} in {self.work.organization}")
        return actor
