"""How answers look: rich tables in a terminal, plain text everywhere else, JSON when asked.

Its one rule: what is printed is text, never markup; a ticket called `[bold]` is printed as that.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from rbac.clock import write_instant
from rbac.snapshot.records import Until

_AT_ONCE = 1000  # rows laid out together; longer tables are streamed


def fancy() -> bool:
    """Whether somebody looks at a terminal and minds no colours."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


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
    for line in aligned([[column.upper() for column in columns], *rows]):
        click.echo(line)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _rich(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns)
    for row in rows:
        shown.add_row(*map(Text, row))
    show(shown)


def show(renderable: Any) -> None:
    """Something of rich's, on a terminal."""
    from rich.console import Console

    Console(highlight=False, markup=False, emoji=False).print(renderable)
