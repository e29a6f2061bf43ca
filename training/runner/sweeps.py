"""Finds work that nobody is doing and hints it again: a lost message is a delay, never a loss."""

from datetime import timedelta
from typing import Any

from celery import current_app
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from training.models import Dataset, Job, Validation
from training.runner.leases import claimable

WAITED = timedelta(seconds=5)
# A busy queue holds its first hint for long; hinting at every sweep would only make it longer.
HINT_AGAIN = timedelta(seconds=30)


def ago(length: timedelta) -> models.Expression:
    return Now() - models.Value(length, output_field=models.DurationField())


def hint_again(works: models.QuerySet[Any], task: str, argument: str) -> None:
    """Hint what of these is open and unheld for a while. A hint too many is harmless."""
    forgotten = Q(created_at__lt=ago(WAITED)) & (
        Q(hinted_at=None) | Q(hinted_at__lt=ago(HINT_AGAIN))
    )
    for work_id in list(works.filter(claimable(), forgotten).values_list("pk", flat=True)):
        current_app.send_task(task, kwargs={argument: str(work_id)})
        works.filter(pk=work_id).update(hinted_at=Now())


def hint_waiting() -> None:
    hint_again(Dataset.objects.all(), "training.tasks.prepare_dataset", "dataset_id")
    hint_again(Job.objects.filter(is_distributed=False), "training.tasks.run_job", "job_id")
    hint_again(Validation.objects.all(), "training.tasks.validate_model", "validation_id")
