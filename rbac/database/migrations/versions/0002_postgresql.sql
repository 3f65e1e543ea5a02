CREATE TABLE rbac_store (
    one INTEGER NOT NULL,
    epoch TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    file TEXT COLLATE "C",
    CONSTRAINT pk_rbac_store PRIMARY KEY (one),
    CONSTRAINT ck_rbac_store_only_one CHECK (one = 1),
    CONSTRAINT ck_rbac_store_epoch_is_hex CHECK (octet_length("epoch") <= 32 AND "epoch" ~ '^[0-9a-f]*$'),
    CONSTRAINT ck_rbac_store_epoch_is_whole_hex CHECK (octet_length("epoch") = 32),
    CONSTRAINT ck_rbac_store_created_at_is_an_instant CHECK (created_at BETWEEN 0 AND 253402300799999999)
)

CREATE TABLE rbac_organization (
    id TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    owner_state TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    head TEXT COLLATE "C" NOT NULL,
    plugins_enabled BOOLEAN NOT NULL,
    manual_role_management BOOLEAN NOT NULL,
    administrators_make_administrators BOOLEAN NOT NULL,
    tokens_for_annotators_and_reviewers BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_organization PRIMARY KEY (id),
    CONSTRAINT ck_rbac_organization_owner_is_active CHECK (owner_state = 'active'),
    CONSTRAINT ck_rbac_organization_revision_counts_up CHECK (revision >= 0),
    CONSTRAINT ck_rbac_organization_id_is_an_id CHECK (octet_length("id") <= 128 AND "id" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]*$'),
    CONSTRAINT ck_rbac_organization_owner_is_a_user_id CHECK (octet_length("owner") <= 255 AND "owner" ~ '^[A-Za-z0-9][A-Za-z0-9._@+|''~#:=-]*$'),
    CONSTRAINT ck_rbac_organization_head_is_hex CHECK (octet_length("head") <= 64 AND "head" ~ '^[0-9a-f]*$'),
    CONSTRAINT ck_rbac_organization_head_is_whole_hex CHECK (octet_length("head") = 64)
)

CREATE TABLE rbac_member (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_rbac_member PRIMARY KEY (organization, "user"),
    CONSTRAINT uq_rbac_member_organization_user_state UNIQUE (organization, "user", state),
    CONSTRAINT ck_rbac_member_role_is_known CHECK (role IN ('annotator', 'reviewer', 'manager', 'administrator')),
    CONSTRAINT ck_rbac_member_state_is_known CHECK (state IN ('active', 'invited', 'deactivated')),
    CONSTRAINT ck_rbac_member_active_has_a_role CHECK (state <> 'active' OR role IS NOT NULL),
    CONSTRAINT ck_rbac_member_invited_has_none CHECK (state <> 'invited' OR role IS NULL),
    CONSTRAINT ck_rbac_member_user_is_a_user_id CHECK (octet_length("user") <= 255 AND "user" ~ '^[A-Za-z0-9][A-Za-z0-9._@+|''~#:=-]*$')
)

CREATE INDEX ix_rbac_member_organization_role_user_state ON rbac_member (organization, role, "user", state)

CREATE TABLE rbac_restriction (
    organization TEXT COLLATE "C" NOT NULL,
    permission TEXT COLLATE "C" NOT NULL,
    level TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_rbac_restriction PRIMARY KEY (organization, permission),
    CONSTRAINT fk_rbac_restriction_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_restriction_level_is_known CHECK (level IN ('annotator', 'reviewer', 'manager', 'administrator', 'owner')),
    CONSTRAINT ck_rbac_restriction_permission_is_plausible CHECK (octet_length("permission") <= 121 AND "permission" ~ '^[a-z_]+:[a-z_]+$')
)

CREATE TABLE rbac_workspace (
    organization TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    created_by TEXT COLLATE "C",
    personal BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_workspace PRIMARY KEY (organization, id),
    CONSTRAINT fk_rbac_workspace_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT fk_rbac_workspace_organization_created_by FOREIGN KEY(organization, created_by) REFERENCES rbac_member (organization, "user"),
    CONSTRAINT uq_rbac_workspace_organization_id_personal UNIQUE (organization, id, personal),
    CONSTRAINT ck_rbac_workspace_personal_has_a_user CHECK (NOT personal OR created_by IS NOT NULL),
    CONSTRAINT ck_rbac_workspace_id_is_an_id CHECK (octet_length("id") <= 128 AND "id" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]*$')
)

