"""One chunk of a job: claim, go on from the last checkpoint, compute, commit.

The checkpoint's bytes are stored first, under their hash. Then one transaction writes the row, the
curves and the money. A worker may die at any instruction: before that transaction the next attempt
repeats the chunk and gets the same bits; after it, the chunk is done.
"""

import time

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from billing import services as billing
from governance import services as governance
from kernels import modelfile, tensors, trainer
from kernels.checkpoints import CheckpointRefused
from kernels.config import ConfigError
from kernels.data import DataError
from kernels.limits import SandboxError
from kernels.predictor import Predictor, RowsRefused
from training.models import (
    Category,
    Checkpoint,
    Event,
    Job,
    Model,
    Point,
    Reproduction,
    Tier,
    Trial,
    Work,
)
from training.runner import (
    anomalies,
    beginnings,
    blobs,
    families,
    learners,
    leases,
    notices,
    queue,
    signatures,
    walls,
)
from training.runner.hints import hint
from training.runner.learners import Learner, current_module, store
from training.runner.placing import place_validation
from training.runner.tiers import TIERS, too_long

CHECKPOINTS_KEPT = 3
# A chunk computes for so many times what making, restoring and storing took beside its last one...
COMPUTE_PER_OVERHEAD = 4
# ...and at most so many times `TRAINING_CHUNK_SECONDS`: those who wait in line wait for its end.
CHUNK_GROWTH_MAX = 15


# What makes a job impossible: the computation is deterministic, so it would end the same way again.
FAULTS = (
    leases.WorkFault,
    ConfigError,
    SandboxError,
    trainer.NonFinite,
    DataError,
    CheckpointRefused,
    tensors.ModelRefused,
    RowsRefused,
    blobs.BlobFault,
)
# What makes a checkpoint useless: an older one, or the beginning, leads to the same bits.
UNREADABLE = (CheckpointRefused, tensors.ModelRefused, blobs.BlobFault)


def run_turn() -> None:
    """Do one chunk of the job that is first in line."""
    for job_id in queue.line():
        job = claim(str(job_id))
        if job is not None:
            do_chunk(job)
            return


@transaction.atomic
def claim(job_id: str) -> Job | None:
    """Take this job, unless its owner has as many running as their plan allows."""
    return leases.claim(Job, job_id, on_poison=bury) if queue.take_turn(job_id) else None


def do_chunk(job: Job) -> None:
    try:
        try:
            with leases.noted(job):
                train_chunk(job)
        except FAULTS as error:
            give_up(job, code=leases.fault_code(error), message=str(error))
    except leases.LeaseLost:  # cancelled, or taken over while we were stopped
        job.refresh_from_db(fields=["status"])
        how = "The worker stopped" if job.is_over else "Another worker goes on"
        lost = "what was computed since the last checkpoint counts for nothing"
        Event.objects.create(job=job, message=f"{how}; {lost}.")


def train_chunk(job: Job) -> None:
    begun_at = time.monotonic()
    run = start(job)
    started_at = time.monotonic()
    length = chunk_seconds(max(job.overhead_seconds, started_at - begun_at))
    points = list(run.run(seconds=length, on_progress=leases.heartbeat(job)))
    seconds = job.compute_seconds + time.monotonic() - started_at
    limit = TIERS[Tier(job.tier)].compute_seconds
    if not run.is_over and seconds > limit:
        raise leases.WorkFault("compute_limit", too_long(Tier(job.tier)))
    if not run.is_over:
        commit_chunk(job, run, points=points, seconds=seconds, begun_at=begun_at)
    else:
        commit_model(job, run, points=points, seconds=seconds)


def chunk_seconds(overhead_seconds: float) -> float:
    """How long to compute, where so much is to be done beside it; no bit depends on it."""
    least: float = settings.TRAINING_CHUNK_SECONDS
    return min(max(least, COMPUTE_PER_OVERHEAD * overhead_seconds), CHUNK_GROWTH_MAX * least)


