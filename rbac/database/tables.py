"""The tables: what the database itself makes impossible, whoever writes. No I/O.

One rule: the organization comes first in every key and stands in every foreign key, so that nothing can point
from one organization into another and a database can be distributed by it. Longer than most modules because the
keys, checks and triggers of one store are read together.

Columns `until` and `at` are instants: microseconds since 1970, UTC. Foreign keys do not cascade: whoever deletes a
domain deletes what hangs on it first, so nothing is forgotten silently. `migrations/` holds the frozen SQL of these
tables; a test compares the two. The view `casbin_rule` is described at VIEW.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Named,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    event,
)

from rbac.vocabulary import Distribution, PauseReason, Role, State, Word

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
"""The switches of an organization and where they stand when nobody says otherwise."""

KINDS = (
    *("organization", "owner", "member", "settings", "restriction", "workspace", "project"),
    *("membership", "project_role", "pause", "task", "assignment", "worked_on"),
)
"""What a change of the audit may be about; database/audit.py says what each carries."""

LAST_INSTANT = 253_402_300_799_999_999
"""The end of the year 9999: what a date can still say."""

# PostgreSQL orders text by the locale of the database unless told otherwise; ids are ordered by their bytes everywhere.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def _key() -> Column[str]:
    return Column(_TEXT, primary_key=True)


def _text() -> Column[str]:
    return Column(_TEXT, nullable=False)


def _optional() -> Column[str | None]:
    return Column(_TEXT, nullable=True)


def comparable(number: int) -> int:
    """The nearest number that a column of numbers can be compared with, whatever was asked for."""
    return max(-(2**63), min(number, 2**63 - 1))


def _number(*, key: bool = False) -> Column[int]:
    return Column(BigInteger, primary_key=key, autoincrement=False, nullable=False)


def _instant() -> Column[int | None]:
    return Column(BigInteger, nullable=True)


def _switch(name: str) -> Column[bool]:
    """True or false; SQLite, which has no booleans, checks for 0 or 1."""
    return Column(Boolean(create_constraint=True, name=f"{name}_is_a_switch"), nullable=False)


def _on_sqlite(name: str, rule: str) -> CheckConstraint:
    return CheckConstraint(rule, name=name).ddl_if(dialect="sqlite")


def _on_postgresql(name: str, rule: str) -> CheckConstraint:
    return CheckConstraint(rule, name=name).ddl_if(dialect="postgresql")


def _matching(columns: tuple[str, ...], what: str, *, pattern: str, sqlite: str) -> list[CheckConstraint]:
    """Both databases hold the same texts: a regular expression where there is one, GLOB and lengths where there is none.

    SQLite ends a text at NUL in GLOB and length() but not in a blob, and takes blobs for text. NULL passes both.
    """
    whole = "typeof({0}) IN ('text', 'null') AND length(CAST({0} AS BLOB)) = length({0})"
    rules = []
    for column in columns:
        quoted, name = f'"{column}"', f"{column}_is_{what}"
        rule = f"{whole} AND {sqlite}".format(quoted)
        rules += [_on_sqlite(name, rule), _on_postgresql(name, f"{quoted} ~ '^{pattern}$'")]
    return rules


def _ids(*columns: str) -> list[CheckConstraint]:
    """What an id may be made of; a test holds it to vocabulary.ID."""
    return _matching(
        columns,
        "an_id",
        pattern="[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}",
        sqlite="length({0}) <= 128 AND {0} GLOB '[A-Za-z0-9]*' AND {0} NOT GLOB '*[^A-Za-z0-9._@+-]*'",
    )


def _printable(*columns: str) -> list[CheckConstraint]:
    """Plain ASCII on one line, 1 to 255 characters: what may be printed into any log."""
    return _matching(columns, "printable", pattern="[ -~]{1,255}", sqlite="length({0}) BETWEEN 1 AND 255 AND {0} NOT GLOB '*[^ -~]*'")


def _hex(column: str, length: int) -> list[CheckConstraint]:
    return _matching((column,), "hex", pattern=f"[0-9a-f]{{{length}}}", sqlite=f"length({{0}}) = {length} AND {{0}} NOT GLOB '*[^0-9a-f]*'")


def _instants(*columns: str) -> list[CheckConstraint]:
    """Whole numbers up to the year 9999; SQLite would take a text or a fraction."""
    bounds = [CheckConstraint(f"{column} BETWEEN 0 AND {LAST_INSTANT}", name=f"{column}_is_an_instant") for column in columns]
    return bounds + [_on_sqlite(f"{column}_is_whole", f"typeof({column}) IN ('integer', 'null')") for column in columns]


def _one_of(column: str, names: type[Word] | tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(name)) for name in names)})", name=f"{column}_is_known")


def _refers(columns: str, table: str, to: str | None = None, *, deferred: bool = False) -> ForeignKeyConstraint:
    """A foreign key over the organization and `columns`; `deferred` checks at commit."""
    ours, theirs = ["organization", *columns.split()], ["organization", *(to or columns).split()]
    references = [f"{table}.{name}" for name in theirs]
    return ForeignKeyConstraint(ours, references, deferrable=deferred or None, initially="DEFERRED" if deferred else None)


def _in_organization() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["organization"], ["organization.id"])


_ROWS_IN_KEY_ORDER: dict[str, Any] = {"sqlite_with_rowid": False}  # one tree instead of two: half the file and one look-up a row


class StoreColumns(TypedColumns):
    one: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    epoch: Named[str] = _text()
    created_at: Named[int] = _number()


store = Table("store", metadata, StoreColumns, CheckConstraint("one = 1", name="only_one"), *_hex("epoch", 32), *_instants("created_at"))
"""This store's one row. `epoch` names its life: a restored backup gets another."""


