"""The commands that make a store, import and export its state, and check its health."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from rbac.cli import complete, output
from rbac.cli.commands import command, group
from rbac.cli.errors import NO
from rbac.cli.session import Session, current

if TYPE_CHECKING:
    from rbac.statefile.importing import Imported

_operator = click.option("--operator", metavar="NAME", default="operator", show_default=True, help="Who the audit says did it.")


@command("rbac demo")
@current
def demo(session: Session) -> None:
    """A tour of an example in one minute; leaves no file.

    Prints the table, ten decisions with reasons, a refused change, and a transfer of ownership with its audit.
    """
    from rbac.cli.demo import show

    show(session)


@command("rbac init --organization beta --owner ben")
@click.option("--organization", metavar="ID", required=True, help="The id of the organization.")
@click.option("--owner", metavar="USER", required=True, help="The id of its Owner.")
@_operator
@current
def init(session: Session, organization: str, owner: str, operator: str) -> None:
    """Create an organization with its Owner.

    Creates the store as well when there is none yet.
    """
    revision = session.store().create(organization, owner=owner, operator=operator)
    if session.json:
        output.as_json({"organization": organization, "revision": revision})
    else:
        output.line(f"{organization} is there and {owner} owns it, revision {revision}")


@command("rbac import acme.yaml --update", "rbac import acme.yaml --update --dry-run", name="import")
@click.argument("file", shell_complete=complete.files)
@click.option("--update", is_flag=True, help="Change organizations that exist to what the file says; never their Owner.")
@click.option("--dry-run", is_flag=True, help="Show the plan and write nothing.")
@_operator
@current
def import_(session: Session, file: str, update: bool, dry_run: bool, operator: str) -> None:
    """Import a state FILE, as a whole or not at all.

    FILE is YAML, or JSON when its name ends in .json. An organization that exists is refused unless --update.
    """
    with _progress() as progress:
        results = session.store().import_state(file, update=update, dry_run=dry_run, operator=operator, progress=progress)
    for result in results:
        for warning in result.warnings:
            output.line(f"rbac: warning: {warning}", err=True)
        if session.json:
            output.as_json(_imported_data(result, dry_run=dry_run))
        else:
            _show_imported(result, dry_run=dry_run)


@command("rbac export", "rbac export --org acme --json")
@current
def export(session: Session) -> None:
    """Print organizations as a state file.

    All of them unless --org or RBAC_ORG names one; YAML, or JSON with --json.
    """
    from rbac.statefile.shape import write_state

    names = () if session.named() is None else (session.existing().id,)
    click.echo(write_state(session.store().export_state(*names), as_json=session.json), nl=False)


@command("rbac doctor", "rbac doctor --json")
@current
def doctor(session: Session) -> None:
    """Check this installation and the store for problems.

    Two distributions of Casbin in one environment, the schema, the connection that reports changes, the clocks, damage of
    the database, rows that refer to nothing, and each organization's audit replayed to its present state. Exit 1 on findings.
    """
    store = session.store()
    health = store.health()
    problems = [*health.problems, *store.problems()]
    if session.json:
        named = {"store": health.place, "schema": health.schema, "epoch": health.epoch, "organizations": health.organizations}
        listener = {} if health.listener is None else {"bus": health.listener.state, "lag": health.listener.lag, "skew": health.skew}
        output.as_json({**named, **listener, "problems": problems})
    else:
        output.line(f"store {health.place}, schema {health.schema}")
        for name, revision in health.organizations.items():
            output.line(f"{name} is at revision {revision}")
        if health.listener is not None and health.listener.lag is not None and health.skew is not None:
            lag = f"last answer {health.listener.lag:.1f} s ago"
            output.line(f"this node is {health.listener.state}, {lag}; its clock is {health.skew:+.1f} s off")
        for problem in problems:
            output.line(f"problem: {problem}")
        output.line(_counted(len(problems), "problem"))
    if problems:
        click.get_current_context().exit(NO)


@group("rbac db backup acme-monday.db", "rbac db upgrade", "rbac db restored", name="db")
def db() -> None:
    """Maintain the store."""


@command("rbac db upgrade", under=db)
@current
def upgrade(session: Session) -> None:
    """Bring the schema of an older store up to date."""
    store = session.store()
    store.upgrade()
    health = store.health()
    if session.json:
        output.as_json({"store": health.place, "schema": health.schema})
    else:
        output.line(f"store {health.place}, schema {health.schema}")


@command("rbac db backup acme-monday.db", under=db)
@click.argument("file", shell_complete=complete.files)
@current
def backup(session: Session, file: str) -> None:
    """Write the store as it is now to a new FILE.

    The store may be in use meanwhile. SQLite only: PostgreSQL is backed up with pg_dump.
    """
    store = session.store()
    store.backup(file)
    if session.json:
        output.as_json({"file": file, "organizations": store.health().organizations})
    else:
        output.line(f"{file} is a backup of {store.health().place}")


@command("rbac db restore acme-monday.db", under=db)
@click.argument("file", shell_complete=complete.files)
@current
def restore(session: Session, file: str) -> None:
    """Make the store what the backup FILE holds.

    In one transaction, while other programs may use the store: what was changed after the backup is gone, nothing else
    is. Creates the store when there is none. SQLite only: PostgreSQL is restored with pg_restore.
    """
    store = session.store()
    epoch = store.restore(file)
    organizations = store.health().organizations
    if session.json:
        output.as_json({"epoch": epoch, "organizations": organizations})
    else:
        output.line(f"restored, a new epoch begins: {epoch}")
        for name, revision in organizations.items():
            output.line(f"{name} is at revision {revision}")


@command("rbac db restored", under=db)
@current
def restored(session: Session) -> None:
    """Begin a new epoch of the store after a restore.

    For a backup that was restored, and for rows repaired by hand: every node drops what it holds in memory.
    """
    epoch = session.store().restored()
    if session.json:
        output.as_json({"epoch": epoch})
    else:
        output.line(f"the store has a new epoch: {epoch}")


@contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """The progress of an import, on stderr, when that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.completed:,.0f} facts"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda facts: bar.update(task, completed=facts)


def _show_imported(result: Imported, *, dry_run: bool) -> None:
    for step in result.steps:
        output.line(f"{result.organization}: {step}")
    what = f"new, {_counted(result.facts, 'fact')}" if result.created else _counted(result.facts, "change")
    output.line(f"{result.organization}: {what}, {'would be ' if dry_run else ''}revision {result.revision}")


def _imported_data(result: Imported, *, dry_run: bool) -> dict[str, Any]:
    steps = [str(step) for step in result.steps]
    named = {"organization": result.organization, "created": result.created, "facts": result.facts}
    return {**named, "steps": steps, "revision": result.revision, "dry_run": dry_run, "warnings": result.warnings}


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


COMMANDS = (demo, init, import_, export, doctor, db)
