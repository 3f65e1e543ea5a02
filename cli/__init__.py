"""The command line: `rbac VERB ...`, one module a group of commands.

A command parses, makes one call into rbac, prints and exits. Its one rule: more than that belongs in rbac.
"""

from __future__ import annotations

import click

import rbac
from rbac.cli import audit, people, places, policy, questions, start
from rbac.cli.context import Main


@click.group("rbac", cls=Main, examples=("rbac demo", "rbac check andy data:export project:p1 --db sqlite:///rbac.db"))
@click.version_option(rbac.__version__, prog_name="rbac")
def main() -> None:
    """Who may do what where, by the permission table of Label Studio Enterprise.

    Exit codes: 0 yes or done, 1 no or findings, 2 usage, 3 a file does not load, 4 refused, 5 conflict, 6 the store.
    """


for _command in (
    *start.COMMANDS,
    *questions.COMMANDS,
    *people.COMMANDS,
    *places.COMMANDS,
    *audit.COMMANDS,
    *policy.COMMANDS,
):
    main.add_command(_command)
