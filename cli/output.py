"""How answers are printed: rich tables in a terminal, plain text everywhere else, JSON when asked.

What is printed is text, never markup, and no value of the store can end its line or drive the terminal.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from rbac.clock import write_instant
from rbac.reports.tables import aligned
from rbac.snapshot.records import Until
from rbac.text import visible

_AT_ONCE = 1000  # rows laid out together; longer tables are streamed


def fancy() -> bool:
    """Whether the output is a terminal with colours."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def line(text: str, *, err: bool = False) -> None:
    """One line of text, whatever is in it."""
    click.echo(visible(text), err=err)


def text(lines: str, *, err: bool = False) -> None:
    """Lines that end in a line break, whatever is in them."""
    click.echo("\n".join(map(visible, lines.split("\n"))), nl=False, err=err)


def as_json(value: Any) -> None:
    """One JSON value on one line."""
    click.echo(json.dumps(value))


def until(instant: Until) -> str:
    """An end in words; nothing for never."""
    return "" if instant is None else write_instant(instant)


def ended(instant: Until) -> str | None:
    """An end for JSON."""
    return None if instant is None else write_instant(instant)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under their headings, a thousand laid out at a time."""
    ahead = iter(rows)
    show = _rich if fancy() else _plain
    while batch := list(itertools.islice(ahead, _AT_ONCE)):
        show(columns, batch)


def _plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for each in aligned([[column.upper() for column in columns], *rows]):
        click.echo(each)


def _rich(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns)
    for row in rows:
        drawn.add_row(*(Text(visible(cell)) for cell in row))
    draw(drawn)


def draw(renderable: Any) -> None:
    """Something of rich's, on a terminal."""
    from rich.console import Console

    Console(highlight=False, markup=False, emoji=False).print(renderable)
