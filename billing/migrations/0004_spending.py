"""What closed leases took, summed up by month as they are closed; the database keeps the sums."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

KEEP = """
INSERT INTO billing_spending (owner_id, source, month, microcredits)
    SELECT h.owner_id, l.source, date_trunc('month', h.opened_at AT TIME ZONE 'UTC')::date,
        sum(h.captured_microcredits)
    FROM billing_hold h JOIN billing_lease l ON l.hold_id = h.id
    WHERE h.state = 'closed' GROUP BY 1, 2, 3;

CREATE FUNCTION billing_sum_spending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO billing_spending (owner_id, source, month, microcredits)
        SELECT NEW.owner_id, source, date_trunc('month', NEW.opened_at AT TIME ZONE 'UTC')::date,
            NEW.captured_microcredits
        FROM billing_lease WHERE hold_id = NEW.id
        ON CONFLICT (owner_id, source, month) DO UPDATE
            SET microcredits = billing_spending.microcredits + EXCLUDED.microcredits;
    RETURN NULL;
END $$;
CREATE TRIGGER sum_spending AFTER UPDATE OF state ON billing_hold
    FOR EACH ROW WHEN (OLD.state = 'open' AND NEW.state = 'closed')
    EXECUTE FUNCTION billing_sum_spending();
CREATE TRIGGER refuse_hand BEFORE INSERT OR UPDATE ON billing_spending
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_hand();
CREATE TRIGGER refuse_delete BEFORE DELETE ON billing_spending
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON billing_spending
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""
LET_GO = """
DROP TRIGGER sum_spending ON billing_hold;
DROP FUNCTION billing_sum_spending();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_allowances"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Spending",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source", models.CharField(max_length=100)),
                ("month", models.DateField()),
                ("microcredits", models.BigIntegerField()),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("owner", "source", "month"), name="one_spending_per_month"
                    )
                ],
            },
        ),
        migrations.RunSQL(KEEP, LET_GO),
    ]
