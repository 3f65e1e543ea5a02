"""One question over known facts: Casbin answers, the Policy gives the reason.

Casbin 1.43 names no line for an allow under the allow-and-deny effect, and never explains a "no"; so the reason is
computed here, from the same lines and the same conditions. Its one rule: an answer whose reason disagrees with it
is an error, and an error is never an allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rbac.enforcer import CompiledEnforcer, assemble
from rbac.errors import PolicyError, Problem, RBACError
from rbac.policy.conditions import CONDITIONS, holds
from rbac.policy.facts import Facts, GivenFacts, MissingFact
from rbac.policy.model import PACKAGED, Model, read_model
from rbac.policy.reader import Line, Policy
from rbac.policy.roles import DomainRoles, Subject, kind
from rbac.vocabulary import Effect, Kind, Permission, Role

FUNCTIONS: dict[str, Callable[..., Any]] = {"kind": kind, "holds": holds}
"""The matcher functions of model.conf, besides `g`."""

CASBIN: dict[Permission, tuple[str, str]] = {permission: (permission.object, permission.action) for permission in Permission}
"""Each permission as Casbin's `obj` and `act`, made once."""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of one line, looked at: its value, or the name of the fact it lacked."""

    name: str
    value: bool
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class LineCheck:
    """One line of the policy held against the facts. `holds` is what Casbin's matcher says of it."""

    line: Line
    checks: tuple[Check, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the Policy says of one question, with every line that was looked at."""

    allowed: bool
    reason: str
    line: Line | None
    denials: tuple[LineCheck, ...]
    grants: tuple[LineCheck, ...]


class Decider:
    """A policy and a model, ready to answer; lives as long as a store is open and is safe to share between threads."""

    def __init__(self, policy: Policy, model: Model | None = None) -> None:
        self.policy = policy
        self.model = model or read_model()
        self.casbin = self.assemble(DomainRoles())
        self._enforce = self.casbin.enforce
        compiled = self.casbin.compiled  # now, and not at the first request, where threads may come together
        if not compiled:
            raise PolicyError([Problem(self.model.file, 1, 1, f"the matcher cannot be compiled: {compiled.reason}")])
        self.packaged = self.model.text == PACKAGED.read_text()
        if not self.packaged:
            self._probe()

    def assemble(self, roles: DomainRoles, *, stock: bool = False, adapter: Any = None) -> Any:
        """A Casbin enforcer over this policy and model; with `stock`, Casbin's own class and nothing of ours."""
        lines = (line.tokens for line in self.policy.lines)
        kind = {} if stock else {"kind": CompiledEnforcer}
        return assemble(model=self.model.text, lines=lines, functions=FUNCTIONS, roles=roles, adapter=adapter, **kind)

    def allows(self, subject: Subject, path: str, permission: Permission, facts: Facts) -> bool:
        """Casbin's answer. `path` is the full path of the domain, `subject` carries the role in force there."""
        obj, act = CASBIN[permission]
        return self._enforce(subject, path, obj, act, facts) is True

    def verdict(self, role: Role, permission: Permission, facts: Facts) -> Verdict:
        """The Policy's own answer, with the reason in words."""
        denials = tuple(_look(line, facts) for line in self.policy.denials(role, permission))
        grants = tuple(_look(line, facts) for line in self.policy.cell(role, permission))
        denying = next((check for check in denials if check.holds), None)
        granting = next((check for check in grants if check.holds), None)
        if denying is not None:
            return Verdict(False, f"{self._place(denying.line)} denies: {_why(denying)}", denying.line, denials, grants)
        if granting is not None:
            return Verdict(True, self._names(granting.line), granting.line, denials, grants)
        if not grants:
            return Verdict(False, f"no line of {self.policy.file} gives {role} {permission}", None, denials, grants)
        return Verdict(False, "; ".join(f"{self._names(check.line)}: {_why(check)}" for check in grants), None, denials, grants)

    def agree(self, allowed: bool, verdict: Verdict) -> None:
        """Raise unless Casbin and the Policy say the same."""
        if allowed != verdict.allowed:
            raise RBACError(f"Casbin says {allowed} and {self.policy.file} says {verdict.allowed}: {verdict.reason}")

    def _place(self, line: Line) -> str:
        return f"{self.policy.file}:{line.number}"

    def _names(self, line: Line) -> str:
        return ", ".join(filter(None, (f"{self._place(line)} {line.role}", str(line.permission), " & ".join(line.conditions))))

    def _probe(self) -> None:
        """Hold a model that is not the packaged one against the policy, cell by cell, before anybody relies on it."""
        for role, permission, facts in _probes():
            path = {Kind.ORGANIZATION: "o", Kind.WORKSPACE: "o/workspace/w", Kind.PROJECT: "o/project/p"}[permission.kind]
            try:
                nobody = self.allows(Subject("u", None), path, permission, facts)
                allowed = self.allows(Subject("u", role), path, permission, facts)
            except Exception as error:
                raise PolicyError([Problem(self.model.file, 1, 1, f"the matcher fails on {permission}: {error}")]) from error
            if nobody or allowed != self.verdict(role, permission, facts).allowed:
                message = f"the matcher does not decide {role} {permission} as the lines of {self.policy.file} say"
                raise PolicyError([Problem(self.model.file, 1, 1, message)])


def _probes() -> Iterator[tuple[Role, Permission, Facts]]:
    """Every cell, once with nothing known, once with everything in favour, once with everything against."""
    favour: dict[str, Any] = {
        "created_workspace": True, "workspace_member": True, "personal": False, "workspace_empty": True, "created_project": True,
        "project_member": True, "published": True, "distribution": "manual", "show_data_manager_to": frozenset(Role),
        "review_only_assigned": False, "assigned_as_annotator": True, "assigned_as_reviewer": True, "paused": False,
        "task_named": False, "target_named": False, "target_known": True, "target_is_user": True, "target_active": True,
        "target_role": Role.REVIEWER, "target_created_workspace": True, "target_workspace_member": True,
        "target_created_project": True, "target_project_member": True, "shares_domain_with_target": True,
        "plugins_enabled": True, "manual_role_management": True, "tokens_for_annotators_and_reviewers": True, "restricted_to": None,
    }  # fmt: skip
    for role in Role:
        for permission in Permission:
            known = {"role": role, "kind": permission.kind}
            yield role, permission, GivenFacts(**known)
            yield role, permission, GivenFacts(**known, **favour)
            yield role, permission, GivenFacts(**known, **{**favour, "personal": True, "created_workspace": False})


def _look(line: Line, facts: Facts) -> LineCheck:
    checks = tuple(_check(name, line.effect, facts) for name in line.conditions)
    return LineCheck(line, checks, all(check.value for check in checks))


def _check(name: str, effect: Effect, facts: Facts) -> Check:
    try:
        return Check(name, bool(CONDITIONS[name].function(facts)))  # `a and b` may hand on a Missing: bool looks at it
    except MissingFact as error:
        return Check(name, effect is Effect.DENY, error.name)


def _why(check: LineCheck) -> str:
    """Why a deny line bites, or why an allow line does not."""
    if check.line.effect is Effect.DENY:
        return ", ".join(_missing(each) or f"{each.name} ({CONDITIONS[each.name].summary})" for each in check.checks) or "always"
    return ", ".join(_missing(each) or f"{each.name} is false" for each in check.checks if not each.value)


def _missing(check: Check) -> str:
    if check.missing is None:
        return ""
    return f"{check.name}: {'name the target' if check.missing == 'target' else f'the fact {check.missing} is not known'}"