CREATE INDEX ix_rbac_workspace_organization_created_by_id ON rbac_workspace (organization, created_by, id)

CREATE TABLE rbac_ended_task_fact (
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    gone BIGINT NOT NULL,
    CONSTRAINT pk_rbac_ended_task_fact PRIMARY KEY (organization, project, task, "user", since),
    CONSTRAINT fk_rbac_ended_task_fact_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_ended_task_fact_since_is_an_instant CHECK (since BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_ended_task_fact_gone_is_an_instant CHECK (gone BETWEEN 0 AND 253402300799999999)
)

CREATE TABLE rbac_audit (
    organization TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    actor_kind TEXT COLLATE "C" NOT NULL,
    on_behalf_of TEXT COLLATE "C",
    operation TEXT COLLATE "C" NOT NULL,
    ticket TEXT COLLATE "C",
    policy TEXT COLLATE "C",
    format BIGINT NOT NULL,
    previous TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_rbac_audit PRIMARY KEY (organization, revision),
    CONSTRAINT fk_rbac_audit_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_audit_revision_counts_up CHECK (revision >= 1),
    CONSTRAINT ck_rbac_audit_actor_kind_is_known CHECK (actor_kind IN ('member', 'operator', 'application', 'identity_provider')),
    CONSTRAINT ck_rbac_audit_application_acts_for_others CHECK (on_behalf_of IS NULL OR actor_kind = 'application'),
    CONSTRAINT ck_rbac_audit_format_is_known CHECK (format = 1),
    CONSTRAINT ck_rbac_audit_at_is_an_instant CHECK (at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_audit_actor_is_a_user_id CHECK (octet_length("actor") <= 255 AND "actor" ~ '^[A-Za-z0-9][A-Za-z0-9._@+|''~#:=-]*$'),
    CONSTRAINT ck_rbac_audit_on_behalf_of_is_a_user_id CHECK (octet_length("on_behalf_of") <= 255 AND "on_behalf_of" ~ '^[A-Za-z0-9][A-Za-z0-9._@+|''~#:=-]*$'),
    CONSTRAINT ck_rbac_audit_operation_is_printable CHECK (octet_length("operation") <= 255 AND "operation" ~ '^[ -~]+$'),
    CONSTRAINT ck_rbac_audit_ticket_is_printable CHECK (octet_length("ticket") <= 255 AND "ticket" ~ '^[ -~]+$'),
    CONSTRAINT ck_rbac_audit_policy_is_hex CHECK (octet_length("policy") <= 64 AND "policy" ~ '^[0-9a-f]*$'),
    CONSTRAINT ck_rbac_audit_policy_is_whole_hex CHECK (octet_length("policy") = 64),
    CONSTRAINT ck_rbac_audit_previous_is_hex CHECK (octet_length("previous") <= 64 AND "previous" ~ '^[0-9a-f]*$'),
    CONSTRAINT ck_rbac_audit_previous_is_whole_hex CHECK (octet_length("previous") = 64),
    CONSTRAINT ck_rbac_audit_hash_is_hex CHECK (octet_length("hash") <= 64 AND "hash" ~ '^[0-9a-f]*$'),
    CONSTRAINT ck_rbac_audit_hash_is_whole_hex CHECK (octet_length("hash") = 64)
)

CREATE TABLE rbac_request_key (
    organization TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_rbac_request_key PRIMARY KEY (organization, actor, key),
    CONSTRAINT fk_rbac_request_key_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_request_key_actor_is_a_user_id CHECK (octet_length("actor") <= 255 AND "actor" ~ '^[A-Za-z0-9][A-Za-z0-9._@+|''~#:=-]*$'),
    CONSTRAINT ck_rbac_request_key_key_is_hex CHECK (octet_length("key") <= 64 AND "key" ~ '^[0-9a-f]*$'),
    CONSTRAINT ck_rbac_request_key_key_is_whole_hex CHECK (octet_length("key") = 64),
    CONSTRAINT ck_rbac_request_key_at_is_an_instant CHECK (at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_request_key_fingerprint_is_hex CHECK (octet_length("fingerprint") <= 64 AND "fingerprint" ~ '^[0-9a-f]*$'),
    CONSTRAINT ck_rbac_request_key_fingerprint_is_whole_hex CHECK (octet_length("fingerprint") = 64)
)

CREATE INDEX ix_rbac_request_key_organization_at ON rbac_request_key (organization, at)

CREATE TABLE rbac_refusal (
    organization TEXT COLLATE "C" NOT NULL,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_rbac_refusal PRIMARY KEY (organization, id),
    CONSTRAINT fk_rbac_refusal_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_refusal_id_counts_up CHECK (id >= 1),
    CONSTRAINT ck_rbac_refusal_at_is_an_instant CHECK (at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_refusal_actor_is_a_user_id CHECK (octet_length("actor") <= 255 AND "actor" ~ '^[A-Za-z0-9][A-Za-z0-9._@+|''~#:=-]*$'),
    CONSTRAINT ck_rbac_refusal_operation_is_printable CHECK (octet_length("operation") <= 255 AND "operation" ~ '^[ -~]+$')
)

CREATE TABLE rbac_project (
    organization TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    workspace TEXT COLLATE "C" NOT NULL,
    personal BOOLEAN NOT NULL,
    created_by TEXT COLLATE "C",
    published BOOLEAN NOT NULL,
    distribution TEXT COLLATE "C" NOT NULL,
    show_to_annotators BOOLEAN NOT NULL,
    show_to_reviewers BOOLEAN NOT NULL,
    review_only_assigned BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_project PRIMARY KEY (organization, id),
    CONSTRAINT fk_rbac_project_organization_workspace_personal FOREIGN KEY(organization, workspace, personal) REFERENCES rbac_workspace (organization, id, personal),
    CONSTRAINT fk_rbac_project_organization_created_by FOREIGN KEY(organization, created_by) REFERENCES rbac_member (organization, "user"),
    CONSTRAINT uq_rbac_project_organization_id_personal UNIQUE (organization, id, personal),
    CONSTRAINT ck_rbac_project_distribution_is_known CHECK (distribution IN ('automatic', 'manual')),
    CONSTRAINT ck_rbac_project_personal_is_unpublished CHECK (NOT (personal AND published)),
    CONSTRAINT ck_rbac_project_id_is_an_id CHECK (octet_length("id") <= 128 AND "id" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]*$')
)

CREATE INDEX ix_rbac_project_organization_created_by_id ON rbac_project (organization, created_by, id)

CREATE INDEX ix_rbac_project_organization_workspace_id ON rbac_project (organization, workspace, id)

CREATE TABLE rbac_workspace_member (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    workspace TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    personal BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_workspace_member PRIMARY KEY (organization, "user", workspace),
    CONSTRAINT fk_rbac_workspace_member_organization_user FOREIGN KEY(organization, "user") REFERENCES rbac_member (organization, "user"),
    CONSTRAINT fk_rbac_workspace_member_organization_workspace_personal FOREIGN KEY(organization, workspace, personal) REFERENCES rbac_workspace (organization, id, personal),
    CONSTRAINT ck_rbac_workspace_member_personal_has_none CHECK (NOT personal),
    CONSTRAINT ck_rbac_workspace_member_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999)
)

CREATE INDEX ix_rbac_workspace_member_organization_workspace_user_until ON rbac_workspace_member (organization, workspace, "user", until)

CREATE TABLE rbac_audit_change (
    organization TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    position BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C",
    domain TEXT COLLATE "C" NOT NULL,
    before TEXT COLLATE "C",
    after TEXT COLLATE "C",
    CONSTRAINT pk_rbac_audit_change PRIMARY KEY (organization, revision, position),
    CONSTRAINT fk_rbac_audit_change_organization_revision FOREIGN KEY(organization, revision) REFERENCES rbac_audit (organization, revision) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_rbac_audit_change_position_counts_up CHECK (position >= 0),
    CONSTRAINT ck_rbac_audit_change_changes_something CHECK (before IS NOT NULL OR after IS NOT NULL),
    CONSTRAINT ck_rbac_audit_change_kind_is_known CHECK (kind IN ('organization', 'owner', 'member', 'settings', 'restriction', 'workspace', 'project', 'membership', 'project_role', 'pause', 'assignment')),
    CONSTRAINT ck_rbac_audit_change_user_is_a_user_id CHECK (octet_length("user") <= 255 AND "user" ~ '^[A-Za-z0-9][A-Za-z0-9._@+|''~#:=-]*$'),
    CONSTRAINT ck_rbac_audit_change_domain_is_an_address CHECK (octet_length("domain") <= 138 AND "domain" ~ '^(organization|(workspace|project):[A-Za-z0-9][A-Za-z0-9._@+-]*)$')
)

CREATE TABLE rbac_project_member (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    personal BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_project_member PRIMARY KEY (organization, "user", project),
    CONSTRAINT fk_rbac_project_member_organization_user FOREIGN KEY(organization, "user") REFERENCES rbac_member (organization, "user"),
    CONSTRAINT fk_rbac_project_member_organization_project_personal FOREIGN KEY(organization, project, personal) REFERENCES rbac_project (organization, id, personal),
    CONSTRAINT ck_rbac_project_member_personal_has_none CHECK (NOT personal),
    CONSTRAINT ck_rbac_project_member_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999)
)

CREATE INDEX ix_rbac_project_member_organization_project_user_until ON rbac_project_member (organization, project, "user", until)

CREATE TABLE rbac_project_role (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    CONSTRAINT pk_rbac_project_role PRIMARY KEY (organization, "user", project),
    CONSTRAINT fk_rbac_project_role_organization_user FOREIGN KEY(organization, "user") REFERENCES rbac_member (organization, "user"),
    CONSTRAINT fk_rbac_project_role_organization_project FOREIGN KEY(organization, project) REFERENCES rbac_project (organization, id),
    CONSTRAINT ck_rbac_project_role_role_is_known CHECK (role IN ('annotator', 'reviewer')),
    CONSTRAINT ck_rbac_project_role_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999)
)

CREATE INDEX ix_rbac_project_role_organization_project_user_role_until ON rbac_project_role (organization, project, "user", role, until)

CREATE TABLE rbac_pause (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    CONSTRAINT pk_rbac_pause PRIMARY KEY (organization, "user", project),
    CONSTRAINT fk_rbac_pause_organization_user FOREIGN KEY(organization, "user") REFERENCES rbac_member (organization, "user"),
    CONSTRAINT fk_rbac_pause_organization_project FOREIGN KEY(organization, project) REFERENCES rbac_project (organization, id),
    CONSTRAINT ck_rbac_pause_reason_is_known CHECK (reason IN ('manual', 'annotator_evaluation')),
    CONSTRAINT ck_rbac_pause_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999)
)

