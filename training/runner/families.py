"""Which model a new one is a version of.

A job that does another again, with the same configuration and its owner's, makes the next version
of the same family: only its seed is another. What differs in more is a model of its own.
"""

from typing import Any

from django.db.models import Max

from governance import services as governance
from training.models import Job, Model


def standing(job: Job) -> dict[str, Any]:
    """`family` and `version` of the model that this job makes, in the transaction that makes it.

    A family is named after its first job, so that a repetition that ends before it belongs to it.
    """
    first = first_of(job)
    earlier = Model.objects.filter(job=first).first()
    family = earlier.family if earlier is not None else first.pk  # which it takes when it ends
    governance.take_turn(f"versions of {family}")
    last = Model.objects.filter(family=family).aggregate(last=Max("version"))["last"]
    return {"family": family, "version": (last or 0) + 1}


def first_of(job: Job) -> Job:
    """The job that was done again, or this one."""
    while (before := job.repeats) is not None:
        if before.config != job.config or before.owner_id != job.owner_id:
            break
        job = before
    return job
