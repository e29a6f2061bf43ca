"""Finds work that nobody is doing and hints it again: a lost message is a delay, never a loss."""

from datetime import timedelta

from celery import current_app
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from training.models import Dataset, Job, Validation, Work
from training.runner.leases import claimable

WAITED = timedelta(seconds=5)
# A busy queue holds its first hint for long; hinting at every sweep would only make it longer.
HINT_AGAIN = timedelta(seconds=30)
KINDS: tuple[tuple[type[Work], str, str], ...] = (
    (Dataset, "prepare_dataset", "dataset_id"),
    (Job, "run_job", "job_id"),
    (Validation, "validate_model", "validation_id"),
)


def ago(length: timedelta) -> models.Expression:
    return Now() - models.Value(length, output_field=models.DurationField())


def hint_waiting() -> None:
    """Hint what is open and unheld for a while. A hint too many is harmless."""
    forgotten = Q(created_at__lt=ago(WAITED)) & (
        Q(hinted_at=None) | Q(hinted_at__lt=ago(HINT_AGAIN))
    )
    for kind, task, argument in KINDS:
        waiting = kind._default_manager.filter(claimable(), forgotten)
        for work_id in list(waiting.values_list("pk", flat=True)):
            current_app.send_task(f"training.tasks.{task}", kwargs={argument: str(work_id)})
            kind._default_manager.filter(pk=work_id).update(hinted_at=Now())
