"""What a node computes for a round: first weights, local steps, the average, a re-execution.

Each is a function of bytes that are named by their SHA-256 and of numbers in the rows, so whoever
computes it, whenever and however often, comes to the same file. A file carries the hashes of what
it was made from: from the final model one can walk back to the first weights.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import structlog
from django.db import transaction
from django.db.models.functions import Now
from numpy.typing import NDArray

from clusters.models import Contribution, Node, Round
from clusters.runner import rounds
from kernels import modelfile
from kernels.trainer import Trainer
from training import services as training
from training.models import Work

Float = NDArray[np.float32]

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came out: the model file, and what was measured on the way."""

    content: bytes
    received_bytes: int = 0
    loss: float | None = None
    accuracy: float | None = None


def contribute(contribution_id: str) -> None:
    """Do this contribution, if it is to be had."""
    work = training.claim(Contribution, contribution_id)
    if work is None:
        end_if_poisoned(contribution_id)
        return
    if work.round.session.job.is_over:
        end_round(work)
        return
    started_at = time.monotonic()
    try:
        with training.noted(work):
            found = DO[Contribution.Kind(work.kind)](work)
            submit(work, found, compute_seconds=time.monotonic() - started_at)
    except training.LeaseLost as lost:
        # Somebody else has it, or the job was cancelled: what we computed counts for nothing.
        log.info("contribution_dropped", contribution=work.pk, reason=str(lost))
        end_round(work)
    except training.FAULTS as error:
        end_round(work, code=training.fault_code(error), message=str(error))


def submit(work: Contribution, found: Found, *, compute_seconds: float) -> None:
    """Store what was made, record it in the name of this attempt, and move the round on."""
    is_check = work.kind == Contribution.Kind.VERIFY
    sha256 = hashlib.sha256(found.content).hexdigest()
    sent_bytes = len(found.content) if work.kind == Contribution.Kind.TRAIN else 0
    results = {
        "sha256": sha256,
        "loss": found.loss,
        "accuracy": found.accuracy,
        "compute_seconds": compute_seconds,
        "received_bytes": found.received_bytes,
        "sent_bytes": sent_bytes,
    }
    with transaction.atomic():
        round = rounds.locked(work.round_id)
        if not is_check:  # a validator only says what it came to
            training.lock_blob(sha256)  # an older round may be forgetting the same bytes
            training.store_blob(found.content)
        training.write(
            work, status=Work.Status.DONE, lease_until=None, finished_at=Now(), **results
        )
        work.refresh_from_db()
        seen: dict[str, Any] = {"heartbeat_at": Now(), "latency_seconds": compute_seconds}
        if work.kind == Contribution.Kind.TRAIN:
            seen["steps_per_second"] = round.session.local_steps / max(compute_seconds, 1e-9)
            seen["accuracy"] = found.accuracy
        Node.objects.filter(pk=work.node_id).update(**seen)
        rounds.advance(round, work)


@transaction.atomic
def end_round(work: Contribution, *, code: str = "", message: str = "") -> None:
    """End the round of a job that is over, or that this fault makes impossible."""
    round = rounds.locked(work.round_id)
    if round.is_over:
        return
    if round.session.job.is_over:
        rounds.abort(round)
    elif code:
        rounds.fail(round, code=code, message=message)


def end_if_poisoned(contribution_id: str) -> None:
    poisoned = Contribution.objects.filter(
        pk=contribution_id, status=Work.Status.QUARANTINED
    ).first()
    if poisoned is not None:
        end_round(poisoned, code=poisoned.error_code, message=poisoned.error_message)


def end_poisoned() -> None:
    """End the rounds of contributions that a worker quarantined and died before it ended them."""
    poisoned = Contribution.objects.filter(status=Work.Status.QUARANTINED)
    for contribution in poisoned.exclude(round__state__in=Round.OVER):
        end_round(contribution, code=contribution.error_code, message=contribution.error_message)


