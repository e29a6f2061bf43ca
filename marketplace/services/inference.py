"""Predictions with what somebody may use, by whatever name; each call is metered before it is
answered.

A name is the id of a model of one's own, the id of a deployment or of the model it answers with, or
the address of a template that one has deployed.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q

from billing import services as billing
from governance.models import User
from governance.services import Refusal
from marketplace.models import Deployment, DeploymentQuerySet
from training import services as training
from training.models import Model
from training.services import COMPUTE_PRICE_MICROCREDITS, Prediction, Tensors


class NotDeployed(Refusal):
    """Predictions are answered by a model of one's own or by an active deployment."""

    status = 404


@dataclass(frozen=True, kw_only=True)
class Served:
    """A model that somebody may use, and what a row costs them."""

    name: str
    version: int
    model: Model
    source: str
    author: User | None
    price: int
    allowance: str = ""  # what includes rows each month
    included_rows: int = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Predictions with what they cost; `id` names the metered event."""

    id: uuid.UUID
    predictions: list[Prediction]
    microcredits: int


@dataclass(frozen=True, kw_only=True)
class Inference:
    """The outputs of a network by name, with what they cost."""

    id: uuid.UUID
    outputs: Tensors
    microcredits: int


def serve(*, user: User, name: str, version: int | None = None) -> Served:
    """What this name means to this person. Raises NotDeployed.

    Of a template several versions may be deployed: without a number it is the newest.
    """
    try:
        asked = uuid.UUID(name)
    except ValueError:
        return served_by(user, deployed(user, Q(version__template__slug=name), name, version))
    model = Model.objects.of(user).filter(pk=asked).first()
    if model is None:
        return served_by(user, deployed(user, Q(pk=asked) | Q(model=asked), name, version))
    if version not in (None, model.version):
        raise NotDeployed(f"{name} is version {model.version}; each version has an id of its own.")
    return Served(
        name=name,
        version=model.version,
        model=model,
        source=f"model/{model.pk}",
        author=None,
        price=COMPUTE_PRICE_MICROCREDITS,
    )


def versions_served(*, user: User, served: Served) -> list[int]:
    """The numbers under which its name is answered."""
    found = running(user).filter(version__template__slug=served.name)
    numbers = found.order_by("version__number").values_list("version__number", flat=True)
    return list(numbers) or [served.version]


def running(user: User) -> DeploymentQuerySet:
    return Deployment.objects.of(user).active()


def deployed(user: User, named: Q, name: str, version: int | None) -> Deployment:
    rows = running(user).filter(named)
    if version is not None:
        rows = rows.filter(version__number=version)
    known = rows.select_related("model", "version__template__owner")
    found = known.order_by("-version__number", "-created_at").first()
    if found is None:
        which = name if version is None else f"{name}, version {version},"
        raise NotDeployed(f"{which} is neither yours nor deployed by you; deploy it first.")
    return found


def served_by(user: User, deployment: Deployment) -> Served:
    """What a running deployment of theirs answers with. Raises NotDeployed."""
    if deployment.owner_id != user.pk or deployment.is_over:
        raise NotDeployed("This deployment is stopped; start it again from the template's page.")
    version = deployment.version
    template = version.template
    asks = template.owner_id != user.pk and version.call_price_microcredits
    return Served(
        name=template.slug,
        version=version.number,
        model=deployment.model,
        source=f"deployment/{deployment.pk}",
        author=template.owner if asks else None,
        price=deployment.call_price_microcredits,
        allowance=f"template/{template.pk}",
        included_rows=0 if template.owner_id == user.pk else version.monthly_calls,
    )


def predict(*, user: User, deployment: Deployment, rows: object, event_id: uuid.UUID) -> Answer:
    """Answer with the deployment's model."""
    return answer(user=user, served=served_by(user, deployment), rows=rows, event_id=event_id)


def predict_model(*, user: User, model_id: uuid.UUID, rows: object, event_id: uuid.UUID) -> Answer:
    """Answer with a model: its owner directly, everybody else through their deployment of it."""
    served = serve(user=user, name=str(model_id))
    return answer(user=user, served=served, rows=rows, event_id=event_id)


def answer(*, user: User, served: Served, rows: object, event_id: uuid.UUID) -> Answer:
    """Rows as people write them, answered in their words."""
    predictions = training.predict(model=served.model, rows=rows)
    charged = meter(user, served, len(predictions), event_id)
    return Answer(id=event_id, predictions=predictions, microcredits=charged)


def infer(
    *,
    user: User,
    served: Served,
    asked: Tensors,
    event_id: uuid.UUID,
    wanted: Collection[str] = (),
) -> Inference:
    """Rows as the network takes them, or the columns of a table, answered as it answers: with the
    wanted outputs, or all.
    """
    outputs, rows = training.infer(model=served.model, asked=asked, wanted=wanted)
    charged = meter(user, served, rows, event_id)
    return Inference(id=event_id, outputs=outputs, microcredits=charged)


def meter(user: User, served: Served, rows: int, event_id: uuid.UUID) -> int:
    """What the rows cost: nothing where all of them are included this month."""
    if served.included_rows and billing.include(
        user=user,
        source=served.source,
        author=served.author,
        units=rows,
        event_id=event_id,
        allowance=served.allowance,
        included_units=served.included_rows,
    ):
        return 0
    billing.meter(
        user=user,
        source=served.source,
        author=served.author,
        price_microcredits=served.price,
        units=rows,
        event_id=event_id,
    )
    return served.price * rows
