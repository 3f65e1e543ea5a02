"""The command line `rbac COMMAND ...`, with one module for each group of commands.

A command parses its arguments, makes one call into rbac, prints and exits; more than that belongs in rbac.
"""

from __future__ import annotations

import atexit
import gc

gc.set_threshold(50_000)  # first of all: what imports make stays, and looking through it again and again is a fifth of a short command
atexit.register(gc.freeze)  # so is looking through it once more at the end

import click  # noqa: E402

import rbac  # noqa: E402
from rbac.cli import evidence, members, people, places, policy, questions, start  # noqa: E402
from rbac.cli.commands import Main  # noqa: E402


@click.group("rbac", cls=Main, examples=("rbac demo", "rbac check andy data:export project:p1 --db sqlite:///rbac.db"))
@click.version_option(rbac.__version__, prog_name="rbac")
def main() -> None:
    """Who may do what where, by the permission table of Label Studio Enterprise.

    \b
    Exit codes: 0 yes, done, clean          4 refused by a rule
                1 no, or findings           5 somebody else changed it first
                2 usage, unknown names      6 the store cannot be reached,
                3 a file does not load        is not there, or is not ours
    """


main.add_group("Start", start.COMMANDS)
main.add_group("Questions", questions.COMMANDS)
main.add_group("People", (*people.COMMANDS, *members.COMMANDS))
main.add_group("Places and settings", places.COMMANDS)
main.add_group("Policy", policy.COMMANDS)
main.add_group("Evidence", evidence.COMMANDS)
