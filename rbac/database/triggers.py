"""What is made beside the tables: the view that Casbin in any language can read, and the triggers that keep the audit append-only."""

from __future__ import annotations

_CASBIN_RULE = """CREATE VIEW rbac_casbin_rule (ptype, v0, v1, v2, v3, v4, v5) AS
SELECT 'g', 'user:' || m."user", CASE WHEN o.owner = m."user" THEN 'owner' ELSE m.role END, m.organization,
    CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT)
FROM rbac_member m JOIN rbac_organization o ON o.id = m.organization
WHERE m.state = 'active'
UNION ALL
SELECT 'g2', 'user:' || r."user", r.role, r.organization || '/project/' || r.project, NULL, NULL, NULL
FROM rbac_project_role r JOIN rbac_member m ON m.organization = r.organization AND m."user" = r."user"
WHERE m.state = 'active' AND m.role IN ('annotator', 'reviewer') AND (r.until IS NULL OR r.until > {now})
UNION ALL
SELECT 'g3', 'user:' || w."user", 'member', w.organization || '/workspace/' || w.workspace, NULL, NULL, NULL
FROM rbac_workspace_member w JOIN rbac_member m ON m.organization = w.organization AND m."user" = w."user"
WHERE m.state = 'active' AND (w.until IS NULL OR w.until > {now})
UNION ALL
SELECT 'g3', 'user:' || p."user", 'member', p.organization || '/project/' || p.project, NULL, NULL, NULL
FROM rbac_project_member p JOIN rbac_member m ON m.organization = p.organization AND m."user" = p."user"
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
_SEALED = "SELECT 1 FROM rbac_audit WHERE organization = NEW.organization AND revision = NEW.revision"


def _sqlite_trigger(name: str, when: str, message: str, *, only: str = "") -> str:
    return f"CREATE TRIGGER {name} BEFORE {when}{only}\nBEGIN\n    SELECT RAISE(ABORT, '{message}');\nEND"


def _postgresql_function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n    {body}\nEND $$"


def _postgresql_fixed_path(function: str) -> str:
    """The function reads the tables of this schema, whatever the caller's search_path or temporary tables are."""
    command = f"'ALTER FUNCTION {function}() SET search_path = ' || quote_ident(current_schema()) || ', pg_temp'"
    return f"DO $$\nBEGIN\n    EXECUTE {command};\nEND $$"


def _postgresql_trigger(name: str, when: str, function: str) -> str:
    return f"CREATE TRIGGER {name} {when}\nFOR EACH STATEMENT EXECUTE FUNCTION {function}()"


_RAISE = "RAISE EXCEPTION '{}' USING ERRCODE = 'restrict_violation';"

# INSERT OR REPLACE deletes without asking the DELETE trigger, so on SQLite an INSERT of a row that is there is refused as well.
TRIGGERS = {
    "sqlite": (
        _sqlite_trigger("rbac_audit_keeps_its_rows", "UPDATE ON rbac_audit", _APPEND_ONLY),
        _sqlite_trigger("rbac_audit_loses_no_rows", "DELETE ON rbac_audit", _APPEND_ONLY),
        _sqlite_trigger("rbac_audit_replaces_no_rows", "INSERT ON rbac_audit", _CLOSED, only=f" WHEN EXISTS ({_SEALED})"),
        _sqlite_trigger("rbac_audit_change_keeps_its_rows", "UPDATE ON rbac_audit_change", _APPEND_ONLY),
        _sqlite_trigger("rbac_audit_change_loses_no_rows", "DELETE ON rbac_audit_change", _APPEND_ONLY),
        _sqlite_trigger("rbac_audit_change_is_closed", "INSERT ON rbac_audit_change", _CLOSED, only=f" WHEN EXISTS ({_SEALED})"),
    ),
    "postgresql": (
        _postgresql_function("rbac_audit_is_append_only", _RAISE.format(_APPEND_ONLY)),
        _postgresql_function(
            "rbac_audit_revision_is_closed",
            "IF EXISTS (SELECT 1 FROM rbac_audit JOIN inserted USING (organization, revision)) THEN\n"
            f"        {_RAISE.format(_CLOSED)}\n    END IF;\n    RETURN NULL;",
        ),
        *map(_postgresql_fixed_path, ("rbac_audit_is_append_only", "rbac_audit_revision_is_closed")),
        *(
            _postgresql_trigger(f"{table}_keeps_its_rows", f"BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}", "rbac_audit_is_append_only")
            for table in ("rbac_audit", "rbac_audit_change")
        ),
        _postgresql_trigger(
            "rbac_audit_change_is_closed",
            "AFTER INSERT ON rbac_audit_change REFERENCING NEW TABLE AS inserted",
            "rbac_audit_revision_is_closed",
        ),
    ),
}
"""What keeps the audit append-only, by dialect, in the order to create them."""

_STORAGE = {"sqlite": (), "postgresql": ("ALTER TABLE rbac_organization SET (fillfactor = 50)",)}
"""Each change updates the organization's row: there is room for its next version on the same page."""

STATEMENTS = {dialect: (*_STORAGE[dialect], VIEW[dialect], *TRIGGERS[dialect]) for dialect in VIEW}
"""Everything made after the tables, by dialect, in order."""
