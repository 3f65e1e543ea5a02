"""`rbac demo`: the example organization in a temporary store, and commands run on it. All output is the output of those commands."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

import rbac
from rbac.cli.commands import Main
from rbac.cli.errors import code_of, sentence
from rbac.cli.session import PACKAGED, Session

EXAMPLE = Path(rbac.__file__).parent / "examples" / "acme.yaml"
"""The example inside the package."""

SCRIPT = {
    "The members: an Owner, an administrator, two managers, a reviewer, an annotator, and two who are not active.": (
        "members organization",
    ),
    "The permission table, derived from policy.csv.": ("matrix",),
    "Ten decisions, each with the line that allows or denies it, or with the conditions that are false.": (
        "check andy project:view project:p1",
        "check andy data:export project:p1",
        "check rita review:access project:p2 --task t1",
        "check andy labeling:access project:p2 --task t2",
        "check andy bulk_labeling:perform project:p1",
        "check max data:export project:p4",
        "check mia workspace:view workspace:w1",
        "check olga project:view project:p5",
        "check ada security_settings:configure organization",
        "check dan api:access organization",
    ),
    "A change that is refused: no member can give ownership away.": ("grant max owner --as olga",),
    "A transfer of ownership: by an operator, with a ticket, in one transaction, and its audit.": (
        "transfer-ownership ada --ticket SUP-104 --operator root",
        "audit --first 2",
        "audit --verify",
    ),
}
"""Headings, and the commands under each."""


def show(session: Session) -> None:
    """Run the script; `session` has the policy and the model to use."""
    main = click.get_current_context().find_root().command
    assert isinstance(main, Main)
    with _store() as url:
        chosen = ["--policy", session.policy or PACKAGED, *(["--model", session.model] if session.model else [])]
        quiet = ["--db", url, "--org", "acme", *chosen]
        main.run([*quiet, "import", str(EXAMPLE)])
        for heading, commands in SCRIPT.items():
            click.echo(f"\n# {heading}\n")
            for command in commands:
                _run(main, quiet, command)
    click.echo("\nYour own: rbac init --organization acme --owner olga, then rbac --help")


def _run(main: Main, quiet: list[str], command: str) -> None:
    """Print one command as it is typed, its output, and its exit code unless that is 0."""
    click.echo(f"$ rbac {command}")
    try:
        main.run([*quiet, *shlex.split(command)])
    except click.exceptions.Exit as error:
        code, said = error.exit_code, ""
    except rbac.RBACError as error:
        code, said = code_of(error), f"{sentence(error)}\n"
    else:
        return
    if code:
        click.echo(f"{said}(exit {code})")


@contextmanager
def _store() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="rbac-demo-") as directory:
        yield f"sqlite:///{directory}/demo.db"
