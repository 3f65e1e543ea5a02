"""The tables: what the database itself makes impossible, whoever writes. No I/O.

Its one rule: the organization comes first in every key and is part of every foreign key, so that nothing can point
from one organization into another and a database can be distributed by it.

Columns `until` and `at` are instants: microseconds since 1970, UTC. Foreign keys do not cascade: whoever deletes a
domain deletes its dependants first, so each of them gets its audit entry. `migrations/` holds the frozen SQL of these
tables; a test compares the two. Longer than most modules because the keys and checks of one store are read together.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Named,
    Table,
    TypedColumns,
    UniqueConstraint,
)

from rbac.database.columns import (
    WITHOUT_ROWID,
    check_hex,
    check_ids,
    check_instants,
    check_on_sqlite,
    check_one_of,
    check_pattern,
    check_printable,
    instant_column,
    key_column,
    number_column,
    optional_text_column,
    organization_reference,
    reference,
    switch_column,
    text_column,
)
from rbac.vocabulary import Distribution, PauseReason, Role, State

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

SETTINGS: dict[str, bool] = {
    "plugins_enabled": False,
    "manual_role_management": True,
    "administrators_make_administrators": True,
    "tokens_for_annotators_and_reviewers": True,
}
"""The switches of an organization and their defaults."""

KINDS = (
    *("organization", "owner", "member", "settings", "restriction", "workspace", "project"),
    *("membership", "project_role", "pause", "task", "assignment", "worked_on"),
)
"""What a change of the audit may be about; stored_facts.STORED says what the value of each is."""


class StoreColumns(TypedColumns):
    one: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    epoch: Named[str] = text_column()
    created_at: Named[int] = number_column()


store = Table(
    "store", metadata, StoreColumns, CheckConstraint("one = 1", name="only_one"), *check_hex("epoch", 32), *check_instants("created_at")
)
"""This store's one row. `epoch` is replaced when a backup is restored: caches and tokens of before are not valid any more."""


class OrganizationColumns(TypedColumns):
    id: Named[str] = key_column()
    owner: Named[str] = text_column()
    owner_state: Named[str] = text_column()
    revision: Named[int] = number_column()
    head: Named[str] = text_column()
    plugins_enabled: Named[bool] = switch_column("plugins_enabled")
    manual_role_management: Named[bool] = switch_column("manual_role_management")
    administrators_make_administrators: Named[bool] = switch_column("administrators_make_administrators")
    tokens_for_annotators_and_reviewers: Named[bool] = switch_column("tokens_for_annotators_and_reviewers")


organization = Table(
    "organization",
    metadata,
    OrganizationColumns,
    ForeignKeyConstraint(
        ["id", "owner", "owner_state"],
        ["member.organization", "member.user", "member.state"],
        deferrable=True,
        initially="DEFERRED",
        name="fk_organization_owner_is_an_active_member",
    ),
    CheckConstraint("owner_state = 'active'", name="owner_is_active"),
    CheckConstraint("revision >= 0", name="revision_counts_up"),
    check_on_sqlite("revision_is_whole", "typeof(revision) = 'integer'"),
    *check_ids("id", "owner"),
    *check_hex("head", 64),
    **WITHOUT_ROWID,
)
"""An organization, its one Owner, its revision and `head`, the hash of its newest audit row."""


class MemberColumns(TypedColumns):
    organization: Named[str] = key_column()
    user: Named[str] = key_column()
    role: Named[str | None] = optional_text_column()
    state: Named[str] = text_column()


member = Table(
    "member",
    metadata,
    MemberColumns,
    organization_reference(),
    UniqueConstraint("organization", "user", "state"),
    check_one_of("role", tuple(role for role in Role if role is not Role.OWNER)),
    check_one_of("state", State),
    CheckConstraint("state <> 'active' OR role IS NOT NULL", name="active_has_a_role"),
    CheckConstraint("state <> 'invited' OR role IS NULL", name="invited_has_none"),
    *check_ids("user"),
    **WITHOUT_ROWID,
)
"""A user in an organization. The Owner's own row says administrator."""


class RestrictionColumns(TypedColumns):
    organization: Named[str] = key_column()
    permission: Named[str] = key_column()
    level: Named[str] = text_column()


restriction = Table(
    "restriction",
    metadata,
    RestrictionColumns,
    organization_reference(),
    check_one_of("level", Role),
    *check_pattern(
        ("permission",),
        "plausible",
        pattern="[a-z_]{1,60}:[a-z_]{1,60}",
        sqlite="length({0}) <= 121 AND {0} GLOB '[a-z_]*:[a-z_]*' AND {0} NOT GLOB '*[^a-z_:]*' AND {0} NOT GLOB '*:*:*'",
    ),
    **WITHOUT_ROWID,
)
"""A permission lifted to a level."""


