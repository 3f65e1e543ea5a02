"""The published table as the specification spells it out: one row a permission, one column a role.

Written from the published table and its footnotes, not from policy.csv, so that the claim `published table` compares two sources.
Membership is left out of the text below and added by `published`, as the footnotes do. A permission that goes beyond the
published table has no row here, and the claim does not speak of it.
"""

from __future__ import annotations

from functools import cache

from rbac.fact_space.formulas import ALWAYS, NEVER, Formula, Literal, parse_formula
from rbac.names import parse_permission
from rbac.vocabulary import PUBLISHED_ROWS, Kind, Permission, Role

_TABLE = """
organization_page:view          | - | - | - | Y | Y
member_role:assign              | - | - | - | roles_managed_here | roles_managed_here
user:invite                     | - | - | - | Y | Y
activity_log:view               | - | - | - | Y | Y
model_provider:configure        | - | - | - | Y | Y
access_tokens:configure         | - | - | - | Y | Y
sso:configure                   | - | - | - | Y | Y
organization_name:configure     | - | - | - | Y | Y
usage_and_license:view          | - | - | - | Y | Y
security_settings:configure     | - | - | - | - | Y
feature_settings:configure      | - | - | - | - | Y
permission_settings:configure   | - | - | - | - | Y
email_notifications:configure   | - | - | - | - | Y
support_reports:configure       | - | - | - | - | Y
embedding:configure             | - | - | - | - | Y
billing:configure               | - | - | - | - | Y
workspace:create                | - | - | Y | Y | Y
workspace:view                  | Y | Y | Y | Y | Y
workspace:update                | - | - | Y | Y | Y
workspace_member:manage         | - | - | Y | Y | Y
workspace:delete                | - | - | workspace_empty | workspace_empty | workspace_empty
project:create                  | - | - | Y | Y | Y
project:view                    | Y | Y | Y | Y | Y
project:update                  | - | - | Y | Y | Y
project_member:manage           | - | - | Y | Y | Y
project:delete                  | - | - | unless_restricted | unless_restricted | Y
task:delete                     | - | - | unless_restricted | unless_restricted | Y
data_manager:view               | data_manager_shown & task_in_data_manager | data_manager_shown & task_to_review | Y | Y | Y
project_settings:configure      | - | - | Y | Y | Y
storage:configure               | - | - | unless_restricted | unless_restricted | Y
webhook:configure               | - | - | unless_restricted | unless_restricted | Y
plugin:view                     | - | - | plugins_enabled & unless_restricted | plugins_enabled | plugins_enabled
plugin:configure                | - | - | plugins_enabled & unless_restricted | plugins_enabled | plugins_enabled
project_member:pause            | - | - | target_may_be_paused | target_may_be_paused | target_may_be_paused
data:import                     | - | - | Y | Y | Y
data:export                     | - | - | Y | Y | Y
task:assign_annotator           | - | - | manual_distribution & target_is_project_member | manual_distribution & target_is_project_member | manual_distribution & target_is_project_member
labeling:access                 | task_to_label | Y | Y | Y | Y
review:access                   | - | task_to_review | Y | Y | Y
annotation:update               | - | task_to_review | Y | Y | Y
agreement:monitor               | - | task_to_review | Y | Y | Y
annotation:verify               | - | task_to_review | Y | Y | Y
task:assign_reviewer            | - | - | target_may_review | target_may_review | target_may_review
bulk_labeling:perform           | manual_distribution & data_manager_shown & task_to_label | data_manager_shown & task_to_review | Y | Y | Y
api:access                      | tokens_allowed | tokens_allowed | Y | Y | Y
api_token:create                | tokens_allowed & unless_restricted | tokens_allowed & unless_restricted | unless_restricted | unless_restricted | Y
project_dashboard:view          | - | - | unless_restricted | unless_restricted | Y
members_dashboard:view          | - | - | unless_restricted | unless_restricted | Y
annotator_dashboard:view        | own_history & unless_restricted | own_history & unless_restricted | own_or_shared_history & unless_restricted | unless_restricted | Y
prompt:create                   | - | - | not_personal | not_personal | not_personal
prompt:evaluate                 | - | - | not_personal | not_personal | not_personal
prompt:run                      | - | - | not_personal | not_personal | not_personal
prompt:apply                    | - | - | not_personal | not_personal | not_personal
prompt_prediction:view          | task_to_label | task_to_review | Y | Y | Y
"""  # noqa: E501  # a table reads as a table

DENIED: dict[Kind, Formula] = {
    Kind.ORGANIZATION: parse_formula("unknown_target"),
    Kind.WORKSPACE: parse_formula("unknown_target or foreign_sandbox"),
    Kind.PROJECT: parse_formula("unknown_task or unknown_target or foreign_sandbox or paused"),
}
"""What is denied to everybody in each kind of domain."""


@cache
def published() -> dict[tuple[Role, Permission], Formula]:
    """The answer of every cell of the published table, in its order, with the condition about membership."""
    cells = {}
    for line in _TABLE.strip().splitlines():
        name, *columns = (part.strip() for part in line.split("|"))
        permission = parse_permission(name)
        for role, text in zip(Role, columns, strict=True):
            cells[role, permission] = _with_membership(_cell(text), role, permission)
    assert {permission for _, permission in cells} == {permission for row in PUBLISHED_ROWS for permission in row.permissions}
    return cells


def _cell(text: str) -> Formula:
    return {"-": NEVER, "Y": ALWAYS}.get(text) or parse_formula(text)


def _with_membership(formula: Formula, role: Role, permission: Permission) -> Formula:
    """The footnotes: managers where they created or were invited, annotators and reviewers where tasks await them."""
    if permission.kind is Kind.ORGANIZATION or role in (Role.ADMINISTRATOR, Role.OWNER):
        return formula
    name = "created_or_invited" if role is Role.MANAGER else "may_enter" if permission.kind is Kind.PROJECT else "member"
    return Formula(tuple((Literal(name), *literals) for literals in formula.alternatives))
