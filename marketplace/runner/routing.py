"""Sets of routes: planned, judged, and put in place; and which of a set answers a call."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from governance import services as governance
from governance.models import User
from marketplace.models import Deployment, Route, RouteSet, TemplateVersion
from training import services as training
from training.models import Model
from training.services import COMPUTE_PRICE_MICROCREDITS, AnswerKind

Role = Route.Role
ROUTE_SETS_KEPT = 4_096
VOTED_KINDS = (AnswerKind.CLASS, AnswerKind.ACTION)
MERGED_KINDS = (*VOTED_KINDS, AnswerKind.VALUES, AnswerKind.FORECAST)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A route that is about to be placed."""

    version: TemplateVersion
    model: Model
    share: int = 100
    role: Role = Role.STABLE
    price_microcredits: int
    earns: bool


def planned(
    owner: User, version: TemplateVersion, *, share: int = 100, role: Role = Role.STABLE
) -> Planned:
    """A route to a version at today's price: authors pay for the sandbox's time; others what the
    author asks, which includes it.
    """
    is_own = version.template.owner_id == owner.pk
    return Planned(
        version=version,
        model=version.model,
        share=share,
        role=role,
        price_microcredits=COMPUTE_PRICE_MICROCREDITS if is_own else version.charged_microcredits,
        earns=not is_own and version.call_price_microcredits > 0,
    )


def again(route: Route, *, share: int = 100, role: Role = Role.STABLE) -> Planned:
    """A route as it is, with its price."""
    return Planned(
        version=route.version,
        model=route.model,
        share=share,
        role=role,
        price_microcredits=route.price_microcredits,
        earns=route.earns,
    )


def routes_now(deployment: Deployment) -> list[Route]:
    """The stable one first."""
    return list(deployment.answering.route_set.routes.select_related("version__template", "model"))


def discord(routes: Sequence[Planned], aggregation: str) -> tuple[str, str] | None:
    """Which setting keeps these versions from answering the same calls, and why: they must take the
    same input, and where their answers are merged, give what can be.
    """
    first, *others = routes
    for other in others:
        if not training.take_the_same(first.model, other.model):
            return (
                "routes",
                f"versions {first.version.number} and {other.version.number} take different input, "
                "so one call cannot go to either; deploy them apart",
            )
    return unmerged(routes, aggregation) if aggregation else None


def unmerged(routes: Sequence[Planned], aggregation: str) -> tuple[str, str] | None:
    if len(routes) == 1:
        return (
            "aggregation",
            f"'{aggregation}' merges the answers of several versions and there is one; name two or "
            "more in routes, or leave it out",
        )
    kind = training.prediction_kind(model=routes[0].model)
    if kind not in MERGED_KINDS:
        return "aggregation", f"an answer that is a {kind.value} cannot be merged; leave it out"
    if aggregation == Deployment.Aggregation.MAJORITY and kind not in VOTED_KINDS:
        return "aggregation", "'majority' is for classes; choose 'mean' for numbers"
    return None


def place(deployment: Deployment, routes: Sequence[Planned], cause: RouteSet.Cause) -> RouteSet:
    """Another set, which answers from now on. The caller has locked the deployment."""
    last = deployment.route_sets.first()
    number = last.number + 1 if last else 1
    placed = RouteSet.objects.create(deployment=deployment, number=number, cause=cause)
    made = Route.objects.bulk_create(
        Route(
            route_set=placed,
            version=each.version,
            model=each.model,
            role=each.role,
            share=each.share,
            price_microcredits=each.price_microcredits,
            earns=each.earns,
        )
        for each in routes
    )
    deployment.stable = next(route for route in made if route.role == Role.STABLE)
    deployment.save(update_fields=["stable"])
    return placed


def change(
    actor: User | None, deployment: Deployment, routes: Sequence[Planned], cause: RouteSet.Cause
) -> Deployment:
    """Place another set, and write down who wished it."""
    place(deployment, routes, cause)
    governance.record(
        actor=actor,
        verb="route_deployment",
        subject=deployment,
        details={
            "cause": cause.value,
            "shares": {str(each.version.number): each.share for each in routes},
        },
    )
    return deployment


@lru_cache(maxsize=ROUTE_SETS_KEPT)
def routes_of(route_set_id: int) -> tuple[Route, ...]:
    """A set never changes, so it is read once in a process, with all that answering needs."""
    rows = Route.objects.filter(route_set=route_set_id)
    return tuple(rows.select_related("version__template__owner", "model"))


def picked(routes: Sequence[Route], event_id: uuid.UUID) -> Route:
    """The route whose share the event's id falls into: the same call goes to the same version,
    whoever repeats it.
    """
    digest = hashlib.sha256(event_id.bytes).digest()
    place = int.from_bytes(digest[:8], "big") % sum(route.share for route in routes)
    for route in routes:
        place -= route.share
        if place < 0:
            return route
    raise AssertionError("a place below the sum of all shares is in one of them")
