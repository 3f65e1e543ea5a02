"""Workspaces and projects come, go, move and are configured; permissions are restricted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Table

from rbac.administration import rows
from rbac.administration.authority import Authority
from rbac.database import tables as t
from rbac.database.ledger import write
from rbac.database.stored_facts import facts_in
from rbac.database.unit_of_work import Work
from rbac.errors import Refused, UnknownName
from rbac.names import nearest, parse_id, parse_role
from rbac.snapshot.records import ProjectRecord
from rbac.vocabulary import WORKERS, Distribution, Domain, Kind, Permission, Role

ORGANIZATION_SETTINGS = {
    "plugins_enabled": Permission.FEATURE_SETTINGS_CONFIGURE,
    "manual_role_management": Permission.SSO_CONFIGURE,
    "administrators_make_administrators": Permission.PERMISSION_SETTINGS_CONFIGURE,
    "tokens_for_annotators_and_reviewers": Permission.ACCESS_TOKENS_CONFIGURE,
}
"""Each setting of an organization, all yes or no, and who may change it."""

PROJECT_SETTINGS = {
    "published": Permission.PROJECT_UPDATE,
    "distribution": Permission.PROJECT_SETTINGS_CONFIGURE,
    "show_data_manager_to": Permission.PROJECT_SETTINGS_CONFIGURE,
    "review_only_assigned": Permission.PROJECT_SETTINGS_CONFIGURE,
}
"""Each setting of a project, and who may change it."""


def create_workspace(authority: Authority, workspace: str, *, personal: bool) -> None:
    """Make a workspace; the actor is its creator and, when it is personal, its only user."""
    authority.require(Permission.WORKSPACE_CREATE)
    domain = Domain(Kind.WORKSPACE, parse_id(workspace, "workspace"))
    _must_be_new(authority, domain)
    write(authority.work, "workspace", domain=str(domain), after={"created_by": authority.actor, "personal": personal})


def create_project(authority: Authority, project: str, *, workspace: str) -> None:
    """Make a project in a workspace, unpublished and with automatic distribution."""
    home = authority.workspace(workspace)
    authority.require(Permission.PROJECT_CREATE, home.domain)
    domain = Domain(Kind.PROJECT, parse_id(project, "project"))
    _must_be_new(authority, domain)
    made = ProjectRecord(
        id=project,
        path=domain.path(authority.work.organization),
        workspace=workspace,
        workspace_created_by=home.created_by,
        personal=home.personal,
        created_by=authority.actor,
        published=False,
        distribution=Distribution.AUTOMATIC,
        show_data_manager_to=frozenset(),
        review_only_assigned=False,
    )
    write(authority.work, "project", domain=str(domain), after=rows.project(made))


def move_project(authority: Authority, project: str, *, workspace: str) -> None:
    """Move a project; into a personal workspace only its user moves one, their own, and it loses publication and members."""
    place, target = authority.project(project), authority.workspace(workspace)
    authority.require(Permission.PROJECT_UPDATE, place.domain)
    authority.require(Permission.PROJECT_CREATE, target.domain)
    if target.personal:
        if place.created_by != authority.actor:
            raise Refused(f"{place.domain} was not created by {authority.actor}: only one's own project moves into a personal workspace")
        authority.require(Permission.PROJECT_DELETE, place.domain)
        if place.workspace != workspace:
            _erase(authority.work, t.project_member, place.domain)
    moved = replace(place, workspace=workspace, personal=target.personal, published=place.published and not target.personal)
    _rewrite(authority, place, moved)


def delete_project(authority: Authority, project: str) -> None:
    """Delete a project and everything that hangs on it; a later project of that id inherits nothing."""
    place = authority.project(project)
    authority.require(Permission.PROJECT_DELETE, place.domain)
    erase_project(authority.work, place)


def delete_workspace(authority: Authority, workspace: str) -> None:
    """Delete an empty workspace and its memberships."""
    place = authority.workspace(workspace)
    authority.require(Permission.WORKSPACE_DELETE, place.domain)
    _erase(authority.work, t.workspace_member, place.domain)
    write(authority.work, "workspace", domain=str(place.domain), before=rows.workspace(place))


def configure(authority: Authority, domain: Domain, settings: Mapping[str, Any]) -> None:
    """Change settings of the organization or of a project; each by whom its own permission allows."""
    known = {Kind.ORGANIZATION: ORGANIZATION_SETTINGS, Kind.PROJECT: PROJECT_SETTINGS}.get(domain.kind, {})
    for name in settings:
        if name not in known:
            raise UnknownName(f"{domain.kind} has no setting {name!r}{nearest(name, known) or _list(known)}")
    values = {name: parse_setting(name, value) for name, value in settings.items()}
    place = authority.project(domain.id) if domain.kind is Kind.PROJECT else None
    for permission in dict.fromkeys(known[name] for name in values):
        authority.require(permission, domain)
    if place is None:
        _configure_organization(authority, values)
    elif values.get("published") and place.personal:
        raise Refused(f"{domain} is in a personal workspace and cannot be published")
    else:
        _rewrite(authority, place, replace(place, **values))


def restrict(authority: Authority, permission: Permission, level: Role) -> None:
    """Lift a permission to a level: whoever stands below it loses it."""
    authority.require(Permission.PERMISSION_SETTINGS_CONFIGURE)
    if not authority.decider.policy.restrictable(permission, level):
        raise Refused(f"{permission} cannot be restricted to {level}: not every line of {authority.decider.policy.file} below can be")
    before = authority.organization().restrictions.get(permission)
    if before is not level:
        _set_restriction(authority, permission, before, level)


def unrestrict(authority: Authority, permission: Permission) -> None:
    """Take a restriction back."""
    authority.require(Permission.PERMISSION_SETTINGS_CONFIGURE)
    before = authority.organization().restrictions.get(permission)
    if before is not None:
        _set_restriction(authority, permission, before, None)


def parse_setting(name: str, value: Any) -> Any:
    """A setting's value, from Python or from the command line's text; raises UnknownName."""
    if name == "distribution":
        known = Distribution.named(value)
        if known is None:
            raise UnknownName(f"distribution is automatic or manual, not {value!r}")
        return known
    if name == "show_data_manager_to":
        names = [part for part in value.split(",") if part] if isinstance(value, str) else value
        roles = frozenset(parse_role(each) for each in names)
        if not roles <= WORKERS:
            raise UnknownName("show_data_manager_to names annotator, reviewer or both: the others see it always")
        return roles
    answer = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(str(value).lower())
    if answer is None:
        raise UnknownName(f"{name} is true or false, not {value!r}")
    return answer


def erase_project(work: Work, place: ProjectRecord) -> None:
    """Every fact of a project, each of them in the audit."""
    for table in (t.worked_on, t.assignment, t.task, t.pause, t.project_role, t.project_member):
        _erase(work, table, place.domain)
    write(work, "project", domain=str(place.domain), before=rows.project(place))


def _must_be_new(authority: Authority, domain: Domain) -> None:
    if authority.there_is(domain):
        raise Refused(f"there is a {domain} already")


def _rewrite(authority: Authority, before: ProjectRecord, after: ProjectRecord) -> None:
    write(authority.work, "project", domain=str(before.domain), before=rows.project(before), after=rows.project(after))


def _configure_organization(authority: Authority, values: Mapping[str, bool]) -> None:
    present = authority.organization()
    changed = {name: value for name, value in values.items() if getattr(present, name) != value}
    if changed:
        write(authority.work, "settings", before={name: getattr(present, name) for name in changed}, after=changed)


def _set_restriction(authority: Authority, permission: Permission, before: Role | None, after: Role | None) -> None:
    was, now = (None if level is None else {str(permission): str(level)} for level in (before, after))
    write(authority.work, "restriction", before=was, after=now)


def _erase(work: Work, table: Table, domain: Domain) -> None:
    """Every fact of one kind that hangs on a domain."""
    for fact in list(facts_in(work.connection, work.organization, table, domain)):
        write(work, fact.kind, user=fact.user, domain=fact.domain, before=fact.value)


def _list(names: Mapping[str, Any]) -> str:
    return f": one of {', '.join(names)}" if names else ""