CREATE INDEX ix_rbac_pause_organization_project_user_until ON rbac_pause (organization, project, "user", until)

CREATE TABLE rbac_task (
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    CONSTRAINT pk_rbac_task PRIMARY KEY (organization, project, id),
    CONSTRAINT fk_rbac_task_organization_project FOREIGN KEY(organization, project) REFERENCES rbac_project (organization, id),
    CONSTRAINT ck_rbac_task_id_is_an_id CHECK (octet_length("id") <= 128 AND "id" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]*$'),
    CONSTRAINT ck_rbac_task_since_is_an_instant CHECK (since BETWEEN 0 AND 253402300799999999)
)

CREATE TABLE rbac_assignment (
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_rbac_assignment PRIMARY KEY (organization, project, task, "user", kind),
    CONSTRAINT fk_rbac_assignment_organization_project_task FOREIGN KEY(organization, project, task) REFERENCES rbac_task (organization, project, id),
    CONSTRAINT fk_rbac_assignment_organization_user FOREIGN KEY(organization, "user") REFERENCES rbac_member (organization, "user"),
    CONSTRAINT ck_rbac_assignment_kind_is_known CHECK (kind IN ('annotator', 'reviewer'))
)

CREATE INDEX ix_rbac_assignment_organization_user_project_kind ON rbac_assignment (organization, "user", project, kind)

