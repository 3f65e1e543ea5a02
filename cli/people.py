"""People: who is in, with which role, where, paused or not, with which tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from rbac.cli import complete, output, past
from rbac.cli.acting import acting, by, changed, until
from rbac.cli.context import Session, current, verb
from rbac.cli.errors import No
from rbac.domains import Standing
from rbac.members import Membership
from rbac.vocabulary import Domain, parse_domain

_user = click.argument("user", shell_complete=complete.users)
_domain = click.argument("domain", shell_complete=complete.domains)
_project = click.argument("project", metavar="project:ID", shell_complete=complete.projects)


@verb(
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
    """Give USER a ROLE in the organization, or with --on in one project."""
    changed(session, acting(session, actor).grant(user, role, on=on, until=until))


@verb("rbac revoke andy --on project:p1 --as max")
@_user
@click.option("--on", metavar="project:ID", required=True, help="The project.", shell_complete=complete.projects)
@by
@current
def revoke(session: Session, user: str, on: str, actor: str | None) -> None:
    """Take the project role of USER away; the organization role is in force again."""
    changed(session, acting(session, actor).revoke(user, on=on))


@verb("rbac invite zoe annotator --as ada", "rbac invite zoe --as ada")
@_user
@click.argument("role", required=False, shell_complete=complete.roles)
@by
@current
def invite(session: Session, user: str, role: str | None, actor: str | None) -> None:
    """Bring USER in: active at once with a ROLE, invited without one."""
    changed(session, acting(session, actor).invite(user, role))


@verb("rbac deactivate andy --as ada")
@_user
@by
@current
def deactivate(session: Session, user: str, actor: str | None) -> None:
    """Take everything away from USER and keep what they had."""
    changed(session, acting(session, actor).deactivate(user))


@verb("rbac activate dan --as ada")
@_user
@by
@current
def activate(session: Session, user: str, actor: str | None) -> None:
    """Give a deactivated USER back what they had."""
    changed(session, acting(session, actor).activate(user))


@verb("rbac add mia workspace:w1 --as max", "rbac add mia project:p1 --until 2099-01-31T12:00:00Z --as max")
@_user
@_domain
@until
@by
@current
def add(session: Session, user: str, domain: str, until: str | None, actor: str | None) -> None:
    """Make USER a member of a workspace or project."""
    changed(session, acting(session, actor).add(user, domain, until=until))


@verb("rbac remove andy workspace:w1 --as max")
@_user
@_domain
@by
@current
def remove(session: Session, user: str, domain: str, actor: str | None) -> None:
    """Take the membership of a workspace or project away from USER."""
    changed(session, acting(session, actor).remove(user, domain))


@verb("rbac pause rita project:p1 --as max", "rbac pause rita project:p1 --until 2099-01-31T12:00:00Z --as max")
@_user
@_project
@until
@by
@current
def pause(session: Session, user: str, project: str, until: str | None, actor: str | None) -> None:
    """Stop USER, an annotator or reviewer, in one project."""
    changed(session, acting(session, actor).pause(user, project, until=until))


@verb("rbac unpause rita project:p1 --as max")
@_user
@_project
@by
@current
def unpause(session: Session, user: str, project: str, actor: str | None) -> None:
    """Lift a pause that was made by hand."""
    changed(session, acting(session, actor).unpause(user, project))


@verb("rbac assign andy t2 project:p2 --annotator --as max", "rbac assign rita t2 project:p2 --reviewer --as max")
@_user
@click.argument("task")
@_project
@click.option("--annotator", "kind", flag_value="annotator", help="To annotate it.")
@click.option("--reviewer", "kind", flag_value="reviewer", help="To review it.")
@by
@current
def assign(session: Session, user: str, task: str, project: str, kind: str | None, actor: str | None) -> None:
    """Give TASK of a project to USER, to annotate or to review."""
    if kind is None:
        raise click.UsageError("say what for: --annotator or --reviewer")
    made = acting(session, actor)
    give = made.assign_annotator if kind == "annotator" else made.assign_reviewer
    changed(session, give(user, task=task, project=_id(project)))


@verb("rbac unassign andy t1 project:p2 --as max")
@_user
@click.argument("task")
@_project
@by
@current
def unassign(session: Session, user: str, task: str, project: str, actor: str | None) -> None:
    """Take TASK of a project away from USER, whatever they had it as."""
    changed(session, acting(session, actor).unassign(user, task=task, project=_id(project)))


@verb("rbac transfer-ownership ada --ticket SUP-104", name="transfer-ownership")
@_user
@click.option("--ticket", metavar="REF", required=True, help="The support ticket that asks for it.")
@click.option("--operator", metavar="NAME", default="operator", show_default=True, help="Who the audit says did it.")
@current
def transfer_ownership(session: Session, user: str, ticket: str, operator: str) -> None:
    """Make USER the Owner; the old Owner becomes administrator. An operator's, never a member's."""
    changed(session, session.organization().transfer_ownership(to=user, ticket=ticket, operator=operator))


@verb("rbac roles andy", "rbac roles rita --json", "rbac roles andy --as-of 2026-12-31T23:59:59Z")
@_user
@past.as_of
@current
def roles(session: Session, user: str, moment: str | None) -> None:
    """The role of USER in the organization and in every domain they belong to, how they got in, and until when."""
    then = None if moment is None else past.then(session.existing(), moment)
    organization = then or session.existing()
    member, found = organization.member(user), organization.standings(user)
    if member is None:
        raise No(f"{user} {'is' if then is None else 'was'} no member of {organization.id}")
    if session.json:
        domains = [_standing_data(each) for each in found]
        when = {} if then is None else past.as_data(then)
        output.as_json({"user": user, "state": member.state, "role": member.role, "domains": domains, **when})
    else:
        click.echo(f"{user} is {member.state} in {organization.id}" + (f", {member.role}" if member.role else ""))
        output.table(("domain", "role in force", "member", "until", "note"), map(_standing_row, found))
        if then is not None:
            past.show(then)


@verb("rbac members project:p1", "rbac members organization --json", "rbac members project:p1 --as-of 12")
@_domain
@past.as_of
@current
def members(session: Session, domain: str, moment: str | None) -> None:
    """The members of DOMAIN with the role in force there, how they got in, until when, and who is paused."""
    then, where = None if moment is None else past.then(session.existing(), moment), parse_domain(domain)
    organization = then or session.existing()
    if organization.owner is None or organization.role_of(organization.owner, where) is None:
        raise No(f"there {'is' if then is None else 'was'} no {where} in {organization.id}")
    if session.json:
        for each in organization.members(where):
            output.as_json({**_membership_data(each, where), **({} if then is None else past.as_data(then))})
    else:
        columns = ("user", "role in force", "member", "until", "note")
        output.table(columns, (_membership_row(each) for each in organization.members(where)))
        if then is not None:
            past.show(then)


def _id(project: str) -> str:
    """The id in a project's address."""
    domain = parse_domain(project)
    if domain.kind != "project":
        raise click.UsageError(f"tasks are in projects: write project:ID, not {project}")
    return domain.id


