"""The published table, derived from a Policy: a row for each action, five roles, the marks and the footnotes.

Nothing here is copied from the published table but its wording, which vocabulary.py has: the marks come from the policy that
decides. Deny lines for every role and permission of a kind of domain are guards, which are listed below the table; a cell says what
is decided where no guard applies, other deny lines included. A matrix is about roles, never about a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rbac.fact_space.formulas import NEVER, Formula, Literal, answer
from rbac.fact_space.space import space
from rbac.policy.conditions import CONDITIONS
from rbac.policy.reader import Line, Policy
from rbac.reports import tables
from rbac.vocabulary import ROW, ROWS, Effect, Kind, Permission, Role, Row

YES, PARTIAL, DEPENDS = "✅", "Partial", "Depends on project settings"
"""The marks of the published table, besides letters out of CRUD and the empty cell."""

_HEAD = ("Action", *map(str.capitalize, Role))
_LETTERED = {ROW[Permission.WORKSPACE_VIEW]: "workspace", ROW[Permission.PROJECT_VIEW]: "project"}
_LETTERS = {"C": "create", "R": "view", "U": "update", "D": "delete"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What a role may do of a row: the mark, its footnotes, and the answer for each permission. Falsy when it may nothing."""

    mark: str
    footnotes: tuple[str, ...]
    answers: dict[Permission, Formula]

    def __bool__(self) -> bool:
        return bool(self.mark)


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One row with its five cells."""

    row: Row
    cells: dict[Role, Cell]


@dataclass(frozen=True, slots=True)
class Guard:
    """Deny lines for every role and permission of some kinds of domain: `formula` says when they apply, `meaning` in words."""

    lines: tuple[int, ...]
    kinds: tuple[Kind, ...]
    formula: Formula
    meaning: str

    def __str__(self) -> str:
        return self.formula.condition or "always"

    @property
    def sentence(self) -> str:
        """Where and when nobody may anything."""
        *kinds, last = (f"{'an' if kind is Kind.ORGANIZATION else 'a'} {kind}" for kind in self.kinds)
        return f"in {', '.join(kinds)}{' or ' if kinds else ''}{last}: {self.meaning} ({self})"


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole table. `footnotes` has the text of each that some cell refers to, numbers before letters."""

    rows: tuple[MatrixRow, ...]
    footnotes: dict[str, str]
    guards: tuple[Guard, ...]


def matrix(policy: Policy) -> Matrix:
    """The table that a policy amounts to."""
    texts: dict[str, str] = {}
    rows = tuple(MatrixRow(row, {role: _cell(policy, role, row, texts) for role in Role}) for row in ROWS)
    return Matrix(rows, {mark: texts[mark] for mark in _ascending(texts)}, guards(policy))


def guards(policy: Policy) -> tuple[Guard, ...]:
    """The guards of a policy, those with the same conditions together."""
    found: dict[tuple[str, ...], list[Line]] = {}
    for line in filter(is_guard, policy.deny_lines):
        found.setdefault(line.conditions, []).append(line)
    return tuple(_guard(lines) for lines in found.values())


def is_guard(line: Line) -> bool:
    """Whether a line denies something to every role in every cell of its kind of domain."""
    return line.effect is Effect.DENY and line.role is None and line.permission is None


def _guard(lines: Sequence[Line]) -> Guard:
    names = lines[0].conditions
    formula = Formula((tuple(Literal(name, possibly=CONDITIONS[name].effect is Effect.ALLOW) for name in names),))
    meaning = ", and ".join(CONDITIONS[name].summary for name in names) or "always"
    return Guard(tuple(line.number for line in lines), tuple(line.kind for line in lines), formula, meaning)


def markdown(table: Matrix) -> str:
    """The table in Markdown, with a bold row for each heading and the footnotes below."""
    return "\n".join([*tables.markdown(_HEAD, _markdown_rows(table)), "", *notes(table, "[^")]) + "\n"


def as_csv(table: Matrix) -> str:
    """The table as CSV: number, heading, action, a column for each role and the guards; the footnotes stay references."""
    rows: Iterable[tuple[str | int, ...]] = (
        (row.row.number, row.row.heading, row.row.wording, *map(shown, row.cells.values()), " ".join(map(str, _guarding(table, row))))
        for row in table.rows
    )
    return "\n".join(tables.as_csv(("number", "heading", "action", *Role, "guards"), rows)) + "\n"