class WorkspaceColumns(TypedColumns):
    organization: Named[str] = key_column()
    id: Named[str] = key_column()
    created_by: Named[str | None] = optional_text_column()
    personal: Named[bool] = switch_column("personal")


workspace = Table(
    "workspace",
    metadata,
    WorkspaceColumns,
    organization_reference(),
    reference("created_by", "member", "user"),
    UniqueConstraint("organization", "id", "personal"),
    Index(None, "organization", "created_by", "id"),
    CheckConstraint("NOT personal OR created_by IS NOT NULL", name="personal_has_a_user"),
    *check_ids("id"),
    **WITHOUT_ROWID,
)


class ProjectColumns(TypedColumns):
    organization: Named[str] = key_column()
    id: Named[str] = key_column()
    workspace: Named[str] = text_column()
    personal: Named[bool] = switch_column("personal")
    created_by: Named[str | None] = optional_text_column()
    published: Named[bool] = switch_column("published")
    distribution: Named[str] = text_column()
    show_to_annotators: Named[bool] = switch_column("show_to_annotators")
    show_to_reviewers: Named[bool] = switch_column("show_to_reviewers")
    review_only_assigned: Named[bool] = switch_column("review_only_assigned")


project = Table(
    "project",
    metadata,
    ProjectColumns,
    reference("workspace personal", "workspace", "id personal"),
    reference("created_by", "member", "user"),
    UniqueConstraint("organization", "id", "personal"),
    Index(None, "organization", "workspace", "id"),
    Index(None, "organization", "created_by", "id"),
    check_one_of("distribution", Distribution),
    CheckConstraint("NOT (personal AND published)", name="personal_is_unpublished"),
    *check_ids("id"),
    **WITHOUT_ROWID,
)
"""A project. `personal` repeats its workspace's, held to it by the foreign key, so that members can be kept out."""


class WorkspaceMemberColumns(TypedColumns):
    organization: Named[str] = key_column()
    user: Named[str] = key_column()
    workspace: Named[str] = key_column()
    until: Named[int | None] = instant_column()
    personal: Named[bool] = switch_column("personal")


workspace_member = Table(
    "workspace_member",
    metadata,
    WorkspaceMemberColumns,
    reference("user", "member"),
    reference("workspace personal", "workspace", "id personal"),
    Index(None, "organization", "workspace", "user"),
    CheckConstraint("NOT personal", name="personal_has_none"),
    *check_instants("until"),
    **WITHOUT_ROWID,
)
"""Membership of a workspace. `personal` is always false: a personal workspace takes no members."""


class ProjectMemberColumns(TypedColumns):
    organization: Named[str] = key_column()
    user: Named[str] = key_column()
    project: Named[str] = key_column()
    until: Named[int | None] = instant_column()
    personal: Named[bool] = switch_column("personal")


project_member = Table(
    "project_member",
    metadata,
    ProjectMemberColumns,
    reference("user", "member"),
    reference("project personal", "project", "id personal"),
    Index(None, "organization", "project", "user"),
    CheckConstraint("NOT personal", name="personal_has_none"),
    *check_instants("until"),
    **WITHOUT_ROWID,
)
"""Direct membership of a project. `personal` is always false, as above."""


class ProjectRoleColumns(TypedColumns):
    organization: Named[str] = key_column()
    user: Named[str] = key_column()
    project: Named[str] = key_column()
    role: Named[str] = text_column()
    until: Named[int | None] = instant_column()


project_role = Table(
    "project_role",
    metadata,
    ProjectRoleColumns,
    reference("user", "member"),
    reference("project", "project", "id"),
    Index(None, "organization", "project", "user"),
    check_one_of("role", (Role.ANNOTATOR, Role.REVIEWER)),
    *check_instants("until"),
    **WITHOUT_ROWID,
)


class PauseColumns(TypedColumns):
    organization: Named[str] = key_column()
    user: Named[str] = key_column()
    project: Named[str] = key_column()
    reason: Named[str] = text_column()
    until: Named[int | None] = instant_column()


pause = Table(
    "pause",
    metadata,
    PauseColumns,
    reference("user", "member"),
    reference("project", "project", "id"),
    Index(None, "organization", "project", "user"),
    check_one_of("reason", PauseReason),
    *check_instants("until"),
    **WITHOUT_ROWID,
)


class TaskColumns(TypedColumns):
    organization: Named[str] = key_column()
    project: Named[str] = key_column()
    id: Named[str] = key_column()


task = Table("task", metadata, TaskColumns, reference("project", "project", "id"), *check_ids("id"), **WITHOUT_ROWID)


class AssignmentColumns(TypedColumns):
    organization: Named[str] = key_column()
    project: Named[str] = key_column()
    task: Named[str] = key_column()
    user: Named[str] = key_column()
    kind: Named[str] = key_column()


