"""Deployments: start one, stop it, start it again, and change what it is set to.

One click takes the version on offer, as it is; everything else can be said in `custom_config`
(`services.configurations`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, models, transaction
from django.db.models.functions import Now

from billing import services as billing
from billing.models import UsageEvent
from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import (
    DEPLOYMENT_NAME_LENGTH_MAX,
    Deployment,
    RouteSet,
    Template,
    TemplateVersion,
)
from marketplace.runner.routing import Planned, planned, routes_now
from marketplace.services.configurations import Config, read_config, read_settings
from marketplace.services.purchases import buy_template, may_deploy, one_at_a_time
from marketplace.services.routes import (
    check_together,
    locked,
    offered_version,
    place_routes,
    planned_targets,
)


class NotOnOffer(Refusal):
    """What was never published, or no longer is, cannot be had."""


class NameTaken(Refusal):
    """Another deployment of this person's has this name, and is not stopped."""


@transaction.atomic
def deploy_template(
    *, owner: User, template: Template, custom_config: Mapping[str, Any] | None = None
) -> Deployment:
    """Answer predictions with a template. What costs nothing is bought along the way; what is
    deployed already just as asked is the answer.
    """
    config = read_config(custom_config or {})
    one_at_a_time(owner, template)
    template = offered(template)
    routes = planned_routes(owner, template, config)
    obtain(owner, template)
    running = deployed_so(owner, template, config, routes)
    if running is not None:
        return running
    deployment = named(owner, template, config)
    place_routes(deployment, routes, RouteSet.Cause.DEPLOYED)
    governance.record(
        actor=owner,
        verb="deploy_template",
        subject=deployment,
        details={"template": str(template.pk), "version": routes[0].version.number},
    )
    return deployment


def deployed_so(
    owner: User, template: Template, config: Config, routes: Sequence[Planned]
) -> Deployment | None:
    """What is active with all that the configuration names, so that asking twice is asking once."""
    wanted = {(each.model.pk, each.share) for each in routes}
    rows = Deployment.objects.of(owner).active().with_stable()
    for found in rows.filter(template=template, **config.settings):
        if {(route.model_id, route.share) for route in routes_now(found)} == wanted:
            return found
    return None


def offered(template: Template) -> Template:
    """Locked, so that who hides it meanwhile also stops what is made here."""
    found = Template.objects.select_for_update(of=("self",)).select_related("owner")
    template = found.get(pk=template.pk)
    if template.hidden_at is not None:
        raise governance.NotAllowed(
            f"A moderator has hidden “{template.name}”: {template.hidden_reason}"
        )
    return template


def planned_routes(owner: User, template: Template, config: Config) -> list[Planned]:
    """What the configuration names, or the version on offer; of one's own, the newest."""
    if config.routes:
        return planned_targets(owner, template, config.routes, field="custom_config.routes")
    if config.version is not None:
        version = offered_version(owner, template, config.version, field="custom_config.version")
        return [planned(owner, version)]
    return [planned(owner, version_on_offer(owner, template))]


def version_on_offer(owner: User, template: Template) -> TemplateVersion:
    version = template.shown if template.owner_id == owner.pk else template.current
    if version is None:
        raise NotOnOffer(f"“{template.name}” has no published version yet.")
    return version


def obtain(owner: User, template: Template) -> None:
    """The right to deploy: theirs, bought, or for nothing. It is of the whole template, so that
    what is on offer says what it costs, whichever version is to be deployed.
    """
    if may_deploy(owner, template):
        return
    offered = template.current
    if offered is not None and offered.price_microcredits:
        price = billing.credits(offered.price_microcredits)
        raise governance.NotAllowed(
            f"Buy “{template.name}” for {price} credits first; then deploy it."
        )
    buy_template(buyer=owner, template=template, at_most_microcredits=0)


def named(owner: User, template: Template, config: Config) -> Deployment:
    """The row, with the name that was asked for, or the template's, numbered where it is taken."""
    settings = dict(config.settings)
    governance.take_turn(f"deployments/{owner.pk}")
    taken = set(Deployment.objects.of(owner).open().values_list("name", flat=True))
    name = settings.pop("name", "")
    if name in taken:
        raise NameTaken(f"name: you have a deployment “{name}”; choose another name, or stop it.")
    if not name:
        name, number = template.name, 1
        while name in taken:
            number += 1
            name = f"{template.name[: DEPLOYMENT_NAME_LENGTH_MAX - 8]} {number}"
    return Deployment.objects.create(
        owner=owner, template=template, name=name, considered=template.current, **settings
    )


@transaction.atomic
def stop_deployment(*, actor: User, deployment: Deployment) -> Deployment:
    stopped = Deployment.objects.of(actor).open().filter(pk=deployment.pk)
    if not stopped.update(stopped_at=Now(), stopped_reason=""):
        raise Refusal("This deployment is already stopped.")
    governance.record(actor=actor, verb="stop_deployment", subject=deployment)
    deployment.refresh_from_db()
    return deployment


@transaction.atomic
def start_deployment(*, actor: User, deployment: Deployment) -> Deployment:
    """Have it answer again, with the routes that it had when it was stopped, be they withdrawn."""
    found = locked(actor, deployment)
    if found.status != Deployment.Status.STOPPED:
        raise Refusal(f"“{found.name}” is {found.status.label.lower()}; there is nothing to start.")
    offered(found.template)
    save_named(found, {"stopped_at": None, "stopped_reason": ""})
    governance.record(actor=actor, verb="start_deployment", subject=found)
    return found


def save_named(deployment: Deployment, values: Mapping[str, Any]) -> None:
    """Write columns, of which a name may be taken; the database is who knows."""
    for column, value in values.items():
        setattr(deployment, column, value)
    try:
        with transaction.atomic():
            deployment.save(update_fields=list(values))
    except IntegrityError as error:
        if "one_open_deployment_per_name" not in str(error):
            raise
        raise NameTaken(
            f"name: another deployment of yours is called “{deployment.name}”; choose another "
            "name, or stop that one."
        ) from error


@transaction.atomic
def configure_deployment(
    *, actor: User, deployment: Deployment, changes: Mapping[str, Any]
) -> Deployment:
    """Change what people may set of it, by the names of `custom_config`."""
    values = read_settings(changes)
    found = locked(actor, deployment)
    if not values:
        return found
    if "aggregation" in values and found.stable_id:
        routes = routes_now(found)
        check_together(
            [planned(found.owner, route.version, share=route.share) for route in routes],
            values["aggregation"],
        )
    if values.get("follows") == Deployment.Follows.CURRENT:
        values["considered"] = None  # what is out already is followed, too
    if {"spend_cap_microcredits", "spend_period"} & set(values):
        billing.close_leases(user=found.owner, source=found.source)
    save_named(found, values)
    governance.record(
        actor=actor,
        verb="configure_deployment",
        subject=found,
        details={name: str(changes[name]) for name in sorted(changes)},
    )
    return found


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a deployment has answered so far."""

    calls: int
    microcredits: int


def usage(deployment: Deployment) -> Usage:
    events = UsageEvent.objects.filter(source=deployment.source)
    spent = models.F("price_microcredits") * models.F("units")
    totals = events.aggregate(calls=models.Count("pk"), spent=models.Sum(spent))
    return Usage(calls=totals["calls"], microcredits=totals["spent"] or 0)
