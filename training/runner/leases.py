"""Claiming work so that one worker does it, and a dead one's work is done by another.

A claim takes a free row under its lock, by the database's clock. It raises `attempt`, and every
later write names the attempt it belongs to: a worker that was thought dead and wakes up changes
nothing.

To be alive is not enough. A worker that renews its lease and gets no further for
`TRAINING_STALL_SECONDS` is taken for stalled as if it had fallen silent, and its next beat ends it.
"""

import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from training.models import Work

log = structlog.get_logger()
LOST_LEASES_MAX = 5
RENEW_SECONDS = 1.0

AnyWork = TypeVar("AnyWork", bound=Work)


class LeaseLost(Exception):
    """Another worker has this work now, or a person ended it."""


class WorkFault(Exception):
    """What makes this work impossible: trying again would end the same way."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def lease_end() -> models.Expression:
    length = timedelta(seconds=settings.TRAINING_LEASE_SECONDS)
    return Now() + models.Value(length, output_field=models.DurationField())


def claimable() -> Q:
    """Open work that nobody holds, or whose holder is stalled."""
    return Q(status__in=Work.OPEN) & (Q(lease_until=None) | stalled())


def stalled() -> Q:
    """Open work whose holder has not been heard of in time, or got no further for long."""
    limit = timedelta(seconds=settings.TRAINING_STALL_SECONDS)
    long_ago = Now() - models.Value(limit, output_field=models.DurationField())
    is_still = Q(lease_until__isnull=False, progressed_at__lt=long_ago)
    return Q(status__in=Work.OPEN) & (Q(lease_until__lt=Now()) | is_still)


@transaction.atomic
def claim(
    kind: type[AnyWork], work_id: str, *, on_poison: Callable[[AnyWork], None] | None = None
) -> AnyWork | None:
    """Take this work, or return None when it is not to be had.

    The fifth lost lease ends it; `on_poison` then says, in the same transaction, what goes back.
    """
    work = locked(kind, claimable(), work_id)
    if work is None or (work.lease_until is not None and lose(work, on_poison=on_poison)):
        return None
    status = Work.Status.LEASED if work.status == Work.Status.QUEUED else work.status
    kind._default_manager.filter(pk=work_id).update(
        status=status,
        attempt=F("attempt") + 1,
        error_message="",
        lease_until=lease_end(),
        progressed_at=Now(),
        started_at=Coalesce("started_at", Now()),
    )
    work.refresh_from_db()
    return work


def locked(kind: type[AnyWork], which: Q, work_id: str) -> AnyWork | None:
    """The row under its lock, unless it is not such a one, or somebody else looks at it."""
    rows = kind._default_manager.filter(which, pk=work_id)
    return rows.select_for_update(skip_locked=True).first()


def lose(work: AnyWork, *, on_poison: Callable[[AnyWork], None] | None = None) -> bool:
    """Count a lease whose holder is stalled, and free the row, which the caller has locked.

    True where it was the last that was to be had: the work is then over.
    """
    work.lost_leases += 1
    rows = type(work)._default_manager.filter(pk=work.pk)
    # The next sweep hints it at once.
    rows.update(lost_leases=work.lost_leases, lease_until=None, hinted_at=None)
    if work.lost_leases < LOST_LEASES_MAX:
        return False
    rows.update(
        status=Work.Status.QUARANTINED,
        finished_at=Now(),
        error_code="poison",
        error_message=last_words(work),
    )
    if on_poison is not None:
        on_poison(work)
    return True


def do(
    kind: type[AnyWork],
    work_id: str,
    act: Callable[[AnyWork], object],
    *,
    on_poison: Callable[[AnyWork], None] | None = None,
) -> bool:
    """Claim this work and do it; False where it is not to be had. What another took over meanwhile,
    or a person ended, counts for nothing.
    """
    work = claim(kind, work_id, on_poison=on_poison)
    if work is None:
        return False
    try:
        with noted(work):
            act(work)
    except LeaseLost as lost:
        log.info("work_dropped", kind=kind.__name__, work=work_id, reason=str(lost))
    return True


@transaction.atomic
def release(
    kind: type[AnyWork],
    work_id: str,
    *,
    on_poison: Callable[[AnyWork], None] | None = None,
    on_release: Callable[[AnyWork], None] | None = None,
) -> None:
    """Free work whose holder is stalled, before anybody asks for it; see `lose`. Should that holder
    still beat, it learns that the attempt is over.
    """
    work = locked(kind, stalled(), work_id)
    if work is None:
        return
    rows = kind._default_manager.filter(pk=work_id)
    rows.filter(lease_until__gt=Now()).update(attempt=F("attempt") + 1)
    if not lose(work, on_poison=on_poison) and on_release is not None:
        on_release(work)


def last_words(work: Work) -> str:
    """Why work is taken out of the queue, from what its last attempt left behind."""
    how = work.error_message or "In the last one the worker died or stood still without a word."
    return f"{LOST_LEASES_MAX} attempts came to no end. {how} It was taken out of the queue."


@contextmanager
def noted(work: Work) -> Iterator[None]:
    """Inside, a fault of ours goes to the log before it goes on its way, and the row says where:
    should no attempt come further, its owner has a number to ask about. What it says is ours to
    read; it may name hosts, paths and queries.
    """
    try:
        yield
    except LeaseLost:
        raise
    except Exception:
        number = work.request_id or str(work.pk)
        log.exception("work_failed", kind=type(work).__name__, work=str(work.pk), request=number)
        write(work, error_message=f"Something went wrong on our side; our log has it as {number}.")
        raise


def write(work: Work, **fields: Any) -> None:
    """Change the row in the name of this attempt, or raise `LeaseLost`."""
    rows = type(work)._default_manager.filter(
        pk=work.pk, attempt=work.attempt, status__in=Work.OPEN
    )
    if rows.update(**fields) != 1:
        raise LeaseLost(f"{work} is no longer held by attempt {work.attempt}.")


def renew(work: Work) -> None:
    """Say that this attempt got on."""
    write(work, status=Work.Status.RUNNING, lease_until=lease_end(), progressed_at=Now())


def wait(work: Work) -> None:
    """Say that this attempt is alive and waits; for the stall limit at most."""
    write(work, status=Work.Status.RUNNING, lease_until=lease_end())


def heartbeat(
    work: Work, *, on_renewal: Callable[[], object] | None = None
) -> Callable[[int], bool]:
    """To be called often, with the step it is at: renews the lease about once a second, and says
    yes, go on. Only a step that differs from the last one is progress.

    Raises `LeaseLost` when the work is no longer ours.
    """
    renewed_at, last, got_on = time.monotonic(), -1, False

    def beat(step: int) -> bool:
        nonlocal renewed_at, last, got_on
        got_on, last = got_on or step != last, step
        if time.monotonic() - renewed_at >= RENEW_SECONDS:
            (renew if got_on else wait)(work)
            if on_renewal is not None:
                on_renewal()
            renewed_at, got_on = time.monotonic(), False
        return True

    return beat


def heartbeat_of_parts(work: Work) -> Callable[[int], bool]:
    """The same for work in parts, each of which is progress whatever number it has."""
    beat, parts = heartbeat(work), itertools.count()
    return lambda part: beat(next(parts))


def fault_code(error: Exception) -> str:
    """`OutOfMemory` as `out_of_memory`; a fault of the work itself has a code of its own."""
    if isinstance(error, WorkFault):
        return error.code
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


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
