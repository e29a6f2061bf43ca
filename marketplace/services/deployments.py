"""Deployments: start one, stop it, start it again, and change what it is set to.

One click takes the version on offer, as it is; everything else can be said in `custom_config`
(`services.configurations`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from billing import services as billing
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
from marketplace.services.configurations import (
    Config,
    InvalidDeployment,
    read_config,
    read_settings,
)
from marketplace.services.finetunes import begin_job, planned_job, require_alone
from marketplace.services.purchases import buy_template, may_deploy, one_at_a_time
from marketplace.services.routes import (
    check_together,
    locked,
    offered_version,
    place_routes,
    planned_targets,
)
from training import services as training

TEMPLATES_AT_ONCE = 20


class NotOnOffer(Refusal):
    """What was never published, or no longer is, cannot be had."""


class NameTaken(Refusal):
    """Another deployment of this person's has this name, and is not stopped."""


@transaction.atomic
def deploy_template(
    *, owner: User, template: Template, custom_config: Mapping[str, Any] | None = None
) -> Deployment:
    """Answer predictions with a template. What costs nothing is bought along the way; what is
    deployed already just as asked is the answer. With `fine_tune` a job trains what will answer.
    """
    config = read_config(custom_config or {})
    require_alone(config)
    one_at_a_time(owner, template)
    template = offered(template)
    routes = planned_routes(owner, template, config)
    obtain(owner, template)
    running = deployed_so(owner, template, config, routes)
    if running is not None:
        return running
    deployment = named(owner, template, config)
    details: dict[str, Any] = {"template": str(template.pk), "version": routes[0].version.number}
    if config.fine_tune is None:
        place_routes(deployment, routes, RouteSet.Cause.DEPLOYED)
    else:
        deployment.job = begin_job(owner, template, routes[0].version, config.fine_tune)
        deployment.save(update_fields=["job"])
        details["job"] = str(deployment.job.pk)
    governance.record(actor=owner, verb="deploy_template", subject=deployment, details=details)
    return deployment


@transaction.atomic
def deploy_templates(
    *, owner: User, templates: Sequence[Template], custom_config: Mapping[str, Any] | None = None
) -> list[Deployment]:
    """Deploy several, all of them or none, each as `custom_config` says."""
    require_several(templates, custom_config or {})
    made = {  # in one order, so that two who deploy the same never wait for each other
        template.pk: deploy_template(owner=owner, template=template, custom_config=custom_config)
        for template in sorted(templates, key=lambda each: each.pk)
    }
    return [made[template.pk] for template in templates]


def require_several(templates: Sequence[Template], custom_config: Mapping[str, Any]) -> None:
    """Raises InvalidDeployment where there are too many, or one setting is for one alone."""
    field, reason = "", ""
    if not 1 <= len(templates) <= TEMPLATES_AT_ONCE:
        field, reason = "template_ids", f"must be 1 to {TEMPLATES_AT_ONCE}, not {len(templates)}"
    for name in ("name", "version", "routes"):
        if len(templates) > 1 and name in custom_config:
            field, reason = f"custom_config.{name}", "is of one template; leave it out for several"
    if field:
        raise InvalidDeployment(
            f"{field}: {reason}.", invalid_parameters=[{"field": field, "reason": reason}]
        )


@dataclass(frozen=True, kw_only=True)
class DeploymentQuote:
    """What deploying a template costs before it answers, and each row then; in micro-credits."""

    template: Template
    version: TemplateVersion
    purchase: int  # still to be paid before it may be deployed
    training: int  # at most
    row: int

    @property
    def total(self) -> int:
        return self.purchase + self.training


def quote_deployments(
    *, owner: User, templates: Sequence[Template], custom_config: Mapping[str, Any] | None = None
) -> list[DeploymentQuote]:
    """What `deploy_templates` would cost, with its refusals; nothing is changed."""
    require_several(templates, custom_config or {})
    config = read_config(custom_config or {})
    require_alone(config)
    return [quoted(owner, template, config) for template in templates]


def quoted(owner: User, template: Template, config: Config) -> DeploymentQuote:
    routes = planned_routes(owner, template, config)
    version, purchase, trained = routes[0].version, 0, 0
    if not may_deploy(owner, template) and template.current is not None:
        purchase = template.current.price_microcredits
    if config.fine_tune is not None:
        trained = planned_job(owner, version, config.fine_tune).quote.microcredits
    asked = routes if config.settings.get("aggregation") else routes[:1]
    return DeploymentQuote(
        template=template,
        version=version,
        purchase=purchase,
        training=trained,
        row=sum(route.price_microcredits for route in asked),
    )


def deployed_so(
    owner: User, template: Template, config: Config, routes: Sequence[Planned]
) -> Deployment | None:
    """What is active with all that the configuration names, so that asking twice is asking once;
    nothing where it is to be trained.
    """
    if config.fine_tune is not None:
        return None
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
    job = deployment.job
    if deployment.stable_id is None and job is not None and not job.is_over:
        training.cancel_job(actor=actor, job=job)  # nobody waits for it any more
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
