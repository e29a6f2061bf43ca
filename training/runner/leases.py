"""Claiming work so that one worker does it, and a dead one's work is done by another.

A claim takes a free row under its lock, by the database's clock. It raises `attempt`, and every
later write names the attempt it belongs to: a worker that was thought dead and wakes up changes
nothing.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from training.models import Work

LOST_LEASES_MAX = 5

AnyWork = TypeVar("AnyWork", bound=Work)


class LeaseLost(Exception):
    """Another worker has this work now, or a person ended it."""


def lease_end() -> models.Expression:
    length = timedelta(seconds=settings.TRAINING_LEASE_SECONDS)
    return Now() + models.Value(length, output_field=models.DurationField())


def claimable() -> Q:
    """Open work that nobody holds, or whose holder has not been heard of in time."""
    return Q(status__in=Work.OPEN) & (Q(lease_until=None) | Q(lease_until__lt=Now()))


@transaction.atomic
def claim(
    kind: type[AnyWork], work_id: str, *, on_poison: Callable[[AnyWork], None] | None = None
) -> AnyWork | None:
    """Take this work, or return None when it is not to be had.

    The fifth lost lease ends it; `on_poison` then says, in the same transaction, what goes back.
    """
    rows = kind._default_manager.filter(claimable(), pk=work_id)
    work = rows.select_for_update(skip_locked=True).first()
    if work is None:
        return None
    if work.lease_until is not None:
        work.lost_leases += 1
    if work.lost_leases >= LOST_LEASES_MAX:
        kind._default_manager.filter(pk=work_id).update(
            status=Work.Status.QUARANTINED,
            lost_leases=work.lost_leases,
            lease_until=None,
            finished_at=Now(),
            error_code="poison",
            error_message=f"{LOST_LEASES_MAX} workers died on this; it was taken out of the queue.",
        )
        if on_poison is not None:
            on_poison(work)
        return None
    status = Work.Status.LEASED if work.status == Work.Status.QUEUED else work.status
    kind._default_manager.filter(pk=work_id).update(
        status=status,
        attempt=F("attempt") + 1,
        lost_leases=work.lost_leases,
        lease_until=lease_end(),
        started_at=Coalesce("started_at", Now()),
    )
    work.refresh_from_db()
    return work


def write(work: Work, **fields: Any) -> None:
    """Change the row in the name of this attempt, or raise `LeaseLost`."""
    rows = type(work)._default_manager.filter(
        pk=work.pk, attempt=work.attempt, status__in=Work.OPEN
    )
    if rows.update(**fields) != 1:
        raise LeaseLost(f"{work} is no longer held by attempt {work.attempt}.")


def renew(work: Work) -> None:
    """Say that this attempt is alive."""
    write(work, status=Work.Status.RUNNING, lease_until=lease_end())


def fail(work: Work, *, code: str, message: str) -> None:
    """End the work by its own fault; it will not be tried again."""
    write(
        work,
        status=Work.Status.FAILED,
        lease_until=None,
        finished_at=Now(),
        error_code=code,
        error_message=message,
    )
