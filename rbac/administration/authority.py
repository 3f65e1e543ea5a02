"""The actor's authority inside one transaction: what they may do, and the sentence when they may not.

The organization is locked before anything is read, and questions are evaluated as `check` evaluates them. What an earlier
change of the same block wrote counts for the next one.
"""

from __future__ import annotations

from msgspec.structs import replace

from rbac.administration.view import WorkView
from rbac.clock import write_instant
from rbac.database.unit_of_work import Work
from rbac.decisions.decider import Decider
from rbac.decisions.evaluate import Question, evaluate, resolve, trace
from rbac.errors import Refused, UnknownName
from rbac.snapshot.records import Instant, MemberRecord, OrganizationRecord, ProjectRecord, Until, WorkspaceRecord
from rbac.vocabulary import ORGANIZATION, Domain, Permission, Request, Role


class Authority:
    """One actor in one unit of work; lives as long as that transaction. Every rule asks it before it writes."""

    def __init__(self, work: Work, decider: Decider, actor: str, now: Instant) -> None:
        self.work = work
        self.decider = decider
        self.actor = actor
        self.now = now
        self._view = WorkView(work, decider.cells)
        self._about: list[Request] = []

    def about(self, *names: str | Domain) -> None:
        """The users and domains that the change under way is about: what is read of them is read in one statement."""
        domains = [name for name in names if isinstance(name, Domain)] or [ORGANIZATION]
        users = [name for name in names if not isinstance(name, Domain)]
        self._about = [Request(user, "", str(domain)) for user in (self.actor, *users) for domain in domains]
        self._view.asked = self._about

    # -- what there is -------------------------------------------------------------------------------------------------

    def organization(self) -> OrganizationRecord:
        """The organization."""
        found = self._view.organization()
        if found is None:
            raise Refused(f"there is no organization {self.work.organization}")
        return found

    def member(self, user: str) -> MemberRecord:
        """A member in any state; refused when there is none."""
        found = self._view.member(user)
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
        found = self._view.workspace(workspace)
        if found is None:
            raise Refused(f"there is no workspace {workspace} in {self.work.organization}")
        return found

    def project(self, project: str) -> ProjectRecord:
        """A project; refused when there is none."""
        found = self._view.project(project)
        if found is None:
            raise Refused(f"there is no project {project} in {self.work.organization}")
        return found

    def require_future(self, until: Until) -> None:
        """Raise UnknownName for an end that is over."""
        if until is not None and until < self.now:
            raise UnknownName(f"{write_instant(until)} is in the past")

    def require_new(self, domain: Domain) -> None:
        """Refuse where the domain exists."""
        if self._view.domain(str(domain)) is not None:
            raise Refused(f"there is a {domain} already")

    # -- what the actor may do -----------------------------------------------------------------------------------------

    def actor_role(self) -> Role:
        """The actor's organization role; refused unless they are an active member."""
        actor = self._view.member(self.actor)
        if actor is None:
            raise Refused(f"{self.actor} is no member of {self.work.organization}")
        if not actor.active:
            raise Refused(f"{self.actor} is {actor.state} in {self.work.organization}")
        assert actor.role is not None, "an active member has a role"
        return actor.role

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
        request = Request(self.actor, permission, str(domain), target, task)
        self._view.asked = [*self._about, request]
        question = resolve(self._view, request, self.now)
        if question.facts is None:
            raise Refused(question.reason)
        if not roles_managed_elsewhere:
            question = _with_roles_managed_here(question)
        if not evaluate(self.decider, question):
            reason = trace(self.decider, question).decision.reason
            about = f" {target}" if target else ""
            raise Refused(f"{self.actor} may not {permission}{about} in {domain}: {reason}")

    def require_over(self, user: str, *, giving: Role | None = None) -> MemberRecord | None:
        """Refuse unless the actor may change the role or state of `user`; returns the member, None when there is none yet."""
        if user == self.actor:
            raise Refused("nobody changes their own role or state")
        member = self._view.member(user)
        organization, mine = self.organization(), self.actor_role()
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


def _with_roles_managed_here(question: Question) -> Question:
    assert question.facts is not None
    organization = replace(question.facts.organization, manual_role_management=True)
    return replace(question, facts=replace(question.facts, organization=organization))
