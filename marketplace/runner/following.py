"""Takes up new versions for the deployments that follow their template.

A version is followed only where nothing gets worse unasked: a call of it costs no more, and it
takes the same input. Otherwise the deployment stays as it is, and its owner is told why.
"""

import uuid

from django.db import transaction
from django.db.models import F, Q

from governance import services as governance
from governance.models import NoticeType
from marketplace.models import Deployment, DeploymentQuerySet, RouteSet, TemplateVersion
from marketplace.runner.routing import change, planned, routes_now
from marketplace.runner.sweeping import one_by_one
from training import services as training

AT_ONCE = 1_000  # the next sweep goes on


def due() -> DeploymentQuerySet:
    """Those whose template has another current version than they have followed or judged."""
    rows = Deployment.objects.active().filter(
        follows=Deployment.Follows.CURRENT, template__current__isnull=False
    )
    return rows.filter(Q(considered=None) | ~Q(considered=F("template__current")))


def follow_all() -> None:
    """In any order, so that those that rest keep nobody else waiting."""
    ids = list(due().order_by("?").values_list("pk", flat=True)[:AT_ONCE])
    one_by_one("version_not_followed", ids, follow)


@transaction.atomic
def follow(deployment_id: uuid.UUID) -> None:
    """Once for each version, whoever else looks at the same time."""
    rows = due().with_stable().select_related("owner", "template__current__model")
    rows = rows.select_related("template__current__template")
    deployment = rows.select_for_update(of=("self",), skip_locked=True).filter(pk=deployment_id)
    found = deployment.first()
    if found is None or found.template.current is None:
        return
    version = found.template.current
    Deployment.objects.filter(pk=found.pk).update(considered=version)
    if version.model_id == found.model_id:
        return
    before = found.version.number
    why = hindrance(found, version)
    if not why:
        change(None, found, [planned(found.owner, version)], RouteSet.Cause.FOLLOWED)
    tell_owner(found, version, before=before, why=why)


def hindrance(deployment: Deployment, version: TemplateVersion) -> str:
    """Why this version is not followed; nothing where it is."""
    stable = deployment.answering
    if len(routes_now(deployment)) > 1:
        return "several versions answer at present"
    if planned(deployment.owner, version).price_microcredits > stable.price_microcredits:
        return "a call of it costs more"
    is_own = version.template.owner_id == deployment.owner_id
    if not is_own and version.monthly_calls < stable.version.monthly_calls:
        return "its price includes fewer calls a month"
    if not training.take_the_same(stable.model, version.model):
        return "it takes other input"
    return ""


def tell_owner(deployment: Deployment, version: TemplateVersion, *, before: int, why: str) -> None:
    text = (
        f"“{deployment.name}” now answers with version {version.number}, no longer with {before}."
    )
    if why:
        text = (
            f"“{deployment.name}” stays with version {before}, since {why}; version "
            f"{version.number} of “{deployment.template.name}” is out."
        )
    governance.tell(
        user=deployment.owner,
        type=NoticeType.TEMPLATE_NEW_VERSION,
        text=text,
        url=deployment.get_absolute_url(),
        data={"deployment_id": str(deployment.pk), "version": version.number, "followed": not why},
    )
