"""The commands that change members: roles, memberships, pauses, task assignments, ownership."""

from __future__ import annotations

import click

from rbac.cli import complete
from rbac.cli.commands import command
from rbac.cli.options import acting, by, changed, until
from rbac.cli.session import Session, current
from rbac.names import parse_domain

_user = click.argument("user", shell_complete=complete.users)
_domain = click.argument("domain", shell_complete=complete.domains)
_project = click.argument("project", metavar="project:ID", shell_complete=complete.projects)


@command(
    "rbac grant andy reviewer --as ada",
    "rbac grant andy reviewer --on project:p1 --until 2099-01-31T12:00:00Z --as max",
)
@_user
@click.argument("role", shell_complete=complete.roles)
@click.option("--on", metavar="project:ID", help="In this project only, in place of the other role.", shell_complete=complete.projects)
@until
@by
@current
def grant(session: Session, user: str, role: str, on: str | None, until: str | None, actor: str | None) -> None:
    """Give USER a ROLE, everywhere or in one project."""
    changed(session, acting(session, actor).grant(user, role, on=on, until=until))


@command("rbac revoke andy --on project:p1 --as max")
@_user
@click.option("--on", metavar="project:ID", required=True, help="The project.", shell_complete=complete.projects)
@by
@current
def revoke(session: Session, user: str, on: str, actor: str | None) -> None:
    """Remove the project role of USER.

    The organization role is in force there again.
    """
    changed(session, acting(session, actor).revoke(user, on=on))


@command("rbac invite zoe annotator --as ada", "rbac invite zoe --as ada")
@_user
@click.argument("role", required=False, shell_complete=complete.roles)
@by
@current
def invite(session: Session, user: str, role: str | None, actor: str | None) -> None:
    """Add a new USER, active with a ROLE, else invited."""
    changed(session, acting(session, actor).invite(user, role))


@command("rbac deactivate andy --as ada")
@_user
@by
@current
def deactivate(session: Session, user: str, actor: str | None) -> None:
    """Deny USER everything.

    Memberships, project roles, pauses and tasks are kept, without effect until USER is active again.
    """
    changed(session, acting(session, actor).deactivate(user))


@command("rbac activate dan --as ada")
@_user
@by
@current
def activate(session: Session, user: str, actor: str | None) -> None:
    """Make a deactivated USER active again."""
    changed(session, acting(session, actor).activate(user))


@command("rbac add mia workspace:w1 --as max", "rbac add mia project:p1 --until 2099-01-31T12:00:00Z --as max")
@_user
@_domain
@until
@by
@current
def add(session: Session, user: str, domain: str, until: str | None, actor: str | None) -> None:
    """Make USER a member of a workspace or project."""
    changed(session, acting(session, actor).add(user, domain, until=until))


@command("rbac remove andy workspace:w1 --as max")
@_user
@_domain
@by
@current
def remove(session: Session, user: str, domain: str, actor: str | None) -> None:
    """Remove USER from a workspace or project.

    Project roles, pauses and tasks stay, without effect, until USER is added again.
    """
    changed(session, acting(session, actor).remove(user, domain))


@command("rbac pause rita project:p1 --as max", "rbac pause rita project:p1 --until 2099-01-31T12:00:00Z --as max")
@_user
@_project
@until
@by
@current
def pause(session: Session, user: str, project: str, until: str | None, actor: str | None) -> None:
    """Pause USER, an annotator or reviewer, in one project."""
    changed(session, acting(session, actor).pause(user, project, until=until))


@command("rbac unpause rita project:p1 --as max")
@_user
@_project
@by
@current
def unpause(session: Session, user: str, project: str, actor: str | None) -> None:
    """Lift a pause that was made by hand."""
    changed(session, acting(session, actor).unpause(user, project))


@command("rbac assign andy t2 project:p2 --annotator --as max", "rbac assign rita t2 project:p2 --reviewer --as max")
@_user
@click.argument("task")
@_project
@click.option("--annotator", "kind", flag_value="annotator", help="To annotate it.")
@click.option("--reviewer", "kind", flag_value="reviewer", help="To review it.")
@by
@current
def assign(session: Session, user: str, task: str, project: str, kind: str | None, actor: str | None) -> None:
    """Assign a task to USER, to annotate or to review."""
    if kind is None:
        raise click.UsageError("name what the task is for: --annotator or --reviewer")
    made = acting(session, actor)
    give = made.assign_annotator if kind == "annotator" else made.assign_reviewer
    changed(session, give(user, task=task, project=_id(project)))


@command("rbac unassign andy t1 project:p2 --as max")
@_user
@click.argument("task")
@_project
@by
@current
def unassign(session: Session, user: str, task: str, project: str, actor: str | None) -> None:
    """Unassign a task from USER, as annotator and reviewer."""
    changed(session, acting(session, actor).unassign(user, task=task, project=_id(project)))


@command("rbac transfer-ownership ada --ticket SUP-104", name="transfer-ownership")
@_user
@click.option("--ticket", metavar="REF", required=True, help="The support ticket that asks for it.")
@click.option("--operator", metavar="NAME", default="operator", show_default=True, help="Who the audit says did it.")
@current
def transfer_ownership(session: Session, user: str, ticket: str, operator: str) -> None:
    """Make USER the Owner; the old one is administrator.

    One transaction, an operator's: no member can do it, the Owner included.
    """
    changed(session, session.organization().transfer_ownership(to=user, ticket=ticket, operator=operator))


def _id(project: str) -> str:
    """The id in a project's address."""
    domain = parse_domain(project)
    if domain.kind != "project":
        raise click.UsageError(f"tasks are in projects: write project:ID, not {project}")
    return domain.id


COMMANDS = (
    grant,
    revoke,
    invite,
    deactivate,
    activate,
    add,
    remove,
    pause,
    unpause,
    assign,
    unassign,
    transfer_ownership,
)
