"""Keep what was asked of a dataset's columns apart from what was measured on its rows.

Of rows that are there already, values of features and vocabularies were measured, as a rule, and
are forgotten. A fill cannot be told from one that a person stated: it stays, and stands in the
schema's form, where it may be emptied.
"""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def ask(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    datasets = apps.get_model("training", "Dataset").objects.exclude(owner=None)
    for dataset in datasets.exclude(recipe={}).only("recipe").iterator():
        dataset.asked = asked_of(dataset.recipe)
        dataset.save(update_fields=["asked"])


def asked_of(recipe: dict[str, Any]) -> dict[str, Any]:
    columns = [
        column if column["role"] == "target" else column | {"values": []}
        for column in recipe["columns"]
    ]
    return {key: recipe[key] for key in recipe if key != "vocabulary"} | {"columns": columns}


class Migration(migrations.Migration):
    dependencies = [("training", "0013_chunk_lengths")]

    operations = [
        migrations.AddField("dataset", "asked", models.JSONField(default=dict)),
        migrations.RunPython(ask, migrations.RunPython.noop, elidable=True),
    ]
