"""A policy and a model, ready to answer: Casbin's enforcer over them, compiled, and the matcher functions of model.conf."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from logging import Logger
from typing import Any

from rbac.decisions.trace import CellTrace, trace_cell
from rbac.enforcer import CompiledEnforcer, assemble
from rbac.errors import PolicyError, Problem
from rbac.policy.conditions import holds
from rbac.policy.facts import Facts, GivenFacts
from rbac.policy.model import Model, packaged_model, read_model
from rbac.policy.reader import Policy
from rbac.policy.roles import DomainRoles, Subject, kind
from rbac.snapshot.wanted import CellNeeds
from rbac.vocabulary import Kind, Permission, Role

FUNCTIONS: dict[str, Callable[..., Any]] = {"kind": kind, "holds": holds}
"""The matcher functions of model.conf, besides `g`."""

CASBIN: dict[Permission, tuple[str, str]] = {permission: (permission.object, permission.action) for permission in Permission}
"""Each permission as Casbin's `obj` and `act`, made once."""


_SILENT = Logger("casbin.enforcer")
"""A logger that no logging configuration reaches: Casbin's own prints the facts of every decision once an application's turns it on."""

_SILENT.disabled = True


class Decider:
    """A policy and a model, ready to answer; lives as long as a store is open and is safe to share between threads.

    `packaged` says that the model decides as the packaged one does, however it is laid out and commented.
    """

    def __init__(self, policy: Policy, model: Model | None = None) -> None:
        self.policy = policy
        self.model = model or read_model()
        self.cells = CellNeeds(policy.reads)
        self.casbin = self.assemble(DomainRoles())
        self.casbin.logger = _SILENT
        self._enforce = self.casbin.enforce
        compiled = self.casbin.compiled  # now, and not at the first request, where threads may come together
        if not compiled:
            raise PolicyError([Problem(self.model.file, 1, 1, f"the matcher cannot be compiled: {compiled.reason}")])
        self.packaged = self.model.meaning == packaged_model().meaning
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

    def trace_cell(self, role: Role, permission: Permission, facts: Facts) -> CellTrace:
        """The policy's own answer, with every line of the cell evaluated and the reason in words."""
        return trace_cell(self.policy, role, permission, facts)

    def _probe(self) -> None:
        """Compare a model that is not the packaged one with the policy, cell by cell, before anybody relies on it."""
        for role, permission, facts in _probes():
            path = {Kind.ORGANIZATION: "o", Kind.WORKSPACE: "o/workspace/w", Kind.PROJECT: "o/project/p"}[permission.kind]
            try:
                nobody = self.allows(Subject("u", None), path, permission, facts)
                allowed = self.allows(Subject("u", role), path, permission, facts)
            except Exception as error:
                raise PolicyError([Problem(self.model.file, 1, 1, f"the matcher fails on {permission}: {error}")]) from error
            if nobody or allowed != self.trace_cell(role, permission, facts).allowed:
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
