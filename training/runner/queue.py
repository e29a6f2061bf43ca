"""Whose turn it is. A hint only says that there is work; who is first in line gets the worker.

In line stand the jobs that nobody works on, those that wait to begin and those between two chunks
alike. People take turns, whoever was served longest ago first, so that a person with many jobs
delays nobody more than a person with one; of one person's jobs the one that waited longest goes
first. A higher priority is a head start of `HEAD_START` each: it goes first among those who wait
about as long, and starves nobody, since whoever waits long enough overtakes it.

A person has only so many jobs running at once (`training.runner.plans`). The further ones are held
back: they are not in line at all. A job takes the place of who pays for it, which is its owner but
where somebody has another's model made again.

`places` says of one job, in SQL, where it stands in this line: what is changed here is changed
there, or `tests/training/test_queue.py` finds a queue in which they differ.
"""

import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F, Max, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest, Now

from governance import services as governance
from training.models import Job, Trial, Work
from training.runner.hints import hint
from training.runner.leases import claimable
from training.runner.plans import plan_of, plans_of

HEAD_START = timedelta(seconds=10)
REMEMBERED = timedelta(hours=1)
RUNNING = (Work.Status.LEASED, Work.Status.RUNNING)


class Waiting(NamedTuple):
    """A job that nobody works on; `since` is when it was submitted, or its last chunk ended."""

    id: uuid.UUID
    payer_id: uuid.UUID
    status: str
    priority: int
    created_at: datetime
    since: datetime


def undivided() -> QuerySet[Job]:
    """Rounds of a cluster are led elsewhere."""
    return Job.objects.filter(is_distributed=False)


def waiting() -> list[Waiting]:
    """All that nobody works on, first in line first."""
    since = Coalesce(Max("checkpoints__created_at"), F("created_at"))
    rows = undivided().filter(claimable()).annotate(since=since).order_by()
    fields = ("pk", "payer_id", "status", "priority", "created_at", "since")
    found = [Waiting(*row) for row in rows.values_list(*fields)]
    served = served_at({row.payer_id for row in found})

    def turn(row: Waiting) -> tuple[datetime, datetime, datetime, uuid.UUID]:
        waits_since = max(row.created_at, served.get(row.payer_id, row.created_at))
        return waits_since - row.priority * HEAD_START, row.since, row.created_at, row.id

    return sorted(found, key=turn)


def served_at(payer_ids: set[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    """When a worker last did something for each of these people, as far as it still matters."""
    lately = Q(status__in=RUNNING) | Q(finished_at__gt=Now() - Value(REMEMBERED))
    rows = undivided().filter(lately, payer__in=payer_ids).order_by().values_list("payer_id")
    last = rows.annotate(
        last=Greatest(Max("started_at"), Max("finished_at"), Max("checkpoints__created_at"))
    )
    return {payer_id: at for payer_id, at in last if at is not None}


def running(payer_ids: set[uuid.UUID]) -> Counter[uuid.UUID]:
    """How many jobs of each of these people have begun and are not over."""
    rows = undivided().filter(payer__in=payer_ids, status__in=RUNNING)
    return Counter(rows.order_by().values_list("payer_id", flat=True))


def line() -> list[uuid.UUID]:
    """The jobs that may be worked on now, in the order in which they come."""
    found = waiting()
    payers = {row.payer_id for row in found}
    plans, begun = plans_of(payers), running(payers)
    allowed = []
    for row in found:
        if row.status == Work.Status.QUEUED:
            if begun[row.payer_id] >= plans[row.payer_id].running_jobs:
                continue
            begun[row.payer_id] += 1
        allowed.append(row.id)
    return allowed


def take_turn(job_id: str) -> bool:
    """Whether this job may be claimed now; in the transaction that claims it, so that two workers
    do not both take a person's last place.
    """
    payer = undivided().filter(pk=job_id, status=Work.Status.QUEUED).values_list("payer", flat=True)
    for payer_id in payer:
        governance.take_turn(f"running jobs of {payer_id}")
        return running({payer_id})[payer_id] < plan_of(payer_id).running_jobs
    return True


def after_end(job: Job) -> None:
    """What waited for the end of this job is woken: its payer's next one, and its search."""
    held = undivided().filter(payer=job.payer_id, status=Work.Status.QUEUED).order_by("created_at")
    for job_id in held.values_list("pk", flat=True)[:1]:
        hint("training.tasks.run_job", job_id=str(job_id))
    for search_id in Trial.objects.filter(job=job).values_list("search", flat=True):
        hint("training.tasks.advance_search", search_id=str(search_id))