class OrganizationColumns(TypedColumns):
    id: Named[str] = _key()
    owner: Named[str] = _text()
    owner_state: Named[str] = _text()
    revision: Named[int] = _number()
    head: Named[str] = _text()
    plugins_enabled: Named[bool] = _switch("plugins_enabled")
    manual_role_management: Named[bool] = _switch("manual_role_management")
    administrators_make_administrators: Named[bool] = _switch("administrators_make_administrators")
    tokens_for_annotators_and_reviewers: Named[bool] = _switch("tokens_for_annotators_and_reviewers")


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
    _on_sqlite("revision_is_whole", "typeof(revision) = 'integer'"),
    *_ids("id", "owner"),
    *_hex("head", 64),
    **_ROWS_IN_KEY_ORDER,
)
"""An organization, its one Owner, its revision and `head`, the hash of its newest audit row."""


class MemberColumns(TypedColumns):
    organization: Named[str] = _key()
    user: Named[str] = _key()
    role: Named[str | None] = _optional()
    state: Named[str] = _text()


member = Table(
    "member",
    metadata,
    MemberColumns,
    _in_organization(),
    UniqueConstraint("organization", "user", "state"),
    _one_of("role", tuple(role for role in Role if role is not Role.OWNER)),
    _one_of("state", State),
    CheckConstraint("state <> 'active' OR role IS NOT NULL", name="active_has_a_role"),
    CheckConstraint("state <> 'invited' OR role IS NULL", name="invited_has_none"),
    *_ids("user"),
    **_ROWS_IN_KEY_ORDER,
)
"""A user in an organization. The Owner's own row says administrator."""


class RestrictionColumns(TypedColumns):
    organization: Named[str] = _key()
    permission: Named[str] = _key()
    level: Named[str] = _text()


restriction = Table(
    "restriction",
    metadata,
    RestrictionColumns,
    _in_organization(),
    _one_of("level", Role),
    *_matching(
        ("permission",),
        "plausible",
        pattern="[a-z_]{1,60}:[a-z_]{1,60}",
        sqlite="length({0}) <= 121 AND {0} GLOB '[a-z_]*:[a-z_]*' AND {0} NOT GLOB '*[^a-z_:]*' AND {0} NOT GLOB '*:*:*'",
    ),
    **_ROWS_IN_KEY_ORDER,
)
"""A permission lifted to a level."""


class WorkspaceColumns(TypedColumns):
    organization: Named[str] = _key()
    id: Named[str] = _key()
    created_by: Named[str | None] = _optional()
    personal: Named[bool] = _switch("personal")


workspace = Table(
    "workspace",
    metadata,
    WorkspaceColumns,
    _in_organization(),
    _refers("created_by", "member", "user"),
    UniqueConstraint("organization", "id", "personal"),
    Index(None, "organization", "created_by", "id"),
    CheckConstraint("NOT personal OR created_by IS NOT NULL", name="personal_has_a_user"),
    *_ids("id"),
    **_ROWS_IN_KEY_ORDER,
)


