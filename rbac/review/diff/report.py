"""A diff in words: for a terminal, as the comment on a pull request, and as annotations.

Uses the wording of the published table: its rows, and its footnotes for the conditions. The comment has one row for each cause, those
that let somebody in first, and every cell below it, up to the size that GitHub accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rbac.fact_space.formulas import NEVER
from rbac.policy.conditions import CONDITIONS
from rbac.reports.tables import Markdown, escaped, markdown
from rbac.review.diff.compare import CellChange, Direction, PolicyDiff
from rbac.review.diff.functions import FunctionChange
from rbac.review.findings import Finding, Format, Severity, annotation, data, render
from rbac.text import visible
from rbac.vocabulary import Permission, Role

NAMED = 10
"""How many of the people affected are named."""
FEW = 20
"""How many cells that the functions change are listed in a comment."""
LONGEST = 60_000
"""How many characters a comment has at most; GitHub takes 65,536."""


@dataclass(frozen=True, slots=True)
class Affected:
    """The people one changed cell affects today: how many, in how many domains, and the first of them by id.

    Whoever gains in one domain and loses in another counts in both, and once in `people`. `possible`: the change depends on a target
    or a task, and whoever it affects with some target or task counts.
    """

    role: Role
    permission: Permission
    people: int
    gaining: int
    losing: int
    domains: int
    first: tuple[str, ...]
    possible: bool = False


@dataclass(frozen=True, slots=True)
class DiffReport:
    """A diff with what is around it: the widenings that commits acknowledge, and whom it affects when a store was asked.

    `acknowledged` and `unacknowledged` are cells, `ROLE PERMISSION`; `notes` are sentences about what could not be taken into account;
    `functions` are the cells that an edit of the conditions themselves changes.
    """

    diff: PolicyDiff
    acknowledged: frozenset[str] = frozenset()
    affected: tuple[Affected, ...] | None = None
    between: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()
    functions: tuple[FunctionChange, ...] = ()

    @property
    def unacknowledged(self) -> tuple[str, ...]:
        """The cells in which somebody gains that no commit acknowledges."""
        wider = (change for change in self.functions if change.direction is not Direction.NARROWER)
        cells = dict.fromkeys((*map(_cell, self.diff.widened), *map(_cell, wider)))
        return tuple(cell for cell in cells if cell not in self.acknowledged)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One a changed cell: a warning where somebody gains unacknowledged, else a notice."""
        found = (self._finding(change) for change in self.diff.changes)
        return (*found, *(self._of_functions(change) for change in self.functions))

    @property
    def summary(self) -> str:
        """How many cells went which way."""
        counts = [f"{count} {direction}" for direction, count in self.diff.counts.items() if count]
        total = len(self.diff.changes)
        if not total:
            return "no line changes a decision" if self.notes or self.functions else "no decision changes"
        return f"{total} cell{'s' * (total != 1)} decide{'s' * (total == 1)} differently: {', '.join(counts)}"

    def _of_functions(self, change: FunctionChange) -> Finding:
        severity = Severity.WARNING if _cell(change) in self.unacknowledged else Severity.NOTICE
        return Finding(self.diff.new.rpartition(":")[2], 1, f"{change.direction}-function", str(change), severity)

    def _finding(self, change: CellChange) -> Finding:
        line = next(iter(change.new_lines), 1)
        file = self.diff.new.rpartition(":")[2]
        gains = change.direction is not Direction.NARROWER and _cell(change) in self.unacknowledged
        severity = Severity.WARNING if gains else Severity.NOTICE
        return Finding(file, line, str(change.direction), f"{change}{_exactly(change)}", severity)


def _cell(change: CellChange | FunctionChange) -> str:
    return f"{change.role} {change.permission}"


