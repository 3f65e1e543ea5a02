"""Evidence: who changed what and when, which changes were refused, and whether the audit is intact.

Every entry is on lines of its own, whatever it holds: one JSON object, or printable ASCII.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from rbac.cli import complete, output
from rbac.cli.commands import command
from rbac.cli.errors import NO
from rbac.cli.session import Session, current
from rbac.clock import parse_instant, write_instant
from rbac.database.tables import KINDS
from rbac.errors import StateError
from rbac.files import read_file
from rbac.text import plain

_PRINT = "-"  # what --head without a FILE means; no file on its own, since a head is printed and never read from stdin

if TYPE_CHECKING:
    from rbac.database.audit.heads import Head
    from rbac.database.audit.log import Entry
    from rbac.database.audit.refusals import Refusal
    from rbac.organization import Organization


@command(
    "rbac audit",
    "rbac audit --user andy --newest-first",
    "rbac audit --since 2026-01-01T00:00:00Z --actor ada --json",
    "rbac audit --refused --newest-first",
    "rbac audit --head",
    "rbac audit --verify",
)
@click.option("--verify", is_flag=True, help="Recompute the hash chain and replay it to the present state; exit 1 on findings.")
@click.option(
    "--head",
    metavar="[FILE]",
    is_flag=False,
    flag_value=_PRINT,
    help="Print the head of the chain, to be kept elsewhere; with --verify, find those of FILE.",
    shell_complete=complete.files,
)
@click.option("--refused", is_flag=True, help="The changes that were refused instead, the newest 10,000 of them.")
@click.option("--first", metavar="REVISION", type=int, help="From this revision on.")
@click.option("--last", metavar="REVISION", type=int, help="Up to this revision.")
@click.option("--since", metavar="INSTANT", help="From this instant on, as in 2027-01-31T12:00:00Z.")
@click.option("--until", metavar="INSTANT", help="Before this instant.")
@click.option("--actor", metavar="NAME", help="Made by this member or operator.", shell_complete=complete.users)
@click.option("--user", metavar="USER", help="Changes about this member only.", shell_complete=complete.users)
@click.option("--kind", type=click.Choice(KINDS), help="Changes of this kind only.")
@click.option("--newest-first", is_flag=True, help="The newest revision first.")
@current
def audit(session: Session, /, verify: bool, head: str | None, refused: bool, since: str | None, until: str | None, **filters: Any) -> None:
    """The record of every change, revision by revision.

    Each with what was there before and after; with --json one object a line, for a log collector. --verify recomputes
    the hash chain and replays it; exit 1 on findings. A chain does not show that its end was cut off: keep what --head
    prints outside the store, as often as you like, and have --verify --head look for every one.
    """
    asked = {name: value for name, value in filters.items() if value is not None and value is not False}
    asked |= {name: parse_instant(text) for name, text in (("since", since), ("until", until)) if text is not None}
    if (verify or head) and (asked or refused):
        raise click.UsageError(f"{'--verify' if verify else '--head'} is about the whole audit and takes no filter")
    organization = session.existing()
    if verify:
        _verify(session, organization, [] if head is None else _heads(head, organization.id))
    elif head is not None:
        _print_head(session, organization.head(), head)
    elif refused:
        _show_refused(session, organization, asked)
    else:
        for entry in organization.audit(**asked):
            _show(session, entry)


def _heads(file: str, organization: str) -> list[Head]:
    """The heads of an organization that a file has; one at least, or verifying would prove less than it says."""
    from rbac.database.audit.heads import read_heads

    if file == _PRINT:
        raise click.UsageError("--verify --head needs the FILE that heads were kept in")
    try:
        text = read_file(file).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from error
    found = [head for head in read_heads(text, file) if head.organization == organization]
    if not found:
        raise StateError(f"has no head of {organization}", file=file)
    return found


def _print_head(session: Session, head: Head, file: str) -> None:
    if file != _PRINT:
        raise click.UsageError("--head prints; with a FILE it goes with --verify")
    if session.json:
        output.as_json(asdict(head))
    else:
        output.line(str(head))


def _verify(session: Session, organization: Organization, heads: list[Head]) -> None:
    found = organization.verify(head=heads)
    if session.json:
        names = ("organization", "revision", "head", "changes", "pinned", "problems")
        output.as_json({"whole": bool(found), **{name: getattr(found, name) for name in names}})
    elif found:
        kept = f", kept heads found: {found.pinned}" if heads else ""
        output.line(f"{found.organization} is whole: {found.changes} changes in {found.revision} revisions, head {found.head}{kept}")
    else:
        for problem in found.problems:
            output.line(plain(f"{found.organization}: {problem}"))
    if not found:
        click.get_current_context().exit(NO)


def _show_refused(session: Session, organization: Organization, asked: dict[str, Any]) -> None:
    unfit = asked.keys() - {"since", "until", "actor", "newest_first"}
    if unfit:
        raise click.UsageError(f"a refusal has no {sorted(unfit)[0]}: ask by --actor, --since and --until")
    for each in organization.refusals(**asked):
        _show_refusal(session, each)


def _show_refusal(session: Session, each: Refusal) -> None:
    if session.json:
        output.as_json({**asdict(each), "at": write_instant(each.at)})
    else:
        output.line(plain(f"{write_instant(each.at)}  {each.actor}: {each.operation}: {each.reason}"))


def _show(session: Session, entry: Entry) -> None:
    if session.json:
        output.as_json(_data(entry))
        return
    ticket = f", ticket {entry.ticket}" if entry.ticket else ""
    output.line(plain(f"{entry.revision}  {write_instant(entry.at)}  {entry.actor} ({entry.actor_kind}): {entry.operation}{ticket}"))
    for change in entry.changes:
        output.line(f"   {plain(str(change))}")


def _data(entry: Entry) -> dict[str, Any]:
    names = ("organization", "revision", "actor", "actor_kind", "operation", "ticket", "previous", "hash")
    changes = [{name: getattr(each, name) for name in ("kind", "user", "domain", "before", "after")} for each in entry.changes]
    return {**{name: getattr(entry, name) for name in names}, "at": write_instant(entry.at), "changes": changes}


COMMANDS = (audit,)
