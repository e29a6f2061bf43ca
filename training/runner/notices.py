"""What the owners of work are told when it is over. A search speaks for its trials."""

from governance import services as governance
from governance.models import NoticeType
from training.models import Job, Model, Search, Trial, Validation


def tell_trained(model: Model) -> None:
    if is_of_search(model.job):
        return
    governance.tell(
        user=model.owner,
        type=NoticeType.TRAINING_DONE,
        text=f"“{model.name}” is trained.",
        url=model.get_absolute_url(),
        data={"job_id": str(model.job_id), "model_id": str(model.pk)},
    )


def tell_not_trained(job: Job, *, code: str, why: str) -> None:
    """Not of what somebody else has made again: they read it where they asked, and the owner did
    not.
    """
    if is_of_search(job) or job.payer_id != job.owner_id:
        return
    governance.tell(
        user=job.owner,
        type=NoticeType.TRAINING_FAILED,
        text=f"The training of “{job.name}” failed: {why}",
        url=job.get_absolute_url(),
        data={"job_id": str(job.pk), "code": code},
    )


def is_of_search(job: Job) -> bool:
    return Trial.objects.filter(job=job).exists()


def tell_validated(validation: Validation) -> None:
    model, kind = validation.model, validation.get_kind_display().lower()
    governance.tell(
        user=model.owner,
        type=NoticeType.VALIDATION_DONE,
        text=f"The {kind} validation of “{model.name}” is done.",
        url=model.get_absolute_url(),
        data={"model_id": str(model.pk), "validation_id": str(validation.pk)},
    )


def tell_not_validated(validation: Validation, *, code: str, why: str) -> None:
    model = validation.model
    governance.tell(
        user=model.owner,
        type=NoticeType.VALIDATION_FAILED,
        text=f"The validation of “{model.name}” failed: {why}",
        url=model.get_absolute_url(),
        data={"model_id": str(model.pk), "validation_id": str(validation.pk), "code": code},
    )


def tell_quarantined(validation: Validation) -> None:
    """One that took too many workers with it."""
    tell_not_validated(validation, code="poison", why="it came to no end.")


def tell_searched(search: Search, *, best: Trial | None) -> None:
    found = "found nothing" if best is None else f"is done; trial {best.number + 1} is the best"
    governance.tell(
        user=search.owner,
        type=NoticeType.TRAINING_SEARCHED,
        text=f"The search “{search.name}” {found}.",
        url=search.get_absolute_url(),
        data={"search_id": str(search.pk), "best_trial": None if best is None else best.number + 1},
    )