def render_diff(report: DiffReport, form: Format) -> str:
    """The diff as text, json, markdown (a comment that is ready to post) or GitHub annotations."""
    if form is Format.JSON:
        return render(report, form, title="Policy diff")
    if form is Format.GITHUB:
        notes = (f"::warning title=policy::{data(note)}\n" for note in report.notes)
        return "".join((*(f"{annotation(finding)}\n" for finding in report.findings), *notes))
    if form is Format.MARKDOWN:
        return _markdown(report)
    return "\n".join([*map(visible, _text(report)), ""])


def _text(report: DiffReport) -> Iterator[str]:
    people = _people(report)
    for change in report.diff.changes:
        yield f"{change.direction:<9} {change}"
        told = (_exactly(change).removeprefix("; "), *people(change))
        yield from (f"{'':<9} {sentence}" for sentence in told if sentence)
    if report.diff.changes:
        yield ""
    yield f"{report.diff.old} -> {report.diff.new}: {report.summary}"
    yield from report.notes
    yield from map(str, report.functions)
    if report.unacknowledged:
        yield f"not acknowledged by a trailer `Policy-Widens: ROLE PERMISSION` of a commit: {', '.join(report.unacknowledged)}"


# -- the comment -------------------------------------------------------------------------------------------------------------


def _markdown(report: DiffReport) -> str:
    """The comment: as much of the list of cells as there is room for, and everything else whole."""
    causes = _causes(report.diff.changes)
    head = [f"### Policy: {report.summary}", "", *_between(report), *_noted(report)]
    if not causes:
        said = () if report.notes or report.functions else ("The policies decide every role, permission and combination of facts alike.",)
        return "\n".join([*head, *said, *_acknowledgement(report)]).rstrip() + "\n"
    tail = [*_acknowledgement(report), "", *_footnotes(report.diff.changes)]
    table = [*markdown(("", "Cause", "Who", "What changes"), map(_row, causes)), ""]
    people = _people(report)
    cells = [_item(change, people(change)) for change in sorted(report.diff.changes, key=_widest)]
    whole = "\n".join([*head, *table, *_folded(cells, 0), *tail]).rstrip() + "\n"
    if len(whole) <= LONGEST:
        return whole
    return _fitted(report, [*head, *table], cells, tail)


def _noted(report: DiffReport) -> Iterator[str]:
    for sentence in (*report.notes, *map(str, report.functions[:FEW])):
        yield f"- {escaped(sentence)}"
    if report.functions[FEW:]:
        yield f"- and {len(report.functions) - FEW} cells more"
    if report.notes or report.functions:
        yield ""


def _fitted(report: DiffReport, before: Sequence[str], cells: Sequence[str], tail: Sequence[str]) -> str:
    """The comment without the cells, or even the rows, that do not fit; says how many they are."""
    rest = "\n".join(["", *tail[:40], f"Shortened: {_code(f'rbac policy diff {report.diff.old} {report.diff.new}')} prints all of it.", ""])
    room = LONGEST - len(rest) - 300
    head = _within(before, room)
    kept = _within(cells, room - sum(len(line) + 1 for line in head))
    cut = [f"{len(before) - len(head)} more rows do not fit here.", ""] if len(head) < len(before) else []
    return "\n".join([*head, *cut, *_folded(kept, len(cells) - len(kept))]) + rest[:LONGEST]


