"""The closed sets and values of the published table: roles, permissions, domains, requests, decisions. Imports nothing of rbac."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Self

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
    """Every permission, `object:action`, with the kind of domain it is asked in.

    First the 54 behind the rows of the published table, in its order; then those that go beyond it.
    """

    kind: Kind  # a plain attribute, because decisions read it

    def __new__(cls, name: str, kind: Kind = Kind.PROJECT) -> Self:  # without a kind: `Permission(name)`, which looks one up
        member = str.__new__(cls, name)
        member._value_ = name
        member.kind = kind
        return member

    ORGANIZATION_PAGE_VIEW = "organization_page:view", Kind.ORGANIZATION
    MEMBER_ROLE_ASSIGN = "member_role:assign", Kind.ORGANIZATION
    USER_INVITE = "user:invite", Kind.ORGANIZATION
    ACTIVITY_LOG_VIEW = "activity_log:view", Kind.ORGANIZATION
    MODEL_PROVIDER_CONFIGURE = "model_provider:configure", Kind.ORGANIZATION
    ACCESS_TOKENS_CONFIGURE = "access_tokens:configure", Kind.ORGANIZATION
    SSO_CONFIGURE = "sso:configure", Kind.ORGANIZATION
    ORGANIZATION_NAME_CONFIGURE = "organization_name:configure", Kind.ORGANIZATION
    USAGE_AND_LICENSE_VIEW = "usage_and_license:view", Kind.ORGANIZATION
    SECURITY_SETTINGS_CONFIGURE = "security_settings:configure", Kind.ORGANIZATION
    FEATURE_SETTINGS_CONFIGURE = "feature_settings:configure", Kind.ORGANIZATION
    PERMISSION_SETTINGS_CONFIGURE = "permission_settings:configure", Kind.ORGANIZATION
    EMAIL_NOTIFICATIONS_CONFIGURE = "email_notifications:configure", Kind.ORGANIZATION
    SUPPORT_REPORTS_CONFIGURE = "support_reports:configure", Kind.ORGANIZATION
    EMBEDDING_CONFIGURE = "embedding:configure", Kind.ORGANIZATION
    BILLING_CONFIGURE = "billing:configure", Kind.ORGANIZATION
    WORKSPACE_CREATE = "workspace:create", Kind.ORGANIZATION
    WORKSPACE_VIEW = "workspace:view", Kind.WORKSPACE
    WORKSPACE_UPDATE = "workspace:update", Kind.WORKSPACE
    WORKSPACE_MEMBER_MANAGE = "workspace_member:manage", Kind.WORKSPACE
    WORKSPACE_DELETE = "workspace:delete", Kind.WORKSPACE
    PROJECT_CREATE = "project:create", Kind.WORKSPACE
    PROJECT_VIEW = "project:view", Kind.PROJECT
    PROJECT_UPDATE = "project:update", Kind.PROJECT
    PROJECT_MEMBER_MANAGE = "project_member:manage", Kind.PROJECT
    PROJECT_DELETE = "project:delete", Kind.PROJECT
    TASK_DELETE = "task:delete", Kind.PROJECT
    DATA_MANAGER_VIEW = "data_manager:view", Kind.PROJECT
    PROJECT_SETTINGS_CONFIGURE = "project_settings:configure", Kind.PROJECT
    STORAGE_CONFIGURE = "storage:configure", Kind.PROJECT
    WEBHOOK_CONFIGURE = "webhook:configure", Kind.PROJECT
    PLUGIN_VIEW = "plugin:view", Kind.PROJECT
    PLUGIN_CONFIGURE = "plugin:configure", Kind.PROJECT
    PROJECT_MEMBER_PAUSE = "project_member:pause", Kind.PROJECT
    DATA_IMPORT = "data:import", Kind.PROJECT
    DATA_EXPORT = "data:export", Kind.PROJECT
    TASK_ASSIGN_ANNOTATOR = "task:assign_annotator", Kind.PROJECT
    LABELING_ACCESS = "labeling:access", Kind.PROJECT
    REVIEW_ACCESS = "review:access", Kind.PROJECT
    ANNOTATION_UPDATE = "annotation:update", Kind.PROJECT
    AGREEMENT_MONITOR = "agreement:monitor", Kind.PROJECT
    ANNOTATION_VERIFY = "annotation:verify", Kind.PROJECT
    TASK_ASSIGN_REVIEWER = "task:assign_reviewer", Kind.PROJECT
    BULK_LABELING_PERFORM = "bulk_labeling:perform", Kind.PROJECT
    API_ACCESS = "api:access", Kind.ORGANIZATION
    API_TOKEN_CREATE = "api_token:create", Kind.ORGANIZATION
    PROJECT_DASHBOARD_VIEW = "project_dashboard:view", Kind.PROJECT
    MEMBERS_DASHBOARD_VIEW = "members_dashboard:view", Kind.PROJECT
    ANNOTATOR_DASHBOARD_VIEW = "annotator_dashboard:view", Kind.ORGANIZATION
    PROMPT_CREATE = "prompt:create", Kind.PROJECT
    PROMPT_EVALUATE = "prompt:evaluate", Kind.PROJECT
    PROMPT_RUN = "prompt:run", Kind.PROJECT
    PROMPT_APPLY = "prompt:apply", Kind.PROJECT
    PROMPT_PREDICTION_VIEW = "prompt_prediction:view", Kind.PROJECT

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
        """The row it belongs to; a permission beyond the published table has a row of its own."""
        return ROW[self]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: its number, the heading it stands under, its wording, its permissions."""

    number: int
    heading: str
    wording: str
    permissions: tuple[Permission, ...]


