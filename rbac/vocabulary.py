"""The closed sets and values of the published table: roles, permissions, domains, requests, decisions. Imports nothing of rbac."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

import msgspec


class Word(StrEnum):
    """A closed set of names. Hashes as the string it is: Enum's own hash is a Python call, and these are asked often."""

    __hash__ = str.__hash__

    @classmethod
    def named(cls, text: str) -> Self | None:
        """The name written `text`, or None when there is none."""
        try:
            return cls(text)
        except ValueError:
            return None


class Role(Word):
    """The five roles, lowest to highest. Custom roles do not exist."""

    rank: int  # 0 for annotator to 4 for owner; a plain attribute, set below, because decisions read it

    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"
    OWNER = "owner"


for _rank, _role in enumerate(Role):
    _role.rank = _rank

MANAGER_OR_ABOVE = frozenset({Role.MANAGER, Role.ADMINISTRATOR, Role.OWNER})
WORKERS = frozenset({Role.ANNOTATOR, Role.REVIEWER})
"""The roles that a project role may be, may replace, and that may be paused."""


class State(Word):
    """What a member of an organization is. Only `active` members are ever allowed anything."""

    ACTIVE = "active"
    INVITED = "invited"
    DEACTIVATED = "deactivated"


class Kind(Word):
    """The three kinds of domain."""

    ORGANIZATION = "organization"
    WORKSPACE = "workspace"
    PROJECT = "project"


class Effect(Word):
    """What a line of the policy does when it matches."""

    ALLOW = "allow"
    DENY = "deny"


class Via(Word):
    """How a request arrives. Through the API it needs `api:access` as well."""

    UI = "ui"
    API = "api"


class Distribution(Word):
    """How a project hands out its tasks."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class PauseReason(Word):
    """Where a pause came from. One from annotator evaluation cannot be lifted by hand."""

    MANUAL = "manual"
    ANNOTATOR_EVALUATION = "annotator_evaluation"


class Permission(Word):
    """The 54 permissions behind the 26 rows, in the order of the page; `object:action`."""

    kind: Kind  # the kind of domain it is asked in; a plain attribute, set below, because decisions read it

    ORGANIZATION_PAGE_VIEW = "organization_page:view"
    MEMBER_ROLE_ASSIGN = "member_role:assign"
    USER_INVITE = "user:invite"
    ACTIVITY_LOG_VIEW = "activity_log:view"
    MODEL_PROVIDER_CONFIGURE = "model_provider:configure"
    ACCESS_TOKENS_CONFIGURE = "access_tokens:configure"
    SSO_CONFIGURE = "sso:configure"
    ORGANIZATION_NAME_CONFIGURE = "organization_name:configure"
    USAGE_AND_LICENSE_VIEW = "usage_and_license:view"
    SECURITY_SETTINGS_CONFIGURE = "security_settings:configure"
    FEATURE_SETTINGS_CONFIGURE = "feature_settings:configure"
    PERMISSION_SETTINGS_CONFIGURE = "permission_settings:configure"
    EMAIL_NOTIFICATIONS_CONFIGURE = "email_notifications:configure"
    SUPPORT_REPORTS_CONFIGURE = "support_reports:configure"
    EMBEDDING_CONFIGURE = "embedding:configure"
    BILLING_CONFIGURE = "billing:configure"
    WORKSPACE_CREATE = "workspace:create"
    WORKSPACE_VIEW = "workspace:view"
    WORKSPACE_UPDATE = "workspace:update"
    WORKSPACE_MEMBER_MANAGE = "workspace_member:manage"
    WORKSPACE_DELETE = "workspace:delete"
    PROJECT_CREATE = "project:create"
    PROJECT_VIEW = "project:view"
    PROJECT_UPDATE = "project:update"
    PROJECT_MEMBER_MANAGE = "project_member:manage"
    PROJECT_DELETE = "project:delete"
    TASK_DELETE = "task:delete"
    DATA_MANAGER_VIEW = "data_manager:view"
    PROJECT_SETTINGS_CONFIGURE = "project_settings:configure"
    STORAGE_CONFIGURE = "storage:configure"
    WEBHOOK_CONFIGURE = "webhook:configure"
    PLUGIN_VIEW = "plugin:view"
    PLUGIN_CONFIGURE = "plugin:configure"
    PROJECT_MEMBER_PAUSE = "project_member:pause"
    DATA_IMPORT = "data:import"
    DATA_EXPORT = "data:export"
    TASK_ASSIGN_ANNOTATOR = "task:assign_annotator"
    LABELING_ACCESS = "labeling:access"
    REVIEW_ACCESS = "review:access"
    ANNOTATION_UPDATE = "annotation:update"
    AGREEMENT_MONITOR = "agreement:monitor"
    ANNOTATION_VERIFY = "annotation:verify"
    TASK_ASSIGN_REVIEWER = "task:assign_reviewer"
    BULK_LABELING_PERFORM = "bulk_labeling:perform"
    API_ACCESS = "api:access"
    API_TOKEN_CREATE = "api_token:create"
    PROJECT_DASHBOARD_VIEW = "project_dashboard:view"
    MEMBERS_DASHBOARD_VIEW = "members_dashboard:view"
    ANNOTATOR_DASHBOARD_VIEW = "annotator_dashboard:view"
    PROMPT_CREATE = "prompt:create"
    PROMPT_EVALUATE = "prompt:evaluate"
    PROMPT_RUN = "prompt:run"
    PROMPT_APPLY = "prompt:apply"
    PROMPT_PREDICTION_VIEW = "prompt_prediction:view"

    @property
    def object(self) -> str:
        """What Casbin calls `obj`: the part before the colon."""
        return self.partition(":")[0]

    @property
    def action(self) -> str:
        """What Casbin calls `act`: the part after the colon."""
        return self.partition(":")[2]

    @property
    def row(self) -> Row:
        """The row of the page it belongs to."""
        return ROW[self]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the published table: its number, the heading it stands under, its wording, its permissions."""

    number: int
    heading: str
    wording: str
    permissions: tuple[Permission, ...]


