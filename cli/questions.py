"""The questions: check, explain, what-can and matrix. They change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from rbac.cli import complete, options, output
from rbac.cli.commands import command
from rbac.cli.errors import NO, No
from rbac.cli.requests import read_requests
from rbac.cli.session import Session, current
from rbac.errors import UnknownName
from rbac.explain import prose
from rbac.policy.reader import read_policy
from rbac.reports import reach, tables
from rbac.vocabulary import Decision, Permission, Role, Via

if TYPE_CHECKING:
    from rbac.decisions.evaluate import Permissions, Trace
    from rbac.organization import Organization
    from rbac.past import Past
    from rbac.reports.matrix import Matrix

_Function = Callable[..., Any]

_VIA = [each.value for each in Via]


def _question(*, required: bool) -> tuple[_Function, ...]:
    named = (("user", complete.users), ("permission", complete.permissions), ("domain", complete.domains))
    return tuple(click.argument(name, required=required, shell_complete=offer) for name, offer in named)


def _revision(_: click.Context, __: click.Parameter, text: str | None) -> int | str | None:
    """A revision as digits, or a token from `Organization.token`, which the store checks."""
    if text is None or "@" in text:
        return text
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise click.BadParameter(f"{text!r} is not a revision: write a number, or a token")
    return int(text)


_DETAILS = (
    click.option("--target", metavar="USER", help="The member it is about.", shell_complete=complete.users),
    click.option("--task", metavar="ID", help="The task it is about, in a project."),
    click.option("--via", type=click.Choice(_VIA), help="How the request arrives; the UI by default."),
    click.option(
        "--at-least", metavar="REVISION", callback=_revision, help="Answer from this revision, a number or a token, or a later one."
    ),
)


def _all(*parts: _Function) -> _Function:
    def decorate(function: _Function) -> _Function:
        for part in reversed(parts):
            function = part(function)
        return function

    return decorate


@command(
    "rbac check andy data:export project:p1",
    "rbac check max annotator_dashboard:view organization --target andy",
    "rbac check andy labeling:access project:p1 --via api --json",
    "rbac check max data:export project:p1 --as-of 1",
    "rbac check --from requests.jsonl",
)
@_all(*_question(required=False), *_DETAILS, options.as_of)
@click.option(
    "--from", "file", metavar="FILE", help="Answer request lines, one JSON object each; - is stdin.", shell_complete=complete.files
)
@current
def check(
    session: Session, /, user: str | None, permission: str | None, domain: str | None, file: str | None, moment: str | None, **details: Any
) -> None:
    """Whether USER may do PERMISSION in DOMAIN, and why.

    Exit 0 for yes, 1 for no. DOMAIN is organization, workspace:ID or project:ID. With --from, one JSON object is printed
    for each line read, in order, and the first bad line ends the run with exit 2. With --as-of the facts are those of
    that moment and the policy is the present one, unless --policy names another; the answer says which.
    """
    details = {name: value for name, value in details.items() if value is not None}
    if file is not None:
        if user is not None or details:
            raise click.UsageError("--from takes its questions from the file alone")
        return _stream(session, file, moment)
    if user is None or permission is None or domain is None:
        raise click.UsageError("name USER, PERMISSION and DOMAIN, or --from FILE")
    then = _then(session, moment, details)
    decision = _decision(then or session.organization(), user, permission, domain, details)
    if session.json:
        output.as_json({**_as_data(decision), **_when(then)})
    else:
        output.line(f"{'yes' if decision else 'no'}: {decision.reason}")
        if then is not None:
            options.show_past(then, session)
    return _exit(bool(decision))


def _stream(session: Session, file: str, moment: str | None) -> None:
    then = _then(session, moment, {})
    asked = then or session.organization()
    for place, line in read_requests(file):
        details: dict[str, Any] = {"target": line.target, "task": line.task, "via": line.via}
        if then is None:
            details["at_least"] = line.at_least
        elif isinstance(line.at_least, str):
            raise UnknownName(f"{place}: --as-of names the moment, at_least is a number there and no token")
        elif line.at_least > then.revision:
            raise UnknownName(f"{place}: revision {then.revision} is asked about, and at_least is {line.at_least}")
        try:
            decision = _decision(asked, line.user, line.permission, line.domain, details)
        except UnknownName as error:
            raise UnknownName(f"{place}: {error}") from None
        output.as_json({**_as_data(decision), **_when(then)})


def _as_data(decision: Decision) -> dict[str, Any]:
    """A decision as JSON has it: whoever asks here brings no facts of their own."""
    return {name: value for name, value in asdict(decision).items() if name != "given"}


def _decision(asked: Organization | Past, user: str, permission: str, domain: str, details: dict[str, Any]) -> Decision:
    """What `check` answers."""
    return asked.check(user, permission, domain, **details)


def _then(session: Session, moment: str | None, details: dict[str, Any]) -> Past | None:
    """The organization as --as-of asks for it; None without."""
    if moment is None:
        return None
    if "at_least" in details:
        raise click.UsageError("--as-of names the moment, --at-least has nothing to add")
    return options.past(session.organization(), moment)


def _when(then: Past | None) -> dict[str, Any]:
    return {} if then is None else {**options.past_data(then), **options.policy_data(then)}


@command(
    "rbac explain andy bulk_labeling:perform project:p1",
    "rbac explain max project:delete project:p4 --json",
    "rbac explain max data:export project:p1 --as-of 1",
)
@_all(*_question(required=True), *_DETAILS, options.as_of)
@current
def explain(session: Session, /, user: str, permission: str, domain: str, moment: str | None, **details: Any) -> None:
    """The same answer with every line evaluated.

    Shows the role in force and where it comes from, each line of that permission and role, the value of each condition
    and the fact that was missing.
    """
    details = {name: value for name, value in details.items() if value is not None}
    then = _then(session, moment, details)
    traced = (then or session.organization()).trace(user, permission, domain, **details)
    decision = traced.decision
    if session.json:
        output.as_json({**_as_data(decision), **prose.as_data(traced), **_when(then)})
    else:
        output.line(f"{'yes' if decision else 'no'}: {decision.reason}")
        if then is not None:
            options.show_past(then, session)
        _show_trace(traced, session.store().policy.file)
    _exit(bool(decision))


def _show_trace(traced: Trace, file: str) -> None:
    """The role in force, then every line, the deny lines first."""
    role = prose.role_in_force(traced.question)
    if role:
        output.text(f"\n{traced.question.user} is {role}\n\n")
    output.table(prose.COLUMNS, prose.line_rows(traced, file))
    if traced.api is not None:
        output.text("\nthrough the API it takes api:access as well:\n\n")
        output.table(prose.COLUMNS, prose.line_rows(traced.api, file))


@command("rbac what-can andy project:p1", "rbac what-can max organization --json", name="what-can")
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
        output.as_json(reach.as_data(found))
        _exit(bool(found.allowed or found.with_target))
    elif found.allowed or found.with_target:
        output.table(("permission", "action", ""), reach.permission_rows(found))
    else:
        raise No(_why_nothing(organization, found))


@command("rbac matrix", "rbac matrix --format markdown", "rbac matrix --format html", "rbac matrix --user andy")
@click.option("--user", metavar="USER", help="What this member can do, by domain.", shell_complete=complete.users)
@click.option("--format", "layout", type=click.Choice(["table", "markdown", "csv", "html"]), default="table", help="A table by default.")
@current
def matrix(session: Session, user: str | None, layout: str) -> None:
    """The published table, derived from the policy.

    Of --policy, else of ./policy.csv: rows, five roles, marks, footnotes and guards; no store is asked. With --user: everything
    a member can do in every domain they can enter.
    """
    if user is None:
        _show_matrix(session, layout)
    elif layout == "html":
        raise click.UsageError("the HTML page is about roles: leave out --user, or take another --format")
    else:
        _show_reach(session, user, layout)


def _show_matrix(session: Session, layout: str) -> None:
    """The table of --policy, else of ./policy.csv; no store is asked."""
    from rbac.reports import matrix
    from rbac.reports.html import html

    policy = read_policy(session.reviewed())
    table = matrix.matrix(policy)
    if session.json:
        output.as_json(matrix.as_data(table))
    elif layout == "html":
        output.text(html(policy))
    elif layout != "table":
        output.text(matrix.markdown(table) if layout == "markdown" else matrix.as_csv(table))
    elif output.fancy():
        _draw_matrix(table)
    else:
        output.text(matrix.text(table))


def _draw_matrix(table: Matrix) -> None:
    from rich.table import Table
    from rich.text import Text

    from rbac.reports.matrix import headed, notes, shown

    drawn = Table("Action", *(role.capitalize() for role in Role))
    for row, first in headed(table):
        if first:
            drawn.add_section()
            drawn.add_row(Text(row.row.heading, style="bold"))
        drawn.add_row(Text(f"  {row.row.wording}"), *(Text(shown(cell)) for cell in row.cells.values()))
    output.draw(drawn)
    for note in notes(table):
        output.line(note)


def _show_reach(session: Session, user: str, layout: str) -> None:
    """What a member can do in every domain where they can do anything."""
    organization = session.organization()
    reached = reach.reach(organization, user)
    first = next(reached, None)
    if first is None:
        raise No(_why_nothing(organization, organization.permissions(user)))
    found = chain([first], reached)
    if session.json:
        for each in found:
            output.as_json(reach.as_data(each))
    elif layout == "table":
        _show_domains(organization, found)
    else:
        write = tables.markdown if layout == "markdown" else tables.as_csv
        for line in write(reach.COLUMNS, reach.rows(organization, found)):
            output.line(line)


def _show_domains(organization: Organization, found: Iterable[Permissions]) -> None:
    for number, each in enumerate(found):
        role = organization.role_of(each.user, each.domain)
        output.text(("\n" if number else "") + f"{each.domain}: {each.user} is {role}\n")
        for line in tables.aligned([(f"  {name}", action, note) for name, action, note in reach.permission_rows(each)]):
            output.line(line)


def _why_nothing(organization: Organization, found: Permissions) -> str:
    """Why somebody can do nothing in a domain."""
    first = next(permission for permission in Permission if permission.kind is found.domain.kind)
    question = organization.trace(found.user, first, found.domain).question
    return question.reason or f"{found.user} can do nothing in {found.domain}"


def _exit(answer: bool) -> None:
    if not answer:
        click.get_current_context().exit(NO)


COMMANDS = (check, explain, what_can, matrix)
