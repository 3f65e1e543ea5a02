"""The longer answers laid out: the page's table, and what somebody can do where."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from rbac.cli import output
from rbac.cli.errors import No
from rbac.cli.session import Session
from rbac.policy.reader import read_policy
from rbac.vocabulary import Permission, Role

if TYPE_CHECKING:
    from rbac.decisions.evaluate import Permissions
    from rbac.organization import Organization

NEEDS_TARGET = "needs a target"


def show_matrix(session: Session, layout: str) -> None:
    """The page's table, of the policy in use; no store is asked."""
    from rbac.reports import matrix
    from rbac.reports.html import html

    policy = read_policy(session.policy)
    table = matrix.matrix(policy)
    if session.json:
        output.as_json(matrix.as_data(table))
    elif layout == "html":
        click.echo(html(policy), nl=False)
    elif layout != "table":
        click.echo(matrix.markdown(table) if layout == "markdown" else matrix.as_csv(table), nl=False)
    elif output.fancy():
        _rich_matrix(table)
    else:
        click.echo(matrix.text(table), nl=False)


def _rich_matrix(table: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    from rbac.reports.matrix import headed, shown

    drawn = Table("Action", *(role.capitalize() for role in Role))
    for row, first in headed(table):
        if first:
            drawn.add_section()
            drawn.add_row(Text(row.row.heading, style="bold"))
        drawn.add_row(Text(f"  {row.row.wording}"), *(Text(shown(cell)) for cell in row.cells.values()))
    output.show(drawn)
    for mark, note in table.footnotes.items():
        click.echo(f"[{mark}] {note}")


def permissions_rows(found: Permissions) -> Iterator[tuple[str, str, str]]:
    """Each permission with its row of the page, in the page's order."""
    for permission in Permission:
        if permission in found.allowed or permission in found.with_target:
            yield permission, permission.row.wording, NEEDS_TARGET if permission in found.with_target else ""


def permissions_data(found: Permissions) -> dict[str, Any]:
    """The same for JSON."""
    return {"domain": str(found.domain), "allowed": found.allowed, "with_target": found.with_target, "revision": found.revision}


def why_nothing(organization: Organization, found: Permissions) -> str:
    """Why somebody can do nothing in a domain."""
    first = next(permission for permission in Permission if permission.kind is found.domain.kind)
    looked = organization.look(found.user, first, found.domain)[1]
    return looked.known.reason or f"{found.user} can do nothing in {found.domain}"


def show_reach(session: Session, user: str, layout: str) -> None:
    """What a member can do in every domain where they can do anything."""
    organization = session.organization()
    reach = _reach(organization, user)
    first = next(reach, None)
    if first is None:
        raise No(why_nothing(organization, organization.permissions(user)))
    found = _chained(first, reach)
    if session.json:
        for each in found:
            output.as_json(permissions_data(each))
    elif layout == "table":
        _show_domains(organization, found)
    else:
        rows = _reach_rows(organization, found)
        click.echo(_markdown(rows) if layout == "markdown" else _csv(rows), nl=False)


def _reach(organization: Organization, user: str) -> Iterator[Permissions]:
    for domain in organization.domains():
        found = organization.permissions(user, domain)
        if found.allowed or found.with_target:
            yield found


def _chained(first: Permissions, rest: Iterator[Permissions]) -> Iterator[Permissions]:
    yield first
    yield from rest


def _show_domains(organization: Organization, found: Iterator[Permissions]) -> None:
    for number, each in enumerate(found):
        role = organization.role_of(each.user, each.domain)
        click.echo(("\n" if number else "") + f"{each.domain}: {each.user} is {role}")
        for line in output.aligned([(f"  {name}", wording, note) for name, wording, note in permissions_rows(each)]):
            click.echo(line)


_COLUMNS = ("domain", "role", "permission", "row of the page", "note")


def _reach_rows(organization: Organization, found: Iterator[Permissions]) -> Iterator[tuple[str, ...]]:
    for each in found:
        role = str(organization.role_of(each.user, each.domain) or "")
        for name, wording, note in permissions_rows(each):
            yield str(each.domain), role, name, wording, note


def _markdown(rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(_COLUMNS)} |", "|" + "---|" * len(_COLUMNS)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _csv(rows: Iterator[tuple[str, ...]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([_COLUMNS, *rows])
    return written.getvalue()
