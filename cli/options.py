"""Options of several commands: who makes a change (`--as`), when it ends (`--until`), which revision is asked (`--as-of`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rbac.cli import complete, output
from rbac.cli.session import Session
from rbac.clock import write_instant

if TYPE_CHECKING:
    from rbac.acting import Acting
    from rbac.organization import Organization
    from rbac.past import Past

_Function = TypeVar("_Function", bound=Callable[..., Any])

_DIGITS = 100  # a longer number is read as an instant, which it is not

by: Callable[[_Function], _Function] = click.option(
    "--as", "actor", metavar="ACTOR", help="The member who makes the change; RBAC_ACTOR.", shell_complete=complete.users
)
until: Callable[[_Function], _Function] = click.option("--until", metavar="INSTANT", help="When it ends, as in 2027-01-31T12:00:00Z.")
as_of: Callable[[_Function], _Function] = click.option(
    "--as-of", "moment", metavar="REVISION|TIME", help="As it was at that revision, or at that instant (2027-01-31T12:00:00Z)."
)


def acting(session: Session, actor: str | None) -> Acting:
    """The changes of the actor named by --as or RBAC_ACTOR."""
    name = actor if actor is not None else os.environ.get("RBAC_ACTOR") or None
    if name is None:
        raise click.UsageError("name who makes the change: --as ACTOR, or RBAC_ACTOR")
    return session.organization().acting(name)


def changed(session: Session, revision: int) -> None:
    """Print the revision that a change led to."""
    if session.json:
        output.as_json({"revision": revision})
    else:
        output.line(f"revision {revision}")


def past(organization: Organization, moment: str) -> Past:
    """The organization at the moment that --as-of names: digits are a revision, everything else is an instant."""
    number = moment.isascii() and moment.isdigit() and len(moment) < _DIGITS
    return organization.as_of(int(moment) if number else moment)


def show_past(past: Past, session: Session | None = None) -> None:
    """Print the revision and the instant of the answer above; with a session also the policy that decided."""
    policy = "" if session is None else f", decided by {'' if session.policy else 'the present '}{past.policy.file}"
    output.line(f"as of revision {past.revision}, {write_instant(past.at)}{policy}")


def past_data(past: Past) -> dict[str, Any]:
    """The revision and the instant of an answer, for JSON."""
    return {"revision": past.revision, "as_of": write_instant(past.at)}


def policy_data(past: Past) -> dict[str, Any]:
    """The policy that decided about the past, for JSON."""
    return {"policy": {"file": past.policy.file, "sha256": past.policy.digest}}
