"""Answers of then: the option `--as-of`, and how an answer says of when it is and by which policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rbac.cli.session import Session
from rbac.clock import write_instant

if TYPE_CHECKING:
    from rbac.organization import Organization
    from rbac.past import Past

_Function = TypeVar("_Function", bound=Callable[..., Any])

_DIGITS = 100  # of a number that can still be said to be none of the revisions

as_of: Callable[[_Function], _Function] = click.option(
    "--as-of", "moment", metavar="REVISION|TIME", help="As it was at that revision, or at that instant (2027-01-31T12:00:00Z)."
)


def then(organization: Organization, moment: str) -> Past:
    """The organization at the moment that was named: digits are a revision, everything else is an instant."""
    number = moment.isascii() and moment.isdigit() and len(moment) < _DIGITS
    return organization.as_of(int(moment) if number else moment)


def show(past: Past, session: Session | None = None) -> None:
    """Of when the answer above is; with the session of a decision also by which policy it was made."""
    policy = "" if session is None else f", decided by {'' if session.policy else 'the present '}{past.policy.file}"
    click.echo(f"as of revision {past.revision}, {write_instant(past.at)}{policy}")


def as_data(past: Past) -> dict[str, Any]:
    """Of when an answer is, for JSON."""
    return {"revision": past.revision, "as_of": write_instant(past.at)}


def policy_data(past: Past) -> dict[str, Any]:
    """By which policy an answer of then was made, for JSON."""
    return {"policy": {"file": past.policy.file, "sha256": past.policy.digest}}