def _rows() -> Iterable[Row]:
    """The page, row by row; each row takes its permissions off the enum, which is in the page's order."""
    ahead = iter(Permission)
    for number, (heading, wording, count) in enumerate(_PAGE, 1):
        yield Row(number, heading, wording, tuple(next(ahead) for _ in range(count)))


_ORGANIZATION, _PROJECT, _DATA, _LABELING = "Organization Management", "Project Management", "Data Access", "Data Labeling Workflows"
_PAGE = (
    (_ORGANIZATION, "View the Organization page", 1),
    (_ORGANIZATION, "Assign member roles", 1),
    (_ORGANIZATION, "Invite users", 1),
    (_ORGANIZATION, "View system-wide activity log", 1),
    (_ORGANIZATION, "Set up model providers for the org", 1),
    (_ORGANIZATION, "Configure organization settings", 11),
    (_PROJECT, "Workspace access", 5),
    (_PROJECT, "Project access", 6),
    (_PROJECT, "View the Data Manager", 1),
    (_PROJECT, "Configure project settings", 3),
    (_PROJECT, "View and configure project plugins", 2),
    (_PROJECT, "Pause annotators and reviewers", 1),
    (_DATA, "Import data", 1),
    (_DATA, "Export data", 1),
    (_LABELING, "Assign annotators to tasks", 1),
    (_LABELING, "Access labeling workflow", 1),
    (_LABELING, "Access review workflow", 2),
    (_LABELING, "Monitor annotator agreement", 1),
    (_LABELING, "Verify annotation results", 1),
    (_LABELING, "Assign reviewers to tasks", 1),
    (_LABELING, "Perform bulk labeling", 1),
    ("Advanced", "API access to equivalent functionality", 2),
    ("Analytics", "View project dashboard and members dashboard", 2),
    ("Analytics", "View annotator dashboard", 1),
    ("Prompts", "Use Prompts (create/evaluate/run/apply)", 4),
    ("Prompts", "See predictions generated by Prompts", 1),
)

PAGE: tuple[Row, ...] = tuple(_rows())
"""The 26 rows of the published page, in its order."""

PERMISSIONS: dict[str, Permission] = {str(permission): permission for permission in Permission}
"""Each permission by its name: a look-up, where calling the enum is four."""

ROW: dict[Permission, Row] = {permission: row for row in PAGE for permission in row.permissions}

_IN_WORKSPACE = frozenset(ROW[Permission.WORKSPACE_VIEW].permissions[1:]) | {Permission.PROJECT_CREATE}
_IN_ORGANIZATION = frozenset(
    {permission for row in PAGE[:6] for permission in row.permissions}
    | {Permission.WORKSPACE_CREATE, Permission.API_ACCESS, Permission.API_TOKEN_CREATE, Permission.ANNOTATOR_DASHBOARD_VIEW}
)
KIND: dict[Permission, Kind] = {
    permission: Kind.ORGANIZATION if permission in _IN_ORGANIZATION else Kind.WORKSPACE if permission in _IN_WORKSPACE else Kind.PROJECT
    for permission in Permission
}
for _permission, _kind in KIND.items():
    _permission.kind = _kind

TARGETED = frozenset(
    {
        Permission.ANNOTATOR_DASHBOARD_VIEW,
        Permission.PROJECT_MEMBER_PAUSE,
        Permission.TASK_ASSIGN_ANNOTATOR,
        Permission.TASK_ASSIGN_REVIEWER,
    }
)
"""The permissions the page asks about another member."""


class Domain(NamedTuple):
    """Where something is asked, inside one organization: `organization`, `workspace:ID` or `project:ID`."""

    kind: Kind
    id: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else str(self.kind)

    def path(self, organization: str) -> str:
        """What Casbin calls `dom`: `acme`, `acme/workspace/w1`, `acme/project/p1`."""
        return f"{organization}/{self.kind}/{self.id}" if self.id else organization


ORGANIZATION = Domain(Kind.ORGANIZATION)


class Request(msgspec.Struct, frozen=True, gc=False):
    """One question: may `user` do `permission` in `domain`, about `target`, on `task`, arriving `via`.

    Names are text as they came; they are checked when the question is asked, and only those that are not known already.
    """

    user: str
    permission: str
    domain: str = "organization"
    target: str | None = None
    task: str | None = None
    via: str = "ui"


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with its reason. Falsy when denied, so `if check(...)` is safe.

    `rule` is the policy line that decided, as it stands in the file, and `line` its number, 1 based; both are
    None when no line decided. `revision` is the one the answer was read at, of that organization.
    """

    allowed: bool
    reason: str
    rule: str | None
    line: int | None
    revision: int

    def __bool__(self) -> bool:
        return self.allowed
