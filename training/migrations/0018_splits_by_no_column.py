"""Rows that were drawn each by itself were recorded as split by the first column that was ignored,
and models and cards said so. They were split by none: their rows stay where they are.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forget(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Bundled data say by which classes of their own they are stratified, and that is so."""
    datasets = apps.get_model("training", "Dataset").objects.exclude(owner=None)
    for dataset in datasets.filter(split__kind__in=("random", "stratified")).iterator():
        if dataset.split.get("column"):
            datasets.filter(pk=dataset.pk).update(split=dataset.split | {"column": ""})


class Migration(migrations.Migration):
    dependencies = [("training", "0017_last_schema")]
    operations = [migrations.RunPython(forget, migrations.RunPython.noop, elidable=True)]