def _guarding(table: Matrix, row: MatrixRow) -> list[Guard]:
    kinds = {permission.kind for permission in row.row.permissions}
    return [guard for guard in table.guards if kinds & set(guard.kinds)]


def text(table: Matrix) -> str:
    """The table in plain aligned text, each heading on a line of its own."""
    rows = [[f"  {row.row.wording}", *map(shown, row.cells.values())] for row in table.rows]
    head, *lines = tables.aligned([_HEAD, *rows])
    under = ([row.row.heading] * first + [line] for (row, first), line in zip(headed(table), lines, strict=True))
    return "\n".join([head, *chain.from_iterable(under), "", *notes(table, "[")]) + "\n"


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
    """The table for JSON: rows with their cells by role, the text of each footnote, and the guards."""
    rows = [
        {
            "number": row.row.number,
            "heading": row.row.heading,
            "action": row.row.wording,
            "cells": {role: _cell_data(cell) for role, cell in row.cells.items()},
        }
        for row in table.rows
    ]
    denied = [{"lines": guard.lines, "kinds": guard.kinds, "when": str(guard), "meaning": guard.meaning} for guard in table.guards]
    return {"rows": rows, "footnotes": table.footnotes, "guards": denied}


def _cell_data(cell: Cell) -> dict[str, Any]:
    return {"mark": cell.mark, "footnotes": cell.footnotes, "answers": {name: str(answer) for name, answer in cell.answers.items()}}


def _cell(policy: Policy, role: Role, row: Row, texts: dict[str, str]) -> Cell:
    """One cell; adds the footnotes it needs to `texts`."""
    answers = {permission: _answer(policy, role, permission) for permission in row.permissions}
    allowed = frozenset(permission for permission, formula in answers.items() if formula != NEVER)
    literals = {literal for formula in answers.values() for literals in formula.alternatives for literal in literals}
    referred = dict(map(_footnote, literals))
    texts |= referred
    return Cell(_mark(row, allowed, {literal.name for literal in literals}), tuple(_ascending(referred)), answers)


def _answer(policy: Policy, role: Role, permission: Permission) -> Formula:
    """What the cell decides where no guard applies."""
    here, denials = space(), policy.denials(role, permission)
    guarded = here.diagrams.any(here.line(line) for line in denials if is_guard(line))
    within = here.diagrams.but_not(here.question(role, permission.kind), guarded)
    return answer((*policy.cell(role, permission), *denials), within=within, space=here)


def _footnote(literal: Literal) -> tuple[str, str]:
    """The mark and the text of one condition as it stands in an answer."""
    condition = CONDITIONS[literal.name]
    if not literal.negated:
        unknown = (literal.possibly or condition.effect is Effect.DENY) * ", or it is not known"
        return f"{'maybe-' * bool(unknown)}{condition.mark}", condition.summary + unknown
    return f"not-{condition.mark}", f"Not where this holds{' or is not known' * literal.possibly}: {condition.summary}"


def _mark(row: Row, allowed: frozenset[Permission], conditions: set[str]) -> str:
    if not allowed:
        return ""
    if row in _LETTERED:
        letters = (letter for letter, action in _LETTERS.items() if f"{_LETTERED[row]}:{action}" in allowed)
        return "".join(letters) or PARTIAL
    if row == ROW[Permission.DATA_MANAGER_VIEW] and "data_manager_shown" in conditions:
        return DEPENDS
    return YES if len(allowed) == len(row.permissions) else PARTIAL


def _ascending(marks: Iterable[str]) -> list[str]:
    return sorted(marks, key=lambda mark: (not mark.isdigit(), len(mark), mark))


def _markdown_rows(table: Matrix) -> Iterator[Sequence[str]]:
    for row, first in headed(table):
        if first:
            yield (tables.Markdown(f"**{row.row.heading}**"), *("" for _ in Role))
        cells = (cell.mark + "".join(f"[^{mark}]" for mark in cell.footnotes) for cell in row.cells.values())
        yield (row.row.wording, *map(tables.Markdown, cells))


def notes(table: Matrix, bracket: str = "[") -> Iterator[str]:
    """The footnotes and the guards, a line each."""
    colon = ":" if bracket == "[^" else ""
    yield from (f"{bracket}{mark}]{colon} {note}" for mark, note in table.footnotes.items())
    yield from ("", "Denied to everybody, whatever the table says:", *[""] * bool(colon)) if table.guards else ()
    yield from (f"- {guard.sentence}" for guard in table.guards)