# What is computed


def begin(work: Contribution) -> Found:
    """The first weights, drawn by the job's seed, with the standardisation of all training rows."""
    run = trainer(work, seed=work.round.session.job.seed)
    return Found(content=export(work, run, {"step": 0}))


def train(work: Contribution) -> Found:
    return local_steps(work, shard=work.part)


def verify(work: Contribution) -> Found:
    """The same computation as the node was asked for; honest work has the same bytes."""
    assert work.subject is not None
    return local_steps(work, shard=work.subject.part)


def local_steps(work: Contribution, *, shard: int) -> Found:
    """H steps of one shard from the committed state, the optimiser's moments starting at zero."""
    round, session = work.round, work.round.session
    base = training.load_blob(round.base_sha256)
    run = trainer(work, seed=local_seed(session.job.seed, round.number, shard), shard=shard)
    run.adopt(modelfile.load(base))
    metrics = list(run.run(steps=session.local_steps, on_progress=heartbeat(work)))
    made_from = {"base": round.base_sha256, "round": round.number, "shard": shard}
    return Found(
        content=export(work, run, made_from),
        received_bytes=len(base),
        loss=metrics[-1].train_loss,
        accuracy=metrics[-1].train_metric,
    )


def local_seed(seed: int, round: int, shard: int) -> int:
    """Other draws in every round and shard: 64 bits of SHA-256."""
    digest = hashlib.sha256(f"{seed}/{round}/{shard}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def average(work: Contribution) -> Found:
    """The mean of what was accepted: federated averaging (McMahan et al. 2017), equal shards."""
    round, session = work.round, work.round.session
    beat = heartbeat(work)
    parts = rounds.accepted(round)
    states = []
    for part in parts:
        states.append(modelfile.load(training.load_blob(part.sha256)).weights)
        beat(part.part)
    weights = mean(states)
    run = trainer(work, seed=session.job.seed)
    base = modelfile.load(training.load_blob(round.base_sha256))
    run.adopt(replace(base, arrays={**base.arrays, **weights}))
    loss, accuracy = run.validate()
    made_from = {
        "base": round.base_sha256,
        "mean_of": [part.sha256 for part in parts],
        "round": round.number,
        "step": round.number * session.local_steps,
    }
    return Found(content=export(work, run, made_from), loss=loss, accuracy=accuracy)


def mean(states: Sequence[Mapping[str, Float]]) -> dict[str, Float]:
    """The mean of each array: a float64 sum in the given order, divided, rounded to float32."""
    found: dict[str, Float] = {}
    for name in states[0]:
        total = np.zeros(states[0][name].shape, np.float64)
        for state in states:
            total += state[name]
        found[name] = (total / len(states)).astype(np.float32)
    return found


def trainer(work: Contribution, *, seed: int, shard: int | None = None) -> Trainer:
    session = work.round.session
    variant: Literal["simd", "scalar"] = "simd" if session.cluster.wasm_optimization else "scalar"
    return training.node_trainer(
        job=session.job, seed=seed, shard=shard, shards=session.shards, variant=variant
    )


def export(work: Contribution, run: Trainer, made_from: Mapping[str, Any]) -> bytes:
    job = work.round.session.job
    origin = training.model_origin(job=job) | dict(made_from)
    return run.export(training.model_signature(job=job), origin)


def heartbeat(work: Contribution) -> Callable[[int], bool]:
    """Keeps the lease, and shows that the node is alive."""
    node = Node.objects.filter(pk=work.node_id)
    return training.heartbeat(work, on_renewal=lambda: node.update(heartbeat_at=Now()))


DO: dict[Contribution.Kind, Callable[[Contribution], Found]] = {
    Contribution.Kind.BEGIN: begin,
    Contribution.Kind.TRAIN: train,
    Contribution.Kind.AVERAGE: average,
    Contribution.Kind.VERIFY: verify,
}
