"""Evidence: who changed what when, and whether that record is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rbac.cli import complete, output
from rbac.cli.context import Session, current
from rbac.cli.errors import NO
from rbac.cli.verbs import verb
from rbac.clock import parse_instant, write_instant
from rbac.tables import KINDS

if TYPE_CHECKING:
    from rbac.database.audit import Change, Entry
    from rbac.organization import Organization


@verb(
    "rbac audit",
    "rbac audit --user andy --newest-first",
    "rbac audit --since 2026-01-01T00:00:00Z --actor ada --json",
    "rbac audit --verify",
)
@click.option("--verify", is_flag=True, help="Recompute the hash chain and replay it to the present state; exit 1 on findings.")
@click.option("--first", metavar="REVISION", type=int, help="From this revision on.")
@click.option("--last", metavar="REVISION", type=int, help="Up to this revision.")
@click.option("--since", metavar="INSTANT", help="From this instant on, as in 2027-01-31T12:00:00Z.")
@click.option("--until", metavar="INSTANT", help="Before this instant.")
@click.option("--actor", metavar="NAME", help="Made by this member or operator.", shell_complete=complete.users)
@click.option("--user", metavar="USER", help="Changes about this member only.", shell_complete=complete.users)
@click.option("--kind", type=click.Choice(KINDS), help="Changes of this kind only.")
@click.option("--newest-first", is_flag=True, help="The newest revision first.")
@current
def audit(session: Session, /, verify: bool, since: str | None, until: str | None, newest_first: bool, **filters: Any) -> None:
    """The record of every change, revision by revision.

    With --json one object a line. --verify recomputes the hash chain and replays it; exit 1 on findings.
    """
    asked = {name: value for name, value in filters.items() if value is not None}
    asked |= {name: parse_instant(text) for name, text in (("since", since), ("until", until)) if text is not None}
    organization = session.existing()
    if verify:
        if asked or newest_first:
            raise click.UsageError("--verify looks at the whole audit and takes no filter")
        _verify(session, organization)
    else:
        for entry in organization.audit(newest_first=newest_first, **asked):
            _show(session, entry)


def _verify(session: Session, organization: Organization) -> None:
    found = organization.verify()
    if session.json:
        names = ("organization", "revision", "head", "changes", "problems")
        output.as_json({"whole": bool(found), **{name: getattr(found, name) for name in names}})
    elif found:
        click.echo(f"{found.organization} is whole: {found.changes} changes in {found.revision} revisions, head {found.head}")
    else:
        for problem in found.problems:
            click.echo(f"{found.organization}: {problem}")
    if not found:
        click.get_current_context().exit(NO)


def _show(session: Session, entry: Entry) -> None:
    if session.json:
        output.as_json(_data(entry))
        return
    ticket = f", ticket {entry.ticket}" if entry.ticket else ""
    click.echo(f"{entry.revision}  {write_instant(entry.at)}  {entry.actor} ({entry.actor_kind}): {entry.operation}{ticket}")
    for change in entry.changes:
        click.echo(f"   {_change(change)}")


def _change(change: Change) -> str:
    """A change in the words of an import's plan."""
    from rbac.state import Step

    return str(Step(change.kind, change.user, change.domain, change.before, change.after))


def _data(entry: Entry) -> dict[str, Any]:
    names = ("organization", "revision", "actor", "actor_kind", "operation", "ticket", "previous", "hash")
    changes = [{name: getattr(each, name) for name in ("kind", "user", "domain", "before", "after")} for each in entry.changes]
    return {**{name: getattr(entry, name) for name in names}, "at": write_instant(entry.at), "changes": changes}


COMMANDS = (audit,)
