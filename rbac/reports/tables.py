"""Rows as lines of text: aligned, Markdown or CSV. Every table that this program prints is laid out here.

Cells may hold what somebody else wrote, so no cell can end its line, drive a terminal, add markup, or start a formula in a
spreadsheet: what is not printable is escaped in every form, and each form escapes what it would read as its own.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace

from rbac.text import visible

Row = Sequence[str]

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # the wide forms count as well in some spreadsheets
_MARKUP = str.maketrans({"\\": "\\\\", "|": "\\|", "<": "&lt;", "[": "\\["})


class Markdown(str):
    """A cell that is Markdown already."""

    __slots__ = ()


def aligned(rows: Sequence[Row]) -> Iterator[str]:
    """Rows in columns, each as wide as its widest cell."""
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()


def markdown(columns: Row, rows: Iterable[Row]) -> Iterator[str]:
    """A Markdown table. An empty cell is one space."""
    yield _bars(columns)
    yield "|" + "---|" * len(columns)
    yield from map(_bars, rows)


def as_csv(columns: Row, rows: Iterable[Sequence[str | int]]) -> Iterator[str]:
    """A CSV table that is safe to open in a spreadsheet: a text that would be a formula there gets an apostrophe before it."""
    write = csv.writer(SimpleNamespace(write=str), lineterminator="").writerow  # it returns what `write` does: the line
    yield str(write(columns))
    for row in rows:
        yield str(write([_unspoken(cell) if isinstance(cell, str) else cell for cell in row]))


def escaped(text: str) -> str:
    """Text as Markdown shows it, on one line, whatever is in it."""
    return visible(text.replace("\n", " ")).translate(_MARKUP)


def _bars(cells: Row) -> str:
    shown = (cell if isinstance(cell, Markdown) else escaped(cell) for cell in cells)
    return "|" + "|".join(f" {cell} " if cell else " " for cell in shown) + "|"


def _unspoken(cell: str) -> str:
    text = visible(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _width(cell: str) -> int:
    """Columns of a terminal: wide characters, the tick among them, take two."""
    return len(cell) if cell.isascii() else sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in cell)
