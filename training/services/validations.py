"""Validations: have a model measured again."""

import structlog
from django.db import transaction

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from training.models import Model, Validation, Work
from training.runner.hints import hint


class NotOwner(Refusal):
    """Only the owner may do this."""

    status = 403


@transaction.atomic
def validate_model(*, actor: User, model: Model) -> Validation:
    """Queue a validation; one that already waits is returned instead of a second."""
    if model.owner_id != actor.pk:
        raise NotOwner("Only the owner of a model may have it validated.")
    Model.objects.select_for_update().get(pk=model.pk)  # a second click finds the first's row
    waiting = model.validations.filter(status__in=Work.OPEN).first()
    if waiting is not None:
        return waiting
    validation = Validation.objects.create(
        model=model,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )
    governance.record(actor=actor, verb="validate_model", subject=validation)
    hint("training.tasks.validate_model", validation_id=str(validation.pk))
    return validation
