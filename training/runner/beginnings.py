"""Where a job begins that does not begin anew: at the weights of a model, or of a checkpoint of
another job.

A checkpoint holds all that its own job needs to go on, and is forgotten some time after that is
over. What another begins from is the model file that its job would have made there. The worker that
first takes the new job makes it, and it stays as long as that job, or its model, may be trained
again. The same checkpoint gives the same file, so who trains again begins at the same bits.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from kernels import build, modelfile
from training.models import Checkpoint, Job, Model
from training.runner import blobs, leases, signatures
from training.runner.learners import Learner, current_module, maker_of, store
from training.runner.quotes import NotReady


@dataclass(frozen=True)
class Beginning:
    """The columns of a job that say where it begins; none of them where it begins anew."""

    parent: Model | None = None
    start_job: Job | None = None
    start_step: int | None = None
    start_sha256: str = ""


def beginning_at(parent: Model | Checkpoint | None) -> Beginning:
    """In the transaction that places the job. Raises NotReady where a checkpoint is gone."""
    if isinstance(parent, Checkpoint):
        hold_checkpoint(parent.job, parent.step)
        return Beginning(start_job=parent.job, start_step=parent.step)
    return Beginning(parent=parent)


def beginning_like(job: Job) -> Beginning:
    """Where this job began, in the transaction that places another. Raises NotReady."""
    if job.start_job is None:
        return Beginning(parent=job.parent)
    assert job.start_step is not None
    if job.start_sha256:
        blobs.lock(job.start_sha256)  # the sweep forgets it under this lock
        job.refresh_from_db(fields=["start_sha256"])
    if not job.start_sha256:
        hold_checkpoint(job.start_job, job.start_step)
    return Beginning(
        start_job=job.start_job, start_step=job.start_step, start_sha256=job.start_sha256
    )


def hold_checkpoint(job: Job, step: int) -> None:
    """Nobody forgets it until the caller's job is placed, and none that waits to begin from it.
    Only the kernel that computed it can make a model file of it.
    """
    rows = Checkpoint.objects.filter(job=job, step=step).select_for_update()
    if rows.first() is None:
        raise NotReady(
            f"The checkpoint of “{job.name}” at step {step:,} is not kept any more; checkpoints "
            f"are for {settings.RETENTION_DAYS:g} days after their job is over. Begin from a model "
            "of yours, or train from the beginning."
        )
    try:
        kernel_of(job, step)
    except leases.WorkFault as fault:
        raise NotReady(str(fault)) from fault


def kernel_of(source: Job, step: int) -> build.Module:
    """What computed a checkpoint. Raises WorkFault, in words for who would begin from it."""
    try:
        return current_module(source)
    except leases.WorkFault as fault:
        raise leases.WorkFault(
            "kernel_changed",
            f"The checkpoint of “{source.name}” at step {step:,} was computed on a kernel that is "
            f"gone: {fault.__cause__}. Begin from a model of yours, or train from the beginning.",
        ) from fault


def origin_of(job: Job) -> Job | None:
    """The job that made what this one began from."""
    return job.start_job if job.parent is None else job.parent.job


def model_of(job: Job) -> modelfile.Model | None:
    """What this job begins from. Raises BlobFault, WorkFault, or what the checkpoint is refused
    for.
    """
    if job.start_job is not None and job.start_step is not None:
        kept = job.start_sha256 or keep_start(job, job.start_job, job.start_step)
        return modelfile.load(blobs.get(kept))
    return None if job.parent is None else modelfile.load(blobs.get(job.parent.sha256))


def learner_of(job: Job, module: build.Module) -> Callable[[], Learner]:
    """Makes fresh learners for a job, that stand where it begins."""
    make, model = maker_of(job, module), model_of(job)
    if model is None:
        return make

    def begun() -> Learner:
        learner = make()
        learner.begin_from(model)
        return learner

    return begun


def keep_start(job: Job, source: Job, step: int) -> str:
    """The SHA-256 of the file that `source` would have made at the step where this job begins."""
    checkpoint = source.checkpoints.filter(step=step).first()
    if checkpoint is None:
        raise leases.WorkFault(
            "checkpoint_gone",
            f"“{source.name}” has no checkpoint at step {step:,} any more.",
        )
    learner = maker_of(source, kernel_of(source, step))()
    leases.renew(job)
    learner.restore(blobs.get(checkpoint.sha256))
    leases.renew(job)
    origin = signatures.origin_of(source.dataset) | {"job": str(source.pk)}
    content = learner.export(signatures.signature_of(source), origin)
    sha256 = store(job, content)
    with transaction.atomic():
        blobs.keep(sha256, content)
        leases.write(job, start_sha256=sha256)
    job.start_sha256 = sha256
    return sha256
