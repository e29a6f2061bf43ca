"""Listings follow their templates: the projection, and the trigger that calls it.

`marketplace_list` makes the listings of these templates what they should be, and writes no row that
already is so. Description and words are those of the template; numbers are those of its current
version and of the validation that the version is bound to.
"""

from django.db import migrations

# Columns that it writes; all others are counted by the clock or generated.
COLUMNS = """
    template_id, slug, name, summary, owner_id, author, category, plan, price_microcredits,
    call_price_microcredits, architecture, tier, size_bytes, parameters, licence, latency_p50_ms,
    metric, value, goodness, is_share, dataset_id, dataset_slug, dataset_name, certificate,
    published_at, words
"""
NAMES = [name.strip() for name in COLUMNS.replace("\n", " ").split(",")]
TAKEN = ", ".join(f"{name} = EXCLUDED.{name}" for name in NAMES[1:])
KEPT = ", ".join(f"marketplace_listing.{name}" for name in NAMES)
FOUND = ", ".join(f"EXCLUDED.{name}" for name in NAMES)

# Words are long and looked at by their index: out of line, so that rows are narrow to walk over.
STORAGE = "".join(
    f"""
ALTER TABLE {table} SET (toast_tuple_target = 256);
ALTER TABLE {table} ALTER COLUMN words SET STORAGE EXTERNAL;
"""
    for table in ("marketplace_listing", "marketplace_sampled")
)

FORWARD = f"""
{STORAGE}
CREATE FUNCTION marketplace_list(ids uuid[]) RETURNS void LANGUAGE sql AS $$
    DELETE FROM marketplace_listing l WHERE l.template_id = ANY(ids) AND NOT EXISTS (
        SELECT FROM marketplace_template t WHERE t.id = l.template_id
        AND t.current_id IS NOT NULL AND t.withdrawn_at IS NULL AND t.hidden_at IS NULL
    );
    INSERT INTO marketplace_listing ({COLUMNS})
    SELECT
        t.id, t.slug, t.name,
        CASE WHEN t.summary <> '' THEN t.summary ELSE left(t.description, 200) END,
        t.owner_id, u.username, t.category, v.plan, v.price_microcredits,
        v.call_price_microcredits,
        coalesce(j.config #>> '{{architecture,type}}', 'feedforward'),
        j.tier, m.size_bytes, m.parameters, coalesce(c.licence, ''),
        coalesce(n.latency_p50_ms, 'infinity'),
        coalesce(f.metric, ''), f.value,
        coalesce(CASE WHEN f.is_error THEN -f.value ELSE f.value END, 0),
        coalesce(f.metric IN ('accuracy', 'pr_auc') AND f.value IS NOT NULL, false),
        d.id, d.slug, d.name, coalesce(n.certificate, ''), t.published_at,
        setweight(to_tsvector('english', t.name), 'A')
            || setweight(to_tsvector('english', t.summary), 'B')
            || setweight(to_tsvector('simple', u.username), 'B')
            || setweight(to_tsvector('english', t.category || ' ' || d.name), 'C')
            || setweight(to_tsvector('english', left(t.description, 4000)), 'D')
    FROM marketplace_template t
    JOIN governance_user u ON u.id = t.owner_id
    JOIN marketplace_templateversion v ON v.id = t.current_id
    JOIN training_model m ON m.id = v.model_id
    JOIN training_job j ON j.id = m.job_id
    JOIN training_dataset d ON d.id = j.dataset_id
    LEFT JOIN training_card c ON c.model_id = m.id
    LEFT JOIN training_validation n ON n.id = v.validation_id
    LEFT JOIN LATERAL (
        SELECT
            n.report ->> 'primary' AS metric,
            (n.metrics #>> ARRAY[n.report ->> 'primary', 'value'])::float8 AS value,
            coalesce((n.metrics #>> ARRAY[n.report ->> 'primary', 'lower_is_better'])::bool, false)
                AS is_error
    ) f ON true
    WHERE t.id = ANY(ids) AND t.withdrawn_at IS NULL AND t.hidden_at IS NULL
    ON CONFLICT (template_id) DO UPDATE SET {TAKEN}, changed_at = statement_timestamp()
    WHERE ({KEPT}) IS DISTINCT FROM ({FOUND});
$$;

CREATE FUNCTION marketplace_follow_template() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM marketplace_list(ARRAY[NEW.id]);
    RETURN NULL;
END $$;
CREATE TRIGGER list_anew AFTER UPDATE ON marketplace_template
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION marketplace_follow_template();

INSERT INTO marketplace_overview (id, listings, sampled, facets, learned_at)
    VALUES (1, 0, 0, '[]', '2000-01-01 00:00Z');
SELECT marketplace_list(array_agg(id)) FROM marketplace_template;
"""
BACKWARD = """
DROP TRIGGER list_anew ON marketplace_template;
DROP FUNCTION marketplace_follow_template();
DROP FUNCTION marketplace_list(uuid[]);
DELETE FROM marketplace_overview;
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0010_listings")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
