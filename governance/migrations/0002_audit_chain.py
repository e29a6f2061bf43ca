"""The audit trail's chain and its locks, in the database so that no door can go around them.

- `governance_link_audit` runs at COMMIT (a deferred trigger) and binds each entry to the last link
  under an advisory lock: by then every other lock is held, so it cannot deadlock.
- `governance_refuse_change` refuses UPDATE, DELETE and TRUNCATE of entries and links.
- `governance_audit_faults` recomputes the chain and names what does not fit.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION governance_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: its rows are never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION governance_audit_text(entry governance_auditentry) RETURNS bytea
LANGUAGE sql STABLE AS $$
    SELECT convert_to(jsonb_build_array(
        entry.id,
        to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        entry.actor_id, entry.verb, entry.subject_type, entry.subject_id, entry.details,
        entry.request_id)::text, 'UTF8')
$$;

CREATE FUNCTION governance_link_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last_hash bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('governance_auditlink', 0));
    SELECT hash INTO last_hash FROM governance_auditlink ORDER BY position DESC LIMIT 1;
    last_hash := coalesce(last_hash, ''::bytea);
    INSERT INTO governance_auditlink (entry_id, previous_hash, hash)
    VALUES (NEW.id, last_hash, sha256(last_hash || governance_audit_text(NEW)));
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER link_audit AFTER INSERT ON governance_auditentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION governance_link_audit();

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON governance_auditentry
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON governance_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION governance_refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON governance_auditlink
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON governance_auditlink
    FOR EACH STATEMENT EXECUTE FUNCTION governance_refuse_change();

CREATE FUNCTION governance_audit_faults() RETURNS TABLE (place bigint, fault text)
LANGUAGE sql STABLE AS $$
    SELECT e.id, 'is not in the chain'
    FROM governance_auditentry e LEFT JOIN governance_auditlink l ON l.entry_id = e.id
    WHERE l.position IS NULL
    UNION ALL
    SELECT entry_id, fault FROM (
        SELECT l.entry_id, l.position, CASE
            WHEN l.previous_hash <> coalesce(lag(l.hash) OVER chain, ''::bytea)
                THEN 'does not follow the link before it'
            WHEN l.hash <> sha256(l.previous_hash || governance_audit_text(e))
                THEN 'was altered after it was written'
            END AS fault
        FROM governance_auditlink l JOIN governance_auditentry e ON e.id = l.entry_id
        WINDOW chain AS (ORDER BY l.position)
    ) checked
    WHERE fault IS NOT NULL
$$;
"""

BACKWARD = """
DROP FUNCTION governance_audit_faults();
DROP TRIGGER link_audit ON governance_auditentry;
DROP TRIGGER refuse_change ON governance_auditentry;
DROP TRIGGER refuse_truncate ON governance_auditentry;
DROP TRIGGER refuse_change ON governance_auditlink;
DROP TRIGGER refuse_truncate ON governance_auditlink;
DROP FUNCTION governance_link_audit();
DROP FUNCTION governance_audit_text(governance_auditentry);
DROP FUNCTION governance_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("governance", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
