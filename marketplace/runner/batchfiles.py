"""A batch's files, and when they go: its rows once it is over, the answers after a time."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from marketplace.models import Batch, BatchChunk
from training import services as training
from training.models import Work

QUOTES_KEPT = timedelta(days=1)
FORGOTTEN_AT_ONCE = 100  # the next sweep goes on


def is_named(sha256: str) -> bool:
    """Whether a batch that is not forgotten has these bytes."""
    kept = Batch.objects.filter(forgotten_at=None)
    open_ones = kept.open()
    return (
        kept.filter(result_sha256=sha256).exists()
        or open_ones.filter(Q(upload_sha256=sha256, rows=0) | Q(sheet_sha256=sha256)).exists()
        or BatchChunk.objects.filter(sha256=sha256).exists()
    )


def forget_inputs(batch: Batch, *, upload_only: bool = False) -> None:
    """The file as it was brought is of no use once it was read, its rows once they were answered.
    Their hashes stay.
    """
    hashes = [batch.upload_sha256] if upload_only else [batch.upload_sha256, batch.sheet_sha256]
    for sha256 in filter(None, hashes):
        training.forget_blob(sha256, is_named=is_named)


def forget_chunks(batch: Batch) -> None:
    """The rows go before their bytes."""
    for chunk in batch.chunks.all():
        with transaction.atomic():
            training.lock_blob(chunk.sha256)
            chunk.delete()
            training.forget_blob(chunk.sha256, is_named=is_named)


@transaction.atomic
def forget(batch: Batch) -> None:
    """All of its files. What it was and cost stays."""
    Batch.objects.filter(pk=batch.pk).update(forgotten_at=Now())
    forget_inputs(batch)
    forget_chunks(batch)
    if batch.result_sha256:
        training.forget_blob(batch.result_sha256, is_named=is_named)


def forget_old() -> None:
    """Quotes that nobody accepted within a day; results after `RETENTION_DAYS`."""
    quoted = Batch.objects.filter(
        status=Batch.State.QUOTED, created_at__lt=training.ago(QUOTES_KEPT)
    )
    for batch in quoted[:FORGOTTEN_AT_ONCE]:
        expire(batch)
    kept = Batch.objects.filter(
        forgotten_at=None, finished_at__lt=training.ago(training.retention())
    )
    for batch in kept.exclude(status__in=Work.OPEN)[:FORGOTTEN_AT_ONCE]:
        forget(batch)


@transaction.atomic
def expire(batch: Batch) -> None:
    quoted = Batch.objects.filter(pk=batch.pk, status=Batch.State.QUOTED)
    if quoted.update(
        status=Batch.State.CANCELLED,
        finished_at=Now(),
        error_code="quote_expired",
        error_message="Its quote was good for a day. Bring the file again.",
    ):
        batch.refresh_from_db()
        forget(batch)
