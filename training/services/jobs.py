"""Jobs: submit, cancel, and see what they take of their tier."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from training.models import Checkpoint, Dataset, Event, Job, Model, Tier
from training.runner.beginnings import beginning_at
from training.runner.hints import hint
from training.runner.placing import place_job, withdraw_job
from training.runner.quotes import quote_job
from training.runner.sweeps import retention
from training.runner.tiers import TIERS
from training.services.finetuning import further_name, inherited, refuse_stranger, said


class JobIsOver(Refusal):
    """It ended meanwhile; there is nothing to cancel."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a job takes, and the most that its tier allows."""

    used: float
    most: float

    @property
    def is_within(self) -> bool:
        return 0 < self.used <= self.most


@transaction.atomic
def submit_job(
    *,
    owner: User,
    dataset: Dataset,
    config: Mapping[str, Any],
    tier: Tier,
    seed: int = 0,
    name: str = "",
    parent: Model | Checkpoint | None = None,
) -> Job:
    """Queue a job and hold what it may cost at most.

    With a parent, a model or a checkpoint of a job that is over, it begins from those weights where
    names and shapes agree, and from that standardisation of the input; all other weights are drawn
    anew, and the job's log lists them. The optimiser begins anew.
    """
    if parent is not None:
        refuse_stranger(owner, parent)
    quote = quote_job(dataset=dataset, config=config, tier=tier)
    found = None if parent is None else inherited(parent, dataset, config)
    job = place_job(
        owner=owner,
        dataset=dataset,
        quote=quote,
        seed=seed,
        name=name if name or parent is None else further_name(parent),
        steps=quote.steps,
        start=beginning_at(parent),
    )
    if parent is not None and found is not None:
        Event.objects.create(job=job, message=said(parent, found))
    hint("training.tasks.run_job", job_id=str(job.pk))
    return job


@transaction.atomic
def cancel_job(*, actor: User, job: Job) -> Job:
    """Stop a job; finished chunks stay paid, the rest of the hold goes back at once."""
    why = "Cancelled; what was not used goes back to the wallet."
    if job.owner_id != actor.pk or not withdraw_job(job, why=why):
        raise JobIsOver("This job is already over; there is nothing to cancel.")
    governance.record(actor=actor, verb="cancel_job", subject=job)
    return job


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A checkpoint that a job may begin from, and until when that is."""

    checkpoint: Checkpoint
    until: datetime


def kept_checkpoints(*, job: Job) -> list[Kept]:
    """What is still kept of a job that is over, the newest first; nothing while it trains."""
    if job.finished_at is None:
        return []
    until = job.finished_at + retention()
    return [
        Kept(checkpoint=each, until=until)
        for each in Checkpoint.objects.filter(job=job).select_related("job")
    ]


def tier_use(*, job: Job) -> dict[str, Use]:
    """What a job took of its tier, by the names of what is bounded: weights, bytes of memory,
    floating-point operations, seconds of compute.
    """
    limits = TIERS[Tier(job.tier)]
    used = {
        "parameters": job.parameters,
        "memory_bytes": job.memory_bytes,
        "flops": job.flops,
        "compute_seconds": job.compute_seconds,
    }
    return {name: Use(used=value, most=getattr(limits, name)) for name, value in used.items()}
