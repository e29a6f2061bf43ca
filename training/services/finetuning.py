"""Fine-tuning: a job that begins from the weights of a model instead of drawn ones."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from governance.models import User
from training.models import Dataset, Event, Job, Model, Tier
from training.runner.ancestry import refuse_leak
from training.runner.hints import hint
from training.runner.lineage import Inheritance, inheritance, misreading
from training.runner.placing import place_job, suffixed
from training.runner.quotes import InvalidConfig, parse_config, quote_job
from training.services.validations import NotOwner

NAMES_SHOWN = 6


@transaction.atomic
def fine_tune(
    *,
    actor: User,
    model: Model,
    dataset: Dataset,
    config: Mapping[str, Any],
    tier: Tier,
    seed: int = 0,
    name: str = "",
) -> Job:
    """Queue a job that begins from a model's weights where their names and shapes agree, and its
    standardisation of the input; all other weights are drawn anew, and the job's log lists them.
    """
    if model.owner_id != actor.pk:
        raise NotOwner(f"Only the owner of “{model.name}” may train it further.")
    quote = quote_job(dataset=dataset, config=config, tier=tier)
    found = inherited(model, dataset, config)
    job = place_job(
        owner=actor,
        dataset=dataset,
        quote=quote,
        seed=seed,
        name=name or suffixed(model.name, ", fine-tuned"),
        steps=quote.steps,
        parent=model,
    )
    Event.objects.create(job=job, message=said(model, found))
    hint("training.tasks.run_job", job_id=str(job.pk))
    return job


def inherited(model: Model, dataset: Dataset, config: Mapping[str, Any]) -> Inheritance:
    """What the job would take over. Raises InvalidConfig where the networks share nothing, the data
    test on rows that the model or what it began from was shown, or their names are others.
    """
    refuse_leak(model, dataset)
    if why := misreading(model.job.dataset, dataset):
        raise refused("dataset", why)
    parent = parse_config(model.job.config, model.job.dataset)
    child = parse_config(config, dataset)
    kinds = parent.architecture.kind, child.architecture.kind
    if kinds[0] != kinds[1]:
        raise refused(
            "architecture.type", f"must be '{kinds[0]}', which “{model.name}” is, not '{kinds[1]}'"
        )
    found = inheritance(parent, child)
    if not found.taken:
        layers = "make a layer as large as one of the parent's, or train from the beginning"
        raise refused(
            "architecture.layers",
            f"no weight has the name and shape of one of “{model.name}”; {layers}",
        )
    return found


def refused(field: str, reason: str) -> InvalidConfig:
    return InvalidConfig(
        f"{field}: {reason}.", invalid_parameters=[{"field": field, "reason": reason}]
    )


def said(model: Model, found: Inheritance) -> str:
    """What a job's log says of where it begins."""
    share = f"{len(found.taken)} of {found.weights} weights"
    begins = f"Begins from “{model.name}”: {share} are taken over"
    if not found.drawn:
        return f"{begins}."
    names = ", ".join(found.drawn[:NAMES_SHOWN])
    others = len(found.drawn) - NAMES_SHOWN
    more = f" and {others} more" if others > 0 else ""
    return f"{begins}; drawn anew, since they do not fit: {names}{more}."