assignment = Table(
    "assignment",
    metadata,
    AssignmentColumns,
    reference("project task", "task", "project id"),
    reference("user", "member"),
    Index(None, "organization", "user", "project", "kind"),
    check_one_of("kind", (Role.ANNOTATOR, Role.REVIEWER)),
    **WITHOUT_ROWID,
)
"""A task given to somebody, as annotator or as reviewer."""


class WorkedOnColumns(TypedColumns):
    organization: Named[str] = key_column()
    project: Named[str] = key_column()
    task: Named[str] = key_column()
    user: Named[str] = key_column()


worked_on = Table(
    "worked_on",
    metadata,
    WorkedOnColumns,
    reference("project task", "task", "project id"),
    reference("user", "member"),
    Index(None, "organization", "user", "project"),
    **WITHOUT_ROWID,
)


class AuditColumns(TypedColumns):
    organization: Named[str] = key_column()
    revision: Named[int] = number_column(key=True)
    at: Named[int] = number_column()
    actor: Named[str] = text_column()
    actor_kind: Named[str] = text_column()
    operation: Named[str] = text_column()
    ticket: Named[str | None] = optional_text_column()
    previous: Named[str] = text_column()
    hash: Named[str] = text_column()


audit = Table(
    "audit",
    metadata,
    AuditColumns,
    organization_reference(),
    CheckConstraint("revision >= 1", name="revision_counts_up"),
    check_on_sqlite("revision_is_whole", "typeof(revision) = 'integer'"),
    check_one_of("actor_kind", ("member", "operator")),
    *check_instants("at"),
    *check_ids("actor"),
    *check_printable("operation", "ticket"),
    *check_hex("previous", 64),
    *check_hex("hash", 64),
    **WITHOUT_ROWID,
)
"""One row a revision; append-only by trigger."""


class AuditChangeColumns(TypedColumns):
    organization: Named[str] = key_column()
    revision: Named[int] = number_column(key=True)
    position: Named[int] = number_column(key=True)
    kind: Named[str] = text_column()
    user: Named[str | None] = optional_text_column()
    domain: Named[str] = text_column()
    before: Named[str | None] = optional_text_column()
    after: Named[str | None] = optional_text_column()


audit_change = Table(
    "audit_change",
    metadata,
    AuditChangeColumns,
    reference("revision", "audit", deferred=True),  # changes stream in first, the row that seals them comes last
    CheckConstraint("position >= 0", name="position_counts_up"),
    check_on_sqlite("position_is_whole", "typeof(position) = 'integer'"),
    CheckConstraint("before IS NOT NULL OR after IS NOT NULL", name="changes_something"),
    check_one_of("kind", KINDS),
    *check_ids("user"),
    *check_pattern(
        ("domain",),
        "an_address",
        pattern="(organization|(workspace|project):[A-Za-z0-9][A-Za-z0-9._@+-]{0,127})",
        sqlite="({0} = 'organization' OR {0} GLOB 'workspace:[A-Za-z0-9]*' OR {0} GLOB 'project:[A-Za-z0-9]*')"
        " AND length({0}) <= 138 AND {0} NOT GLOB '*[^A-Za-z0-9._@+:-]*' AND {0} NOT GLOB '*:*:*'",
    ),
    **WITHOUT_ROWID,
)
"""One row a changed fact; append-only by trigger, and closed once its revision has its audit row."""


class RequestKeyColumns(TypedColumns):
    organization: Named[str] = key_column()
    actor: Named[str] = key_column()
    key: Named[str] = key_column()
    at: Named[int] = number_column()
    revision: Named[int] = number_column()
    fingerprint: Named[str] = text_column()


request_key = Table(
    "request_key",
    metadata,
    RequestKeyColumns,
    organization_reference(),
    Index(None, "organization", "at"),
    *check_ids("actor"),
    *check_hex("key", 64),
    *check_instants("at"),
    *check_hex("fingerprint", 64),
    **WITHOUT_ROWID,
)
"""What a retry is recognised by: the actor's key as a hash, when it was used, the revision it led to, and a hash of what was asked."""


class RefusalColumns(TypedColumns):
    organization: Named[str] = key_column()
    id: Named[int] = number_column(key=True)
    at: Named[int] = number_column()
    actor: Named[str] = text_column()
    operation: Named[str] = text_column()
    reason: Named[str] = text_column()


refusal = Table(
    "refusal",
    metadata,
    RefusalColumns,
    organization_reference(),
    CheckConstraint("id >= 1", name="id_counts_up"),
    check_on_sqlite("id_is_whole", "typeof(id) = 'integer'"),
    *check_instants("at"),
    *check_ids("actor"),
    *check_printable("operation"),
    **WITHOUT_ROWID,
)
"""Changes that were refused, numbered in each organization; no revision, not part of the state."""