CREATE TABLE rbac_worked_on (
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    CONSTRAINT pk_rbac_worked_on PRIMARY KEY (organization, project, task, "user"),
    CONSTRAINT fk_rbac_worked_on_organization_project_task FOREIGN KEY(organization, project, task) REFERENCES rbac_task (organization, project, id),
    CONSTRAINT ck_rbac_worked_on_user_is_a_user_id CHECK (octet_length("user") <= 255 AND "user" ~ '^[A-Za-z0-9][A-Za-z0-9._@+|''~#:=-]*$'),
    CONSTRAINT ck_rbac_worked_on_since_is_an_instant CHECK (since BETWEEN 0 AND 253402300799999999)
)

CREATE INDEX ix_rbac_worked_on_organization_user_project_task ON rbac_worked_on (organization, "user", project, task)

ALTER TABLE rbac_organization ADD CONSTRAINT fk_rbac_organization_owner_is_an_active_member FOREIGN KEY(id, owner, owner_state) REFERENCES rbac_member (organization, "user", state) DEFERRABLE INITIALLY DEFERRED

ALTER TABLE rbac_member ADD CONSTRAINT fk_rbac_member_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id)

ALTER TABLE rbac_organization SET (fillfactor = 50)

CREATE VIEW rbac_casbin_rule (ptype, v0, v1, v2, v3, v4, v5) AS
SELECT 'g', 'user:' || m."user", CASE WHEN o.owner = m."user" THEN 'owner' ELSE m.role END, m.organization,
    CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT)
