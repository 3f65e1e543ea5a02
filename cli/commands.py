"""How commands are made: each has the global options, help with examples, and an exit code from errors.py.

The global options may be given before or after the command's name; the nearer one counts, then the environment, then the
default. No command is without an example.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from rbac.cli import complete
from rbac.cli.errors import outcome
from rbac.cli.session import DATABASE, Session

COMPLETE = "_RBAC_COMPLETE"
"""The variable by which a shell asks for completions."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None and value is not False:
        setattr(context.ensure_object(Session), str(option.name), value)


def _global_options() -> list[click.Option]:
    def option(name: str, text: str, **more: Any) -> click.Option:
        return click.Option([name], help=text, callback=_keep, expose_value=False, **more)

    return [
        option("--db", f"The store, {DATABASE} by default; RBAC_DB.", metavar="URL"),
        option("--org", "The organization, the only one by default; RBAC_ORG.", metavar="ID", shell_complete=complete.organizations),
        option("--policy", "A policy instead of the packaged one; `packaged` names it.", metavar="FILE", shell_complete=complete.files),
        option("--model", "A model instead of the packaged model.conf.", metavar="FILE", shell_complete=complete.files),
        option("--json", "Print JSON.", is_flag=True),
    ]


GLOBAL_OPTIONS = _global_options()
"""The global options; every command shares these objects, since creating them for each takes 10 ms."""


class _Documented(click.Command):
    """A command with the global options, and help that shows its examples."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = tuple(examples)
        self.params += GLOBAL_OPTIONS

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options first, then the global ones under their own heading."""
        own = [each for each in self.get_params(ctx) if each not in GLOBAL_OPTIONS]
        listed: tuple[tuple[str, Sequence[click.Parameter]], ...] = ("Options", own), ("Global options", GLOBAL_OPTIONS)
        for title, options in listed:
            records = [record for each in options if (record := each.get_help_record(ctx)) and not isinstance(each, click.Argument)]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, one a line as it would be typed."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {example}\n" for example in self.examples))


class Command(_Documented):
    """One command."""


class Group(_Documented, click.Group):
    """Commands under one word."""


class Main(Group):
    """`rbac` itself: the exit code of everything is decided here, and help lists its commands group by group."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.groups: dict[str, Sequence[click.Command]] = {}

    def add_group(self, heading: str, commands: Sequence[click.Command]) -> None:
        """Add commands under a heading."""
        self.groups[heading] = commands
        for command in commands:
            self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands under their headings, in the order they were added."""
        room = formatter.width - 6 - max(map(len, self.commands))
        for heading, commands in self.groups.items():
            with formatter.section(heading):
                formatter.write_dl([(str(each.name), each.get_short_help_str(room)) for each in commands])

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> Any:
        """Run one command line and exit; see errors.py for the codes."""
        if COMPLETE in os.environ:
            return super().main(args, "rbac", COMPLETE)
        words = sys.argv[1:] if args is None else list(args)
        sys.exit(outcome(lambda: self.run(words)))

    def run(self, words: Sequence[str]) -> None:
        """Run one command line in this process; what ends it is raised."""
        with self.make_context("rbac", list(words)) as context:
            self.invoke(context)


def command(*examples: str, name: str | None = None, under: click.Group | None = None) -> Callable[[_Function], click.Command]:
    """Make a function a command; its docstring is the help, and every command has an example."""
    return (click if under is None else under).command(name, cls=Command, examples=examples)


def group(*examples: str, name: str) -> Callable[[_Function], click.Group]:
    """Make a function a group of commands."""
    return click.group(name, cls=Group, examples=examples)
