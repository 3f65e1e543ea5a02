"""How `explain` shows a question that was looked at from all sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rbac.cli import output
from rbac.policy.conditions import ALWAYS, CONDITIONS
from rbac.snapshot.records import ProjectRecord, in_force
from rbac.vocabulary import WORKERS

if TYPE_CHECKING:
    from rbac.decisions.decider import Check, LineCheck
    from rbac.decisions.evaluate import Known, Looked


def show(looked: Looked, file: str) -> None:
    """The role in force, then every line, the denials first."""
    role = role_in_force(looked.known)
    if role:
        output.text(f"\n{looked.request.user} is {role}\n\n")
    output.table(("line", "effect", "condition", "value", "footnote"), _rows(looked, file))
    if looked.api is not None:
        output.text("\nthrough the API it takes api:access as well:\n\n")
        output.table(("line", "effect", "condition", "value", "footnote"), _rows(looked.api, file))


def as_data(looked: Looked) -> dict[str, Any]:
    """The same for JSON."""
    facts = looked.known.facts
    return {
        "role": None if facts is None else facts.role,
        "role_from": role_in_force(looked.known),
        "lines": [_line(each) for each in _lines(looked)],
        "api": None if looked.api is None else as_data(looked.api),
    }


def role_in_force(known: Known) -> str:
    """Which role counts there and where it comes from; nothing where no role was looked at."""
    facts = known.facts
    if facts is None:
        return ""
    given, until = (
        (None, None) if not isinstance(facts.place, ProjectRecord) else facts.user.project_roles.get(facts.place.id, (None, None))
    )
    if given is None:
        return f"{facts.role}: the organization role"
    if not in_force(until, facts.now):
        return f"{facts.role}: the organization role, since the project role {given} ended at {output.until(until)}"
    if facts.user.role not in WORKERS:
        return f"{facts.role}: the organization role, for which the project role {given} is without effect"
    ends = f" until {output.until(until)}" if until is not None else ""
    return f"{facts.role}: the project role{ends}, in place of the organization role {facts.user.role}"


def _lines(looked: Looked) -> tuple[LineCheck, ...]:
    return () if looked.verdict is None else (*looked.verdict.denials, *looked.verdict.grants)


def _rows(looked: Looked, file: str) -> Iterator[tuple[str, ...]]:
    for each in _lines(looked):
        head = (f"{file}:{each.line.number}", str(each.line.effect))
        if not each.checks:
            yield (*head, ALWAYS, "true", "")
        for check in each.checks:
            yield (*head, check.name, _value(check), CONDITIONS[check.name].summary)
            head = ("", "")


def _value(check: Check) -> str:
    if check.missing is None:
        return str(check.value).lower()
    return f"{str(check.value).lower()}: {'name the target' if check.missing == 'target' else f'{check.missing} is not known'}"


def _line(each: LineCheck) -> dict[str, Any]:
    conditions = [{"name": check.name, "value": check.value, "missing": check.missing} for check in each.checks]
    return {"line": each.line.number, "rule": each.line.text, "effect": each.line.effect, "holds": each.holds, "conditions": conditions}
