"""Predictions with what somebody may use, by whatever name; each call is metered before it is
answered.

A name is the id of a model of one's own, the id of a deployment or of the model it answers with, or
the address of a template that one has deployed. Of a deployment's several versions one answers a
call, chosen by the id of its event, unless the call names one. Where their answers are merged, all
answer, and a row costs the sum.
"""

import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from django.db.models import Q

from governance.models import Statement, User
from governance.services import Refusal
from marketplace.models import Deployment, DeploymentQuerySet, Route
from marketplace.runner.merging import merge
from marketplace.runner.metering import cap_of, charge, charge_together
from marketplace.runner.minutes import RECORDER, Noted
from marketplace.runner.routing import picked, routes_of
from training import services as training
from training.models import Model
from training.services import COMPUTE_PRICE_MICROCREDITS, Prediction, Tensors


class NotDeployed(Refusal):
    """Predictions are answered by a model of one's own or by an active deployment."""

    status = 404


class BatchTooLarge(Refusal):
    """More rows in one call than this deployment takes; nothing was charged."""

    status = 422


class OnlyMerged(Refusal):
    """The outputs of one network are asked of a deployment whose versions answer together."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A model that somebody may use by this name, and what a row costs them. Of a deployment with
    several `routes` it is the stable one's, until a call chooses.
    """

    name: str
    version: int
    model: Model
    source: str
    author: User | None
    price: int
    allowance: str = ""  # what includes rows each month
    included_rows: int = 0
    deployment: Deployment | None = None
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Predictions with what they cost; `id` names the metered event. `individual` are the answers
    of each version by its number, where they were merged and are to be seen.
    """

    id: uuid.UUID
    predictions: list[Prediction]
    microcredits: int
    version: int
    model_id: uuid.UUID
    individual: dict[int, list[Prediction]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Inference:
    """The outputs of a network by name, with what they cost, and the version that answered."""

    id: uuid.UUID
    outputs: Tensors
    microcredits: int
    version: int


def serve(*, user: User, name: str, version: int | None = None) -> Served:
    """What this name means to this person. Raises NotDeployed.

    Of a template several versions may be deployed: without a number it is the newest.
    """
    try:
        asked = uuid.UUID(name)
    except ValueError:
        found = deployed(user, Q(template__slug=name), name, version)
        return served_by(user, found, version=version)
    model = training.own_model(owner=user, model_id=asked)
    if model is None:
        found = deployed_by_id(user, asked, name, version)
        model_id = None if found.pk == asked else asked
        return replace(served_by(user, found, version=version, model_id=model_id), name=str(asked))
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
    if served.deployment is None:
        return [served.version]
    is_deployments = served.name == str(served.deployment.pk)
    named = Q(pk=served.deployment.pk) if is_deployments else Q(template__slug=served.name)
    found = running(user).filter(named)
    number = "stable__route_set__routes__version__number"
    numbers = found.order_by(number).values_list(number, flat=True).distinct()
    return list(numbers) or [served.version]  # of a model's id


def running(user: User) -> DeploymentQuerySet:
    return Deployment.objects.of(user).active()


def deployed(user: User, named: Q, name: str, version: int | None) -> Deployment:
    rows = running(user).filter(named)
    if version is not None:
        rows = rows.filter(stable__route_set__routes__version__number=version)
    found = (
        rows.select_related("stable").order_by("-stable__version__number", "-created_at").first()
    )
    if found is None:
        which = name if version is None else f"{name}, version {version},"
        raise NotDeployed(f"{which} is neither yours nor deployed by you; deploy it first.")
    return found


BY_ID = Statement(
    """
    SELECT {0}, {1}
    FROM marketplace_deployment t0
    JOIN marketplace_route t1 ON t1.id = t0.stable_id
    JOIN marketplace_templateversion v ON v.id = t1.version_id
    WHERE t0.owner_id = %s AND t0.stopped_at IS NULL AND (t0.id = %s OR EXISTS (
        SELECT FROM marketplace_route r WHERE r.route_set_id = t1.route_set_id AND r.model_id = %s
    ))
    ORDER BY v.number DESC, t0.created_at DESC LIMIT 1
    """,
    (Deployment, Route),
)


def deployed_by_id(user: User, asked: uuid.UUID, name: str, version: int | None) -> Deployment:
    """By its own id, or that of a model that it answers with. Raises NotDeployed."""
    found = BY_ID.first(user.pk, asked, asked) if version is None else None
    if found is None:
        named = Q(pk=asked) | Q(stable__route_set__routes__model=asked)
        return deployed(user, named, name, version)
    deployment: Deployment = found[0]
    deployment.stable = found[1]
    return deployment


def served_by(
    user: User,
    deployment: Deployment,
    *,
    version: int | None = None,
    model_id: uuid.UUID | None = None,
) -> Served:
    """What a running deployment of theirs answers with; by the version or model that the call
    names, whatever its share. Raises NotDeployed.
    """
    if deployment.owner_id != user.pk or not deployment.is_active:
        raise NotDeployed(
            f"This deployment is {deployment.status.label.lower()} and answers only when it is "
            "active; start it on its page."
        )
    routes = routes_of(deployment.answering.route_set_id)
    if version is not None or model_id is not None:
        routes = tuple(
            route
            for route in routes
            if version in (None, route.version.number) and model_id in (None, route.model_id)
        )
    if not routes:
        raise NotDeployed(f"“{deployment.name}” does not answer with that version at present.")
    template = routes[0].version.template
    served = Served(
        name=template.slug,
        version=routes[0].version.number,
        model=routes[0].model,
        source=deployment.source,
        author=None,
        price=0,
        allowance=f"template/{template.pk}",
        deployment=deployment,
        routes=routes,
    )
    return by_route(served, routes[0])


def by_route(served: Served, route: Route) -> Served:
    version = route.version
    is_own = served.deployment is None or version.template.owner_id == served.deployment.owner_id
    return replace(
        served,
        version=version.number,
        model=route.model,
        author=version.template.owner if route.earns else None,
        price=route.price_microcredits,
        included_rows=0 if is_own else version.monthly_calls,
    )


def is_merged(served: Served) -> bool:
    return (
        served.deployment is not None
        and bool(served.deployment.aggregation)
        and len(served.routes) > 1
    )


def predict(*, user: User, deployment: Deployment, rows: object, event_id: uuid.UUID) -> Answer:
    """Answer as the deployment is set."""
    return answer(user=user, served=served_by(user, deployment), rows=rows, event_id=event_id)


def predict_model(*, user: User, model_id: uuid.UUID, rows: object, event_id: uuid.UUID) -> Answer:
    """Answer with a model: its owner directly, everybody else through their deployment of it."""
    served = serve(user=user, name=str(model_id))
    return answer(user=user, served=served, rows=rows, event_id=event_id)


def answer(*, user: User, served: Served, rows: object, event_id: uuid.UUID) -> Answer:
    """Rows as people write them, answered in their words."""
    served = routed(served, event_id)
    with noting(served, event_id, rows) as count:
        require_few(served, rows)
        if is_merged(served):
            found = answer_together(user, served, rows, event_id)
        else:
            found = answer_alone(user, served, rows, event_id)
        count(len(found.predictions))
    return found


@contextmanager
def noting(
    served: Served, event_id: uuid.UUID, asked: object = None
) -> Iterator[Callable[[int], None]]:
    """Inside, a call of a deployment is timed and counted, by what became of it."""
    started, rows, outcome = time.perf_counter(), 0, ""

    def count(answered: int) -> None:
        nonlocal rows
        rows = answered

    try:
        yield count
    except Refusal as refusal:
        outcome = refusal.code
        raise
    except Exception:
        outcome = "server_error"
        raise
    finally:
        if served.deployment is not None:
            noted = Noted(
                deployment=served.deployment,
                route_id=served.routes[0].pk,
                event_id=event_id,
                rows=rows,
                milliseconds=(time.perf_counter() - started) * 1_000,
                outcome=outcome,
                asked=asked,
            )
            RECORDER.note(noted)


def answer_alone(user: User, served: Served, rows: object, event_id: uuid.UUID) -> Answer:
    predictions = training.predict(model=served.model, rows=rows, seconds=seconds_of(served))
    charged = meter(user, served, len(predictions), event_id)
    return Answer(
        id=event_id,
        predictions=predictions,
        microcredits=charged,
        version=served.version,
        model_id=served.model.pk,
    )


def answer_together(user: User, served: Served, rows: object, event_id: uuid.UUID) -> Answer:
    """What all versions say, as one."""
    assert served.deployment is not None
    how = served.deployment.aggregation
    said = [
        training.predict(model=route.model, rows=rows, seconds=seconds_of(served))
        for route in served.routes
    ]
    merged = merge(said, [route.share for route in served.routes], how)
    charged = meter_together(user, served, len(merged), event_id)
    individual: dict[int, list[Prediction]] = {}
    if how == Deployment.Aggregation.ENSEMBLE:
        numbers = [route.version.number for route in served.routes]
        individual = dict(zip(numbers, said, strict=True))
    return Answer(
        id=event_id,
        predictions=merged,
        microcredits=charged,
        version=served.version,
        model_id=served.model.pk,
        individual=individual,
    )


def routed(served: Served, event_id: uuid.UUID) -> Served:
    """With the route that this call takes; where all of them answer, with all."""
    if len(served.routes) < 2 or is_merged(served):
        return served
    route = picked(served.routes, event_id)
    return replace(by_route(served, route), routes=(route,))


def seconds_of(served: Served) -> float | None:
    return None if served.deployment is None else served.deployment.timeout_ms / 1_000


def require_few(served: Served, rows: object) -> None:
    """Before anything is computed. Raises BatchTooLarge."""
    deployment = served.deployment
    if deployment is None or not isinstance(rows, list) or len(rows) <= deployment.batch_limit:
        return  # a list that is one row is counted only if it is longer than the limit
    require_within(deployment, training.count_rows(model=served.model, rows=rows))


def require_within(deployment: Deployment, count: int) -> None:
    if count > deployment.batch_limit:
        raise BatchTooLarge(
            f"input_data: has {count:,} rows, and “{deployment.name}” takes at most "
            f"{deployment.batch_limit:,} in one call; send fewer, or raise its batch_limit."
        )


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
    if is_merged(served):
        raise OnlyMerged(
            "Its versions answer together, and tensors are one network's; name a version, or ask "
            "through predict."
        )
    served = routed(served, event_id)
    with noting(served, event_id) as count:
        outputs, rows = training.infer(
            model=served.model, asked=asked, wanted=wanted, seconds=seconds_of(served)
        )
        if served.deployment is not None:
            require_within(served.deployment, rows)
        charged = meter(user, served, rows, event_id)
        count(rows)
    return Inference(id=event_id, outputs=outputs, microcredits=charged, version=served.version)


def meter(user: User, served: Served, rows: int, event_id: uuid.UUID) -> int:
    return charge(
        user=user,
        source=served.source,
        author=served.author,
        price=served.price,
        rows=rows,
        event_id=event_id,
        allowance=served.allowance,
        included_rows=served.included_rows,
        cap=cap_of(served.deployment),
    )


def meter_together(user: User, served: Served, rows: int, event_id: uuid.UUID) -> int:
    return charge_together(
        user=user,
        source=served.source,
        routes=served.routes,
        rows=rows,
        event_id=event_id,
        cap=cap_of(served.deployment),
    )