def _within(lines: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _between(report: DiffReport) -> Iterator[str]:
    old, new = report.between or (report.diff.old, report.diff.new)
    yield from (f"From {_code(old)} to {_code(new)}.", "")


def _code(text: str) -> str:
    """A name as code, whatever is in it."""
    return f"`{visible(text).replace('`', '?')}`"


_ORDER = {Direction.WIDER: 0, Direction.CHANGED: 1, Direction.NARROWER: 2}
_MARK = {Direction.WIDER: Markdown("**wider**"), Direction.NARROWER: Markdown("narrower"), Direction.CHANGED: Markdown("**changed**")}
_Cause = tuple[int, tuple[str, ...], tuple[str, ...]]


def _widest(change: CellChange) -> tuple[int, int]:
    return _ORDER[change.direction], list(Permission).index(change.permission)


def _cause(change: CellChange) -> _Cause:
    return _ORDER[change.direction], change.removed, change.added


def _causes(changes: Iterable[CellChange]) -> list[list[CellChange]]:
    """The changes that the same lines cause in the same direction together, those that let somebody in first."""
    return [list(group) for _, group in groupby(sorted(changes, key=_cause), key=_cause)]


def _row(group: Sequence[CellChange]) -> tuple[str, ...]:
    first = group[0]
    lines = [("removed", line) for line in first.removed] + [("added", line) for line in first.added]
    cause = "<br>".join(f"{what} `{line}`" for what, line in lines) or "a condition or the model was edited"
    return _MARK[first.direction], Markdown(cause), Markdown(_who(group)), Markdown(_what(group))


def _who(group: Sequence[CellChange]) -> str:
    if len(group) == 1:
        return f"{group[0].role}: {_action(group[0].permission)}"
    affected = {change.role for change in group}
    return f"{len(group)} cells of {', '.join(role for role in Role if role in affected)}"


def _action(permission: Permission) -> str:
    return f"`{permission}` ({permission.row.number}. {escaped(permission.row.wording)})"


def _what(group: Sequence[CellChange]) -> str:
    changes = {f"{change.before} → {change.after}" for change in group}
    return changes.pop() if len(changes) == 1 else "see each cell below"


def _item(change: CellChange, people: Sequence[str]) -> str:
    told = [f"{change.before} → {change.after}", _exactly(change).removeprefix("; "), *people]
    return f"- {change.direction}: {change.role}, {_action(change.permission)}: {escaped('. '.join(filter(None, told)))}"


def _folded(cells: Sequence[str], missing: int) -> Iterator[str]:
    total = len(cells) + missing
    yield from ("<details>", f"<summary>{total} changed cell{'s' * (total != 1)}</summary>", "", *cells)
    if missing:
        yield f"- and {missing} more, which do not fit here"
    yield from ("", "</details>", "")


def _footnotes(changes: Sequence[CellChange]) -> Iterator[str]:
    """What the conditions mean, in the words of the footnotes."""
    said = (change.before.names + change.after.names + change.gained.names + change.lost.names for change in changes)
    names = {name for each in said for name in each}
    for name, condition in CONDITIONS.items():
        if name in names:
            yield f"- `{name}`: {condition.summary}"
    if names:
        yield ""


def _acknowledgement(report: DiffReport) -> Iterator[str]:
    if report.unacknowledged:
        yield "Somebody gains. If that is meant, end a commit message of this pull request with:"
        yield from ("", "```", *(f"Policy-Widens: {cell}" for cell in report.unacknowledged), "```")
    elif report.diff.widened:
        yield f"Acknowledged: {', '.join(f'`{cell}`' for cell in map(_cell, report.diff.widened))}."


def _exactly(change: CellChange) -> str:
    """What is gained and lost, where before and after do not say it already."""
    told = []
    if change.gained != NEVER and change.gained != change.after:
        told.append(f"gained {change.gained}")
    if change.lost != NEVER and change.lost != change.before:
        told.append(f"lost {change.lost}")
    return "; " + ", ".join(told) if told else ""


def _people(report: DiffReport) -> Callable[[CellChange], list[str]]:
    """For a changed cell, the sentence about the people it affects; none when no store was asked."""
    by_cell = {(each.role, each.permission): each for each in report.affected or ()}

    def people(change: CellChange) -> list[str]:
        if report.affected is None:
            return []
        found = by_cell.get((change.role, change.permission))
        return ["affects nobody today"] if found is None else [_sentence(found)]

    return people


def _sentence(found: Affected) -> str:
    ways = " and ".join(f"{count} {verb}" for count, verb in ((found.gaining, "gain"), (found.losing, "lose")) if count)
    more = f" and {found.people - len(found.first)} more" if found.people > len(found.first) else ""
    some = ", with some target or task" * found.possible
    return f"today {ways} in {found.domains} domain{'s' * (found.domains != 1)}{some}: {', '.join(found.first)}{more}"
