"""Jobs that several nodes train in rounds: what whoever leads the rounds needs of a job.

The leader divides the work (`divide`), submits the job, gives each node its sandbox
(`node_trainer`), reports every round (`advance_job`) and hands in the last (`finish_job`). How
rounds come about is the leader's matter. Rows, price, tiers, curves and the model are those of
every other job, so the result is a model like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models.functions import Now
from numpy.typing import NDArray

from governance.models import User
from kernels import philox, programs
from kernels.build import Variant
from kernels.config import ConfigError, NetworkConfig
from kernels.data import Target
from kernels.fields import Problem
from kernels.modelfile import Signature
from kernels.patterns import EPOCH_ENDS
from kernels.settings import Schedule
from kernels.trainer import EpochMetrics, Trainer
from training.models import Dataset, Event, Job, Model, Tier, Work
from training.runner import chunks, learners, leases, signatures
from training.runner.environments import is_environment
from training.runner.placing import place_job
from training.runner.quotes import InvalidConfig, faults_named, parse_config, quote_job
from training.runner.rows import Part, Rows
from training.runner.tiers import TIERS, too_long

FAULTS = chunks.FAULTS


@dataclass(frozen=True, kw_only=True)
class Division:
    """How a job is cut: in each of `rounds`, each of `shards` is trained for `local_steps`."""

    shards: int
    local_steps: int
    rounds: int

    @property
    def steps(self) -> int:
        return self.shards * self.local_steps * self.rounds


def divide(
    *, dataset: Dataset, config: Mapping[str, Any], shards: int, local_epochs: int
) -> Division:
    """Cut a job into shards of ⌊rows / shards⌋ rows, and rounds of `local_epochs` over them."""
    network = parse_config(config, dataset)
    if is_environment(dataset):
        raise InvalidConfig(
            "dataset: what is played cannot be cut into shards; train on one machine instead."
        )
    refuse_memory(network)
    refuse_kind(network)
    if not 1 <= local_epochs <= network.training.epochs or network.training.epochs % local_epochs:
        raise InvalidConfig(
            f"local_epochs: {local_epochs} does not divide the {network.training.epochs} epochs; "
            "each round is that many passes over a shard."
        )
    rows = dataset.train_rows // shards
    if not rows:
        raise InvalidConfig(
            f"nodes: {shards} workers are more than the {dataset.train_rows} training rows."
        )
    return Division(
        shards=shards,
        local_steps=local_epochs * programs.steps_per_epoch(network, rows),
        rounds=network.training.epochs // local_epochs,
    )


def refuse_memory(network: NetworkConfig) -> None:
    """Rounds begin anew at the average of all nodes, so nothing may be remembered over epochs."""
    training, divergent = network.training, network.divergent
    remembered = {
        "training.schedule": training.schedule != Schedule(),
        "training.patience": bool(training.patience),
        "training.dynamic_batch": training.dynamic_batch > 1,
        "divergent.pattern": divergent is not None and divergent.pattern in EPOCH_ENDS,
    }
    reason = "hangs on the epochs before, and each round of a cluster begins anew; leave it out"
    found = [Problem(path, reason) for path, holds in remembered.items() if holds]
    if found:
        with faults_named():
            raise ConfigError(found)


def refuse_kind(network: NetworkConfig) -> None:
    """Nodes answer by the mean of their probabilities, so what they train must name a class."""
    kind, target = network.architecture.kind, network.data.target
    found = []
    if kind in ("gan", "autoencoder"):
        reason = f"a cluster merges answers that are classes, and '{kind}' names none"
        found = [Problem("architecture.type", f"{reason}; train it on one machine")]
    elif target is not Target.CLASSES:
        reason = f"a cluster merges answers that are classes, and this dataset asks for {target}"
        found = [Problem("dataset", f"{reason}; train it on one machine")]
    if found:
        with faults_named():
            raise ConfigError(found)


@transaction.atomic
def submit_distributed_job(
    *,
    owner: User,
    dataset: Dataset,
    config: Mapping[str, Any],
    tier: Tier,
    division: Division,
    seed: int = 0,
    name: str = "",
) -> Job:
    """A job whose rounds the caller leads. It costs what the same epochs cost on one machine."""
    quote = quote_job(dataset=dataset, config=config, tier=tier)
    return place_job(
        owner=owner,
        dataset=dataset,
        quote=quote,
        seed=seed,
        name=name,
        steps=division.steps,
        is_distributed=True,
    )


def shard_rows(train: Rows, *, seed: int, shard: int, shards: int) -> Rows:
    """The rows of one shard: they are shuffled by the seed, then cut into equal pieces.

    Equal, so that all nodes take as many steps; the fewer than `shards` rows left over are not
    used. The order is that of Philox words (a stable sort), not of a library that may change.
    """
    words = philox.words24(philox.stream(seed, philox.Purpose.SHUFFLE), 0, len(train))
    order: NDArray[np.intp] = np.argsort(words, kind="stable")
    size = len(train) // shards
    chosen = order[shard * size : (shard + 1) * size]
    return train.take(chosen)


def node_trainer(
    *, job: Job, seed: int, shard: int | None, shards: int, variant: Variant = "simd"
) -> Trainer:
    """A fresh run in a sandbox of the job's tier, on one shard, or on all rows without one.

    Raises one of FAULTS.
    """
    rows = learners.rows_of(job)
    train = rows.only(Part.TRAIN)
    if shard is not None:
        train = shard_rows(train, seed=job.seed, shard=shard, shards=shards)
    module = learners.current_module(job, variant)
    return learners.make_trainer(job, train, rows, seed=seed, module=module)


def model_signature(*, job: Job) -> Signature:
    return signatures.signature_of(job)


def model_origin(*, job: Job) -> dict[str, Any]:
    return signatures.origin_of(job.dataset)


def begin_job(*, job: Job) -> None:
    """From now on all nodes must compute on this worker's kernel. LeaseLost where it is over."""
    kernel_hash = learners.current_module(job).kernel_hash
    leases.write(job, status=Work.Status.RUNNING, started_at=Now(), kernel_hash=kernel_hash)
    Event.objects.create(job=job, message=f"Started on kernel {kernel_hash[:12]}.")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far all nodes together are. Steps whose work was thrown away are done but not paid."""

    steps: int
    paid_steps: int
    compute_seconds: float
    point: EpochMetrics


@transaction.atomic
def advance_job(*, job: Job, progress: Progress) -> None:
    """Record and charge a round that is not the last. Raises LeaseLost where the job is over."""
    allowed = TIERS[Tier(job.tier)].compute_seconds
    if progress.compute_seconds > allowed:
        raise leases.WorkFault("compute_limit", too_long(Tier(job.tier)))
    leases.write(
        job,
        steps_done=progress.steps,
        compute_seconds=progress.compute_seconds,
        cost_microcredits=chunks.cost_microcredits(job, step=progress.paid_steps),
    )
    chunks.charge(job, step=progress.paid_steps)
    chunks.record_points(job, [progress.point])


def finish_job(*, job: Job, progress: Progress, content: bytes) -> Model:
    """The last round: `content` is the model file. Raises LeaseLost where the job is over."""
    return chunks.complete(
        job,
        content,
        step=progress.steps,
        paid_steps=progress.paid_steps,
        points=[progress.point],
        seconds=progress.compute_seconds,
    )


def fail_job(*, job: Job, code: str, message: str) -> None:
    """End a job by its own fault; committed rounds stay paid. Raises LeaseLost where it is over."""
    chunks.give_up(job, code=code, message=message)
