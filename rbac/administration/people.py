"""Members of the organization, their roles, project roles and states, and the transfer of ownership."""

from __future__ import annotations

from rbac.administration.authority import Authority
from rbac.administration.view import WorkView
from rbac.database.changes import write
from rbac.database.stored_facts import Value, member_value, project_role_value
from rbac.database.unit_of_work import Work
from rbac.errors import Refused, UnknownName
from rbac.names import quoted
from rbac.snapshot.records import MemberRecord, ProjectRecord, Until, in_force
from rbac.snapshot.wanted import CellNeeds
from rbac.text import plain
from rbac.vocabulary import WORKERS, Domain, Kind, Permission, Role, State


def grant(authority: Authority, user: str, role: Role) -> None:
    """Give a member an organization role; a deactivated or invited one becomes active."""
    authority.about(user)
    authority.require(Permission.MEMBER_ROLE_ASSIGN)
    authority.require_over(user, giving=role)
    _set_role(authority, authority.member(user), role, State.ACTIVE)


def activate(authority: Authority, user: str) -> None:
    """Make a deactivated member active again, with the role they had; takes what granting it takes."""
    authority.about(user)
    member = authority.member(user)
    if member.role is None:
        raise Refused(f"{user} has no role yet: grant one, that makes them active")
    authority.require(Permission.MEMBER_ROLE_ASSIGN)
    authority.require_over(user, giving=member.role)
    _set_role(authority, member, member.role, State.ACTIVE)


def deactivate(authority: Authority, user: str) -> None:
    """Deactivate a member; what they have is kept, without effect."""
    authority.about(user)
    authority.require(Permission.MEMBER_ROLE_ASSIGN, roles_managed_elsewhere=False)
    authority.require_over(user)
    member = authority.member(user)
    _set_role(authority, member, member.role, State.DEACTIVATED)


def invite(authority: Authority, user: str, role: Role | None) -> None:
    """Make somebody a member: active at once with a role, `invited` without one. Refused for whoever is one already."""
    authority.about(user)
    authority.require(Permission.USER_INVITE)
    if role is not None:
        authority.require(Permission.MEMBER_ROLE_ASSIGN)
    present = authority.require_over(user, giving=role)
    if present is not None:
        raise Refused(f"{user} is {present.state} in {authority.work.organization} already")
    state = State.INVITED if role is None else State.ACTIVE
    write(authority.work, "member", user=user, after=member_value(role, state))


def grant_in_project(authority: Authority, user: str, role: Role, project: str, until: Until) -> None:
    """Give a member of a project a role that replaces theirs there, annotator or reviewer."""
    authority.about(user, Domain(Kind.PROJECT, project))
    authority.require_future(until)
    if role not in WORKERS:
        raise Refused(f"{role} cannot be a project role: it is annotator or reviewer")
    record = _project_to_manage(authority, user, project)
    member = authority.active(user)
    if member.role not in WORKERS:
        raise Refused(f"{user} is {member.role}: a project role would be without effect")
    if not (member.in_project(project, authority.now) or member.in_workspace(record.workspace, authority.now)):
        raise Refused(f"{user} is no member of {record.domain}: add them first")
    before = member.project_roles.get(project)
    write(authority.work, "project_role", user=user, domain=str(record.domain), before=_value(before), after=_value((role, until)))


def revoke(authority: Authority, user: str, project: str) -> None:
    """Take a project role away: the organization role is in force again."""
    authority.about(user, Domain(Kind.PROJECT, project))
    record = _project_to_manage(authority, user, project)
    before = authority.member(user).project_roles.get(project)
    if before is not None and in_force(before[1], authority.now):
        write(authority.work, "project_role", user=user, domain=str(record.domain), before=_value(before))


def transfer_ownership(work: Work, *, to: str) -> None:
    """Make `to` the Owner; the old Owner becomes administrator, which the row of every Owner says. No member may do it."""
    view = WorkView(work, CellNeeds({}))
    member, organization = view.member(to), view.organization()
    assert organization is not None, "the unit of work has locked it"
    if member is None or not member.active:
        state = member.state if member else "no member"
        raise Refused(f"{to} is {state} in {work.organization}: only an active member can become Owner")
    if to == organization.owner:
        return
    if member.role is not Role.ADMINISTRATOR:
        after = member_value(Role.ADMINISTRATOR, State.ACTIVE)
        write(work, "member", user=to, before=member_value(member.role, member.state), after=after)
    write(work, "owner", before={"user": organization.owner}, after={"user": to})


def parse_ticket(text: str) -> str:
    """`text` itself when it can be the ticket of a transfer; raises UnknownName."""
    if isinstance(text, str) and text and plain(text, 255) == text:
        return text
    raise UnknownName(f"a ticket is 1 to 255 printable ASCII characters, not {quoted(text)}")


def _project_to_manage(authority: Authority, user: str, project: str) -> ProjectRecord:
    record = authority.project(project)
    authority.require(Permission.PROJECT_MEMBER_MANAGE, record.domain)
    authority.require_over(user)
    if not authority.organization().manual_role_management:
        raise Refused("roles are managed by an identity provider: manual_role_management is off")
    return record


def _set_role(authority: Authority, member: MemberRecord, role: Role | None, state: State) -> None:
    before = member_value(member.role, member.state)
    write(authority.work, "member", user=member.user, before=before, after=member_value(role, state))


def _value(given: tuple[Role | None, Until] | None) -> Value | None:
    return None if given is None else project_role_value(*given)