def start(job: Job) -> Learner:
    """Make the learner from the job's row and put it where the newest checkpoint stands.

    What a large network takes for that is told to the lease part by part.
    """
    module = current_module(job)
    make = beginnings.learner_of(job, module)
    leases.renew(job)
    leases.write(job, kernel_hash=module.kernel_hash)
    job.kernel_hash = module.kernel_hash
    for checkpoint in job.checkpoints.all():
        run = make()
        leases.renew(job)
        try:
            content = blobs.get(checkpoint.sha256)
            leases.renew(job)
            run.restore(content)
        except UNREADABLE as error:
            give_up_checkpoint(job, checkpoint, reason=str(error))
        else:
            leases.renew(job)
            return run
    Event.objects.create(job=job, message=f"Started on kernel {module.kernel_hash[:12]}.")
    run = make()
    leases.renew(job)
    return run


@transaction.atomic
def give_up_checkpoint(job: Job, checkpoint: Checkpoint, *, reason: str) -> None:
    """Its step may then be stored again. In the name of this attempt only."""
    leases.renew(job)
    forget(checkpoint)
    message = f"The checkpoint at step {checkpoint.step} is of no use; going on from before it."
    Event.objects.create(job=job, message=f"{message} {reason}")


def record_points(job: Job, points: list[trainer.EpochMetrics]) -> None:
    """Curves are a function of the job, so a repeated chunk brings the same points again."""
    Point.objects.bulk_create(
        [
            Point(
                job=job,
                epoch=point.epoch,
                step=point.step,
                train_loss=point.train_loss,
                train_metric=point.train_metric,
                validation_loss=point.validation_loss,
                validation_metric=point.validation_metric,
                learning_rate=point.learning_rate,
            )
            for point in points
        ],
        ignore_conflicts=True,
    )


def cost_microcredits(job: Job, *, step: int) -> int:
    """The share of the quote that these steps are."""
    return job.quote_microcredits * step // job.steps_total


def charge(job: Job, *, step: int) -> None:
    """Raise what is captured to the cost of these steps. After the fence: it may be cancelled."""
    if job.hold is not None:
        cost = cost_microcredits(job, step=step)
        billing.capture(hold=job.hold, up_to_microcredits=cost, key=f"job/{job.pk}/step/{step}")


def commit_chunk(
    job: Job,
    run: Learner,
    *,
    points: list[trainer.EpochMetrics],
    seconds: float,
    begun_at: float,
) -> None:
    """`begun_at` is when the chunk was, by the monotonic clock; `seconds` the job's compute."""
    content = run.checkpoint()
    sha256 = store(job, content)
    overhead = time.monotonic() - begun_at - (seconds - job.compute_seconds)
    with transaction.atomic():
        blobs.keep(sha256, content)
        leases.write(
            job,
            lease_until=None,
            lost_leases=0,  # this work gets on; only what never does is poison
            steps_done=run.step,
            compute_seconds=seconds,
            overhead_seconds=overhead,
            cost_microcredits=cost_microcredits(job, step=run.step),
        )
        charge(job, step=run.step)
        Checkpoint.objects.create(job=job, step=run.step, sha256=sha256, size_bytes=len(content))
        record_points(job, points)
        hint("training.tasks.run_job", job_id=str(job.pk))
    forget_old_checkpoints(job)


def commit_model(
    job: Job, run: Learner, *, points: list[trainer.EpochMetrics], seconds: float
) -> None:
    """The last chunk: the model file, and all that `complete` or `hand_over` does.

    The file of a reproduction names the job that it repeats, so that it may be the same file.
    """
    reproduction = Reproduction.objects.select_related("model").filter(job=job).first()
    first = reproduction.model.job_id if reproduction else job.pk
    content = run.export(
        signatures.signature_of(job), signatures.origin_of(job.dataset) | {"job": str(first)}
    )
    if reproduction is None:
        complete(job, content, step=run.step, paid_steps=run.step, points=points, seconds=seconds)
    else:
        hand_over(reproduction, job, content, step=run.step, points=points, seconds=seconds)


def complete(
    job: Job,
    content: bytes,
    *,
    step: int,
    paid_steps: int,
    points: list[trainer.EpochMetrics],
    seconds: float,
) -> Model:
    """The model, the final price, the rest of the hold, a validation to come.

    `content` is the model file. Steps whose work was thrown away are done but not paid.
    """
    content = whole(job, content)
    weights_sha256 = modelfile.weights_sha256(modelfile.load(content).weights)
    sha256 = store(job, content)
    with transaction.atomic():
        blobs.keep(sha256, content)
        finish(job, step=step, paid_steps=paid_steps, points=points, seconds=seconds)
        model = Model.objects.create(
            owner=job.owner,
            job=job,
            name=job.name,
            category=job.category,
            sha256=sha256,
            weights_sha256=weights_sha256,
            kernel_hash=job.kernel_hash,
            size_bytes=len(content),
            parameters=job.parameters,
            **families.standing(job),
        )
        governance.record(actor=job.owner, verb="train_model", subject=model)
        notices.tell_trained(model)
        Event.objects.create(job=job, message=f"Done: weights {model.weights_sha256[:12]}.")
        if not Trial.objects.filter(job=job).exists():  # of a search the best is measured
            place_validation(model)
        queue.after_end(job)
    return model


