"""The commands `roles` (the domains of a member) and `members` (the members of a domain)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from rbac.cli import complete, options, output
from rbac.cli.commands import command
from rbac.cli.errors import No
from rbac.cli.session import Session, current
from rbac.names import parse_domain
from rbac.vocabulary import Domain

if TYPE_CHECKING:
    from rbac.listing.members import Membership
    from rbac.listing.standings import Standing


@command("rbac roles andy", "rbac roles rita --json", "rbac roles andy --as-of 1")
@click.argument("user", shell_complete=complete.users)
@options.as_of
@current
def roles(session: Session, user: str, moment: str | None) -> None:
    """Where USER belongs, with which role, until when.

    Lists the organization and each domain USER is a member of, created, or reaches through its workspace, with the
    role in force there, project roles and pauses.
    """
    then = None if moment is None else options.past(session.existing(), moment)
    organization = then or session.existing()
    member, found = organization.member(user), organization.standings(user)
    if member is None:
        raise No(f"{user} {'is' if then is None else 'was'} no member of {organization.id}")
    if session.json:
        domains = [_standing_data(each) for each in found]
        when = {} if then is None else options.past_data(then)
        output.as_json({"user": user, "state": member.state, "role": member.role, "domains": domains, **when})
    else:
        output.line(f"{user} is {member.state} in {organization.id}" + (f", {member.role}" if member.role else ""))
        output.table(("domain", "role in force", "member", "until", "note"), map(_standing_row, found))
        if then is not None:
            options.show_past(then)


@command("rbac members project:p1", "rbac members organization --json", "rbac members project:p1 --as-of 1")
@click.argument("domain", shell_complete=complete.domains)
@options.as_of
@current
def members(session: Session, domain: str, moment: str | None) -> None:
    """Who is in DOMAIN, with which role, until when.

    Shows the role in force there, whether the membership is direct or inherited from the workspace, and who is paused.
    With --json one object a line.
    """
    then, where = None if moment is None else options.past(session.existing(), moment), parse_domain(domain)
    organization = then or session.existing()
    if organization.owner is None or organization.role_of(organization.owner, where) is None:
        raise No(f"there {'is' if then is None else 'was'} no {where} in {organization.id}")
    if session.json:
        for each in organization.members(where):
            output.as_json({**_membership_data(each, where), **({} if then is None else options.past_data(then))})
    else:
        columns = ("user", "role in force", "member", "until", "note")
        output.table(columns, (_membership_row(each) for each in organization.members(where)))
        if then is not None:
            options.show_past(then)


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


COMMANDS = (roles, members)
