"""A question with every line and condition evaluated: the reason of a Decision, and what an explanation is made of.

Casbin 1.43 names no line for an allow under the allow-and-deny effect, and never explains a denial; so the reason is
computed here, from the same lines and the same conditions. A reason that disagrees with Casbin's answer is an error, and
an error is never an allow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rbac.errors import RBACError
from rbac.policy.conditions import CONDITIONS
from rbac.policy.facts import Facts, MissingFact
from rbac.policy.reader import Line, Policy
from rbac.vocabulary import Decision, Effect, Permission, Role


@dataclass(frozen=True, slots=True)
class ConditionTrace:
    """One condition of one line: its value, and the name of the fact it lacked, if any."""

    name: str
    value: bool
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class LineTrace:
    """One line of the policy over the facts of a question. `applies` is what Casbin's matcher says of it."""

    line: Line
    conditions: tuple[ConditionTrace, ...]
    applies: bool


@dataclass(frozen=True, slots=True)
class CellTrace:
    """What the lines of one cell say of one question. `line` is the one that decided, None where none did."""

    allowed: bool
    reason: str
    line: Line | None
    denials: tuple[LineTrace, ...]
    grants: tuple[LineTrace, ...]

    @property
    def needs_target(self) -> bool:
        """Whether nothing but a missing target stands between the question and an allow."""
        if self.allowed or self.line is not None:
            return False
        return any(
            all(each.value or each.missing == "target" for each in grant.conditions) and any(each.missing for each in grant.conditions)
            for grant in self.grants
        )


def trace_cell(policy: Policy, role: Role, permission: Permission, facts: Facts) -> CellTrace:
    """Evaluate every line of a cell, the deny lines first."""
    denials = tuple(_trace_line(line, facts) for line in policy.denials(role, permission))
    grants = tuple(_trace_line(line, facts) for line in policy.cell(role, permission))
    denying = next((each for each in denials if each.applies), None)
    granting = next((each for each in grants if each.applies), None)
    if denying is not None:
        return CellTrace(False, f"{_location(policy, denying.line)} denies: {_why(denying)}", denying.line, denials, grants)
    if granting is not None:
        return CellTrace(True, _named(policy, granting.line), granting.line, denials, grants)
    if not grants:
        return CellTrace(False, f"no line of {policy.file} gives {role} {permission}", None, denials, grants)
    return CellTrace(False, "; ".join(f"{_named(policy, each.line)}: {_why(each)}" for each in grants), None, denials, grants)


def ensure_agreement(policy: Policy, allowed: bool, cell: CellTrace) -> None:
    """Raise unless Casbin's answer is the one that the lines of the policy give."""
    if allowed != cell.allowed:
        raise RBACError(f"Casbin says {allowed} and {policy.file} says {cell.allowed}: {cell.reason}")


def through_api(decision: Decision) -> Decision:
    """The denial of `api:access` as the answer to a question that came through the API."""
    return replace(decision, reason=f"through the API: {decision.reason}")


def _trace_line(line: Line, facts: Facts) -> LineTrace:
    conditions = tuple(_trace_condition(name, line.effect, facts) for name in line.conditions)
    return LineTrace(line, conditions, all(each.value for each in conditions))


def _trace_condition(name: str, effect: Effect, facts: Facts) -> ConditionTrace:
    try:
        return ConditionTrace(name, bool(CONDITIONS[name].function(facts)))  # `a and b` may return a Missing: bool raises for it
    except MissingFact as error:
        return ConditionTrace(name, effect is Effect.DENY, error.name)


def _location(policy: Policy, line: Line) -> str:
    return f"{policy.file}:{line.number}"


def _named(policy: Policy, line: Line) -> str:
    return ", ".join(filter(None, (f"{_location(policy, line)} {line.role}", str(line.permission), " & ".join(line.conditions))))


def _why(each: LineTrace) -> str:
    """Why a deny line applies, or why an allow line does not."""
    if each.line.effect is Effect.DENY:
        told = (_missing(condition) or f"{condition.name} ({CONDITIONS[condition.name].summary})" for condition in each.conditions)
        return ", ".join(told) or "always"
    return ", ".join(_missing(condition) or f"{condition.name} is false" for condition in each.conditions if not condition.value)


def _missing(condition: ConditionTrace) -> str:
    if condition.missing is None:
        return ""
    return f"{condition.name}: {'name the target' if condition.missing == 'target' else f'the fact {condition.missing} is not known'}"
