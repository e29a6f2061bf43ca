"""What runs by the clock: work that nobody is doing is hinted again, since a lost message is a
delay and never a loss, and what no longer serves anybody is forgotten after `RETENTION_DAYS`.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from training.models import (
    Checkpoint,
    Dataset,
    Export,
    Job,
    Model,
    PatternStudy,
    Reproduction,
    Search,
    Validation,
    Work,
)
from training.runner import blobs, chunks, leases, notices, queue, readings, trials
from training.runner.leases import claimable

WAITED = timedelta(seconds=5)
# Hints of jobs and of files are for whatever is first in line: so many wake more workers than there
# are, however many thousands wait, and each chunk hints the next.
HINTED_AT_ONCE = 100
FORGOTTEN_AT_ONCE = 500  # the next sweep goes on; none holds a worker for long


def ago(length: timedelta) -> models.Expression:
    return Now() - models.Value(length, output_field=models.DurationField())


def hint_again(works: models.QuerySet[Any], task: str, argument: str) -> None:
    """Hint what of these is open and unheld for a while. A hint too many is harmless.

    But not at every sweep: a busy queue holds its first hint for long, and would only get longer.
    Who holds a hint and died is known after a lease, so that is when it is given again.
    """
    lease = timedelta(seconds=settings.TRAINING_LEASE_SECONDS)
    is_old = Q(hinted_at=None) | Q(hinted_at__lt=ago(lease))
    forgotten = Q(created_at__lt=ago(WAITED)) & is_old
    for work_id in list(works.filter(claimable(), forgotten).values_list("pk", flat=True)):
        current_app.send_task(task, kwargs={argument: str(work_id)})
        works.filter(pk=work_id).update(hinted_at=Now())


def release_stalled() -> None:
    """Free what a stalled worker holds. A job that is lost again and again without getting on is
    quarantined here and gives back what it holds, even when nobody comes to claim it any more.
    """
    for job_id in list(queue.undivided().filter(leases.stalled()).values_list("pk", flat=True)):
        leases.release(Job, str(job_id), on_poison=chunks.bury, on_release=chunks.note_stall)
    for search_id in list(Search.objects.filter(leases.stalled()).values_list("pk", flat=True)):
        leases.release(Search, str(search_id), on_poison=trials.bury)
    measured = Validation.objects.filter(leases.stalled())
    for validation_id in list(measured.values_list("pk", flat=True)):
        leases.release(Validation, str(validation_id), on_poison=notices.tell_quarantined)
    for kind in (Dataset, Export, Reproduction, PatternStudy):
        rows = kind._default_manager.filter(leases.stalled())
        for work_id in list(rows.values_list("pk", flat=True)):
            leases.release(kind, str(work_id))


def hint_waiting() -> None:
    files = Dataset.objects.filter(pk__in=readings.line()[:HINTED_AT_ONCE])
    hint_again(files, "training.tasks.prepare_dataset", "dataset_id")
    jobs = Job.objects.filter(pk__in=queue.line()[:HINTED_AT_ONCE])
    hint_again(jobs, "training.tasks.run_job", "job_id")
    hint_again(Search.objects.all(), "training.tasks.advance_search", "search_id")
    hint_again(Validation.objects.all(), "training.tasks.validate_model", "validation_id")
    hint_again(PatternStudy.objects.all(), "training.tasks.study_patterns", "study_id")
    hint_again(Export.objects.all(), "training.tasks.make_export", "export_id")
    hint_again(
        Reproduction.objects.exclude(job__status__in=Work.OPEN),
        "training.tasks.compare_reproduction",
        "reproduction_id",
    )


def retention() -> timedelta:
    return timedelta(days=settings.RETENTION_DAYS)


def forget_checkpoints() -> None:
    """Of jobs that are over for long: nothing goes on from them any more."""
    old = Checkpoint.objects.exclude(job__status__in=Work.OPEN).unneeded()
    for checkpoint in old.filter(job__finished_at__lt=ago(retention()))[:FORGOTTEN_AT_ONCE]:
        chunks.forget(checkpoint)


def forget_starts() -> None:
    """Of jobs that are over for long and made no model: nobody trains that again. A reproduction
    leaves it to the job that it repeats.
    """
    old = Job.objects.exclude(start_sha256="").exclude(status__in=Work.OPEN)
    old = old.filter(model=None, finished_at__lt=ago(retention()))
    for job in old[:FORGOTTEN_AT_ONCE]:
        forget_start(job)


@transaction.atomic
def forget_start(job: Job) -> None:
    blobs.lock(job.start_sha256)
    Job.objects.filter(pk=job.pk).update(start_sha256="")
    forget_blob(job.start_sha256, is_named=lambda _: False)


@transaction.atomic
def forget_blob(sha256: str, *, is_named: Callable[[str], bool]) -> None:
    """Delete the bytes unless a row of training names them, or one that the caller knows."""
    blobs.lock(sha256)
    kinds = (Dataset, Model, Checkpoint, Export, Reproduction)
    rows = [kind._default_manager.filter(sha256=sha256) for kind in kinds]
    rows.append(Dataset.objects.filter(upload_sha256=sha256))
    rows.append(Job.objects.filter(start_sha256=sha256))
    if not is_named(sha256) and not any(found.exists() for found in rows):
        blobs.delete(sha256)
