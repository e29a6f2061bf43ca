"""When the sweep woke a worker for a letter, so that it does not at every turn."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("governance", "0006_quotas")]

    operations = [
        migrations.AddField(
            model_name="notice",
            name="hinted_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
