"""Which versions answer a deployment's calls, as its owner wishes: canaries, and going back.

Every change is another set of routes; what answered before stays written down, so that one can go
back to it. Who already asks keeps the set that their call began with.
"""

from collections.abc import Sequence

from django.db import transaction

from governance.models import User
from governance.services import Refusal
from marketplace.models import (
    Deployment,
    Route,
    RouteSet,
    Template,
    TemplateVersion,
    TemplateVersionQuerySet,
)
from marketplace.runner.routing import (
    Planned,
    again,
    change,
    discord,
    place,
    planned,
    routes_now,
)
from marketplace.services.configurations import InvalidDeployment, Target
from marketplace.services.purchases import may_deploy

Cause = RouteSet.Cause
Role = Route.Role
HAD = (TemplateVersion.Status.PUBLISHED, TemplateVersion.Status.DEPRECATED)


class NotInCanary(Refusal):
    """A step of a canary that this deployment has not begun, or begun already."""


class NothingBefore(Refusal):
    """There is no earlier set of routes to go back to, or none of that number."""


def deployable(user: User, template: Template) -> TemplateVersionQuerySet:
    """Of one's own all; of what one has all that were ever on offer, since who has it keeps it; of
    others' what is on offer.
    """
    rows = template.versions.select_related("model", "template")
    if template.owner_id == user.pk:
        return rows
    return rows.published() if may_deploy(user, template) else rows.filter(status__in=HAD)


def offered_version(owner: User, template: Template, number: int, *, field: str) -> TemplateVersion:
    """A version of this number that the person may deploy. Raises InvalidDeployment."""
    rows = deployable(owner, template)
    found = rows.filter(number=number).first()
    if found is None:
        known = ", ".join(map(str, sorted(rows.values_list("number", flat=True)))) or "none yet"
        reason = f"there is no version {number} of “{template.name}” to deploy (known: {known})"
        raise refused(field, reason)
    return found


def versions_to_try(*, user: User, deployment: Deployment) -> list[TemplateVersion]:
    """Those that the person may deploy and that do not answer yet, the newest first."""
    if deployment.stable is None:
        return []
    rows = deployment.template.versions.exclude(
        routes__route_set=deployment.stable.route_set_id
    ).exclude(model=deployment.model_id)
    return list(rows if deployment.template.owner_id == user.pk else rows.filter(status__in=HAD))


def refused(field: str, reason: str) -> InvalidDeployment:
    return InvalidDeployment(
        f"{field}: {reason}.", invalid_parameters=[{"field": field, "reason": reason}]
    )


def planned_targets(
    owner: User, template: Template, targets: Sequence[Target], *, field: str = "routes"
) -> list[Planned]:
    """Routes as people state them; the largest share is the stable one's."""
    ordered = sorted(targets, key=lambda each: -each.share)
    role = Role.CANARY if len(ordered) == 2 else Role.MEMBER
    return [
        planned(
            owner,
            offered_version(owner, template, each.version, field=field),
            share=each.share,
            role=role if place else Role.STABLE,
        )
        for place, each in enumerate(ordered)
    ]


def check_together(routes: Sequence[Planned], aggregation: str) -> None:
    """Raises InvalidDeployment where these versions cannot answer the same calls."""
    found = discord(routes, aggregation)
    if found is not None:
        raise refused(*found)


def place_routes(
    deployment: Deployment, routes: Sequence[Planned], cause: RouteSet.Cause
) -> RouteSet:
    """The first set, or another. The caller has locked the deployment."""
    check_together(routes, deployment.aggregation)
    return place(deployment, routes, cause)


def locked(actor: User, deployment: Deployment) -> Deployment:
    """The deployment of this person's, so that changes of its routes come one after the other."""
    rows = Deployment.objects.of(actor).with_stable().select_related("owner")
    return rows.select_for_update(of=("self",)).get(pk=deployment.pk)


def locked_active(actor: User, deployment: Deployment) -> Deployment:
    found = locked(actor, deployment)
    if not found.is_active:
        raise Refusal(f"“{found.name}” is {found.status.label.lower()}; start it first.")
    return found


@transaction.atomic
def set_routes(*, actor: User, deployment: Deployment, targets: Sequence[Target]) -> Deployment:
    """Have these versions answer, each its share."""
    found = locked_active(actor, deployment)
    routes = planned_targets(actor, found.template, targets)
    check_together(routes, found.aggregation)
    return change(actor, found, routes, Cause.CHANGED)


@transaction.atomic
def start_canary(*, actor: User, deployment: Deployment, version: int, share: int) -> Deployment:
    """Give a share of the calls to another version, to see how it does."""
    found = locked_active(actor, deployment)
    if found.aggregation:
        raise NotInCanary("All versions of this deployment answer each call; a canary is for one.")
    if len(routes_now(found)) > 1:
        raise NotInCanary("A canary is on its way; promote it or abort it first.")
    if not 1 <= share <= 99:
        raise refused("share", f"must be from 1 to 99 percent, not {share}")
    tried = offered_version(actor, found.template, version, field="version")
    if tried.model_id == found.model_id:
        raise refused("version", f"version {version} is what answers already")
    stable = again(found.answering, share=100 - share)
    routes = [stable, planned(actor, tried, share=share, role=Role.CANARY)]
    check_together(routes, found.aggregation)
    return change(actor, found, routes, Cause.CANARY)


def canary_of(deployment: Deployment) -> Route:
    for route in routes_now(deployment):
        if route.role == Role.CANARY:
            return route
    raise NotInCanary("No canary is on its way; start one with a version and a share.")


@transaction.atomic
def promote_canary(*, actor: User, deployment: Deployment) -> Deployment:
    """Have the canary answer every call."""
    found = locked_active(actor, deployment)
    return change(actor, found, [again(canary_of(found))], Cause.PROMOTED)


@transaction.atomic
def abort_canary(*, actor: User, deployment: Deployment) -> Deployment:
    """Have the stable version answer every call again."""
    found = locked_active(actor, deployment)
    canary_of(found)
    return change(actor, found, [again(found.answering)], Cause.ABORTED)


@transaction.atomic
def roll_back(*, actor: User, deployment: Deployment, to: int | None = None) -> Deployment:
    """Answer as an earlier set did, the one before unless another is named, at the prices that it
    had.
    """
    found = locked_active(actor, deployment)
    now = found.answering.route_set
    number = now.number - 1 if to is None else to
    earlier = found.route_sets.filter(number=number).exclude(pk=now.pk).first()
    if earlier is None:
        reason = f"“{found.name}” has no set of routes {number} to go back to."
        raise NothingBefore(reason if number > 0 else f"“{found.name}” never answered otherwise.")
    rows = earlier.routes.select_related("version__template", "model")
    routes = [again(route, share=route.share, role=Role(route.role)) for route in rows]
    return change(actor, found, routes, Cause.ROLLED_BACK)
