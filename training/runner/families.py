"""Which model a new one is a version of.

A job that does another again, with the same configuration and its owner's, makes the next version
of the same family: only its seed is another. What differs in more is a model of its own.
"""

from typing import Any

from django.db.models import Max

from governance import services as governance
from training.models import Job, Model


def standing(job: Job) -> dict[str, Any]:
    """`family` and `version` of the model that this job makes, in the transaction that makes it;
    nothing where it is the first of its family.
    """
    first = job.repeats
    if first is None or first.config != job.config or first.owner_id != job.owner_id:
        return {}
    earlier = Model.objects.filter(job=first).first()
    if earlier is None:
        return {}
    governance.take_turn(f"versions of {earlier.family}")
    last = Model.objects.filter(family=earlier.family).aggregate(last=Max("version"))["last"]
    return {"family": earlier.family, "version": last + 1}
