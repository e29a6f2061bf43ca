"""Jobs: quote, submit, cancel."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction
from django.db.models.functions import Now

from billing import services as billing
from governance import services as governance
from governance.models import User
from governance.services import Refusal
from kernels import config as kernel_config
from kernels import estimate as kernel_estimate
from kernels.fields import Problem
from kernels.limits import OutOfMemory
from training.models import Dataset, Event, Job, Tier, Work
from training.runner import tiers
from training.runner.hints import hint
from training.services.datasets import NotReady

CLASSIFIERS = ("feedforward", "lstm", "transformer")
SEED_MAX = 2**63 - 1
# A configuration that trains well on each bundled dataset, to start from.
PRESETS: dict[str, dict[str, Any]] = {
    "digits": {
        "architecture": {
            "type": "feedforward",
            "layers": [
                {"type": "input", "params": {"size": 64}},
                {"type": "hidden", "params": {"size": 128, "activation": "relu"}},
                {"type": "dropout", "params": {"rate": 0.2}},
                {"type": "output", "params": {"size": 10, "activation": "softmax"}},
            ],
        },
        "training": {"epochs": 60, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"},
        "divergent": {"enabled": False, "pattern": "lateral", "factor": 0.3},
    }
}


class InvalidConfig(Refusal):
    """The configuration makes no sense; each entry names the path and the reason."""

    status = 422


class JobIsOver(Refusal):
    """It ended meanwhile; there is nothing to cancel."""


class TierTooSmall(Refusal):
    """The job does not fit its tier; says which it would fit."""

    status = 422


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What a job will be and cost at most, before it runs."""

    config: dict[str, Any]
    tier: Tier
    parameters: int
    epochs: int
    steps: int
    flops: int
    memory_bytes: int
    microcredits: int

    @property
    def credits(self) -> str:
        return billing.credits(self.microcredits)


@contextmanager
def faults_named() -> Iterator[None]:
    """Turns what the kernels say of a configuration into a refusal that names each path."""
    try:
        yield
    except kernel_config.ConfigError as error:
        raise InvalidConfig(
            str(error),
            invalid_parameters=[
                {"field": problem.path, "reason": problem.reason} for problem in error.problems
            ],
        ) from error


def parse_config(raw: object, dataset: Dataset) -> kernel_config.NetworkConfig:
    with faults_named():
        network = kernel_config.parse(raw, dataset.data_shape)
        if network.architecture.kind not in CLASSIFIERS:
            reason = (
                f"'{network.architecture.kind}' makes no classifier, and only those can be "
                f"measured here; take {', '.join(CLASSIFIERS)}"
            )
            raise kernel_config.ConfigError([Problem("architecture.type", reason)])
    return network


def quote_job(*, dataset: Dataset, config: Mapping[str, Any], tier: Tier) -> Quote:
    """Price a job from the arithmetic of its tape, or refuse a config or tier that cannot be."""
    if dataset.status != Work.Status.DONE:
        raise NotReady(f"The dataset “{dataset.name}” is still being prepared; try again shortly.")
    network = parse_config(config, dataset)
    with faults_named():
        estimate = kernel_estimate.estimate(
            network, rows=dataset.train_rows, validation_rows=dataset.validation_rows
        )
    flops = estimate.flops
    needs = {
        "parameters": estimate.parameters,
        "memory_bytes": estimate.memory_bytes,
        "flops": flops,
    }
    fits = tiers.smallest_tier(**needs)
    limits = tiers.TIERS[tier]
    beyond = [name for name, needed in needs.items() if needed > getattr(limits, name)]
    if beyond:
        wanted = f"choose {fits.value}" if fits else "no tier is large enough"
        if beyond == ["memory_bytes"]:
            wanted += smaller_batch(network, dataset, limits.memory_bytes)
        raise TierTooSmall(
            f"tier: {tier.value} allows {limits.parameters:,} parameters, "
            f"{limits.memory_bytes / 2**20:,.0f} MB of memory and {limits.flops / 1e9:,.0f} GFLOP; "
            f"this job has {estimate.parameters:,}, {estimate.memory_bytes / 2**20:,.1f} MB and "
            f"{flops / 1e9:,.1f}; {wanted}."
        )
    return Quote(
        config=dict(config),
        tier=tier,
        parameters=estimate.parameters,
        epochs=network.training.epochs,
        steps=estimate.steps,
        flops=flops,
        memory_bytes=estimate.memory_bytes,
        microcredits=tiers.price_microcredits(tier, flops=flops),
    )


