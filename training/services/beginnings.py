"""What a job is to begin from, as people name it: a model of theirs by its id, or a checkpoint by
its job's id and its step.
"""

import uuid

from django.conf import settings

from governance.models import User
from governance.services import Refusal
from training.models import Checkpoint, Job, Model
from training.services.finetuning import refuse_unfinished
from training.services.models import find_model


class InvalidBeginning(Refusal):
    """What a job is to begin from is named twice, or by halves, or is not kept any more; the text
    names the field and the way out.
    """

    status = 400


class UnknownJob(Refusal):
    """Somebody names a job that is not there, or not theirs."""

    status = 404


def find_beginning(
    *,
    owner: User,
    model_id: uuid.UUID | None = None,
    job_id: uuid.UUID | None = None,
    step: int | None = None,
) -> Model | Checkpoint | None:
    """What these names lead to: of a job without a step its newest checkpoint, and of no names
    nothing, since the job begins anew. Raises InvalidBeginning, UnknownModel, UnknownJob, NotReady.
    """
    if model_id is not None and job_id is not None:
        reason = "a job begins from one thing; send this or parent_model_id"
        raise refused(InvalidBeginning, "parent_job_id", reason)
    if model_id is not None:
        if step is not None:
            reason = "a model has no steps; leave this out, or send parent_job_id for the model"
            raise refused(InvalidBeginning, "parent_step", reason)
        return find_model(owner=owner, model_id=model_id, field="parent_model_id")
    if job_id is not None:
        return find_checkpoint(owner, job_id, step)
    if step is not None:
        raise refused(InvalidBeginning, "parent_step", "say of which job: parent_job_id")
    return None


def find_checkpoint(owner: User, job_id: uuid.UUID, step: int | None) -> Checkpoint:
    job = Job.objects.of(owner).select_related("dataset").filter(pk=job_id).first()
    if job is None:
        raise refused(UnknownJob, "parent_job_id", "is no job of yours")
    refuse_unfinished(job)
    kept = list(job.checkpoints.all())
    found = next((each for each in kept if step in (None, each.step)), None)
    if found is not None:
        return found
    steps = ", ".join(str(each.step) for each in kept)
    reason = f"is not kept: the steps of “{job.name}” that are kept are: {steps}"
    if not kept:
        days = f"{settings.RETENTION_DAYS:g} days"
        reason = (
            f"is not kept: “{job.name}” has no checkpoint; they go {days} after their job is over. "
            "Begin from a model of yours, or train from the beginning"
        )
    raise refused(InvalidBeginning, "parent_job_id" if step is None else "parent_step", reason)


def refused(kind: type[Refusal], field: str, reason: str) -> Refusal:
    return kind(f"{field}: {reason}.", invalid_parameters=[{"field": field, "reason": reason}])
