"""Who makes a change, and what a change prints: shared by people.py and places.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rbac.cli import complete, output
from rbac.cli.session import Session

if TYPE_CHECKING:
    from rbac.acting import Acting

_Function = TypeVar("_Function", bound=Callable[..., Any])

by: Callable[[_Function], _Function] = click.option(
    "--as", "actor", metavar="ACTOR", help="The member who makes the change; RBAC_ACTOR.", shell_complete=complete.users
)
until: Callable[[_Function], _Function] = click.option("--until", metavar="INSTANT", help="When it ends, as in 2027-01-31T12:00:00Z.")


def acting(session: Session, actor: str | None) -> Acting:
    """The changes of whoever was named by --as or RBAC_ACTOR."""
    name = actor if actor is not None else os.environ.get("RBAC_ACTOR") or None
    if name is None:
        raise click.UsageError("name who makes the change: --as ACTOR, or RBAC_ACTOR")
    return session.organization().acting(name)


def changed(session: Session, revision: int) -> None:
    """Print the revision that a change led to."""
    if session.json:
        output.as_json({"revision": revision})
    else:
        click.echo(f"revision {revision}")
