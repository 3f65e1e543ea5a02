"""Questions: check, explain, what-can and matrix. They read, and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from rbac.cli import complete, explaining, output, tables
from rbac.cli.context import Session, current
from rbac.cli.errors import NO, No
from rbac.cli.requests import read_requests
from rbac.cli.verbs import verb
from rbac.errors import UnknownName
from rbac.vocabulary import Via

_Function = Callable[..., Any]

_VIA = [each.value for each in Via]


def _question(*, required: bool) -> tuple[_Function, ...]:
    named = (("user", complete.users), ("permission", complete.permissions), ("domain", complete.domains))
    return tuple(click.argument(name, required=required, shell_complete=offer) for name, offer in named)


_DETAILS = (
    click.option("--target", metavar="USER", help="The member it is about.", shell_complete=complete.users),
    click.option("--task", metavar="ID", help="The task it is about, in a project."),
    click.option("--via", type=click.Choice(_VIA), help="How the request arrives; the UI by default."),
    click.option("--at-least", metavar="REVISION", type=click.IntRange(min=0), help="Answer from this revision or a later one."),
)


def _all(*parts: _Function) -> _Function:
    def decorate(function: _Function) -> _Function:
        for part in reversed(parts):
            function = part(function)
        return function

    return decorate


@verb(
    "rbac check andy data:export project:p1",
    "rbac check max annotator_dashboard:view organization --target andy",
    "rbac check andy labeling:access project:p1 --via api --json",
    "rbac check --from requests.jsonl",
)
@_all(*_question(required=False), *_DETAILS)
@click.option(
    "--from", "file", metavar="FILE", help="Answer request lines, one JSON object each; - is stdin.", shell_complete=complete.files
)
@current
def check(session: Session, /, user: str | None, permission: str | None, domain: str | None, file: str | None, **details: Any) -> None:
    """Whether USER may do PERMISSION in DOMAIN, and why.

    Exit 0 for yes, 1 for no. DOMAIN is organization, workspace:ID or project:ID. With --from, one JSON object is printed
    for each line read, in order, and the first bad line ends the run with exit 2.
    """
    details = {name: value for name, value in details.items() if value is not None}
    if file is not None:
        if user is not None or details:
            raise click.UsageError("--from takes its questions from the file alone")
        return _stream(session, file)
    if user is None or permission is None or domain is None:
        raise click.UsageError("name USER, PERMISSION and DOMAIN, or --from FILE")
    decision = session.organization().check(user, permission, domain, **details)
    if session.json:
        output.as_json(asdict(decision))
    else:
        click.echo(f"{'yes' if decision else 'no'}: {decision.reason}")
    return _exit(bool(decision))


def _stream(session: Session, file: str) -> None:
    organization = session.organization()
    for place, line in read_requests(file):
        try:
            decision = organization.check(
                line.user, line.permission, line.domain, target=line.target, task=line.task, via=line.via, at_least=line.at_least
            )
        except UnknownName as error:
            raise UnknownName(f"{place}: {error}") from None
        output.as_json(asdict(decision))


@verb("rbac explain andy bulk_labeling:perform project:p1", "rbac explain max project:delete project:p4 --json")
@_all(*_question(required=True), *_DETAILS)
@current
def explain(session: Session, /, user: str, permission: str, domain: str, **details: Any) -> None:
    """The same answer with every line looked at.

    Shows the role in force and where it comes from, each line of that permission and role, the value of each condition
    and the fact that was missing.
    """
    details = {name: value for name, value in details.items() if value is not None}
    decision, looked = session.organization().look(user, permission, domain, **details)
    if session.json:
        output.as_json({**asdict(decision), **explaining.as_data(looked)})
    else:
        click.echo(f"{'yes' if decision else 'no'}: {decision.reason}")
        explaining.show(looked, session.store().policy.file)
    _exit(bool(decision))


@verb("rbac what-can andy project:p1", "rbac what-can max organization --json", name="what-can")
@click.argument("user", shell_complete=complete.users)
@click.argument("domain", shell_complete=complete.domains)
@click.option("--via", type=click.Choice(_VIA), default=_VIA[0], help="How the requests arrive; the UI by default.")
@current
def what_can(session: Session, user: str, domain: str, via: str) -> None:
    """Everything USER may do in DOMAIN.

    Exit 1 when that is nothing. What depends on a member is listed as needing a target: ask `rbac check ... --target USER`.
    """
    organization = session.organization()
    found = organization.permissions(user, domain, via=via)
    if session.json:
        output.as_json(tables.permissions_data(found))
        _exit(bool(found.allowed or found.with_target))
    elif found.allowed or found.with_target:
        output.table(("permission", "row of the page", ""), tables.permissions_rows(found))
    else:
        raise No(tables.why_nothing(organization, found))


@verb("rbac matrix", "rbac matrix --format markdown", "rbac matrix --format html > matrix.html", "rbac matrix --user andy")
@click.option("--user", metavar="USER", help="What this member can do, by domain.", shell_complete=complete.users)
@click.option("--format", "layout", type=click.Choice(["table", "markdown", "csv", "html"]), default="table", help="A table by default.")
@current
def matrix(session: Session, user: str | None, layout: str) -> None:
    """The page's own table, derived from the policy.

    26 rows, five roles, marks and footnotes; no store is asked. With --user: everything a member can do in every domain
    they can enter.
    """
    if user is None:
        tables.show_matrix(session, layout)
    elif layout == "html":
        raise click.UsageError("the page is about roles: leave out --user, or take another --format")
    else:
        tables.show_reach(session, user, layout)


def _exit(answer: bool) -> None:
    if not answer:
        click.get_current_context().exit(NO)


COMMANDS = (check, explain, what_can, matrix)
