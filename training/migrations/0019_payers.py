"""A job takes the place in line of who pays for it, and not of whose model it makes again."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FILL = """
    UPDATE training_job SET payer_id = coalesce(
        (SELECT owner_id FROM training_reproduction WHERE job_id = training_job.id), owner_id
    )
"""


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("training", "0018_splits_by_no_column"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="payer",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="job",
            name="payer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RemoveIndex(model_name="job", name="queued_jobs"),
        migrations.RemoveIndex(model_name="job", name="begun_jobs"),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("is_distributed", False), ("status", "queued")),
                fields=["payer", "priority", "created_at", "id"],
                name="queued_jobs",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(
                    ("is_distributed", False), ("status__in", ["leased", "running"])
                ),
                fields=["payer"],
                name="begun_jobs",
            ),
        ),
    ]
