"""Versions carry their words, the files that buyers get and example questions; the database holds
these as it holds the prices: from the submission on they stay.
"""

from django.db import migrations, models

import marketplace.models.templates

COPY = """
UPDATE marketplace_templateversion v SET words = jsonb_build_object(
    'name', t.name, 'summary', t.summary, 'description', t.description, 'category', t.category
) FROM marketplace_template t WHERE t.id = v.template_id;
"""

TERMS = [
    "template_id", "number", "model_id", "plan", "price_microcredits", "call_price_microcredits",
    "monthly_calls", "changelog", "created_at",
]
SAID = ["words", "files", "examples"]


def held(terms: list[str]) -> str:
    """What `0004_versions_carry_terms` made, with the terms to hold."""
    old, new = (", ".join(f"{row}.{name}" for name in terms) for row in ("OLD", "NEW"))
    return f"""
CREATE OR REPLACE FUNCTION marketplace_hold_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status <> 'draft' OR OLD.submitted_at IS NOT NULL THEN
            RAISE EXCEPTION 'version % was submitted and stays', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'submitted_version_stays';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('draft', 'submitted'), ('submitted', 'draft'), ('submitted', 'in_review'),
        ('submitted', 'changes_requested'), ('submitted', 'approved'), ('submitted', 'rejected'),
        ('in_review', 'draft'), ('in_review', 'changes_requested'), ('in_review', 'approved'),
        ('in_review', 'rejected'), ('changes_requested', 'submitted'), ('approved', 'published'),
        ('approved', 'withdrawn'), ('published', 'deprecated'), ('published', 'withdrawn'),
        ('deprecated', 'published'), ('deprecated', 'withdrawn')
    ) THEN
        RAISE EXCEPTION 'version %: no step from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'version_takes_known_steps';
    END IF;
    IF OLD.status NOT IN ('draft', 'changes_requested') AND (
        ({old}) IS DISTINCT FROM ({new})
        OR (NEW.status <> 'draft' AND OLD.validation_id IS DISTINCT FROM NEW.validation_id)
    ) THEN
        RAISE EXCEPTION 'version % was submitted and stays as it is', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'submitted_version_stays_as_it_is';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0004_versions_carry_terms")]

    operations = [
        migrations.AddField(
            model_name="templateversion",
            name="examples",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="templateversion",
            name="files",
            field=models.JSONField(default=marketplace.models.templates.own_file),
        ),
        migrations.AddField(
            model_name="templateversion",
            name="publishes_at_once",
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name="templateversion",
            name="words",
            field=models.JSONField(default=dict),
        ),
        migrations.RunSQL(COPY, migrations.RunSQL.noop),
        migrations.RunSQL(held([*TERMS, *SAID]), held(TERMS)),
    ]
