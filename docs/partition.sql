-- Partition a store by organization, with what is in it. PostgreSQL 15 or newer; one transaction; stop every node first.
--
--     psql --single-transaction --set ON_ERROR_STOP=1 --file docs/partition.sql DATABASE
--
-- Every row of one organization lies in the partition of the same number in each table. Keys, foreign keys, indexes, triggers and the view
-- are taken from the store as it is and put back under their names; the triggers that keep the audit append-only also guard each
-- partition, since a statement that names a partition does not fire those of the whole table.

DO $$
DECLARE
    partitions CONSTANT int := 16;
    tables CONSTANT text[] := ARRAY[
        'rbac_organization', 'rbac_member', 'rbac_restriction', 'rbac_workspace', 'rbac_project', 'rbac_workspace_member', 'rbac_project_member',
        'rbac_project_role', 'rbac_pause', 'rbac_task', 'rbac_assignment', 'rbac_worked_on', 'rbac_audit', 'rbac_audit_change', 'rbac_request_key', 'rbac_refusal', 'rbac_ended_task_fact'
    ];
    name text;
    line text;
BEGIN
    CREATE TEMPORARY TABLE put_back (id int GENERATED ALWAYS AS IDENTITY, statement text) ON COMMIT DROP;

    INSERT INTO put_back (statement)
    SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint
    WHERE contype IN ('p', 'u', 'f') AND conrelid = ANY (tables::regclass[])
    ORDER BY contype = 'f', contype, conname;

    INSERT INTO put_back (statement)
    SELECT pg_get_indexdef(indexrelid)
    FROM pg_index
    WHERE indrelid = ANY (tables::regclass[]) AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid);

    INSERT INTO put_back (statement)
    SELECT regexp_replace(pg_get_triggerdef(oid), ' ON \S+ ', format(' ON %s%s ', tgrelid::regclass, part))
    FROM pg_trigger, LATERAL (SELECT '' UNION ALL SELECT '_' || number FROM generate_series(0, partitions - 1) AS number) AS parts (part)
    WHERE NOT tgisinternal AND tgrelid = ANY (tables::regclass[]);

    INSERT INTO put_back (statement)
    SELECT 'CREATE VIEW rbac_casbin_rule (ptype, v0, v1, v2, v3, v4, v5) AS ' || pg_get_viewdef('rbac_casbin_rule'::regclass);

    DROP VIEW rbac_casbin_rule;
    FOR line IN
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
        FROM pg_constraint
        WHERE contype = 'f' AND conrelid = ANY (tables::regclass[])
    LOOP
        EXECUTE line;
    END LOOP;

    FOREACH name IN ARRAY tables LOOP
        EXECUTE format('ALTER TABLE %I RENAME TO %I', name, name || '_whole');
        EXECUTE format(
            'CREATE TABLE %I (LIKE %I INCLUDING CONSTRAINTS INCLUDING DEFAULTS) PARTITION BY HASH (%I)',
            name, name || '_whole', CASE name WHEN 'rbac_organization' THEN 'id' ELSE 'organization' END
        );
        FOR number IN 0 .. partitions - 1 LOOP
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS %s, REMAINDER %s)', name || '_' || number, name, partitions, number
            );
        END LOOP;
        EXECUTE format('INSERT INTO %I SELECT * FROM %I', name, name || '_whole');
        EXECUTE format('DROP TABLE %I', name || '_whole');
    END LOOP;

    FOR line IN SELECT statement FROM put_back ORDER BY id LOOP
        EXECUTE line;
    END LOOP;
END $$;