def _rows() -> Iterator[Row]:
    """Row by row; each published row takes its permissions off the enum, and each permission that is left gets a row."""
    ahead = iter(Permission)
    for number, (heading, wording, count) in enumerate(_PUBLISHED, 1):
        yield Row(number, heading, wording, tuple(next(ahead) for _ in range(count)))
    for number, permission in enumerate(ahead, len(_PUBLISHED) + 1):
        yield Row(number, BEYOND, str(permission), (permission,))


_ORGANIZATION, _PROJECT, _DATA, _LABELING = "Organization Management", "Project Management", "Data Access", "Data Labeling Workflows"
_PUBLISHED = (
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

BEYOND = "Beyond the published table"
"""The heading of the permissions that the published table does not have."""

ROWS: tuple[Row, ...] = tuple(_rows())
"""The 26 rows of the published table in its order, then a row for each permission beyond it."""

PUBLISHED_ROWS: tuple[Row, ...] = ROWS[: len(_PUBLISHED)]

PERMISSIONS: dict[str, Permission] = {str(permission): permission for permission in Permission}
"""Each permission by its name: a look-up, where calling the enum is four."""

ROW: dict[Permission, Row] = {permission: row for row in ROWS for permission in row.permissions}

TARGETED = frozenset(
    {
        Permission.ANNOTATOR_DASHBOARD_VIEW,
        Permission.PROJECT_MEMBER_PAUSE,
        Permission.TASK_ASSIGN_ANNOTATOR,
        Permission.TASK_ASSIGN_REVIEWER,
    }
)
"""The permissions that are asked about another member."""


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


@dataclass(frozen=True, slots=True)
class Task:
    """A task and what the application that asks knows of it, so that the store is not asked; None is not known.

    `exists` says whether there is such a task in the project, `worked_on` whether the user has worked on it. They hold for
    one question, are never kept and never count for a change.
    """

    id: str
    exists: bool | None = field(default=None, kw_only=True)
    worked_on: bool | None = field(default=None, kw_only=True)

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the facts that are known."""
        return tuple(name for name, value in (("task_exists", self.exists), ("task_worked_on", self.worked_on)) if value is not None)


class Request(msgspec.Struct, frozen=True, gc=False):
    """One question: may `user` do `permission` in `domain`, about `target`, on `task`, arriving `via`.

    Names are text as they came; they are checked when the question is asked, and only those that are not known already.
    """

    user: str
    permission: str
    domain: str = "organization"
    target: str | None = None
    task: str | Task | None = None
    via: str = "ui"


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with its reason. Falsy when denied, so `if check(...)` is safe.

    `rule` is the policy line that decided, as it stands in the file, and `line` its number, 1 based; both are
    None when no line decided. `revision` is the one the answer was read at, of that organization. `given` names the facts
    that came with the question and that the lines read.
    """

    allowed: bool
    reason: str
    rule: str | None
    line: int | None
    revision: int
    given: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class ChangedFact:
    """One changed fact: what it is (`kind`), whose (`user`), where (`domain`), before and after; None for "is not there".

    As text `+ member zoe: role annotator, state active`: added, `-` removed, `~` altered.
    """

    kind: str
    user: str | None
    domain: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    def __str__(self) -> str:
        sign = "+" if self.before is None else "-" if self.after is None else "~"
        about = " ".join(filter(None, (self.kind, self.user, self.domain if self.domain != Kind.ORGANIZATION else "")))
        return f"{sign} {about}: {self._values()}"

    def _values(self) -> str:
        before, after = self.before, self.after
        if before is not None and after is not None:
            return ", ".join(f"{name} {before.get(name)} -> {after[name]}" for name in after if before.get(name) != after[name])
        return ", ".join(f"{name} {value}" for name, value in (before or after or {}).items() if value is not None) or "plain"


class Revision(int):
    """The revision an organization has after a change: an int that also says what the change wrote.

    `facts` are the changes of this one call in the order they were written; inside a block each call has its own. There are
    none where everything was as wanted already, and where a key had been used before. It compares, prints and pickles
    as the number it is; arithmetic gives a plain int.
    """

    facts: tuple[ChangedFact, ...]

    def __new__(cls, number: int, facts: Iterable[ChangedFact] = ()) -> Self:
        made = super().__new__(cls, number)
        made.facts = tuple(facts)
        return made

    @property
    def changed(self) -> bool:
        """Whether the call wrote anything."""
        return bool(self.facts)

    def __reduce__(self) -> tuple[type[Revision], tuple[int, tuple[ChangedFact, ...]]]:
        return Revision, (int(self), self.facts)
