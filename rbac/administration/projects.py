"""Workspaces and projects: making them, moving projects, deleting both."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import select

from rbac.administration.authority import Authority
from rbac.database import tables as t
from rbac.database.changes import write
from rbac.database.stored_facts import dependants, project_value, workspace_value
from rbac.database.task_facts import end_tasks
from rbac.database.unit_of_work import Work
from rbac.errors import Refused
from rbac.snapshot.records import ProjectRecord
from rbac.vocabulary import Distribution, Domain, Kind, Permission


def create_workspace(authority: Authority, workspace: str, *, personal: bool) -> None:
    """Make a workspace; the actor is its creator and, when it is personal, its only user."""
    authority.about(Domain(Kind.WORKSPACE, workspace))
    authority.require(Permission.WORKSPACE_CREATE)
    domain = Domain(Kind.WORKSPACE, workspace)
    authority.require_new(domain)
    write(authority.work, "workspace", domain=str(domain), after={"created_by": authority.actor, "personal": personal})


def create_project(authority: Authority, project: str, *, workspace: str) -> None:
    """Make a project in a workspace, unpublished and with automatic distribution."""
    authority.about(Domain(Kind.PROJECT, project), Domain(Kind.WORKSPACE, workspace))
    home = authority.workspace(workspace)
    authority.require(Permission.PROJECT_CREATE, home.domain)
    domain = Domain(Kind.PROJECT, project)
    authority.require_new(domain)
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
    write(authority.work, "project", domain=str(domain), after=project_value(made))


def move_project(authority: Authority, project: str, *, workspace: str) -> None:
    """Move a project to another workspace.

    Into a personal workspace only its user moves a project, and only one they created; it is unpublished and loses its direct
    members.
    """
    authority.about(Domain(Kind.PROJECT, project), Domain(Kind.WORKSPACE, workspace))
    record, target = authority.project(project), authority.workspace(workspace)
    authority.require(Permission.PROJECT_UPDATE, record.domain)
    authority.require(Permission.PROJECT_CREATE, target.domain)
    if target.personal:
        if record.created_by != authority.actor:
            raise Refused(f"{record.domain} was not created by {authority.actor}: only one's own project moves into a personal workspace")
        authority.require(Permission.PROJECT_DELETE, record.domain)
        if record.workspace != workspace:
            _erase(authority.work, record.domain, "membership")
    moved = replace(record, workspace=workspace, personal=target.personal, published=record.published and not target.personal)
    write(authority.work, "project", domain=str(record.domain), before=project_value(record), after=project_value(moved))


def delete_project(authority: Authority, project: str) -> None:
    """Delete a project and everything that belongs to it; a later project of that id inherits nothing."""
    authority.about(Domain(Kind.PROJECT, project))
    record = authority.project(project)
    authority.require(Permission.PROJECT_DELETE, record.domain)
    work, c = authority.work, t.project.c
    where = (c.organization == work.organization, c.id == project)
    work.connection.execute(select(c.id).where(*where).with_for_update()).close()  # no task is recorded between the deletions below
    _erase(work, record.domain)
    end_tasks(work.connection, work.organization, project, at=work.at)
    write(work, "project", domain=str(record.domain), before=project_value(record))


def delete_workspace(authority: Authority, workspace: str) -> None:
    """Delete an empty workspace and its memberships."""
    authority.about(Domain(Kind.WORKSPACE, workspace))
    record = authority.workspace(workspace)
    authority.require(Permission.WORKSPACE_DELETE, record.domain)
    _erase(authority.work, record.domain)
    write(authority.work, "workspace", domain=str(record.domain), before=workspace_value(record))


def _erase(work: Work, domain: Domain, *kinds: str) -> None:
    """Delete every fact that ends with a domain, or those of these kinds."""
    for fact in list(dependants(work.connection, work.organization, domain, *kinds)):
        write(work, fact.kind, user=fact.user, domain=fact.domain, before=fact.value)
