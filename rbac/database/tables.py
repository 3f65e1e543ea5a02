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
    Table,
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
    check_user_ids,
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

ACTOR_KINDS = ("member", "operator", "application", "identity_provider")
"""Who may have made a revision."""

KINDS = (
    *("organization", "owner", "member", "settings", "restriction", "workspace", "project"),
    *("membership", "project_role", "pause", "assignment"),
)
"""What a change of the audit may be about; stored_facts.STORED says what the value of each is."""


store = Table(
    "rbac_store",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    text_column("epoch"),
    number_column("created_at"),
    optional_text_column("file"),
    CheckConstraint("one = 1", name="only_one"),
    *check_hex("epoch", 32),
    *check_instants("created_at"),
)
"""This store's one row. `epoch` is replaced when a backup is restored: caches and tokens of before are not valid any more.

`file` is SQLite's alone: the stamp that ties the write-ahead log to its file, see write_ahead_log.py.
"""


organization = Table(
    "rbac_organization",
    metadata,
    key_column("id"),
    text_column("owner"),
    text_column("owner_state"),
    number_column("revision"),
    text_column("head"),
    switch_column("plugins_enabled"),
    switch_column("manual_role_management"),
    switch_column("administrators_make_administrators"),
    switch_column("tokens_for_annotators_and_reviewers"),
    ForeignKeyConstraint(
        ["id", "owner", "owner_state"],
        ["rbac_member.organization", "rbac_member.user", "rbac_member.state"],
        deferrable=True,
        initially="DEFERRED",
        name="fk_rbac_organization_owner_is_an_active_member",
    ),
    CheckConstraint("owner_state = 'active'", name="owner_is_active"),
    CheckConstraint("revision >= 0", name="revision_counts_up"),
    check_on_sqlite("revision_is_whole", "typeof(revision) = 'integer'"),
    *check_ids("id"),
    *check_user_ids("owner"),
    *check_hex("head", 64),
    **WITHOUT_ROWID,
)
"""An organization, its one Owner, its revision and `head`, the hash of its newest audit row."""


member = Table(
    "rbac_member",
    metadata,
    key_column("organization"),
    key_column("user"),
    optional_text_column("role"),
    text_column("state"),
    organization_reference(),
    UniqueConstraint("organization", "user", "state"),
    Index(None, "organization", "role", "user", "state"),
    check_one_of("role", tuple(role for role in Role if role is not Role.OWNER)),
    check_one_of("state", State),
    CheckConstraint("state <> 'active' OR role IS NOT NULL", name="active_has_a_role"),
    CheckConstraint("state <> 'invited' OR role IS NULL", name="invited_has_none"),
    *check_user_ids("user"),
    **WITHOUT_ROWID,
)
"""A user in an organization. The Owner's own row says administrator."""


restriction = Table(
    "rbac_restriction",
    metadata,
    key_column("organization"),
    key_column("permission"),
    text_column("level"),
    organization_reference(),
    check_one_of("level", Role),
    *check_pattern(
        ("permission",),
        "plausible",
        pattern="[a-z_]+:[a-z_]+",
        longest=121,
        sqlite="length({0}) <= 121 AND {0} GLOB '[a-z_]*:[a-z_]*' AND {0} NOT GLOB '*[^a-z_:]*' AND {0} NOT GLOB '*:*:*'",
    ),
    **WITHOUT_ROWID,
)
"""A permission lifted to a level."""


workspace = Table(
    "rbac_workspace",
    metadata,
    key_column("organization"),
    key_column("id"),
    optional_text_column("created_by"),
    switch_column("personal"),
    organization_reference(),
    reference("created_by", "member", "user"),
    UniqueConstraint("organization", "id", "personal"),
    Index(None, "organization", "created_by", "id"),
    CheckConstraint("NOT personal OR created_by IS NOT NULL", name="personal_has_a_user"),
    *check_ids("id"),
    **WITHOUT_ROWID,
)