FROM rbac_member m JOIN rbac_organization o ON o.id = m.organization
WHERE m.state = 'active'
UNION ALL
SELECT 'g2', 'user:' || r."user", r.role, r.organization || '/project/' || r.project, NULL, NULL, NULL
FROM rbac_project_role r JOIN rbac_member m ON m.organization = r.organization AND m."user" = r."user"
WHERE m.state = 'active' AND m.role IN ('annotator', 'reviewer') AND (r.until IS NULL OR r.until > CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT))
UNION ALL
SELECT 'g3', 'user:' || w."user", 'member', w.organization || '/workspace/' || w.workspace, NULL, NULL, NULL
FROM rbac_workspace_member w JOIN rbac_member m ON m.organization = w.organization AND m."user" = w."user"
WHERE m.state = 'active' AND (w.until IS NULL OR w.until > CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT))
UNION ALL
SELECT 'g3', 'user:' || p."user", 'member', p.organization || '/project/' || p.project, NULL, NULL, NULL
FROM rbac_project_member p JOIN rbac_member m ON m.organization = p.organization AND m."user" = p."user"
WHERE m.state = 'active' AND (p.until IS NULL OR p.until > CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT))

CREATE FUNCTION rbac_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
END $$

CREATE FUNCTION rbac_audit_revision_is_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM rbac_audit JOIN inserted USING (organization, revision)) THEN
        RAISE EXCEPTION 'the audit is append-only: this revision is closed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$

DO $$
BEGIN
    EXECUTE 'ALTER FUNCTION rbac_audit_is_append_only() SET search_path = ' || quote_ident(current_schema()) || ', pg_temp';
END $$

DO $$
BEGIN
    EXECUTE 'ALTER FUNCTION rbac_audit_revision_is_closed() SET search_path = ' || quote_ident(current_schema()) || ', pg_temp';
END $$

CREATE TRIGGER rbac_audit_keeps_its_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON rbac_audit
FOR EACH STATEMENT EXECUTE FUNCTION rbac_audit_is_append_only()

CREATE TRIGGER rbac_audit_change_keeps_its_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON rbac_audit_change
FOR EACH STATEMENT EXECUTE FUNCTION rbac_audit_is_append_only()

CREATE TRIGGER rbac_audit_change_is_closed AFTER INSERT ON rbac_audit_change REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION rbac_audit_revision_is_closed()
