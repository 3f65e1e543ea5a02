"""The strict reader of policy.csv: a file becomes a Policy with line numbers, or is refused whole.

Casbin's own file adapter drops what it cannot read and keeps quotes, byte order marks and inline comments as data.
Here nothing is skipped silently: every mistake is reported at once, first to last, each with what would be right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from rbac.errors import PolicyError, Problem
from rbac.names import nearest
from rbac.policy.conditions import ALWAYS, CONDITIONS
from rbac.text import check_characters, decode, read_bytes
from rbac.vocabulary import Effect, Kind, Permission, Role, Word

PACKAGED = Path(__file__).parents[1] / "policy.csv"
"""The policy inside the package, used when no path is given."""

COLUMNS = ("role", "domain", "object", "action", "conditions", "effect")
ANY = "*"

_NEVER = {
    "#": "a comment behind a line: give it a line of its own",
    '"': "a quote: fields are written as they are",
    "'": "a quote: fields are written as they are",
}
_Names = TypeVar("_Names", bound=Word)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the policy. `role` and `permission` are None where the file says `*`."""

    number: int
    role: Role | None
    kind: Kind
    permission: Permission | None
    conditions: tuple[str, ...]
    effect: Effect

    @property
    def tokens(self) -> tuple[str, str, str, str, str, str]:
        """The six values of `p`, as Casbin gets them."""
        object_, action = (self.permission.object, self.permission.action) if self.permission else (ANY, ANY)
        return str(self.role or ANY), str(self.kind), object_, action, " & ".join(self.conditions) or ALWAYS, str(self.effect)

    @property
    def text(self) -> str:
        """The line in its plain form, without alignment."""
        return ", ".join(("p", *self.tokens))

    @property
    def reads(self) -> frozenset[str]:
        """The facts its conditions read."""
        return frozenset().union(*(CONDITIONS[name].reads for name in self.conditions))

    def concerns(self, role: Role, permission: Permission) -> bool:
        """Whether this line is about that cell."""
        return self.kind == permission.kind and self.role in (None, role) and self.permission in (None, permission)


@dataclass(frozen=True)
class Policy:
    """The table, line by line, in the order of the file. `file` is what messages call it, `digest` its SHA-256."""

    file: str
    lines: tuple[Line, ...]
    digest: str

    def cell(self, role: Role, permission: Permission) -> tuple[Line, ...]:
        """The allow lines of one cell; none means the role never may."""
        return self._cells.get((role, permission), ())

    def denials(self, role: Role, permission: Permission) -> tuple[Line, ...]:
        """The deny lines that concern one cell."""
        return tuple(line for line in self.deny_lines if line.concerns(role, permission))

    @cached_property
    def deny_lines(self) -> tuple[Line, ...]:
        """Every deny line."""
        return tuple(line for line in self.lines if line.effect is Effect.DENY)

    @cached_property
    def _cells(self) -> dict[tuple[Role, Permission], tuple[Line, ...]]:
        cells: dict[tuple[Role, Permission], list[Line]] = {}
        for line in self.lines:
            if line.effect is Effect.ALLOW and line.role and line.permission:
                cells.setdefault((line.role, line.permission), []).append(line)
        return {cell: tuple(lines) for cell, lines in cells.items()}

    @cached_property
    def reads(self) -> dict[tuple[Role, Permission], frozenset[str]]:
        """The facts that decide each cell: what must be known before Casbin is called."""
        return {
            (role, permission): frozenset().union(*(line.reads for line in (*self.denials(role, permission), *self.cell(role, permission))))
            for role in Role
            for permission in Permission
        }

    def restrictable(self, permission: Permission, level: Role) -> bool:
        """Whether `restrict permission level` means something: a line can be restricted, and all below `level` can."""
        return any(map(_restricted, self._grants(permission))) and not self.unrestricted_below(permission, level)

    def unrestricted_below(self, permission: Permission, level: Role) -> tuple[Line, ...]:
        """The allow lines of roles below `level` that a restriction does not reach."""
        below = (line for line in self._grants(permission) if line.role is not None and line.role.rank < level.rank)
        return tuple(line for line in below if not _restricted(line))

    def why_ineffective(self, permission: Permission, level: Role) -> str:
        """Why a restriction has no effect, or only in part, with the lines that defeat it; nothing where it is effective."""
        if self.restrictable(permission, level):
            return ""
        lines = self.unrestricted_below(permission, level)
        if not lines:
            return f"no line of {self.file} for {permission} carries unless_restricted"
        shown = ", ".join(f"{self.file}:{line.number} {line.role}" for line in lines)
        return f"{shown}: {'these lines carry' if len(lines) > 1 else 'this line carries'} no unless_restricted"

    def _grants(self, permission: Permission) -> list[Line]:
        return [line for line in self.lines if line.effect is Effect.ALLOW and line.permission == permission]


def _restricted(line: Line) -> bool:
    return "unless_restricted" in line.conditions


def read_policy(path: str | Path | None = None) -> Policy:
    """The policy in a file, or the packaged one; raises PolicyError with every mistake in it."""
    where = PACKAGED if path is None else Path(path)
    return parse_policy(read_bytes(where), "policy.csv" if path is None else str(path))


