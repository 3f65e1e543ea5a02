"""What policy tests leave unsaid: cells nobody asks about, and conditions never seen true, or never false.

An answered cell covers all of its cell. A request covers what its facts are: the cell, and each condition's truth
there, unless a deny line decided. Only what can occur is asked for, so 100 % can be reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rbac.fact_space.diagrams import NO
from rbac.fact_space.formulas import answer, node_of
from rbac.fact_space.space import Space, space
from rbac.policy.reader import Line, Policy
from rbac.review.findings import Finding, Severity
from rbac.review.published import DENIED
from rbac.review.testing.expectations import Answered, Asked, Expectation
from rbac.review.testing.points import Point, points_of
from rbac.vocabulary import Kind, Permission, Role


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing a test can exercise: a cell (no condition), a condition of a cell with a truth, or one of the deny lines of a kind."""

    role: Role | None
    permission: Permission | None
    kind: Kind
    condition: str | None = None
    truth: bool = True

    def __str__(self) -> str:
        where = f"{self.role}, {self.permission}" if self.permission else f"the deny lines of a {self.kind}"
        return where if self.condition is None else f"{where}: {self.condition} is never {str(self.truth).lower()}"


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """How much of a policy its tests exercise. A finding a gap; below `threshold` percent they are errors, else notices."""

    file: str
    cells: int
    cells_covered: int
    polarities: int
    polarities_covered: int
    threshold: float
    findings: tuple[Finding, ...]

    @property
    def percent(self) -> float:
        """Of cells and polarities together."""
        total = self.cells + self.polarities
        return 100 * (self.cells_covered + self.polarities_covered) / total if total else 100.0

    @property
    def summary(self) -> str:
        """The counts, and the percentage."""
        cells = f"{self.cells_covered} of {self.cells} cells"
        return f"{self.file}: {cells}, {self.polarities_covered} of {self.polarities} truths of conditions, {self.percent:.1f} %"


def coverage(policy: Policy, expectations: Sequence[Expectation], *, threshold: float = 100.0) -> CoverageReport:
    """What the expectations exercise of a policy, and for each gap a line to paste."""
    wanted = list(dict.fromkeys(_aspects(policy)))
    covered = {aspect for each in expectations for aspect in _exercised(policy, each)}
    gaps = [aspect for aspect in wanted if aspect not in covered]
    cells = [aspect for aspect in wanted if aspect.condition is None]
    missing = sum(aspect.condition is None for aspect in gaps)
    report = CoverageReport(policy.file, len(cells), len(cells) - missing, len(wanted) - len(cells), _seen(wanted, gaps), threshold, ())
    severity = Severity.ERROR if report.percent < threshold else Severity.NOTICE
    return replace(report, findings=_pasted_once(_finding(policy, aspect, severity) for aspect in gaps))


def _seen(wanted: Sequence[Aspect], gaps: Sequence[Aspect]) -> int:
    return sum(aspect.condition is not None for aspect in wanted) - sum(aspect.condition is not None for aspect in gaps)


def cell_to_paste(policy: Policy, role: Role, permission: Permission) -> str:
    """A cell as a line of a test file, answered as the policy does; with `denied: never` where the usual guards are not denied."""
    here, lines = space(), (*policy.cell(role, permission), *policy.denials(role, permission))
    asked, guards = here.question(role, permission.kind), node_of(DENIED[permission.kind], here)
    usual = here.diagrams.both(here.allowed(policy, role, permission), guards) == NO
    told = answer(lines, within=here.diagrams.but_not(asked, guards) if usual else asked, space=here)
    text = f"{{when: {told.condition}}}" if str(told).startswith("when") else str(told)
    return f"  - {{role: {role}, permission: {permission}, answer: {text}{'' if usual else ', denied: never'}}}"


def _aspects(policy: Policy) -> Iterator[Aspect]:
    """Everything that can be exercised."""
    here = space()
    for permission in Permission:
        for role in Role:
            yield Aspect(role, permission, permission.kind)
            open_ = here.open(policy, role, permission)
            for line in policy.cell(role, permission):
                for name in line.conditions:
                    holds = here.condition(name, line.effect)
                    for truth, part in ((True, here.diagrams.both(open_, holds)), (False, here.diagrams.but_not(open_, holds))):
                        if part != NO:
                            yield Aspect(role, permission, permission.kind, name, truth)
    for line in policy.deny_lines:
        for name in line.conditions:
            yield Aspect(None, None, line.kind, name, True)
            yield Aspect(None, None, line.kind, name, False)


def _exercised(policy: Policy, each: Expectation) -> Iterable[Aspect]:
    return _by_answer(policy, each) if isinstance(each, Answered) else _by_request(policy, each)


def _by_answer(policy: Policy, each: Answered) -> Iterator[Aspect]:
    yield Aspect(each.role, each.permission, each.permission.kind)
    for line in policy.cell(each.role, each.permission):
        for name in line.conditions:
            yield Aspect(each.role, each.permission, line.kind, name, True)
            yield Aspect(each.role, each.permission, line.kind, name, False)
    for name in each.denied.names:
        yield Aspect(None, None, each.permission.kind, name, True)
        yield Aspect(None, None, each.permission.kind, name, False)


def _by_request(policy: Policy, each: Asked) -> Iterator[Aspect]:
    here = space()
    for point in points_of(each, here):
        yield Aspect(point.role, point.permission, point.permission.kind)
        denials = policy.denials(point.role, point.permission)
        for line in denials:
            yield from (Aspect(None, None, line.kind, name, truth) for name, truth in _truths(point, line, here))
        if any(here.diagrams.holds(here.line(line), point.places) for line in denials):
            continue
        for line in policy.cell(point.role, point.permission):
            yield from (Aspect(point.role, point.permission, line.kind, name, truth) for name, truth in _truths(point, line, here))


def _truths(point: Point, line: Line, here: Space) -> Iterator[tuple[str, bool]]:
    for name in line.conditions:
        yield name, here.diagrams.holds(here.condition(name, line.effect), point.places)


def _finding(policy: Policy, gap: Aspect, severity: Severity) -> Finding:
    if gap.role is None or gap.permission is None:
        names = dict.fromkeys(name for line in policy.deny_lines if line.kind is gap.kind for name in line.conditions)
        at = next(line.number for line in policy.deny_lines if line.kind is gap.kind and gap.condition in line.conditions)
        return Finding(policy.file, at, "coverage", str(gap), severity, paste=f"denied:\n  {gap.kind}: {' or '.join(names)}")
    lines = policy.cell(gap.role, gap.permission)
    message = str(gap) if gap.condition else f"no test asks about {gap}"
    paste = cell_to_paste(policy, gap.role, gap.permission)
    return Finding(policy.file, lines[0].number if lines else 1, "coverage", message, severity, paste=paste)


def _pasted_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The same line to paste with the first gap it closes only."""
    seen: set[str] = set()
    kept = []
    for finding in findings:
        kept.append(replace(finding, paste="") if finding.paste in seen else finding)
        seen.add(finding.paste)
    return tuple(kept)
