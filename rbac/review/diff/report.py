"""A diff in words: for a terminal, as the comment on a pull request, and as annotations.

Uses the wording of the published table: its rows, and its footnotes for the conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rbac.fact_space.formulas import NEVER
from rbac.policy.conditions import CONDITIONS
from rbac.reports.tables import Markdown, markdown
from rbac.review.diff.compare import CellChange, Direction, PolicyDiff
from rbac.review.findings import Finding, Format, Severity, annotation, render
from rbac.vocabulary import Permission, Role

FOLDED = 20
"""Markdown tables with more rows than this are folded."""
NAMED = 10
"""How many of the people affected are named."""


@dataclass(frozen=True, slots=True)
class Affected:
    """The people one changed cell touches today: how many, in how many domains, and the first of them by id.

    Whoever gains in one domain and loses in another counts in both, and once in `people`.
    """

    role: Role
    permission: Permission
    people: int
    gaining: int
    losing: int
    domains: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DiffReport:
    """A diff with what is around it: which widenings the commits acknowledge, and whom it touches when a store was asked."""

    diff: PolicyDiff
    acknowledged: frozenset[str] = frozenset()
    affected: tuple[Affected, ...] | None = None

    @property
    def unacknowledged(self) -> tuple[Permission, ...]:
        """The permissions somebody gains that no commit message names."""
        return tuple(permission for permission in self.diff.widened if permission not in self.acknowledged)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One a changed cell: a warning where somebody gains unacknowledged, else a notice."""
        return tuple(self._finding(change) for change in self.diff.changes)

    @property
    def summary(self) -> str:
        """How many cells went which way."""
        counts = [f"{count} {direction}" for direction, count in self.diff.counts.items() if count]
        total = len(self.diff.changes)
        return (
            f"{total} cell{'s' * (total != 1)} decide{'s' * (total == 1)} differently: {', '.join(counts)}"
            if total
            else "no decision changes"
        )

    def _finding(self, change: CellChange) -> Finding:
        line = next(iter(change.new_lines), 1)
        file = self.diff.new.rpartition(":")[2]
        gains = change.direction is not Direction.NARROWER and change.permission in self.unacknowledged
        severity = Severity.WARNING if gains else Severity.NOTICE
        return Finding(file, line, str(change.direction), f"{change}{_exactly(change)}", severity)


def render_diff(report: DiffReport, form: Format) -> str:
    """The diff as text, json, markdown (a comment that is ready to post) or GitHub annotations."""
    if form is Format.JSON:
        return render(report, form, title="Policy diff")
    if form is Format.GITHUB:
        return "".join(f"{annotation(finding)}\n" for finding in report.findings)
    lines = _markdown(report) if form is Format.MARKDOWN else _text(report)
    return "\n".join([*lines, ""])


def _text(report: DiffReport) -> Iterator[str]:
    people = _people(report)
    for change in report.diff.changes:
        yield f"{change.direction:<9} {change}"
        told = (_exactly(change).removeprefix("; "), *people(change))
        yield from (f"{'':<9} {sentence}" for sentence in told if sentence)
    if report.diff.changes:
        yield ""
    yield f"{report.diff.old} -> {report.diff.new}: {report.summary}"
    if report.unacknowledged:
        yield f"not acknowledged by a line `Policy-Widens: ...` in a commit message: {', '.join(report.unacknowledged)}"


def _markdown(report: DiffReport) -> Iterator[str]:
    people, changes = _people(report), report.diff.changes
    yield f"### Policy: {report.summary}"
    yield ""
    if not changes:
        yield "The policies decide every role, permission and combination of facts alike."
        return
    folded = len(changes) > FOLDED
    if folded:
        yield from ("<details>", f"<summary>{len(changes)} changed cells</summary>", "")
    columns = ("", "Action", "Permission", "Role", "Before", "After", "Exactly")
    yield from markdown(columns, (_cells(change, people(change)) for change in changes))
    if folded:
        yield from ("", "</details>")
    yield ""
    yield from _footnotes(changes)
    yield from _acknowledgement(report)


_MARK = {Direction.WIDER: Markdown("**wider**"), Direction.NARROWER: "narrower", Direction.CHANGED: Markdown("**changed**")}


def _cells(change: CellChange, people: Sequence[str]) -> tuple[str, ...]:
    row = change.permission.row
    told = [_exactly(change).removeprefix("; "), *people]
    where = (f"{row.number}. {row.wording}", Markdown(f"`{change.permission}`"), str(change.role))
    return (_MARK[change.direction], *where, str(change.before), str(change.after), ". ".join(filter(None, told)))


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
        names = ", ".join(report.unacknowledged)
        yield "Somebody gains. If that is meant, say so in a commit message of this pull request:"
        yield from ("", "```", f"Policy-Widens: {names}", "```")
    elif report.diff.widened:
        yield f"Acknowledged by `Policy-Widens: {', '.join(report.diff.widened)}`."


def _exactly(change: CellChange) -> str:
    """What is gained and lost, where before and after do not say it already."""
    told = []
    if change.gained != NEVER and change.gained != change.after:
        told.append(f"gained {change.gained}")
    if change.lost != NEVER and change.lost != change.before:
        told.append(f"lost {change.lost}")
    return "; " + ", ".join(told) if told else ""


def _people(report: DiffReport) -> Callable[[CellChange], list[str]]:
    """For a changed cell, the sentence about the people it touches; none when no store was asked."""
    by_cell = {(each.role, each.permission): each for each in report.affected or ()}

    def people(change: CellChange) -> list[str]:
        if report.affected is None:
            return []
        found = by_cell.get((change.role, change.permission))
        if found is None:
            return ["touches nobody today"]
        return [_sentence(found)]

    return people


def _sentence(found: Affected) -> str:
    ways = " and ".join(f"{count} {verb}" for count, verb in ((found.gaining, "gain"), (found.losing, "lose")) if count)
    more = f" and {found.people - len(found.first)} more" if found.people > len(found.first) else ""
    return f"today {ways} in {found.domains} domain{'s' * (found.domains != 1)}: {', '.join(found.first)}{more}"