def _standing_row(each: Standing) -> tuple[str, ...]:
    how = ", ".join(each.how) or ("" if str(each.domain) == "organization" else "no member")
    return str(each.domain), str(each.role or ""), how, output.until(each.until), "; ".join(_notes(each))


def _notes(each: Standing) -> Iterator[str]:
    if each.project_role is not None:
        yield _ending(f"project role {each.project_role}", each.project_role_until)
    if each.paused is not None:
        yield _ending(f"paused: {each.paused}", each.paused_until)


def _ending(text: str, until: int | None) -> str:
    return text if until is None else f"{text} until {output.until(until)}"


def _standing_data(each: Standing) -> dict[str, Any]:
    return {
        "domain": str(each.domain),
        "role": each.role,
        "how": each.how,
        "until": output.ended(each.until),
        "project_role": each.project_role,
        "project_role_until": output.ended(each.project_role_until),
        "paused": each.paused,
        "paused_until": output.ended(each.paused_until),
    }


def _membership_row(each: Membership) -> tuple[str, ...]:
    notes = [] if each.role else [str(each.state)]
    notes += [_ending("this role", each.role_until)] if each.role_until is not None else []
    notes += [_ending("paused", each.paused_until)] if each.paused else []
    return each.user, str(each.role or ""), "direct" if each.direct else "inherited", output.until(each.until), ", ".join(notes)


def _membership_data(each: Membership, domain: Domain) -> dict[str, Any]:
    return {
        "user": each.user,
        "domain": str(domain),
        "role": each.role,
        "state": each.state,
        "direct": each.direct,
        "until": output.ended(each.until),
        "paused": each.paused,
        "paused_until": output.ended(each.paused_until),
        "role_until": output.ended(each.role_until),
    }


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
    roles,
    members,
)
