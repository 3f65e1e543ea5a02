"""The commands that change workspaces, projects, settings and restrictions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from rbac.cli import complete, output
from rbac.cli.commands import command, group
from rbac.cli.options import acting, by, changed
from rbac.cli.session import Session, current

_workspace = click.argument("workspace", metavar="ID", shell_complete=complete.workspace_ids)
_project = click.argument("project", metavar="ID", shell_complete=complete.project_ids)
_into = click.option("--workspace", metavar="ID", required=True, help="The workspace.", shell_complete=complete.workspace_ids)
_permission = click.argument("permission", shell_complete=complete.permissions)


@group("rbac workspace create w9 --as max", "rbac workspace delete w9 --as max", name="workspace")
def workspace() -> None:
    """Make and delete workspaces."""


@command("rbac workspace create w9 --as max", "rbac workspace create max-own --personal --as max", name="create", under=workspace)
@_workspace
@click.option("--personal", is_flag=True, help="A sandbox for the actor alone.")
@by
@current
def create_workspace(session: Session, workspace: str, personal: bool, actor: str | None) -> None:
    """Make a workspace; the actor is its creator."""
    changed(session, acting(session, actor).create_workspace(workspace, personal=personal))


@command("rbac workspace delete w2 --as ada", name="delete", under=workspace)
@_workspace
@by
@current
def delete_workspace(session: Session, workspace: str, actor: str | None) -> None:
    """Delete a workspace that is empty."""
    changed(session, acting(session, actor).delete_workspace(workspace))


@group("rbac project create p9 --workspace w1 --as max", "rbac project move p9 --workspace w2 --as ada", name="project")
def project() -> None:
    """Make, move and delete projects."""


@command("rbac project create p9 --workspace w1 --as max", name="create", under=project)
@_project
@_into
@by
@current
def create_project(session: Session, project: str, workspace: str, actor: str | None) -> None:
    """Make a project in a workspace.

    It is unpublished, and the actor is its creator.
    """
    changed(session, acting(session, actor).create_project(project, workspace=workspace))


@command("rbac project move p1 --workspace w2 --as ada", name="move", under=project)
@_project
@_into
@by
@current
def move_project(session: Session, project: str, workspace: str, actor: str | None) -> None:
    """Move a project to another workspace.

    Who is in it through the workspace changes at once; its own members stay.
    """
    changed(session, acting(session, actor).move_project(project, workspace=workspace))


@command("rbac project delete p3 --as max", name="delete", under=project)
@_project
@by
@current
def delete_project(session: Session, project: str, actor: str | None) -> None:
    """Delete a project with its members, roles and tasks."""
    changed(session, acting(session, actor).delete_project(project))


@command(
    "rbac configure project:p1 distribution=manual --as max",
    "rbac configure project:p1 show_data_manager_to=annotator,reviewer published=true --as max",
    "rbac configure organization plugins_enabled=false --as olga",
)
@click.argument("domain", shell_complete=complete.domains)
@click.argument("settings", metavar="KEY=VALUE...", nargs=-1, required=True)
@by
@current
def configure(session: Session, domain: str, settings: tuple[str, ...], actor: str | None) -> None:
    """Change settings of the organization or of a project.

    \b
    project:ID    published, distribution, show_data_manager_to, review_only_assigned
    organization  plugins_enabled, manual_role_management, administrators_make_administrators,
                  tokens_for_annotators_and_reviewers
    """
    changed(session, acting(session, actor).configure(domain, **_settings(settings)))


@command("rbac restrict", "rbac restrict plugin:configure administrator --as olga")
@click.argument("permission", required=False, shell_complete=complete.permissions)
@click.argument("level", required=False, shell_complete=complete.roles)
@by
@current
def restrict(session: Session, permission: str | None, level: str | None, actor: str | None) -> None:
    """Deny PERMISSION to every role below LEVEL.

    Without arguments: list the restrictions, and the lines of the policy that defeat any of them.
    """
    if permission is None:
        return _show_restrictions(session)
    if level is None:
        raise click.UsageError("name the LEVEL too: the lowest role that keeps the permission")
    return changed(session, acting(session, actor).restrict(permission, level))


def _show_restrictions(session: Session) -> None:
    organization = session.existing()
    why, rows = organization.ineffective_restrictions(), sorted(organization.details().restrictions.items())
    if session.json:
        for name, level in rows:
            output.as_json({"permission": name, "level": level, "ineffective": why.get(name)})
    else:
        notes = {name: f"no full effect: {said}" for name, said in why.items()}
        output.table(("permission", "level", "note"), ((name, str(level), notes.get(name, "")) for name, level in rows))


@command("rbac unrestrict plugin:configure --as olga")
@_permission
@by
@current
def unrestrict(session: Session, permission: str, actor: str | None) -> None:
    """Remove a restriction."""
    changed(session, acting(session, actor).unrestrict(permission))


def _settings(given: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{each!r} is not a setting: write KEY=VALUE")
        if name in found:
            raise click.UsageError(f"{name} is given twice")
        found[name] = value
    return found


COMMANDS = (workspace, project, configure, restrict, unrestrict)