project = Table(
    "rbac_project",
    metadata,
    key_column("organization"),
    key_column("id"),
    text_column("workspace"),
    switch_column("personal"),
    optional_text_column("created_by"),
    switch_column("published"),
    text_column("distribution"),
    switch_column("show_to_annotators"),
    switch_column("show_to_reviewers"),
    switch_column("review_only_assigned"),
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


workspace_member = Table(
    "rbac_workspace_member",
    metadata,
    key_column("organization"),
    key_column("user"),
    key_column("workspace"),
    instant_column("until"),
    switch_column("personal"),
    reference("user", "member"),
    reference("workspace personal", "workspace", "id personal"),
    Index(None, "organization", "workspace", "user", "until"),
    CheckConstraint("NOT personal", name="personal_has_none"),
    *check_instants("until"),
    **WITHOUT_ROWID,
)
"""Membership of a workspace. `personal` is always false: a personal workspace takes no members."""


project_member = Table(
    "rbac_project_member",
    metadata,
    key_column("organization"),
    key_column("user"),
    key_column("project"),
    instant_column("until"),
    switch_column("personal"),
    reference("user", "member"),
    reference("project personal", "project", "id personal"),
    Index(None, "organization", "project", "user", "until"),
    CheckConstraint("NOT personal", name="personal_has_none"),
    *check_instants("until"),
    **WITHOUT_ROWID,
)
"""Direct membership of a project. `personal` is always false, as above."""


project_role = Table(
    "rbac_project_role",
    metadata,
    key_column("organization"),
    key_column("user"),
    key_column("project"),
    text_column("role"),
    instant_column("until"),
    reference("user", "member"),
    reference("project", "project", "id"),
    Index(None, "organization", "project", "user", "role", "until"),
    check_one_of("role", (Role.ANNOTATOR, Role.REVIEWER)),
    *check_instants("until"),
    **WITHOUT_ROWID,
)


pause = Table(
    "rbac_pause",
    metadata,
    key_column("organization"),
    key_column("user"),
    key_column("project"),
    text_column("reason"),
    instant_column("until"),
    reference("user", "member"),
    reference("project", "project", "id"),
    Index(None, "organization", "project", "user", "until"),
    check_one_of("reason", PauseReason),
    *check_instants("until"),
    **WITHOUT_ROWID,
)


task = Table(
    "rbac_task",
    metadata,
    key_column("organization"),
    key_column("project"),
    key_column("id"),
    number_column("since"),
    reference("project", "project", "id"),
    *check_ids("id"),
    *check_instants("since"),
    **WITHOUT_ROWID,
)
"""A task that the application has recorded, outside revisions; `since` is when."""


assignment = Table(
    "rbac_assignment",
    metadata,
    key_column("organization"),
    key_column("project"),
    key_column("task"),
    key_column("user"),
    key_column("kind"),
    reference("project task", "task", "project id"),
    reference("user", "member"),
    Index(None, "organization", "user", "project", "kind"),
    check_one_of("kind", (Role.ANNOTATOR, Role.REVIEWER)),
    **WITHOUT_ROWID,
)
"""A task given to somebody, as annotator or as reviewer."""


worked_on = Table(
    "rbac_worked_on",
    metadata,
    key_column("organization"),
    key_column("project"),
    key_column("task"),
    key_column("user"),
    number_column("since"),
    reference("project task", "task", "project id"),
    Index(None, "organization", "user", "project", "task"),
    *check_user_ids("user"),
    *check_instants("since"),
    **WITHOUT_ROWID,
)
"""Who has worked on which task, recorded like the task. No key to the member: it would make a deactivation wait."""


ended_task_fact = Table(
    "rbac_ended_task_fact",
    metadata,
    key_column("organization"),
    key_column("project"),
    key_column("task"),
    key_column("user"),
    number_column("since", key=True),
    number_column("gone"),
    organization_reference(),
    *check_instants("since", "gone"),
    **WITHOUT_ROWID,
)
"""A task that is gone, where `user` is empty, or somebody's work on it: what a past moment is answered from."""


audit = Table(
    "rbac_audit",
    metadata,
    key_column("organization"),
    number_column("revision", key=True),
    number_column("at"),
    text_column("actor"),
    text_column("actor_kind"),
    optional_text_column("on_behalf_of"),
    text_column("operation"),
    optional_text_column("ticket"),
    optional_text_column("policy"),
    number_column("format"),
    text_column("previous"),
    text_column("hash"),
    organization_reference(),
    CheckConstraint("revision >= 1", name="revision_counts_up"),
    check_on_sqlite("revision_is_whole", "typeof(revision) = 'integer'"),
    check_one_of("actor_kind", ACTOR_KINDS),
    CheckConstraint("on_behalf_of IS NULL OR actor_kind = 'application'", name="application_acts_for_others"),
    CheckConstraint("format = 1", name="format_is_known"),
    *check_instants("at"),
    *check_user_ids("actor", "on_behalf_of"),
    *check_printable("operation", "ticket"),
    *check_hex("policy", 64),
    *check_hex("previous", 64),
    *check_hex("hash", 64),
    **WITHOUT_ROWID,
)
"""One row a revision; append-only by trigger.

`policy` is the SHA-256 of the policy it was made under, `format` the form of what is hashed, `on_behalf_of` the member an
application acted for.
"""


audit_change = Table(
    "rbac_audit_change",
    metadata,
    key_column("organization"),
    number_column("revision", key=True),
    number_column("position", key=True),
    text_column("kind"),
    optional_text_column("user"),
    text_column("domain"),
    optional_text_column("before"),
    optional_text_column("after"),
    reference("revision", "audit", deferred=True),  # changes stream in first, the row that seals them comes last
    CheckConstraint("position >= 0", name="position_counts_up"),
    check_on_sqlite("position_is_whole", "typeof(position) = 'integer'"),
    CheckConstraint("before IS NOT NULL OR after IS NOT NULL", name="changes_something"),
    check_one_of("kind", KINDS),
    *check_user_ids("user"),
    *check_pattern(
        ("domain",),
        "an_address",
        pattern="(organization|(workspace|project):[A-Za-z0-9][A-Za-z0-9._@+-]*)",
        longest=138,
        sqlite="({0} = 'organization' OR {0} GLOB 'workspace:[A-Za-z0-9]*' OR {0} GLOB 'project:[A-Za-z0-9]*')"
        " AND length({0}) <= 138 AND {0} NOT GLOB '*[^A-Za-z0-9._@+:-]*' AND {0} NOT GLOB '*:*:*'",
    ),
    **WITHOUT_ROWID,
)
"""One row a changed fact; append-only by trigger, and closed once its revision has its audit row."""


request_key = Table(
    "rbac_request_key",
    metadata,
    key_column("organization"),
    key_column("actor"),
    key_column("key"),
    number_column("at"),
    number_column("revision"),
    text_column("fingerprint"),
    organization_reference(),
    Index(None, "organization", "at"),
    *check_user_ids("actor"),
    *check_hex("key", 64),
    *check_instants("at"),
    *check_hex("fingerprint", 64),
    **WITHOUT_ROWID,
)
"""What a retry is recognised by: the actor's key as a hash, when it was used, the revision it led to, and a hash of what was asked."""


refusal = Table(
    "rbac_refusal",
    metadata,
    key_column("organization"),
    number_column("id", key=True),
    number_column("at"),
    text_column("actor"),
    text_column("operation"),
    text_column("reason"),
    organization_reference(),
    CheckConstraint("id >= 1", name="id_counts_up"),
    check_on_sqlite("id_is_whole", "typeof(id) = 'integer'"),
    *check_instants("at"),
    *check_user_ids("actor"),
    *check_printable("operation"),
    **WITHOUT_ROWID,
)
"""Changes that were refused, numbered in each organization; no revision, not part of the state."""