def whole(job: Job, content: bytes) -> bytes:
    """The file with what is measured once its weights are there."""
    leases.renew(job)
    if job.category != Category.ANOMALY:
        return content
    predictor = Predictor(content, module=current_module(job), limits=walls.PREDICTION)
    rows = learners.rows_of(job)
    return anomalies.with_threshold(predictor, rows, beat=leases.heartbeat(job))


def finish(
    job: Job,
    *,
    step: int,
    paid_steps: int,
    points: list[trainer.EpochMetrics],
    seconds: float,
) -> None:
    """What ends every job, in the caller's transaction: its curves, the final price and the rest
    of the hold.
    """
    leases.write(
        job,
        status=Work.Status.DONE,
        lease_until=None,
        finished_at=Now(),
        steps_done=step,
        compute_seconds=seconds,
        cost_microcredits=cost_microcredits(job, step=paid_steps),
    )
    charge(job, step=paid_steps)
    record_points(job, points)
    give_back(job)


def hand_over(
    reproduction: Reproduction,
    job: Job,
    content: bytes,
    *,
    step: int,
    points: list[trainer.EpochMetrics],
    seconds: float,
) -> None:
    """A reproduction makes no second model: what came out is compared with the first."""
    content = whole(job, content)
    weights_sha256 = modelfile.weights_sha256(modelfile.load(content).weights)
    sha256 = store(job, content)
    with transaction.atomic():
        blobs.keep(sha256, content)
        finish(job, step=step, paid_steps=step, points=points, seconds=seconds)
        Reproduction.objects.filter(pk=reproduction.pk).update(
            sha256=sha256, weights_sha256=weights_sha256
        )
        Event.objects.create(job=job, message=f"Done again: weights {weights_sha256[:12]}.")
        hint("training.tasks.compare_reproduction", reproduction_id=str(reproduction.pk))
        queue.after_end(job)


def give_back(job: Job) -> None:
    """What a job did not use goes back to its owner."""
    if job.hold is not None:
        billing.release(hold=job.hold)


def bury(job: Job) -> None:
    """End a job that kills its workers."""
    give_back(job)
    governance.record(actor=None, verb="quarantine_job", subject=job)
    notices.tell_not_trained(job, code="poison", why="it came to no end.")
    Event.objects.create(job=job, message="Quarantined: it took too many workers with it.")
    queue.after_end(job)


def note_stall(job: Job) -> None:
    message = "The worker fell silent or got no further; the job goes on from its last checkpoint."
    Event.objects.create(job=job, message=message)


def give_up(job: Job, *, code: str, message: str) -> None:
    """End the job by its own fault; what was captured stays, the rest of the hold goes back."""
    with transaction.atomic():
        leases.fail(job, code=code, message=message)
        give_back(job)
        governance.record(actor=None, verb="fail_job", subject=job, details={"code": code})
        notices.tell_not_trained(job, code=code, why=message)
        Event.objects.create(job=job, message=f"Failed ({code}): {message}")
        queue.after_end(job)


def forget_old_checkpoints(job: Job) -> None:
    """Keep the newest few."""
    for checkpoint in job.checkpoints.all()[CHECKPOINTS_KEPT:]:
        forget(checkpoint)


@transaction.atomic
def forget(checkpoint: Checkpoint) -> None:
    """The row goes before its file: what is left over is only waste. One that somebody is about to
    begin from stays (`beginnings.hold_checkpoint` has its row locked until then).
    """
    blobs.lock(checkpoint.sha256)
    rows = Checkpoint.objects.filter(pk=checkpoint.pk)
    if rows.select_for_update().first() is None or not rows.unneeded().exists():
        return
    rows.delete()
    if not Checkpoint.objects.filter(sha256=checkpoint.sha256).exists():
        blobs.delete(checkpoint.sha256)
