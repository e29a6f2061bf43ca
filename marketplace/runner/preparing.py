"""Takes up what was trained for deployments that wait for it, and tells those that wait in vain."""

import uuid

from django.db import transaction
from django.db.models.functions import Now

from governance import services as governance
from governance.models import NoticeType
from marketplace.models import Deployment, DeploymentQuerySet, RouteSet, TemplateVersion
from marketplace.runner.routing import Planned, change
from marketplace.runner.sweeping import one_by_one
from training.models import Model, Work
from training.services import COMPUTE_PRICE_MICROCREDITS

AT_ONCE = 100  # the next sweep goes on
WITHOUT_VERSION = (
    "No version has the weights any more that were trained further; what came of them is your "
    "model “{model}”."
)


def due() -> DeploymentQuerySet:
    """Those that wait for a job which is over."""
    waiting = Deployment.objects.open().filter(stable=None, job__isnull=False)
    return waiting.exclude(job__status__in=Work.OPEN)


def prepare_all() -> None:
    """In any order, so that those that rest keep nobody else waiting."""
    ids = list(due().order_by("?").values_list("pk", flat=True)[:AT_ONCE])
    one_by_one("deployment_not_prepared", ids, prepare)


@transaction.atomic
def prepare(deployment_id: uuid.UUID) -> None:
    """Once, whoever else looks at the same time."""
    rows = due().select_related("owner", "template", "job")
    rows = rows.select_for_update(of=("self",), skip_locked=True).filter(pk=deployment_id)
    deployment = rows.first()
    if deployment is None or deployment.job is None:
        return
    model = Model.objects.filter(job=deployment.job).first()
    if model is None:
        give_up(deployment, why_not(deployment))
        return
    version = version_of(deployment)
    if version is None:
        give_up(deployment, WITHOUT_VERSION.format(model=model.name))
        return
    route = Planned(
        version=version, model=model, price_microcredits=COMPUTE_PRICE_MICROCREDITS, earns=False
    )
    change(None, deployment, [route], RouteSet.Cause.DEPLOYED)
    tell(deployment, NoticeType.TRAINING_DONE, f"“{deployment.name}” is trained and answers.")


def version_of(deployment: Deployment) -> TemplateVersion | None:
    """The newest whose weights were trained further; a draft may have others now, or be gone."""
    assert deployment.job is not None
    return deployment.template.versions.filter(model=deployment.job.parent_id).first()


def why_not(deployment: Deployment) -> str:
    job = deployment.job
    assert job is not None
    said = job.error_message or "nothing was trained."
    return f"Its training “{job.name}” is {job.get_status_display().lower()}: {said}"


def give_up(deployment: Deployment, why: str) -> None:
    Deployment.objects.filter(pk=deployment.pk).update(stopped_at=Now(), stopped_reason=why)
    governance.record(actor=None, verb="give_up_deployment", subject=deployment)
    tell(deployment, NoticeType.DEPLOYMENT_STOPPED, f"“{deployment.name}” never answered. {why}")


def tell(deployment: Deployment, type: NoticeType, text: str) -> None:
    governance.tell(
        user=deployment.owner,
        type=type,
        text=text,
        url=deployment.get_absolute_url(),
        data={"deployment_id": str(deployment.pk), "job_id": str(deployment.job_id)},
    )
