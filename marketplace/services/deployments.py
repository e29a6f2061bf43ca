"""Deployments: start one, stop it, and what it was used for; `inference` answers by them."""

from dataclasses import dataclass

from django.db import models, transaction
from django.db.models.functions import Now

from billing import services as billing
from billing.models import UsageEvent
from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import Deployment, Template, TemplateVersion
from marketplace.services.purchases import buy_template, may_deploy, one_at_a_time
from marketplace.services.templates import InvalidTemplate
from training.services import COMPUTE_PRICE_MICROCREDITS


class NotOnOffer(Refusal):
    """What was never published, or no longer is, cannot be had."""


@transaction.atomic
def deploy_template(*, owner: User, template: Template, name: str = "") -> Deployment:
    """Answer predictions with the newest version. What costs nothing is bought along the way."""
    if not name.isprintable():
        raise InvalidTemplate("name: must be text that people can see, in one line.")
    one_at_a_time(owner, template)
    # Locked, so that who hides it meanwhile also stops what is made here.
    template = Template.objects.select_for_update(of=("self",)).get(pk=template.pk)
    if template.hidden_at is not None:
        raise governance.NotAllowed(
            f"A moderator has hidden “{template.name}”: {template.hidden_reason}"
        )
    version = template.shown if template.owner_id == owner.pk else template.current
    if version is None:
        raise NotOnOffer(f"“{template.name}” has no published version yet.")
    if not may_deploy(owner, template):
        if version.price_microcredits:
            price = billing.credits(version.price_microcredits)
            raise governance.NotAllowed(
                f"Buy “{template.name}” for {price} credits first; then deploy it."
            )
        buy_template(buyer=owner, template=template)
    running = Deployment.objects.of(owner).active().filter(version=version).first()
    if running is not None:
        return running
    deployment = Deployment.objects.create(
        owner=owner,
        version=version,
        model=version.model,
        name=name.strip() or template.name,
        call_price_microcredits=call_price(owner, version),
    )
    governance.record(
        actor=owner,
        verb="deploy_template",
        subject=deployment,
        details={"template": str(template.pk), "version": version.number},
    )
    return deployment


def call_price(owner: User, version: TemplateVersion) -> int:
    """Authors pay for the sandbox's time; others what the author asks, which includes it."""
    if version.template.owner_id == owner.pk:
        return COMPUTE_PRICE_MICROCREDITS
    return version.charged_microcredits


@transaction.atomic
def stop_deployment(*, actor: User, deployment: Deployment) -> Deployment:
    stopped = (
        Deployment.objects.of(actor).active().filter(pk=deployment.pk).update(stopped_at=Now())
    )
    if not stopped:
        raise Refusal("This deployment is already stopped.")
    governance.record(actor=actor, verb="stop_deployment", subject=deployment)
    deployment.refresh_from_db()
    return deployment


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a deployment has answered so far."""

    calls: int
    microcredits: int


def usage(deployment: Deployment) -> Usage:
    events = UsageEvent.objects.filter(source=f"deployment/{deployment.pk}")
    spent = models.F("price_microcredits") * models.F("units")
    totals = events.aggregate(calls=models.Count("pk"), spent=models.Sum(spent))
    return Usage(calls=totals["calls"], microcredits=totals["spent"] or 0)