class ProjectColumns(TypedColumns):
    organization: Named[str] = _key()
    id: Named[str] = _key()
    workspace: Named[str] = _text()
    personal: Named[bool] = _switch("personal")
    created_by: Named[str | None] = _optional()
    published: Named[bool] = _switch("published")
    distribution: Named[str] = _text()
    show_to_annotators: Named[bool] = _switch("show_to_annotators")
    show_to_reviewers: Named[bool] = _switch("show_to_reviewers")
    review_only_assigned: Named[bool] = _switch("review_only_assigned")


project = Table(
    "project",
    metadata,
    ProjectColumns,
    _refers("workspace personal", "workspace", "id personal"),
    _refers("created_by", "member", "user"),
    UniqueConstraint("organization", "id", "personal"),
    Index(None, "organization", "workspace", "id"),
    Index(None, "organization", "created_by", "id"),
    _one_of("distribution", Distribution),
    CheckConstraint("NOT (personal AND published)", name="personal_is_unpublished"),
    *_ids("id"),
    **_ROWS_IN_KEY_ORDER,
)
"""A project. `personal` repeats its workspace's, held to it by the foreign key, so that members can be kept out."""


class WorkspaceMemberColumns(TypedColumns):
    organization: Named[str] = _key()
    user: Named[str] = _key()
    workspace: Named[str] = _key()
    until: Named[int | None] = _instant()
    personal: Named[bool] = _switch("personal")


workspace_member = Table(
    "workspace_member",
    metadata,
    WorkspaceMemberColumns,
    _refers("user", "member"),
    _refers("workspace personal", "workspace", "id personal"),
    Index(None, "organization", "workspace", "user"),
    CheckConstraint("NOT personal", name="personal_has_none"),
    *_instants("until"),
    **_ROWS_IN_KEY_ORDER,
)
"""Membership of a workspace. `personal` is always false: a personal workspace takes no members."""


class ProjectMemberColumns(TypedColumns):
    organization: Named[str] = _key()
    user: Named[str] = _key()
    project: Named[str] = _key()
    until: Named[int | None] = _instant()
    personal: Named[bool] = _switch("personal")


project_member = Table(
    "project_member",
    metadata,
    ProjectMemberColumns,
    _refers("user", "member"),
    _refers("project personal", "project", "id personal"),
    Index(None, "organization", "project", "user"),
    CheckConstraint("NOT personal", name="personal_has_none"),
    *_instants("until"),
    **_ROWS_IN_KEY_ORDER,
)
"""Direct membership of a project. `personal` is always false, as above."""


class ProjectRoleColumns(TypedColumns):
    organization: Named[str] = _key()
    user: Named[str] = _key()
    project: Named[str] = _key()
    role: Named[str] = _text()
    until: Named[int | None] = _instant()


project_role = Table(
    "project_role",
    metadata,
    ProjectRoleColumns,
    _refers("user", "member"),
    _refers("project", "project", "id"),
    Index(None, "organization", "project", "user"),
    _one_of("role", (Role.ANNOTATOR, Role.REVIEWER)),
    *_instants("until"),
    **_ROWS_IN_KEY_ORDER,
)


class PauseColumns(TypedColumns):
    organization: Named[str] = _key()
    user: Named[str] = _key()
    project: Named[str] = _key()
    reason: Named[str] = _text()
    until: Named[int | None] = _instant()


pause = Table(
    "pause",
    metadata,
    PauseColumns,
    _refers("user", "member"),
    _refers("project", "project", "id"),
    Index(None, "organization", "project", "user"),
    _one_of("reason", PauseReason),
    *_instants("until"),
    **_ROWS_IN_KEY_ORDER,
)


class TaskColumns(TypedColumns):
    organization: Named[str] = _key()
    project: Named[str] = _key()
    id: Named[str] = _key()


task = Table("task", metadata, TaskColumns, _refers("project", "project", "id"), *_ids("id"), **_ROWS_IN_KEY_ORDER)


class AssignmentColumns(TypedColumns):
    organization: Named[str] = _key()
    project: Named[str] = _key()
    task: Named[str] = _key()
    user: Named[str] = _key()
    kind: Named[str] = _key()


assignment = Table(
    "assignment",
    metadata,
    AssignmentColumns,
    _refers("project task", "task", "project id"),
    _refers("user", "member"),
    Index(None, "organization", "user", "project", "kind"),
    _one_of("kind", (Role.ANNOTATOR, Role.REVIEWER)),
    **_ROWS_IN_KEY_ORDER,
)
"""A task given to somebody, as annotator or as reviewer."""


class WorkedOnColumns(TypedColumns):
    organization: Named[str] = _key()
    project: Named[str] = _key()
    task: Named[str] = _key()
    user: Named[str] = _key()


