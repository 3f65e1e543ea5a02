CREATE TABLE rbac_store (
    one INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    file TEXT,
    CONSTRAINT pk_rbac_store PRIMARY KEY (one),
    CONSTRAINT ck_rbac_store_only_one CHECK (one = 1),
    CONSTRAINT ck_rbac_store_epoch_is_hex CHECK (typeof("epoch") IN ('text', 'null') AND length(CAST("epoch" AS BLOB)) = length("epoch") AND length("epoch") = 32 AND "epoch" NOT GLOB '*[^0-9a-f]*'),
    CONSTRAINT ck_rbac_store_created_at_is_an_instant CHECK (created_at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_store_created_at_is_whole CHECK (typeof(created_at) IN ('integer', 'null'))
)

CREATE TABLE rbac_organization (
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    owner_state TEXT NOT NULL,
    revision BIGINT NOT NULL,
    head TEXT NOT NULL,
    plugins_enabled BOOLEAN NOT NULL,
    manual_role_management BOOLEAN NOT NULL,
    administrators_make_administrators BOOLEAN NOT NULL,
    tokens_for_annotators_and_reviewers BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_organization PRIMARY KEY (id),
    CONSTRAINT fk_rbac_organization_owner_is_an_active_member FOREIGN KEY(id, owner, owner_state) REFERENCES rbac_member (organization, user, state) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_rbac_organization_owner_is_active CHECK (owner_state = 'active'),
    CONSTRAINT ck_rbac_organization_revision_counts_up CHECK (revision >= 0),
    CONSTRAINT ck_rbac_organization_revision_is_whole CHECK (typeof(revision) = 'integer'),
    CONSTRAINT ck_rbac_organization_id_is_an_id CHECK (typeof("id") IN ('text', 'null') AND length(CAST("id" AS BLOB)) = length("id") AND length("id") <= 128 AND "id" GLOB '[A-Za-z0-9]*' AND "id" NOT GLOB '*[^A-Za-z0-9._@+-]*'),
    CONSTRAINT ck_rbac_organization_owner_is_a_user_id CHECK (typeof("owner") IN ('text', 'null') AND length(CAST("owner" AS BLOB)) = length("owner") AND length("owner") <= 255 AND "owner" GLOB '[A-Za-z0-9]*' AND "owner" NOT GLOB '*[^A-Za-z0-9._@+|''~#:=-]*'),
    CONSTRAINT ck_rbac_organization_head_is_hex CHECK (typeof("head") IN ('text', 'null') AND length(CAST("head" AS BLOB)) = length("head") AND length("head") = 64 AND "head" NOT GLOB '*[^0-9a-f]*'),
    CONSTRAINT ck_rbac_organization_plugins_enabled_switch CHECK (plugins_enabled IN (0, 1)),
    CONSTRAINT ck_rbac_organization_manual_role_management_switch CHECK (manual_role_management IN (0, 1)),
    CONSTRAINT ck_rbac_organization_administrators_make_administrators_switch CHECK (administrators_make_administrators IN (0, 1)),
    CONSTRAINT ck_rbac_organization_tokens_for_annotators_and_reviewers_switch CHECK (tokens_for_annotators_and_reviewers IN (0, 1))
)
 WITHOUT ROWID

CREATE TABLE rbac_member (
    organization TEXT NOT NULL,
    user TEXT NOT NULL,
    role TEXT,
    state TEXT NOT NULL,
    CONSTRAINT pk_rbac_member PRIMARY KEY (organization, user),
    CONSTRAINT fk_rbac_member_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT uq_rbac_member_organization_user_state UNIQUE (organization, user, state),
    CONSTRAINT ck_rbac_member_role_is_known CHECK (role IN ('annotator', 'reviewer', 'manager', 'administrator')),
    CONSTRAINT ck_rbac_member_state_is_known CHECK (state IN ('active', 'invited', 'deactivated')),
    CONSTRAINT ck_rbac_member_active_has_a_role CHECK (state <> 'active' OR role IS NOT NULL),
    CONSTRAINT ck_rbac_member_invited_has_none CHECK (state <> 'invited' OR role IS NULL),
    CONSTRAINT ck_rbac_member_user_is_a_user_id CHECK (typeof("user") IN ('text', 'null') AND length(CAST("user" AS BLOB)) = length("user") AND length("user") <= 255 AND "user" GLOB '[A-Za-z0-9]*' AND "user" NOT GLOB '*[^A-Za-z0-9._@+|''~#:=-]*')
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_member_organization_role_user_state ON rbac_member (organization, role, user, state)

CREATE TABLE rbac_restriction (
    organization TEXT NOT NULL,
    permission TEXT NOT NULL,
    level TEXT NOT NULL,
    CONSTRAINT pk_rbac_restriction PRIMARY KEY (organization, permission),
    CONSTRAINT fk_rbac_restriction_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_restriction_level_is_known CHECK (level IN ('annotator', 'reviewer', 'manager', 'administrator', 'owner')),
    CONSTRAINT ck_rbac_restriction_permission_is_plausible CHECK (typeof("permission") IN ('text', 'null') AND length(CAST("permission" AS BLOB)) = length("permission") AND length("permission") <= 121 AND "permission" GLOB '[a-z_]*:[a-z_]*' AND "permission" NOT GLOB '*[^a-z_:]*' AND "permission" NOT GLOB '*:*:*')
)
 WITHOUT ROWID

CREATE TABLE rbac_workspace (
    organization TEXT NOT NULL,
    id TEXT NOT NULL,
    created_by TEXT,
    personal BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_workspace PRIMARY KEY (organization, id),
    CONSTRAINT fk_rbac_workspace_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT fk_rbac_workspace_organization_created_by FOREIGN KEY(organization, created_by) REFERENCES rbac_member (organization, user),
    CONSTRAINT uq_rbac_workspace_organization_id_personal UNIQUE (organization, id, personal),
    CONSTRAINT ck_rbac_workspace_personal_has_a_user CHECK (NOT personal OR created_by IS NOT NULL),
    CONSTRAINT ck_rbac_workspace_id_is_an_id CHECK (typeof("id") IN ('text', 'null') AND length(CAST("id" AS BLOB)) = length("id") AND length("id") <= 128 AND "id" GLOB '[A-Za-z0-9]*' AND "id" NOT GLOB '*[^A-Za-z0-9._@+-]*'),
    CONSTRAINT ck_rbac_workspace_personal_switch CHECK (personal IN (0, 1))
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_workspace_organization_created_by_id ON rbac_workspace (organization, created_by, id)

CREATE TABLE rbac_ended_task_fact (
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    task TEXT NOT NULL,
    user TEXT NOT NULL,
    since BIGINT NOT NULL,
    gone BIGINT NOT NULL,
    CONSTRAINT pk_rbac_ended_task_fact PRIMARY KEY (organization, project, task, user, since),
    CONSTRAINT fk_rbac_ended_task_fact_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_ended_task_fact_since_is_an_instant CHECK (since BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_ended_task_fact_gone_is_an_instant CHECK (gone BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_ended_task_fact_since_is_whole CHECK (typeof(since) IN ('integer', 'null')),
    CONSTRAINT ck_rbac_ended_task_fact_gone_is_whole CHECK (typeof(gone) IN ('integer', 'null'))
)
 WITHOUT ROWID

CREATE TABLE rbac_audit (
    organization TEXT NOT NULL,
    revision BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    on_behalf_of TEXT,
    operation TEXT NOT NULL,
    ticket TEXT,
    policy TEXT,
    format BIGINT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_rbac_audit PRIMARY KEY (organization, revision),
    CONSTRAINT fk_rbac_audit_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_audit_revision_counts_up CHECK (revision >= 1),
    CONSTRAINT ck_rbac_audit_revision_is_whole CHECK (typeof(revision) = 'integer'),
    CONSTRAINT ck_rbac_audit_actor_kind_is_known CHECK (actor_kind IN ('member', 'operator', 'application', 'identity_provider')),
    CONSTRAINT ck_rbac_audit_application_acts_for_others CHECK (on_behalf_of IS NULL OR actor_kind = 'application'),
    CONSTRAINT ck_rbac_audit_format_is_known CHECK (format = 1),
    CONSTRAINT ck_rbac_audit_at_is_an_instant CHECK (at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_audit_at_is_whole CHECK (typeof(at) IN ('integer', 'null')),
    CONSTRAINT ck_rbac_audit_actor_is_a_user_id CHECK (typeof("actor") IN ('text', 'null') AND length(CAST("actor" AS BLOB)) = length("actor") AND length("actor") <= 255 AND "actor" GLOB '[A-Za-z0-9]*' AND "actor" NOT GLOB '*[^A-Za-z0-9._@+|''~#:=-]*'),
    CONSTRAINT ck_rbac_audit_on_behalf_of_is_a_user_id CHECK (typeof("on_behalf_of") IN ('text', 'null') AND length(CAST("on_behalf_of" AS BLOB)) = length("on_behalf_of") AND length("on_behalf_of") <= 255 AND "on_behalf_of" GLOB '[A-Za-z0-9]*' AND "on_behalf_of" NOT GLOB '*[^A-Za-z0-9._@+|''~#:=-]*'),
    CONSTRAINT ck_rbac_audit_operation_is_printable CHECK (typeof("operation") IN ('text', 'null') AND length(CAST("operation" AS BLOB)) = length("operation") AND length("operation") BETWEEN 1 AND 255 AND "operation" NOT GLOB '*[^ -~]*'),
    CONSTRAINT ck_rbac_audit_ticket_is_printable CHECK (typeof("ticket") IN ('text', 'null') AND length(CAST("ticket" AS BLOB)) = length("ticket") AND length("ticket") BETWEEN 1 AND 255 AND "ticket" NOT GLOB '*[^ -~]*'),
    CONSTRAINT ck_rbac_audit_policy_is_hex CHECK (typeof("policy") IN ('text', 'null') AND length(CAST("policy" AS BLOB)) = length("policy") AND length("policy") = 64 AND "policy" NOT GLOB '*[^0-9a-f]*'),
    CONSTRAINT ck_rbac_audit_previous_is_hex CHECK (typeof("previous") IN ('text', 'null') AND length(CAST("previous" AS BLOB)) = length("previous") AND length("previous") = 64 AND "previous" NOT GLOB '*[^0-9a-f]*'),
    CONSTRAINT ck_rbac_audit_hash_is_hex CHECK (typeof("hash") IN ('text', 'null') AND length(CAST("hash" AS BLOB)) = length("hash") AND length("hash") = 64 AND "hash" NOT GLOB '*[^0-9a-f]*')
)
 WITHOUT ROWID

CREATE TABLE rbac_request_key (
    organization TEXT NOT NULL,
    actor TEXT NOT NULL,
    "key" TEXT NOT NULL,
    at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    fingerprint TEXT NOT NULL,
    CONSTRAINT pk_rbac_request_key PRIMARY KEY (organization, actor, "key"),
    CONSTRAINT fk_rbac_request_key_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_request_key_actor_is_a_user_id CHECK (typeof("actor") IN ('text', 'null') AND length(CAST("actor" AS BLOB)) = length("actor") AND length("actor") <= 255 AND "actor" GLOB '[A-Za-z0-9]*' AND "actor" NOT GLOB '*[^A-Za-z0-9._@+|''~#:=-]*'),
    CONSTRAINT ck_rbac_request_key_key_is_hex CHECK (typeof("key") IN ('text', 'null') AND length(CAST("key" AS BLOB)) = length("key") AND length("key") = 64 AND "key" NOT GLOB '*[^0-9a-f]*'),
    CONSTRAINT ck_rbac_request_key_at_is_an_instant CHECK (at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_request_key_at_is_whole CHECK (typeof(at) IN ('integer', 'null')),
    CONSTRAINT ck_rbac_request_key_fingerprint_is_hex CHECK (typeof("fingerprint") IN ('text', 'null') AND length(CAST("fingerprint" AS BLOB)) = length("fingerprint") AND length("fingerprint") = 64 AND "fingerprint" NOT GLOB '*[^0-9a-f]*')
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_request_key_organization_at ON rbac_request_key (organization, at)

CREATE TABLE rbac_refusal (
    organization TEXT NOT NULL,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    operation TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_rbac_refusal PRIMARY KEY (organization, id),
    CONSTRAINT fk_rbac_refusal_organization FOREIGN KEY(organization) REFERENCES rbac_organization (id),
    CONSTRAINT ck_rbac_refusal_id_counts_up CHECK (id >= 1),
    CONSTRAINT ck_rbac_refusal_id_is_whole CHECK (typeof(id) = 'integer'),
    CONSTRAINT ck_rbac_refusal_at_is_an_instant CHECK (at BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_refusal_at_is_whole CHECK (typeof(at) IN ('integer', 'null')),
    CONSTRAINT ck_rbac_refusal_actor_is_a_user_id CHECK (typeof("actor") IN ('text', 'null') AND length(CAST("actor" AS BLOB)) = length("actor") AND length("actor") <= 255 AND "actor" GLOB '[A-Za-z0-9]*' AND "actor" NOT GLOB '*[^A-Za-z0-9._@+|''~#:=-]*'),
    CONSTRAINT ck_rbac_refusal_operation_is_printable CHECK (typeof("operation") IN ('text', 'null') AND length(CAST("operation" AS BLOB)) = length("operation") AND length("operation") BETWEEN 1 AND 255 AND "operation" NOT GLOB '*[^ -~]*')
)
 WITHOUT ROWID

CREATE TABLE rbac_project (
    organization TEXT NOT NULL,
    id TEXT NOT NULL,
    workspace TEXT NOT NULL,
    personal BOOLEAN NOT NULL,
    created_by TEXT,
    published BOOLEAN NOT NULL,
    distribution TEXT NOT NULL,
    show_to_annotators BOOLEAN NOT NULL,
    show_to_reviewers BOOLEAN NOT NULL,
    review_only_assigned BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_project PRIMARY KEY (organization, id),
    CONSTRAINT fk_rbac_project_organization_workspace_personal FOREIGN KEY(organization, workspace, personal) REFERENCES rbac_workspace (organization, id, personal),
    CONSTRAINT fk_rbac_project_organization_created_by FOREIGN KEY(organization, created_by) REFERENCES rbac_member (organization, user),
    CONSTRAINT uq_rbac_project_organization_id_personal UNIQUE (organization, id, personal),
    CONSTRAINT ck_rbac_project_distribution_is_known CHECK (distribution IN ('automatic', 'manual')),
    CONSTRAINT ck_rbac_project_personal_is_unpublished CHECK (NOT (personal AND published)),
    CONSTRAINT ck_rbac_project_id_is_an_id CHECK (typeof("id") IN ('text', 'null') AND length(CAST("id" AS BLOB)) = length("id") AND length("id") <= 128 AND "id" GLOB '[A-Za-z0-9]*' AND "id" NOT GLOB '*[^A-Za-z0-9._@+-]*'),
    CONSTRAINT ck_rbac_project_personal_switch CHECK (personal IN (0, 1)),
    CONSTRAINT ck_rbac_project_published_switch CHECK (published IN (0, 1)),
    CONSTRAINT ck_rbac_project_show_to_annotators_switch CHECK (show_to_annotators IN (0, 1)),
    CONSTRAINT ck_rbac_project_show_to_reviewers_switch CHECK (show_to_reviewers IN (0, 1)),
    CONSTRAINT ck_rbac_project_review_only_assigned_switch CHECK (review_only_assigned IN (0, 1))
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_project_organization_created_by_id ON rbac_project (organization, created_by, id)

CREATE INDEX ix_rbac_project_organization_workspace_id ON rbac_project (organization, workspace, id)

CREATE TABLE rbac_workspace_member (
    organization TEXT NOT NULL,
    user TEXT NOT NULL,
    workspace TEXT NOT NULL,
    until BIGINT,
    personal BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_workspace_member PRIMARY KEY (organization, user, workspace),
    CONSTRAINT fk_rbac_workspace_member_organization_user FOREIGN KEY(organization, user) REFERENCES rbac_member (organization, user),
    CONSTRAINT fk_rbac_workspace_member_organization_workspace_personal FOREIGN KEY(organization, workspace, personal) REFERENCES rbac_workspace (organization, id, personal),
    CONSTRAINT ck_rbac_workspace_member_personal_has_none CHECK (NOT personal),
    CONSTRAINT ck_rbac_workspace_member_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_workspace_member_until_is_whole CHECK (typeof(until) IN ('integer', 'null')),
    CONSTRAINT ck_rbac_workspace_member_personal_switch CHECK (personal IN (0, 1))
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_workspace_member_organization_workspace_user_until ON rbac_workspace_member (organization, workspace, user, until)

CREATE TABLE rbac_audit_change (
    organization TEXT NOT NULL,
    revision BIGINT NOT NULL,
    position BIGINT NOT NULL,
    kind TEXT NOT NULL,
    user TEXT,
    domain TEXT NOT NULL,
    "before" TEXT,
    "after" TEXT,
    CONSTRAINT pk_rbac_audit_change PRIMARY KEY (organization, revision, position),
    CONSTRAINT fk_rbac_audit_change_organization_revision FOREIGN KEY(organization, revision) REFERENCES rbac_audit (organization, revision) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_rbac_audit_change_position_counts_up CHECK (position >= 0),
    CONSTRAINT ck_rbac_audit_change_position_is_whole CHECK (typeof(position) = 'integer'),
    CONSTRAINT ck_rbac_audit_change_changes_something CHECK (before IS NOT NULL OR after IS NOT NULL),
    CONSTRAINT ck_rbac_audit_change_kind_is_known CHECK (kind IN ('organization', 'owner', 'member', 'settings', 'restriction', 'workspace', 'project', 'membership', 'project_role', 'pause', 'assignment')),
    CONSTRAINT ck_rbac_audit_change_user_is_a_user_id CHECK (typeof("user") IN ('text', 'null') AND length(CAST("user" AS BLOB)) = length("user") AND length("user") <= 255 AND "user" GLOB '[A-Za-z0-9]*' AND "user" NOT GLOB '*[^A-Za-z0-9._@+|''~#:=-]*'),
    CONSTRAINT ck_rbac_audit_change_domain_is_an_address CHECK (typeof("domain") IN ('text', 'null') AND length(CAST("domain" AS BLOB)) = length("domain") AND ("domain" = 'organization' OR "domain" GLOB 'workspace:[A-Za-z0-9]*' OR "domain" GLOB 'project:[A-Za-z0-9]*') AND length("domain") <= 138 AND "domain" NOT GLOB '*[^A-Za-z0-9._@+:-]*' AND "domain" NOT GLOB '*:*:*')
)
 WITHOUT ROWID

CREATE TABLE rbac_project_member (
    organization TEXT NOT NULL,
    user TEXT NOT NULL,
    project TEXT NOT NULL,
    until BIGINT,
    personal BOOLEAN NOT NULL,
    CONSTRAINT pk_rbac_project_member PRIMARY KEY (organization, user, project),
    CONSTRAINT fk_rbac_project_member_organization_user FOREIGN KEY(organization, user) REFERENCES rbac_member (organization, user),
    CONSTRAINT fk_rbac_project_member_organization_project_personal FOREIGN KEY(organization, project, personal) REFERENCES rbac_project (organization, id, personal),
    CONSTRAINT ck_rbac_project_member_personal_has_none CHECK (NOT personal),
    CONSTRAINT ck_rbac_project_member_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_project_member_until_is_whole CHECK (typeof(until) IN ('integer', 'null')),
    CONSTRAINT ck_rbac_project_member_personal_switch CHECK (personal IN (0, 1))
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_project_member_organization_project_user_until ON rbac_project_member (organization, project, user, until)

CREATE TABLE rbac_project_role (
    organization TEXT NOT NULL,
    user TEXT NOT NULL,
    project TEXT NOT NULL,
    role TEXT NOT NULL,
    until BIGINT,
    CONSTRAINT pk_rbac_project_role PRIMARY KEY (organization, user, project),
    CONSTRAINT fk_rbac_project_role_organization_user FOREIGN KEY(organization, user) REFERENCES rbac_member (organization, user),
    CONSTRAINT fk_rbac_project_role_organization_project FOREIGN KEY(organization, project) REFERENCES rbac_project (organization, id),
    CONSTRAINT ck_rbac_project_role_role_is_known CHECK (role IN ('annotator', 'reviewer')),
    CONSTRAINT ck_rbac_project_role_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_project_role_until_is_whole CHECK (typeof(until) IN ('integer', 'null'))
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_project_role_organization_project_user_role_until ON rbac_project_role (organization, project, user, role, until)

CREATE TABLE rbac_pause (
    organization TEXT NOT NULL,
    user TEXT NOT NULL,
    project TEXT NOT NULL,
    reason TEXT NOT NULL,
    until BIGINT,
    CONSTRAINT pk_rbac_pause PRIMARY KEY (organization, user, project),
    CONSTRAINT fk_rbac_pause_organization_user FOREIGN KEY(organization, user) REFERENCES rbac_member (organization, user),
    CONSTRAINT fk_rbac_pause_organization_project FOREIGN KEY(organization, project) REFERENCES rbac_project (organization, id),
    CONSTRAINT ck_rbac_pause_reason_is_known CHECK (reason IN ('manual', 'annotator_evaluation')),
    CONSTRAINT ck_rbac_pause_until_is_an_instant CHECK (until BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_pause_until_is_whole CHECK (typeof(until) IN ('integer', 'null'))
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_pause_organization_project_user_until ON rbac_pause (organization, project, user, until)

CREATE TABLE rbac_task (
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    since BIGINT NOT NULL,
    CONSTRAINT pk_rbac_task PRIMARY KEY (organization, project, id),
    CONSTRAINT fk_rbac_task_organization_project FOREIGN KEY(organization, project) REFERENCES rbac_project (organization, id),
    CONSTRAINT ck_rbac_task_id_is_an_id CHECK (typeof("id") IN ('text', 'null') AND length(CAST("id" AS BLOB)) = length("id") AND length("id") <= 128 AND "id" GLOB '[A-Za-z0-9]*' AND "id" NOT GLOB '*[^A-Za-z0-9._@+-]*'),
    CONSTRAINT ck_rbac_task_since_is_an_instant CHECK (since BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_task_since_is_whole CHECK (typeof(since) IN ('integer', 'null'))
)
 WITHOUT ROWID

CREATE TABLE rbac_assignment (
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    task TEXT NOT NULL,
    user TEXT NOT NULL,
    kind TEXT NOT NULL,
    CONSTRAINT pk_rbac_assignment PRIMARY KEY (organization, project, task, user, kind),
    CONSTRAINT fk_rbac_assignment_organization_project_task FOREIGN KEY(organization, project, task) REFERENCES rbac_task (organization, project, id),
    CONSTRAINT fk_rbac_assignment_organization_user FOREIGN KEY(organization, user) REFERENCES rbac_member (organization, user),
    CONSTRAINT ck_rbac_assignment_kind_is_known CHECK (kind IN ('annotator', 'reviewer'))
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_assignment_organization_user_project_kind ON rbac_assignment (organization, user, project, kind)

CREATE TABLE rbac_worked_on (
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    task TEXT NOT NULL,
    user TEXT NOT NULL,
    since BIGINT NOT NULL,
    CONSTRAINT pk_rbac_worked_on PRIMARY KEY (organization, project, task, user),
    CONSTRAINT fk_rbac_worked_on_organization_project_task FOREIGN KEY(organization, project, task) REFERENCES rbac_task (organization, project, id),
    CONSTRAINT ck_rbac_worked_on_user_is_a_user_id CHECK (typeof("user") IN ('text', 'null') AND length(CAST("user" AS BLOB)) = length("user") AND length("user") <= 255 AND "user" GLOB '[A-Za-z0-9]*' AND "user" NOT GLOB '*[^A-Za-z0-9._@+|''~#:=-]*'),
    CONSTRAINT ck_rbac_worked_on_since_is_an_instant CHECK (since BETWEEN 0 AND 253402300799999999),
    CONSTRAINT ck_rbac_worked_on_since_is_whole CHECK (typeof(since) IN ('integer', 'null'))
)
 WITHOUT ROWID

CREATE INDEX ix_rbac_worked_on_organization_user_project_task ON rbac_worked_on (organization, user, project, task)

CREATE VIEW rbac_casbin_rule (ptype, v0, v1, v2, v3, v4, v5) AS
SELECT 'g', 'user:' || m."user", CASE WHEN o.owner = m."user" THEN 'owner' ELSE m.role END, m.organization,
    CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT)
FROM rbac_member m JOIN rbac_organization o ON o.id = m.organization
WHERE m.state = 'active'
UNION ALL
SELECT 'g2', 'user:' || r."user", r.role, r.organization || '/project/' || r.project, NULL, NULL, NULL
FROM rbac_project_role r JOIN rbac_member m ON m.organization = r.organization AND m."user" = r."user"
WHERE m.state = 'active' AND m.role IN ('annotator', 'reviewer') AND (r.until IS NULL OR r.until > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))
UNION ALL
SELECT 'g3', 'user:' || w."user", 'member', w.organization || '/workspace/' || w.workspace, NULL, NULL, NULL
FROM rbac_workspace_member w JOIN rbac_member m ON m.organization = w.organization AND m."user" = w."user"
WHERE m.state = 'active' AND (w.until IS NULL OR w.until > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))
UNION ALL
SELECT 'g3', 'user:' || p."user", 'member', p.organization || '/project/' || p.project, NULL, NULL, NULL
FROM rbac_project_member p JOIN rbac_member m ON m.organization = p.organization AND m."user" = p."user"
WHERE m.state = 'active' AND (p.until IS NULL OR p.until > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))

CREATE TRIGGER rbac_audit_keeps_its_rows BEFORE UPDATE ON rbac_audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END

CREATE TRIGGER rbac_audit_loses_no_rows BEFORE DELETE ON rbac_audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END

CREATE TRIGGER rbac_audit_replaces_no_rows BEFORE INSERT ON rbac_audit WHEN EXISTS (SELECT 1 FROM rbac_audit WHERE organization = NEW.organization AND revision = NEW.revision)
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only: this revision is closed');
END

CREATE TRIGGER rbac_audit_change_keeps_its_rows BEFORE UPDATE ON rbac_audit_change
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END

CREATE TRIGGER rbac_audit_change_loses_no_rows BEFORE DELETE ON rbac_audit_change
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END

CREATE TRIGGER rbac_audit_change_is_closed BEFORE INSERT ON rbac_audit_change WHEN EXISTS (SELECT 1 FROM rbac_audit WHERE organization = NEW.organization AND revision = NEW.revision)
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only: this revision is closed');
END
