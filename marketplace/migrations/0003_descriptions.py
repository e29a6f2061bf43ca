"""A description has an end: what is longer than a page is cut, so that all rows keep to it."""

from django.db import migrations, models
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

CUT = "UPDATE marketplace_template SET description = left(description, 20000) WHERE length(description) > 20000"


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0002_walls")]
    operations = [
        migrations.RunSQL(CUT, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.CheckConstraint(
                condition=LessThanOrEqual(Length("description"), 20000),
                name="template_description_is_readable",
            ),
        ),
    ]
