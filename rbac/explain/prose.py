"""A traced question in words: the role in force and where it comes from, and each line with the values of its conditions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rbac.clock import write_instant
from rbac.policy.conditions import ALWAYS, CONDITIONS
from rbac.snapshot.records import ProjectRecord, Until, in_force
from rbac.vocabulary import WORKERS

if TYPE_CHECKING:
    from rbac.decisions.evaluate import Question, Trace
    from rbac.decisions.trace import ConditionTrace, LineTrace

COLUMNS = ("line", "effect", "condition", "value", "footnote")
"""The headings of `line_rows`."""


def role_in_force(question: Question) -> str:
    """Which role is in force in the domain, and where it comes from; empty where none is."""
    facts = question.facts
    if facts is None:
        return ""
    given, until = _project_role(question)
    if given is None:
        return f"{facts.role}: the organization role"
    if not in_force(until, facts.now):
        return f"{facts.role}: the organization role, since the project role {given} ended at {_written(until)}"
    if facts.user.role not in WORKERS:
        return f"{facts.role}: the organization role, for which the project role {given} is without effect"
    ends = "" if until is None else f" until {_written(until)}"
    return f"{facts.role}: the project role{ends}, in place of the organization role {facts.user.role}"


def line_rows(traced: Trace, file: str) -> Iterator[tuple[str, ...]]:
    """A row for each condition of each line, the deny lines first; a line is named in its first row only."""
    for each in _lines(traced):
        head = (f"{file}:{each.line.number}", str(each.line.effect))
        if not each.conditions:
            yield (*head, ALWAYS, "true", "")
        for condition in each.conditions:
            yield (*head, condition.name, _value(condition), CONDITIONS[condition.name].summary)
            head = ("", "")


def as_data(traced: Trace) -> dict[str, Any]:
    """The role and the lines for JSON, with those of `api:access` for a question that comes through the API."""
    facts = traced.question.facts
    return {
        "role": None if facts is None else facts.role,
        "role_from": role_in_force(traced.question),
        "lines": [_line_data(each) for each in _lines(traced)],
        "api": None if traced.api is None else as_data(traced.api),
    }


def _project_role(question: Question) -> tuple[Any, Until]:
    facts = question.facts
    if facts is None or not isinstance(facts.domain, ProjectRecord):
        return None, None
    return facts.user.project_roles.get(facts.domain.id, (None, None))


def _written(until: Until) -> str:
    return "" if until is None else write_instant(until)


def _lines(traced: Trace) -> tuple[LineTrace, ...]:
    return () if traced.cell is None else (*traced.cell.denials, *traced.cell.grants)


def _value(condition: ConditionTrace) -> str:
    value = str(condition.value).lower()
    if condition.missing is None:
        return value
    return f"{value}: {'name the target' if condition.missing == 'target' else f'{condition.missing} is not known'}"


def _line_data(each: LineTrace) -> dict[str, Any]:
    conditions = [{"name": one.name, "value": one.value, "missing": one.missing} for one in each.conditions]
    return {"line": each.line.number, "rule": each.line.text, "effect": each.line.effect, "holds": each.applies, "conditions": conditions}