def parse_policy(data: bytes | str, file: str = "policy.csv") -> Policy:
    """The policy in `data`; `file` is what errors and reasons call it."""
    raw = data.encode() if isinstance(data, str) else data
    problems: list[Problem] = []
    lines: list[Line] = []
    decoded = decode(raw, file)
    if "\r\n" in decoded:
        problems.append(_windows(decoded, file))
    for number, text in enumerate(decoded.replace("\r\n", "\n").split("\n"), 1):
        stripped = text.strip()
        bad = list(check_characters(text, file, number, comment=stripped.startswith("#")))
        problems += bad
        if bad or not stripped or stripped.startswith("#"):
            continue
        read = _read_line(text, file, number)
        if isinstance(read, Line):
            lines.append(read)
        else:
            problems += read
    problems += _duplicates(lines, file)
    if not lines and not problems:
        problems.append(Problem(file, 1, 1, "has no policy line: nobody could do anything"))
    if problems:
        raise PolicyError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return Policy(file, tuple(lines), hashlib.sha256(raw).hexdigest())


def _windows(text: str, file: str) -> Problem:
    """One problem for all the lines that end as on Windows."""
    first = text[: text.index("\r\n")]
    ends = "with a carriage return: save the file with LF line ends, or run rbac policy fmt"
    count = text.count("\r\n")
    told = f"{count} lines end {ends}" if count > 1 else f"the line ends {ends}"
    return Problem(file, first.count("\n") + 1, len(first) - first.rfind("\n"), told)


@dataclass(frozen=True, slots=True)
class _Field:
    """The text of one column and where it starts, 1 based."""

    text: str
    column: int


def _split(text: str, separator: str, start: int = 1) -> list[_Field]:
    fields, column = [], start
    for part in text.split(separator):
        fields.append(_Field(part.strip(), column + len(part) - len(part.lstrip())))
        column += len(part) + len(separator)
    return fields


def _read_line(text: str, file: str, number: int) -> Line | list[Problem]:
    """One line of the file, or everything that is wrong with it."""
    for character, message in _NEVER.items():
        if character in text:
            return [Problem(file, number, text.index(character) + 1, message)]
    kind_of_line, *fields = _split(text, ",")
    if kind_of_line.text != "p":
        hint = ": who has which role lives in the store" if kind_of_line.text.startswith("g") else ""
        return [Problem(file, number, kind_of_line.column, f"unknown line type {kind_of_line.text!r}, lines start with p{hint}")]
    if len(fields) != len(COLUMNS):
        message = f"{len(fields)} columns after p, there must be {len(COLUMNS)}: {', '.join(COLUMNS)}"
        return [Problem(file, number, kind_of_line.column, message)]
    reader = _LineReader(fields, file, number)
    return reader.line() or reader.problems


class _LineReader:
    """The six columns of one line, read left to right; lives for that line and gathers its problems."""

    def __init__(self, fields: list[_Field], file: str, number: int) -> None:
        self._role, self._domain, self._object, self._action, self._conditions, self._effect = fields
        self._file, self._number = file, number
        self.problems: list[Problem] = []

    def _say(self, field: _Field, message: str) -> None:
        self.problems.append(Problem(self._file, self._number, field.column, message))

    def _one_of(self, field: _Field, names: type[_Names], what: str) -> _Names | None:
        found = names.named(field.text)
        if found is not None:
            return found
        hint = nearest(field.text, names) or f": one of {', '.join(names)}"
        self._say(field, f"unknown {what} {field.text!r}{hint}")
        return None

    def line(self) -> Line | None:
        """The line, or None when something is wrong."""
        effect = self._one_of(self._effect, Effect, "effect")
        role = None if self._role.text == ANY else self._one_of(self._role, Role, "role")
        kind = self._one_of(self._domain, Kind, "kind of domain")
        permission = self._permission(kind)
        conditions = self._read_conditions(kind, effect)
        if effect is Effect.ALLOW:
            for field in (self._role, self._object, self._action):
                if field.text == ANY:
                    self._say(field, "* in an allow line: name it, * stands in deny lines only")
        if self.problems or kind is None or effect is None:
            return None
        return Line(self._number, role, kind, permission, conditions, effect)

    def _permission(self, kind: Kind | None) -> Permission | None:
        name = f"{self._object.text}:{self._action.text}"
        if ANY in (self._object.text, self._action.text):
            if self._object.text != self._action.text:
                self._say(self._object, f"{name!r}: object and action are both *, or both named")
            return None
        permission = Permission.named(name)
        if permission is None:
            self._say(self._object, f"unknown permission {name!r}{nearest(name, Permission)}")
        elif kind is not None and kind is not permission.kind:
            self._say(self._domain, f"{name} is asked in {permission.kind}, not in {kind}")
        return permission

    def _read_conditions(self, kind: Kind | None, effect: Effect | None) -> tuple[str, ...]:
        if self._conditions.text == ALWAYS:
            return ()
        parts = _split(self._conditions.text, "&", self._conditions.column)
        seen: set[str] = set()
        for part in parts:
            known = CONDITIONS.get(part.text)
            if not part.text:
                self._say(part, "a condition is missing: names are joined with &, always stands where there is none")
            elif known is None:
                self._say(part, f"unknown condition {part.text!r}{nearest(part.text, [*CONDITIONS, ALWAYS])}")
            elif part.text in seen:
                self._say(part, f"{part.text} is repeated in this line")
            elif kind is not None and kind not in known.asked_in:
                self._say(part, f"{part.text} cannot be asked in {kind}: it reads {', '.join(sorted(known.reads))}")
            elif known.effect is Effect.DENY and effect is Effect.ALLOW:
                self._say(part, f"{part.text} is for deny lines")
            seen.add(part.text)
        return tuple(part.text for part in parts)


def _duplicates(lines: list[Line], file: str) -> Iterator[Problem]:
    seen: dict[object, int] = {}
    for line in lines:
        key = (line.role, line.kind, line.permission, frozenset(line.conditions), line.effect)
        first = seen.setdefault(key, line.number)
        if first != line.number:
            yield Problem(file, line.number, 1, f"says the same as line {first}: delete one")