worked_on = Table(
    "worked_on",
    metadata,
    WorkedOnColumns,
    _refers("project task", "task", "project id"),
    _refers("user", "member"),
    Index(None, "organization", "user", "project"),
    **_ROWS_IN_KEY_ORDER,
)


class AuditColumns(TypedColumns):
    organization: Named[str] = _key()
    revision: Named[int] = _number(key=True)
    at: Named[int] = _number()
    actor: Named[str] = _text()
    actor_kind: Named[str] = _text()
    operation: Named[str] = _text()
    ticket: Named[str | None] = _optional()
    previous: Named[str] = _text()
    hash: Named[str] = _text()


audit = Table(
    "audit",
    metadata,
    AuditColumns,
    _in_organization(),
    CheckConstraint("revision >= 1", name="revision_counts_up"),
    _on_sqlite("revision_is_whole", "typeof(revision) = 'integer'"),
    _one_of("actor_kind", ("member", "operator")),
    *_instants("at"),
    *_ids("actor"),
    *_printable("operation", "ticket"),
    *_hex("previous", 64),
    *_hex("hash", 64),
    **_ROWS_IN_KEY_ORDER,
)
"""One row a revision; append-only by trigger."""


class AuditChangeColumns(TypedColumns):
    organization: Named[str] = _key()
    revision: Named[int] = _number(key=True)
    position: Named[int] = _number(key=True)
    kind: Named[str] = _text()
    user: Named[str | None] = _optional()
    domain: Named[str] = _text()
    before: Named[str | None] = _optional()
    after: Named[str | None] = _optional()


audit_change = Table(
    "audit_change",
    metadata,
    AuditChangeColumns,
    _refers("revision", "audit", deferred=True),  # changes stream in first, the row that seals them comes last
    CheckConstraint("position >= 0", name="position_counts_up"),
    _on_sqlite("position_is_whole", "typeof(position) = 'integer'"),
    CheckConstraint("before IS NOT NULL OR after IS NOT NULL", name="changes_something"),
    _one_of("kind", KINDS),
    *_ids("user"),
    *_matching(
        ("domain",),
        "an_address",
        pattern="(organization|(workspace|project):[A-Za-z0-9][A-Za-z0-9._@+-]{0,127})",
        sqlite="({0} = 'organization' OR {0} GLOB 'workspace:[A-Za-z0-9]*' OR {0} GLOB 'project:[A-Za-z0-9]*')"
        " AND length({0}) <= 138 AND {0} NOT GLOB '*[^A-Za-z0-9._@+:-]*' AND {0} NOT GLOB '*:*:*'",
    ),
    **_ROWS_IN_KEY_ORDER,
)
"""One row a changed fact; append-only by trigger, and closed once its revision has its audit row."""


class RequestKeyColumns(TypedColumns):
    organization: Named[str] = _key()
    key: Named[str] = _key()
    revision: Named[int] = _number()
    fingerprint: Named[str] = _text()


request_key = Table("request_key", metadata, RequestKeyColumns, _in_organization(), *_printable("key", "fingerprint"), **_ROWS_IN_KEY_ORDER)
"""What a retry is recognised by: the caller's key, the revision it led to, a fingerprint of what was asked."""


class RefusalColumns(TypedColumns):
    organization: Named[str] = _key()
    id: Named[int] = _number(key=True)
    at: Named[int] = _number()
    actor: Named[str] = _text()
    operation: Named[str] = _text()
    reason: Named[str] = _text()


refusal = Table(
    "refusal",
    metadata,
    RefusalColumns,
    _in_organization(),
    CheckConstraint("id >= 1", name="id_counts_up"),
    _on_sqlite("id_is_whole", "typeof(id) = 'integer'"),
    *_instants("at"),
    *_ids("actor"),
    *_printable("operation"),
    **_ROWS_IN_KEY_ORDER,
)
"""Changes that were refused, numbered in each organization; no revision, not part of the state."""


