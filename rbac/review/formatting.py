"""policy.csv as people see it: headings, comments, columns, and the one way to lay them out.

`format_policy` gives that layout: deny lines first, then the sections and rows of the published table in its order,
columns aligned, every comment before the line it stood before. That no decision changes is proven each time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from rbac.errors import RBACError
from rbac.policy.reader import Line, Policy, parse_policy
from rbac.review.diff.compare import same_decisions
from rbac.vocabulary import ROWS, Effect, Permission, Row

MEMBERSHIP = ("created_or_invited", "may_enter", "member")
"""The conditions that say who is there at all; they stand first."""

GUARDS = "Whoever asks"
"""The heading of the deny lines."""

SECTIONS = (GUARDS, *dict.fromkeys(row.heading for row in ROWS))
_SECTION = re.compile(r"#\s*-{2,}\s*(.*?)\s*-{2,}\s*$")
_ROW = re.compile(r"#\s*(\d+)\.\s+(.*?)\s*$")
_WIDTHS = (13, 12, 22, 16)
"""Of role, domain, object and action; fixed, so that an edit of one line moves no other."""
_RULE = 121


@dataclass(frozen=True, slots=True)
class Heading:
    """A section (`number` None) or row heading as it stands in the file."""

    at: int
    number: int | None
    text: str

    @property
    def canonical(self) -> str:
        """How it is written."""
        return section_heading(self.text) if self.number is None else f"# {self.number}. {self.text}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A policy line with the comments that stand before it, and the headings it stands under."""

    line: Line
    comments: tuple[str, ...]
    section: Heading | None
    row: Heading | None


@dataclass(frozen=True, slots=True)
class Document:
    """A policy file: what stands above everything, the lines with their comments, and what stands below."""

    text: str
    header: tuple[str, ...]
    entries: tuple[Entry, ...]
    headings: tuple[Heading, ...]
    footer: tuple[str, ...]

    @property
    def raw(self) -> list[str]:
        """The lines of the file as they are."""
        return self.text.split("\n")


def read_document(policy: Policy, text: str) -> Document:
    """The file of a policy that loads, as people see it."""
    lines = {line.number: line for line in policy.lines}
    header: tuple[str, ...] | None = None
    entries: list[Entry] = []
    headings: list[Heading] = []
    waiting: list[str] = []
    section = row = None
    below = _lines_below(policy.lines)
    for number, raw in enumerate(text.split("\n"), 1):
        heading = _heading(raw.strip(), number, below(number))
        if header is None and (heading or number in lines):
            header, waiting = _trimmed(waiting), []
        if heading:
            headings.append(heading)
            section, row = (heading, None) if heading.number is None else (section, heading)
        elif number in lines:
            entries.append(Entry(lines[number], _trimmed(waiting), section, row))
            waiting = []
        else:
            waiting.append(raw.strip())
    return Document(text, header or (), tuple(entries), tuple(headings), _trimmed(waiting))


def _lines_below(lines: Sequence[Line]) -> Callable[[int], Line | None]:
    """For the number of a comment, the next policy line."""
    numbers = [line.number for line in lines]

    def below(number: int) -> Line | None:
        place = bisect_right(numbers, number)
        return lines[place] if place < len(lines) else None

    return below


def format_policy(text: str, file: str = "policy.csv") -> str:
    """The policy in `text` laid out the one way, with LF line ends; raises PolicyError when it does not load."""
    text = text.replace("\r\n", "\n")
    policy = parse_policy(text, file)
    formatted = "\n".join(_laid_out(read_document(policy, text)))
    if not same_decisions(policy, parse_policy(formatted, file)):
        raise RBACError(f"{file}: formatting would change a decision; nothing was written")
    return formatted


def write_line(line: Line, *, width: int) -> str:
    """A policy line, aligned; `width` is that of the conditions."""
    *names, conditions, effect = tidy(line).tokens
    columns = [
        "p",
        *(f"{name + ',':<{room + 1}}" for name, room in zip(names, _WIDTHS, strict=True)),
        f"{conditions + ',':<{width + 1}}",
        effect,
    ]
    return f"{columns[0]}, {' '.join(columns[1:])}"


def conditions_width(lines: Iterable[Line]) -> int:
    """The width of the conditions of a file."""
    return max((len(line.tokens[4]) for line in lines), default=0)


def tidy(line: Line) -> Line:
    """The line with the condition about membership first."""
    return replace(line, conditions=tuple(sorted(line.conditions, key=lambda name: name not in MEMBERSHIP)))


def section_heading(text: str) -> str:
    """`# --- Data Access ---...`, as long as every other."""
    return f"# --- {text} ".ljust(_RULE, "-")


def order(line: Line) -> tuple[int, int, int]:
    """Where a line belongs: deny lines first, as they are; then by permission and role in the order of `Permission`."""
    if line.effect is Effect.DENY or line.permission is None or line.role is None:
        return 0, 0, 0
    return 1, _PLACE[line.permission], line.role.rank


_PLACE = {permission: place for place, permission in enumerate(Permission)}


def row_of(line: Line) -> Row | None:
    """The row a line belongs under; None for deny lines, which stand before the table."""
    return None if line.effect is Effect.DENY or line.permission is None else line.permission.row


def section_of(line: Line) -> str:
    """The section a line belongs under."""
    row = row_of(line)
    return GUARDS if row is None else row.heading


def _laid_out(document: Document) -> Iterator[str]:
    yield from document.header
    if document.header:
        yield ""
    entries = sorted(document.entries, key=lambda entry: order(entry.line))
    width = conditions_width(entry.line for entry in entries)
    section, row, blank = "", None, True
    for entry in entries:
        if section != (section := section_of(entry.line)):
            yield from _with_blank(blank, section_heading(section))
            blank = False
        if row != (row := row_of(entry.line)) and row is not None:
            yield from _with_blank(blank, f"# {row.number}. {row.wording}")
        elif row is None and not blank and entry is entries[0]:
            yield ""
        yield from entry.comments
        yield write_line(entry.line, width=width)
        blank = False
    yield from _with_blank(not document.footer, *document.footer)
    yield ""


def _with_blank(there: bool, *lines: str) -> Iterator[str]:
    if not there:
        yield ""
    yield from lines


def _heading(text: str, number: int, below: Line | None) -> Heading | None:
    """The section or row heading a comment is, or was before somebody reworded it; any other comment is left alone.

    A reworded heading stands above a line of its own and says nothing more, so that no remark is taken for one.
    """
    section, row = _SECTION.match(text), _ROW.match(text)
    if section and (section[1] in SECTIONS or (below and _is_reworded(section[1], section_of(below)))):
        return Heading(number, None, section[1])
    if row and 1 <= int(row[1]) <= len(ROWS):
        known = ROWS[int(row[1]) - 1]
        if row[2] == known.wording or (below and row_of(below) == known and _is_reworded(row[2], known.wording)):
            return Heading(number, int(row[1]), row[2])
    return None


def _is_reworded(text: str, wording: str) -> bool:
    return not text.startswith(wording) and bool(get_close_matches(text, [wording], n=1, cutoff=0.75))


def _trimmed(lines: list[str]) -> tuple[str, ...]:
    """Comments without blank lines around them, and never two blank lines in a row."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)
