"""How `explain` shows a question that was traced at from all sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rbac.cli import output
from rbac.policy.conditions import ALWAYS, CONDITIONS
from rbac.snapshot.records import ProjectRecord, in_force
from rbac.vocabulary import WORKERS

if TYPE_CHECKING:
    from rbac.decisions.evaluate import Question, Trace
    from rbac.decisions.trace import ConditionTrace, LineTrace


def show(traced: Trace, file: str) -> None:
    """The role in force, then every line, the denials first."""
    role = role_in_force(traced.question)
    if role:
        output.text(f"\n{traced.question.user} is {role}\n\n")
    output.table(("line", "effect", "condition", "value", "footnote"), _rows(traced, file))
    if traced.api is not None:
        output.text("\nthrough the API it takes api:access as well:\n\n")
        output.table(("line", "effect", "condition", "value", "footnote"), _rows(traced.api, file))


def as_data(traced: Trace) -> dict[str, Any]:
    """The same for JSON."""
    facts = traced.question.facts
    return {
        "role": None if facts is None else facts.role,
        "role_from": role_in_force(traced.question),
        "lines": [_line(each) for each in _lines(traced)],
        "api": None if traced.api is None else as_data(traced.api),
    }


def role_in_force(question: Question) -> str:
    """Which role counts there and where it comes from; nothing where no role was traced at."""
    facts = question.facts
    if facts is None:
        return ""
    given, until = (
        (None, None) if not isinstance(facts.domain, ProjectRecord) else facts.user.project_roles.get(facts.domain.id, (None, None))
    )
    if given is None:
        return f"{facts.role}: the organization role"
    if not in_force(until, facts.now):
        return f"{facts.role}: the organization role, since the project role {given} ended at {output.until(until)}"
    if facts.user.role not in WORKERS:
        return f"{facts.role}: the organization role, for which the project role {given} is without effect"
    ends = f" until {output.until(until)}" if until is not None else ""
    return f"{facts.role}: the project role{ends}, in place of the organization role {facts.user.role}"


def _lines(traced: Trace) -> tuple[LineTrace, ...]:
    return () if traced.cell is None else (*traced.cell.denials, *traced.cell.grants)


def _rows(traced: Trace, file: str) -> Iterator[tuple[str, ...]]:
    for each in _lines(traced):
        head = (f"{file}:{each.line.number}", str(each.line.effect))
        if not each.conditions:
            yield (*head, ALWAYS, "true", "")
        for condition in each.conditions:
            yield (*head, condition.name, _value(condition), CONDITIONS[condition.name].summary)
            head = ("", "")


def _value(check: ConditionTrace) -> str:
    if check.missing is None:
        return str(check.value).lower()
    return f"{str(check.value).lower()}: {'name the target' if check.missing == 'target' else f'{check.missing} is not known'}"


def _line(each: LineTrace) -> dict[str, Any]:
    conditions = [{"name": one.name, "value": one.value, "missing": one.missing} for one in each.conditions]
    return {"line": each.line.number, "rule": each.line.text, "effect": each.line.effect, "holds": each.applies, "conditions": conditions}
