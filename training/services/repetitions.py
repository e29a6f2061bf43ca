"""A job again: with another seed, or without what was special about it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Now

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from training.models import Job, Tier, Work
from training.runner.ancestry import refuse_leak
from training.runner.beginnings import beginning_like, origin_of
from training.runner.hints import hint
from training.runner.placing import SEED_MAX, place_job, suffixed
from training.runner.quotes import quote_job

CLICK = timedelta(seconds=5)  # two within it are one, made twice


class NothingDivergent(Refusal):
    """The job is its own baseline."""


@transaction.atomic
def retrain_job(*, owner: User, job: Job) -> Job:
    """Queue a job again with the next seed that it was not trained with yet.

    A repetition that was placed a moment ago is given again: a double click pays once.
    """
    origin = job.repeats or job
    governance.take_turn(f"repetitions of {origin.pk}")
    family = Job.objects.of(owner).filter(Q(pk=origin.pk) | Q(repeats=origin))
    alike = family.filter(repeats=origin, config=job.config, tier=job.tier).exclude(pk=job.pk)
    clicked = alike.filter(status__in=Work.OPEN, created_at__gt=Now() - Value(CLICK)).first()
    if clicked is not None:
        return clicked
    taken = set(family.values_list("seed", flat=True))
    seed = next(
        seed for seed in range(job.seed + 1, job.seed + 2 + len(taken)) if seed not in taken
    )
    seed %= SEED_MAX + 1
    name = suffixed(origin.name, f", seed {seed}")
    return repeat(owner, origin, config=job.config, seed=seed, name=name, tier=Tier(job.tier))


@transaction.atomic
def run_baseline(*, owner: User, job: Job) -> Job:
    """The same job without its divergent pattern, to see what the pattern is worth.

    One that was begun before, and did not fail, is given again.
    """
    divergent = job.config.get("divergent") or {}
    if not divergent.get("enabled"):
        raise NothingDivergent(
            f"“{job.name}” has no divergent pattern, so it is its own plain baseline; set "
            "divergent.enabled to compare."
        )
    governance.take_turn(f"repetitions of {(job.repeats or job).pk}")
    plain = dict(divergent) | {"enabled": False}
    config = dict(job.config) | {"divergent": plain}
    earlier = Job.objects.of(owner).filter(repeats=job, seed=job.seed, tier=job.tier, config=config)
    found = earlier.filter(status__in=[*Work.OPEN, Work.Status.DONE]).first()
    if found is not None:
        return found
    name = suffixed(job.name, ", plain")
    return repeat(owner, job, config=config, seed=job.seed, name=name, tier=Tier(job.tier))


def repeat(
    owner: User, origin: Job, *, config: Mapping[str, Any], seed: int, name: str, tier: Tier
) -> Job:
    source = origin_of(origin)
    if source is not None:
        refuse_leak(source, origin.dataset)
    quote = quote_job(dataset=origin.dataset, config=config, tier=tier)
    job = place_job(
        owner=owner,
        dataset=origin.dataset,
        quote=quote,
        seed=seed,
        name=name,
        steps=quote.steps,
        repeats=origin,
        start=beginning_like(origin),
    )
    hint("training.tasks.run_job", job_id=str(job.pk))
    return job