_CASBIN_RULE = """CREATE VIEW casbin_rule (ptype, v0, v1, v2, v3, v4, v5) AS
SELECT 'g', 'user:' || m."user", CASE WHEN o.owner = m."user" THEN 'owner' ELSE m.role END, m.organization,
    CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT)
FROM member m JOIN organization o ON o.id = m.organization
WHERE m.state = 'active'
UNION ALL
SELECT 'g2', 'user:' || r."user", r.role, r.organization || '/project/' || r.project, NULL, NULL, NULL
FROM project_role r JOIN member m ON m.organization = r.organization AND m."user" = r."user"
WHERE m.state = 'active' AND m.role IN ('annotator', 'reviewer') AND (r.until IS NULL OR r.until > {now})
UNION ALL
SELECT 'g3', 'user:' || w."user", 'member', w.organization || '/workspace/' || w.workspace, NULL, NULL, NULL
FROM workspace_member w JOIN member m ON m.organization = w.organization AND m."user" = w."user"
WHERE m.state = 'active' AND (w.until IS NULL OR w.until > {now})
UNION ALL
SELECT 'g3', 'user:' || p."user", 'member', p.organization || '/project/' || p.project, NULL, NULL, NULL
FROM project_member p JOIN member m ON m.organization = p.organization AND m."user" = p."user"
WHERE m.state = 'active' AND (p.until IS NULL OR p.until > {now})"""

VIEW = {
    "sqlite": _CASBIN_RULE.format(now="CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"),
    "postgresql": _CASBIN_RULE.format(now="CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT)"),
}
"""The view `casbin_rule(ptype, v0 .. v5)`, the roles as Casbin in any language reads them. Writing to it fails.

- `g, user:U, ROLE, ORG`: an active member's organization role, `owner` for the Owner. Unlike model.conf, one row a member
  and none a domain, which would be members times domains.
- `g2, user:U, ROLE, ORG/project/P`: a project role, where it is in force: active members whose own role is annotator or reviewer.
- `g3, user:U, member, ORG/workspace/W` or `ORG/project/P`: a membership of an active member.

Columns without a value are NULL. What has expired by the clock of the database is not there.
"""

_APPEND_ONLY = "the audit is append-only"
_CLOSED = f"{_APPEND_ONLY}: this revision is closed"
_SEALED = "SELECT 1 FROM audit WHERE organization = NEW.organization AND revision = NEW.revision"


def _sqlite_trigger(name: str, when: str, message: str, *, only: str = "") -> str:
    return f"CREATE TRIGGER {name} BEFORE {when}{only}\nBEGIN\n    SELECT RAISE(ABORT, '{message}');\nEND"


def _postgresql_function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n    {body}\nEND $$"


def _postgresql_trigger(name: str, when: str, function: str) -> str:
    return f"CREATE TRIGGER {name} {when}\nFOR EACH STATEMENT EXECUTE FUNCTION {function}()"


_RAISE = "RAISE EXCEPTION '{}' USING ERRCODE = 'restrict_violation';"

# INSERT OR REPLACE deletes without asking the DELETE trigger, so on SQLite an INSERT of a row that is there is refused as well.
TRIGGERS = {
    "sqlite": (
        _sqlite_trigger("audit_keeps_its_rows", "UPDATE ON audit", _APPEND_ONLY),
        _sqlite_trigger("audit_loses_no_rows", "DELETE ON audit", _APPEND_ONLY),
        _sqlite_trigger("audit_replaces_no_rows", "INSERT ON audit", _CLOSED, only=f" WHEN EXISTS ({_SEALED})"),
        _sqlite_trigger("audit_change_keeps_its_rows", "UPDATE ON audit_change", _APPEND_ONLY),
        _sqlite_trigger("audit_change_loses_no_rows", "DELETE ON audit_change", _APPEND_ONLY),
        _sqlite_trigger("audit_change_is_closed", "INSERT ON audit_change", _CLOSED, only=f" WHEN EXISTS ({_SEALED})"),
    ),
    "postgresql": (
        _postgresql_function("audit_is_append_only", _RAISE.format(_APPEND_ONLY)),
        _postgresql_function(
            "audit_revision_is_closed",
            "IF EXISTS (SELECT 1 FROM audit JOIN inserted USING (organization, revision)) THEN\n"
            f"        {_RAISE.format(_CLOSED)}\n    END IF;\n    RETURN NULL;",
        ),
        *(
            _postgresql_trigger(f"{table}_keeps_its_rows", f"BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}", "audit_is_append_only")
            for table in ("audit", "audit_change")
        ),
        _postgresql_trigger(
            "audit_change_is_closed", "AFTER INSERT ON audit_change REFERENCING NEW TABLE AS inserted", "audit_revision_is_closed"
        ),
    ),
}
"""What keeps the audit append-only, by dialect, in the order to create them."""

for _dialect in VIEW:
    for _statement in (VIEW[_dialect], *TRIGGERS[_dialect]):
        event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
