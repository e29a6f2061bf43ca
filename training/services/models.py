"""What a model is, where it comes from and what came of it, for pages, cards and the API."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from governance.models import Statement, User
from governance.services import Refusal
from kernels.outline import LayerEstimate
from training.models import Job, Model
from training.runner import boms, cards, descriptions, dossiers
from training.runner.descriptions import Description
from training.runner.quotes import InvalidConfig
from training.services.compositions import network_layers
from training.services.files import reading


@dataclass(frozen=True)
class Lineage:
    """Where a model comes from, and what came of it. `split` says how the rows were divided, and
    `command` makes the model again.
    """

    job: Job
    parent: Model | None
    start: Job | None  # whose checkpoint at `job.start_step` it began from
    children: Sequence[Model]
    versions: Sequence[Model]
    split: str
    command: str


class UnknownModel(Refusal):
    """Somebody names a model that is not there, or not theirs."""

    status = 404


OWN = Statement("SELECT {0} FROM training_model t0 WHERE t0.id = %s AND t0.owner_id = %s", (Model,))


def own_model(*, owner: User, model_id: uuid.UUID) -> Model | None:
    """For calls by the thousand; `find_model` says what is wrong with a name."""
    found = OWN.first(model_id, owner.pk)
    return None if found is None else found[0]


def find_model(*, owner: User, model_id: uuid.UUID, field: str = "model_id") -> Model:
    """The model that a request names in this field."""
    found = Model.objects.of(owner).select_related("job__dataset").filter(pk=model_id).first()
    if found is None:
        raise UnknownModel(
            f"{field}: '{model_id}' is no model of yours; they are listed at /api/v1/models.",
            invalid_parameters=[{"field": field, "reason": "is no model of yours"}],
        )
    return found


def lineage_of(*, model: Model) -> Lineage:
    further = Q(job__parent=model) | Q(job__start_job=model.job)
    kin = Model.objects.filter(further | Q(family=model.family)).select_related("job")
    children = [
        one for one in kin if model.pk == one.job.parent_id or model.job_id == one.job.start_job_id
    ]
    versions = [one for one in kin if one.family == model.family]
    return Lineage(
        job=model.job,
        parent=model.job.parent,
        start=model.job.start_job,
        children=children,
        versions=sorted(versions, key=lambda one: one.version, reverse=True),
        split=dossiers.split_of(model.job.dataset),
        command=dossiers.command_of(model),
    )


def describe_model(*, model: Model) -> Description:
    """What the model's file says of itself. Raises FileUnreadable."""
    with reading(model.sha256):
        return descriptions.describe(model.sha256)


def model_layers(*, model: Model) -> list[LayerEstimate]:
    """Every layer, to be drawn; none where its configuration is of a time before today's."""
    try:
        return network_layers(dataset=model.job.dataset, config=model.job.config)
    except InvalidConfig:
        return []


def write_card(*, model: Model) -> str:
    """The model's card: YAML for machines, then Markdown for people. Raises FileUnreadable."""
    return cards.card(dossiers.dossier_of(model, describe_model(model=model)))


def write_bill(*, model: Model) -> str:
    """The model's bill of materials, CycloneDX 1.6 in JSON. Raises FileUnreadable."""
    return boms.write(dossiers.dossier_of(model, describe_model(model=model)))
