CREATE TABLE store (
    one INTEGER NOT NULL,
    epoch TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_store PRIMARY KEY (one),
    CONSTRAINT ck_store_only_one CHECK (one = 1),
    CONSTRAINT ck_store_epoch_is_hex CHECK ("epoch" ~ '^[0-9a-f]{32}$'),
    CONSTRAINT ck_store_created_at_is_an_instant CHECK (created_at BETWEEN 0 AND 253402300799999999)
)

CREATE TABLE organization (
    id TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    owner_state TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    head TEXT COLLATE "C" NOT NULL,
    plugins_enabled BOOLEAN NOT NULL,
    manual_role_management BOOLEAN NOT NULL,
    administrators_make_administrators BOOLEAN NOT NULL,
    tokens_for_annotators_and_reviewers BOOLEAN NOT NULL,
    CONSTRAINT pk_organization PRIMARY KEY (id),
    CONSTRAINT ck_organization_owner_is_active CHECK (owner_state = 'active'),
    CONSTRAINT ck_organization_revision_counts_up CHECK (revision >= 0),
    CONSTRAINT ck_organization_id_is_an_id CHECK ("id" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$'),
    CONSTRAINT ck_organization_owner_is_an_id CHECK ("owner" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$'),
    CONSTRAINT ck_organization_head_is_hex CHECK ("head" ~ '^[0-9a-f]{64}$')
)

CREATE TABLE member (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_member PRIMARY KEY (organization, "user"),
    CONSTRAINT uq_member_organization_user_state UNIQUE (organization, "user", state),
    CONSTRAINT ck_member_role_is_known CHECK (role IN ('annotator', 'reviewer', 'manager', 'administrator')),
    CONSTRAINT ck_member_state_is_known CHECK (state IN ('active', 'invited', 'deactivated')),
    CONSTRAINT ck_member_active_has_a_role CHECK (state <> 'active' OR role IS NOT NULL),
    CONSTRAINT ck_member_invited_has_none CHECK (state <> 'invited' OR role IS NULL),
    CONSTRAINT ck_member_user_is_an_id CHECK ("user" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$')
)

CREATE TABLE restriction (
    organization TEXT COLLATE "C" NOT NULL,
    permission TEXT COLLATE "C" NOT NULL,
    level TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_restriction PRIMARY KEY (organization, permission),
    CONSTRAINT fk_restriction_organization FOREIGN KEY(organization) REFERENCES organization (id),
    CONSTRAINT ck_restriction_level_is_known CHECK (level IN ('annotator', 'reviewer', 'manager', 'administrator', 'owner')),
    CONSTRAINT ck_restriction_permission_is_plausible CHECK ("permission" ~ '^[a-z_]{1,60}:[a-z_]{1,60}$')
)

CREATE TABLE workspace (
    organization TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    created_by TEXT COLLATE "C",
    personal BOOLEAN NOT NULL,
    CONSTRAINT pk_workspace PRIMARY KEY (organization, id),
    CONSTRAINT fk_workspace_organization FOREIGN KEY(organization) REFERENCES organization (id),
    CONSTRAINT fk_workspace_organization_created_by FOREIGN KEY(organization, created_by) REFERENCES member (organization, "user"),
    CONSTRAINT uq_workspace_organization_id_personal UNIQUE (organization, id, personal),
    CONSTRAINT ck_workspace_personal_has_a_user CHECK (NOT personal OR created_by IS NOT NULL),
    CONSTRAINT ck_workspace_id_is_an_id CHECK ("id" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$')
)

CREATE INDEX ix_workspace_organization_created_by_id ON workspace (organization, created_by, id)

CREATE TABLE audit (
    organization TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    actor_kind TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    ticket TEXT COLLATE "C",
    previous TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (organization, revision),
    CONSTRAINT fk_audit_organization FOREIGN KEY(organization) REFERENCES organization (id),
    CONSTRAINT ck_audit_revision_counts_up CHECK (revision >= 1),
    CONSTRAINT ck_audit_actor_kind_is_known CHECK (actor_kind IN ('member', 'operator')),
    CONSTRAINT ck_audit_at_is_an_instant CHECK (at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_audit_actor_is_an_id CHECK ("actor" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$'),
    CONSTRAINT ck_audit_operation_is_printable CHECK ("operation" ~ '^[ -~]{1,255}$'),
    CONSTRAINT ck_audit_ticket_is_printable CHECK ("ticket" ~ '^[ -~]{1,255}$'),
    CONSTRAINT ck_audit_previous_is_hex CHECK ("previous" ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ck_audit_hash_is_hex CHECK ("hash" ~ '^[0-9a-f]{64}$')
)

CREATE TABLE request_key (
    organization TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_request_key PRIMARY KEY (organization, actor, key),
    CONSTRAINT fk_request_key_organization FOREIGN KEY(organization) REFERENCES organization (id),
    CONSTRAINT ck_request_key_actor_is_an_id CHECK ("actor" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$'),
    CONSTRAINT ck_request_key_key_is_hex CHECK ("key" ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ck_request_key_at_is_an_instant CHECK (at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_request_key_fingerprint_is_hex CHECK ("fingerprint" ~ '^[0-9a-f]{64}$')
)

CREATE INDEX ix_request_key_organization_at ON request_key (organization, at)

CREATE TABLE refusal (
    organization TEXT COLLATE "C" NOT NULL,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_refusal PRIMARY KEY (organization, id),
    CONSTRAINT fk_refusal_organization FOREIGN KEY(organization) REFERENCES organization (id),
    CONSTRAINT ck_refusal_id_counts_up CHECK (id >= 1),
    CONSTRAINT ck_refusal_at_is_an_instant CHECK (at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_refusal_actor_is_an_id CHECK ("actor" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$'),
    CONSTRAINT ck_refusal_operation_is_printable CHECK ("operation" ~ '^[ -~]{1,255}$')
)

CREATE TABLE project (
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
    CONSTRAINT pk_project PRIMARY KEY (organization, id),
    CONSTRAINT fk_project_organization_workspace_personal FOREIGN KEY(organization, workspace, personal) REFERENCES workspace (organization, id, personal),
    CONSTRAINT fk_project_organization_created_by FOREIGN KEY(organization, created_by) REFERENCES member (organization, "user"),
    CONSTRAINT uq_project_organization_id_personal UNIQUE (organization, id, personal),
    CONSTRAINT ck_project_distribution_is_known CHECK (distribution IN ('automatic', 'manual')),
    CONSTRAINT ck_project_personal_is_unpublished CHECK (NOT (personal AND published)),
    CONSTRAINT ck_project_id_is_an_id CHECK ("id" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$')
)

CREATE INDEX ix_project_organization_created_by_id ON project (organization, created_by, id)

CREATE INDEX ix_project_organization_workspace_id ON project (organization, workspace, id)

CREATE TABLE workspace_member (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    workspace TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    personal BOOLEAN NOT NULL,
    CONSTRAINT pk_workspace_member PRIMARY KEY (organization, "user", workspace),
    CONSTRAINT fk_workspace_member_organization_user FOREIGN KEY(organization, "user") REFERENCES member (organization, "user"),
    CONSTRAINT fk_workspace_member_organization_workspace_personal FOREIGN KEY(organization, workspace, personal) REFERENCES workspace (organization, id, personal),
    CONSTRAINT ck_workspace_member_personal_has_none CHECK (NOT personal),
    CONSTRAINT ck_workspace_member_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999)
)

CREATE INDEX ix_workspace_member_organization_workspace_user ON workspace_member (organization, workspace, "user")

CREATE TABLE audit_change (
    organization TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    position BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C",
    domain TEXT COLLATE "C" NOT NULL,
    before TEXT COLLATE "C",
    after TEXT COLLATE "C",
    CONSTRAINT pk_audit_change PRIMARY KEY (organization, revision, position),
    CONSTRAINT fk_audit_change_organization_revision FOREIGN KEY(organization, revision) REFERENCES audit (organization, revision) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_audit_change_position_counts_up CHECK (position >= 0),
    CONSTRAINT ck_audit_change_changes_something CHECK (before IS NOT NULL OR after IS NOT NULL),
    CONSTRAINT ck_audit_change_kind_is_known CHECK (kind IN ('organization', 'owner', 'member', 'settings', 'restriction', 'workspace', 'project', 'membership', 'project_role', 'pause', 'task', 'assignment', 'worked_on')),
    CONSTRAINT ck_audit_change_user_is_an_id CHECK ("user" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$'),
    CONSTRAINT ck_audit_change_domain_is_an_address CHECK ("domain" ~ '^(organization|(workspace|project):[A-Za-z0-9][A-Za-z0-9._@+-]{0,127})$')
)

CREATE TABLE project_member (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    personal BOOLEAN NOT NULL,
    CONSTRAINT pk_project_member PRIMARY KEY (organization, "user", project),
    CONSTRAINT fk_project_member_organization_user FOREIGN KEY(organization, "user") REFERENCES member (organization, "user"),
    CONSTRAINT fk_project_member_organization_project_personal FOREIGN KEY(organization, project, personal) REFERENCES project (organization, id, personal),
    CONSTRAINT ck_project_member_personal_has_none CHECK (NOT personal),
    CONSTRAINT ck_project_member_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999)
)

CREATE INDEX ix_project_member_organization_project_user ON project_member (organization, project, "user")

CREATE TABLE project_role (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    CONSTRAINT pk_project_role PRIMARY KEY (organization, "user", project),
    CONSTRAINT fk_project_role_organization_user FOREIGN KEY(organization, "user") REFERENCES member (organization, "user"),
    CONSTRAINT fk_project_role_organization_project FOREIGN KEY(organization, project) REFERENCES project (organization, id),
    CONSTRAINT ck_project_role_role_is_known CHECK (role IN ('annotator', 'reviewer')),
    CONSTRAINT ck_project_role_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999)
)

CREATE INDEX ix_project_role_organization_project_user ON project_role (organization, project, "user")

CREATE TABLE pause (
    organization TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    CONSTRAINT pk_pause PRIMARY KEY (organization, "user", project),
    CONSTRAINT fk_pause_organization_user FOREIGN KEY(organization, "user") REFERENCES member (organization, "user"),
    CONSTRAINT fk_pause_organization_project FOREIGN KEY(organization, project) REFERENCES project (organization, id),
    CONSTRAINT ck_pause_reason_is_known CHECK (reason IN ('manual', 'annotator_evaluation')),
    CONSTRAINT ck_pause_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999)
)

CREATE INDEX ix_pause_organization_project_user ON pause (organization, project, "user")

CREATE TABLE task (
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_task PRIMARY KEY (organization, project, id),
    CONSTRAINT fk_task_organization_project FOREIGN KEY(organization, project) REFERENCES project (organization, id),
    CONSTRAINT ck_task_id_is_an_id CHECK ("id" ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$')
)

CREATE TABLE assignment (
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_assignment PRIMARY KEY (organization, project, task, "user", kind),
    CONSTRAINT fk_assignment_organization_project_task FOREIGN KEY(organization, project, task) REFERENCES task (organization, project, id),
    CONSTRAINT fk_assignment_organization_user FOREIGN KEY(organization, "user") REFERENCES member (organization, "user"),
    CONSTRAINT ck_assignment_kind_is_known CHECK (kind IN ('annotator', 'reviewer'))
)

CREATE INDEX ix_assignment_organization_user_project_kind ON assignment (organization, "user", project, kind)

CREATE TABLE worked_on (
    organization TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    CONSTRAINT pk_worked_on PRIMARY KEY (organization, project, task, "user"),
    CONSTRAINT fk_worked_on_organization_project_task FOREIGN KEY(organization, project, task) REFERENCES task (organization, project, id),
    CONSTRAINT fk_worked_on_organization_user FOREIGN KEY(organization, "user") REFERENCES member (organization, "user")
)

CREATE INDEX ix_worked_on_organization_user_project ON worked_on (organization, "user", project)

ALTER TABLE member ADD CONSTRAINT fk_member_organization FOREIGN KEY(organization) REFERENCES organization (id)

ALTER TABLE organization ADD CONSTRAINT fk_organization_owner_is_an_active_member FOREIGN KEY(id, owner, owner_state) REFERENCES member (organization, "user", state) DEFERRABLE INITIALLY DEFERRED

CREATE VIEW casbin_rule (ptype, v0, v1, v2, v3, v4, v5) AS
SELECT 'g', 'user:' || m."user", CASE WHEN o.owner = m."user" THEN 'owner' ELSE m.role END, m.organization,
    CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT)
FROM member m JOIN organization o ON o.id = m.organization
WHERE m.state = 'active'
UNION ALL
SELECT 'g2', 'user:' || r."user", r.role, r.organization || '/project/' || r.project, NULL, NULL, NULL
FROM project_role r JOIN member m ON m.organization = r.organization AND m."user" = r."user"
WHERE m.state = 'active' AND m.role IN ('annotator', 'reviewer') AND (r.until IS NULL OR r.until > CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT))
UNION ALL
SELECT 'g3', 'user:' || w."user", 'member', w.organization || '/workspace/' || w.workspace, NULL, NULL, NULL
FROM workspace_member w JOIN member m ON m.organization = w.organization AND m."user" = w."user"
WHERE m.state = 'active' AND (w.until IS NULL OR w.until > CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT))
UNION ALL
SELECT 'g3', 'user:' || p."user", 'member', p.organization || '/project/' || p.project, NULL, NULL, NULL
FROM project_member p JOIN member m ON m.organization = p.organization AND m."user" = p."user"
WHERE m.state = 'active' AND (p.until IS NULL OR p.until > CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT))

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation';
END $$

CREATE FUNCTION audit_revision_is_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM audit JOIN inserted USING (organization, revision)) THEN
        RAISE EXCEPTION 'the audit is append-only: this revision is closed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$

CREATE TRIGGER audit_keeps_its_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()

CREATE TRIGGER audit_change_keeps_its_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_change
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()

CREATE TRIGGER audit_change_is_closed AFTER INSERT ON audit_change REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION audit_revision_is_closed()