def smaller_batch(network: kernel_config.NetworkConfig, dataset: Dataset, memory: int) -> str:
    """The batch that would fit, where any does."""
    try:
        fitted = kernel_estimate.fitted(
            network,
            rows=dataset.train_rows,
            validation_rows=dataset.validation_rows,
            memory_bytes=memory,
        )
    except OutOfMemory:
        return ""
    return f", or take training.batch_size {fitted.training.batch_size}"


@transaction.atomic
def submit_job(
    *,
    owner: User,
    dataset: Dataset,
    config: Mapping[str, Any],
    tier: Tier,
    seed: int = 0,
    name: str = "",
) -> Job:
    """Queue a job and hold what it may cost at most."""
    quote = quote_job(dataset=dataset, config=config, tier=tier)
    job = place_job(
        owner=owner, dataset=dataset, quote=quote, seed=seed, name=name, steps=quote.steps
    )
    hint("training.tasks.run_job", job_id=str(job.pk))
    return job


def place_job(
    *,
    owner: User,
    dataset: Dataset,
    quote: Quote,
    seed: int,
    name: str,
    steps: int,
    is_distributed: bool = False,
) -> Job:
    """The row and its hold, in the caller's transaction; nobody is told to work on it."""
    if not 0 <= seed <= SEED_MAX:
        raise InvalidConfig(f"seed: {seed} is not between 0 and {SEED_MAX}.")
    if not name.isprintable():
        raise InvalidConfig("name: must be text that people can see, in one line.")
    if dataset.owner_id not in (None, owner.pk):
        raise governance.NotAllowed(f"The dataset “{dataset.name}” is not yours to train on.")
    job = Job.objects.create(
        owner=owner,
        dataset=dataset,
        name=name or f"{dataset.name}, {quote.parameters:,} parameters",
        config=quote.config,
        tier=quote.tier,
        seed=seed,
        is_distributed=is_distributed,
        parameters=quote.parameters,
        epochs=quote.epochs,
        steps_total=steps,
        quote_microcredits=quote.microcredits,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )
    job.hold = billing.hold(
        owner=owner,
        amount_microcredits=quote.microcredits,
        key=f"job/{job.pk}",
        reason=f"Training “{job.name}”",
    )
    job.save(update_fields=["hold"])
    governance.record(
        actor=owner, verb="submit_job", subject=job, details={"quote": quote.microcredits}
    )
    Event.objects.create(job=job, message=f"Queued; at most {quote.credits} credits are held.")
    return job


@transaction.atomic
def cancel_job(*, actor: User, job: Job) -> Job:
    """Stop a job; finished chunks stay paid, the rest of the hold goes back at once."""
    cancelled = (
        Job.objects.of(actor)
        .filter(pk=job.pk, status__in=Work.OPEN)
        .update(status=Work.Status.CANCELLED, lease_until=None, finished_at=Now())
    )
    if not cancelled:
        raise JobIsOver("This job is already over; there is nothing to cancel.")
    job.refresh_from_db()
    if job.hold is not None:
        billing.release(hold=job.hold)
    governance.record(actor=actor, verb="cancel_job", subject=job)
    Event.objects.create(job=job, message="Cancelled; what was not used goes back to the wallet.")
    return job
