"""Members of workspaces and projects, and pauses in projects."""

from __future__ import annotations

from rbac.administration.authority import Authority
from rbac.database.changes import write
from rbac.database.stored_facts import membership_value, pause_value
from rbac.errors import Refused
from rbac.snapshot.records import MemberRecord, ProjectRecord, Until, WorkspaceRecord, ends_of, in_force
from rbac.vocabulary import Domain, Kind, PauseReason, Permission, Role


def add(authority: Authority, user: str, domain: Domain, until: Until) -> None:
    """Make an active member of the organization a member of a workspace or project."""
    authority.about(user, domain)
    authority.require_future(until)
    record = _domain_to_manage(authority, domain)
    member = authority.active(user)
    if record.personal:
        raise Refused(f"{domain} is personal and takes no members")
    ends = _ends(member, domain)
    before = membership_value(ends[domain.id]) if domain.id in ends else None
    write(authority.work, "membership", user=user, domain=str(domain), before=before, after=membership_value(until))


def remove(authority: Authority, user: str, domain: Domain) -> None:
    """Take a membership away. Project roles, pauses and assignments stay, without effect."""
    authority.about(user, domain)
    record = _domain_to_manage(authority, domain)
    member = authority.member(user)
    if domain.kind is Kind.PROJECT and member.role in (Role.ADMINISTRATOR, Role.OWNER):
        raise Refused(f"{user} is {member.role} and needs no membership: they cannot be removed from a project")
    ends = _ends(member, domain)
    if domain.id in ends and in_force(ends[domain.id], authority.now):
        write(authority.work, "membership", user=user, domain=str(domain), before=membership_value(ends[domain.id]))
    elif isinstance(record, ProjectRecord) and member.in_workspace(record.workspace, authority.now):
        raise Refused(f"{user} is in {domain} through workspace:{record.workspace}: remove them there")


def pause(authority: Authority, user: str, project: str, until: Until) -> None:
    """Pause an annotator or reviewer in one project."""
    authority.about(user, Domain(Kind.PROJECT, project))
    authority.require_future(until)
    before = _pause_to_change(authority, user, project)
    value = None if before is None else pause_value(*before)
    after = pause_value(PauseReason.MANUAL, until)
    write(authority.work, "pause", user=user, domain=f"project:{project}", before=value, after=after)


def unpause(authority: Authority, user: str, project: str) -> None:
    """Lift a pause that was made by hand."""
    authority.about(user, Domain(Kind.PROJECT, project))
    before = _pause_to_change(authority, user, project)
    if before is not None and in_force(before[1], authority.now):
        write(authority.work, "pause", user=user, domain=f"project:{project}", before=pause_value(*before))


def _domain_to_manage(authority: Authority, domain: Domain) -> WorkspaceRecord | ProjectRecord:
    if domain.kind is Kind.WORKSPACE:
        workspace = authority.workspace(domain.id)
        authority.require(Permission.WORKSPACE_MEMBER_MANAGE, domain)
        return workspace
    if domain.kind is Kind.PROJECT:
        project = authority.project(domain.id)
        authority.require(Permission.PROJECT_MEMBER_MANAGE, domain)
        return project
    raise Refused("an organization's members are invited and deactivated, not added and removed")


def _ends(member: MemberRecord, domain: Domain) -> dict[str, Until]:
    """The member's memberships of that kind of domain: the end of each, by id."""
    return ends_of(member.workspaces if domain.kind is Kind.WORKSPACE else member.projects)


def _pause_to_change(authority: Authority, user: str, project: str) -> tuple[str, Until] | None:
    """The pause a member has in a project, if any; refused unless the actor may pause them, by hand."""
    member = authority.member(user)
    authority.project(project)
    authority.require(Permission.PROJECT_MEMBER_PAUSE, Domain(Kind.PROJECT, project), target=user)
    found = member.pauses.get(project)
    if found is None:
        return None
    reason, until = found
    if reason == PauseReason.ANNOTATOR_EVALUATION and in_force(until, authority.now):
        raise Refused(f"{user} was paused in project:{project} by annotator evaluation: that cannot be changed by hand")
    return found
