"""The published table, derived from a Policy: a row for each action, five roles, the marks and the footnotes.

Nothing here is copied from the published table but its wording, which vocabulary.py has: the marks come from the policy that
decides. A matrix is about roles, never about a person, and needs no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import Policy
from rbac.reports import tables
from rbac.vocabulary import ROW, ROWS, Permission, Role, Row

YES, PARTIAL, DEPENDS = "✅", "Partial", "Depends on project settings"
"""The marks of the page, besides letters out of CRUD and the empty cell."""

_HEAD = ("Action", *map(str.capitalize, Role))
_LETTERED = {ROW[Permission.WORKSPACE_VIEW]: "workspace", ROW[Permission.PROJECT_VIEW]: "project"}
_LETTERS = {"C": "create", "R": "view", "U": "update", "D": "delete"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What a role may do of a row: the mark, and the footnotes it stands under. Falsy when it may nothing."""

    mark: str
    footnotes: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.mark)


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One row of the page with its five cells."""

    row: Row
    cells: dict[Role, Cell]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole table. `footnotes` has the text of each that some cell refers to, numbers before letters."""

    rows: tuple[MatrixRow, ...]
    footnotes: dict[str, str]


def matrix(policy: Policy) -> Matrix:
    """The table that a policy amounts to."""
    rows = tuple(MatrixRow(row, {role: _cell(policy, role, row) for role in Role}) for row in ROWS)
    used = {mark for row in rows for cell in row.cells.values() for mark in cell.footnotes}
    texts = {condition.mark: condition.summary for condition in CONDITIONS.values() if condition.mark in used}
    return Matrix(rows, {mark: texts[mark] for mark in _ascending(used)})


def markdown(table: Matrix) -> str:
    """The table in Markdown, with a bold row for each heading and the footnotes below."""
    return "\n".join([*tables.markdown(_HEAD, _markdown_rows(table)), "", *_notes(table, "[^")]) + "\n"


def as_csv(table: Matrix) -> str:
    """The table as CSV: number, heading, action and a column for each role; the footnotes stay references."""
    rows: Iterable[tuple[str | int, ...]] = (
        (row.row.number, row.row.heading, row.row.wording, *map(shown, row.cells.values())) for row in table.rows
    )
    return "\n".join(tables.as_csv(("number", "heading", "action", *Role), rows)) + "\n"


def text(table: Matrix) -> str:
    """The table in plain aligned text, each heading on a line of its own."""
    rows = [[f"  {row.row.wording}", *map(shown, row.cells.values())] for row in table.rows]
    head, *lines = tables.aligned([_HEAD, *rows])
    under = ([row.row.heading] * first + [line] for (row, first), line in zip(headed(table), lines, strict=True))
    return "\n".join([head, *chain.from_iterable(under), "", *_notes(table, "[")]) + "\n"


def shown(cell: Cell) -> str:
    """A cell where there is no Markdown: the mark, then its footnotes in brackets."""
    notes = "".join(f"[{mark}]" for mark in cell.footnotes)
    return f"{cell.mark} {notes}".strip()


def headed(table: Matrix) -> Iterator[tuple[MatrixRow, bool]]:
    """Each row, and whether it is the first under its heading."""
    heading = None
    for row in table.rows:
        yield row, row.row.heading != heading
        heading = row.row.heading


def as_data(table: Matrix) -> dict[str, Any]:
    """The table for JSON: rows with their cells by role, and the text of each footnote."""
    rows = [
        {
            "number": row.row.number,
            "heading": row.row.heading,
            "action": row.row.wording,
            "cells": {role: {"mark": cell.mark, "footnotes": cell.footnotes} for role, cell in row.cells.items()},
        }
        for row in table.rows
    ]
    return {"rows": rows, "footnotes": table.footnotes}


def _cell(policy: Policy, role: Role, row: Row) -> Cell:
    lines = {permission: policy.cell(role, permission) for permission in row.permissions}
    names = {name for allowing in lines.values() for line in allowing for name in line.conditions}
    footnotes = {CONDITIONS[name].mark for name in names} - {""}
    return Cell(
        _mark(row, frozenset(permission for permission, allowing in lines.items() if allowing), names), tuple(_ascending(footnotes))
    )


def _mark(row: Row, allowed: frozenset[Permission], conditions: set[str]) -> str:
    if not allowed:
        return ""
    if row in _LETTERED:
        letters = (letter for letter, action in _LETTERS.items() if f"{_LETTERED[row]}:{action}" in allowed)
        return "".join(letters) or PARTIAL
    if row == ROW[Permission.DATA_MANAGER_VIEW] and "data_manager_shown" in conditions:
        return DEPENDS
    return YES if len(allowed) == len(row.permissions) else PARTIAL


def _ascending(marks: set[str]) -> list[str]:
    return sorted(marks, key=lambda mark: (not mark.isdigit(), len(mark), mark))


def _markdown_rows(table: Matrix) -> Iterator[Sequence[str]]:
    for row, first in headed(table):
        if first:
            yield (tables.Markdown(f"**{row.row.heading}**"), *("" for _ in Role))
        cells = (cell.mark + "".join(f"[^{mark}]" for mark in cell.footnotes) for cell in row.cells.values())
        yield (row.row.wording, *map(tables.Markdown, cells))


def _notes(table: Matrix, bracket: str) -> Iterator[str]:
    colon = ":" if bracket == "[^" else ""
    yield from (f"{bracket}{mark}]{colon} {note}" for mark, note in table.footnotes.items())
