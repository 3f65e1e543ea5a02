"""The facts of one question, read off the records of a user, a domain and an organization."""

from __future__ import annotations

from typing import Any

import msgspec

from rbac.policy.facts import Missing
from rbac.snapshot.records import GONE, Instant, MemberRecord, OrganizationRecord, RequestRecords, among
from rbac.vocabulary import Distribution, Kind, Permission, Role

_TARGET: Any = Missing("target")


class RecordedFacts(msgspec.Struct, gc=False):
    """The facts of one question, read off records when a condition looks; lives for that question.

    The attributes are those of `rbac.policy.facts.Facts`; what was not loaded is missing. A struct, since one is made for
    every decision.
    """

    kind: Kind
    role: Role
    organization: OrganizationRecord
    user: MemberRecord
    domain: Any
    permission: Permission
    now: Instant
    target_named: bool
    task_named: bool
    records: RequestRecords

    # the organization

    @property
    def plugins_enabled(self) -> bool:
        return self.organization.plugins_enabled

    @property
    def manual_role_management(self) -> bool:
        return self.organization.manual_role_management

    @property
    def tokens_for_annotators_and_reviewers(self) -> bool:
        return self.organization.tokens_for_annotators_and_reviewers

    @property
    def restricted_to(self) -> Role | None:
        return self.organization.restrictions.get(self.permission)

    # the workspace

    @property
    def created_workspace(self) -> bool:
        return self.domain.workspace_created_by == self.user.user  # type: ignore[no-any-return]

    @property
    def workspace_member(self) -> bool:
        mine = self.user.workspaces
        return self.domain.workspace in mine if type(mine) is tuple else among(mine, self.domain.workspace, self.now)

    @property
    def personal(self) -> bool:
        return self.domain.personal  # type: ignore[no-any-return]

    @property
    def workspace_empty(self) -> bool:
        return self.domain.empty  # type: ignore[no-any-return]

    # the project

    @property
    def created_project(self) -> bool:
        return self.domain.created_by == self.user.user  # type: ignore[no-any-return]

    @property
    def project_member(self) -> bool:
        mine = self.user.projects
        return self.domain.id in mine if type(mine) is tuple else among(mine, self.domain.id, self.now)

    @property
    def published(self) -> bool:
        return self.domain.published  # type: ignore[no-any-return]

    @property
    def distribution(self) -> Distribution:
        return self.domain.distribution  # type: ignore[no-any-return]

    @property
    def show_data_manager_to(self) -> frozenset[Role]:
        return self.domain.show_data_manager_to  # type: ignore[no-any-return]

    @property
    def review_only_assigned(self) -> bool:
        return self.domain.review_only_assigned  # type: ignore[no-any-return]

    @property
    def assigned_as_annotator(self) -> Any:
        assigned = self.records.assigned
        return Missing("assigned_as_annotator") if assigned is None else assigned[0]

    @property
    def assigned_as_reviewer(self) -> Any:
        assigned = self.records.assigned
        return Missing("assigned_as_reviewer") if assigned is None else assigned[1]

    @property
    def paused(self) -> bool:
        pauses = self.user.pauses
        if not pauses:
            return False
        until = pauses.get(self.domain.id, ("", GONE))[1]
        return until is None or until > self.now

    # the task named

    @property
    def task_exists(self) -> Any:
        task = self.records.task
        return Missing("task_exists") if task is None or task.exists is None else task.exists

    @property
    def task_annotator(self) -> Any:
        task = self.records.task
        return Missing("task_annotator") if task is None or task.annotator is None else task.annotator

    @property
    def task_reviewer(self) -> Any:
        task = self.records.task
        return Missing("task_reviewer") if task is None or task.reviewer is None else task.reviewer

    @property
    def task_worked_on(self) -> Any:
        task = self.records.task
        return Missing("task_worked_on") if task is None or task.worked_on is None else task.worked_on

    # the target named

    @property
    def target_known(self) -> bool:
        return self.records.target is not None

    @property
    def target_is_user(self) -> Any:
        target = self.records.target
        return _TARGET if target is None else target.user == self.user.user

    @property
    def target_active(self) -> Any:
        target = self.records.target
        return _TARGET if target is None else target.active

    @property
    def target_role(self) -> Any:
        target = self.records.target
        role = None if target is None else target.role_in(self.domain, self.now)
        return _TARGET if role is None else role

    @property
    def target_created_workspace(self) -> Any:
        target = self.records.target
        return _TARGET if target is None else self.domain.workspace_created_by == target.user

    @property
    def target_workspace_member(self) -> Any:
        target = self.records.target
        return _TARGET if target is None else target.in_workspace(self.domain.workspace, self.now)

    @property
    def target_created_project(self) -> Any:
        target = self.records.target
        return _TARGET if target is None else self.domain.created_by == target.user

    @property
    def target_project_member(self) -> Any:
        target = self.records.target
        return _TARGET if target is None else target.in_project(self.domain.id, self.now)

    @property
    def shares_domain_with_target(self) -> Any:
        shares = self.records.shares
        return _TARGET if shares is None else shares
