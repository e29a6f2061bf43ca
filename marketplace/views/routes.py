"""Which versions answer a deployment's calls: the page, a canary, and going back."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from governance.views import MemberRequest, pressed_on
from marketplace import services as marketplace
from marketplace.forms.deployments import CanaryForm
from marketplace.models import Deployment, Route
from marketplace.views.deployments import found_deployment

SETS_SHOWN = 50


@login_required
@require_GET
def routes(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    deployment = found_deployment(request, deployment_id)
    return render(request, "marketplace/routes.html", context_of(request, deployment))


def context_of(request: MemberRequest, deployment: Deployment) -> dict[str, object]:
    now = marketplace.routes_now(deployment) if deployment.stable else []
    return {
        "deployment": deployment,
        "routes": now,
        "route_sets": deployment.route_sets.prefetch_related("routes__version")[:SETS_SHOWN],
        "canary": next((each for each in now if each.role == Route.Role.CANARY), None),
        "form": canary_form(request, deployment),
    }


def canary_form(request: MemberRequest, deployment: Deployment) -> CanaryForm | None:
    """Nothing where there is no other version to try."""
    others = marketplace.versions_to_try(user=request.user, deployment=deployment)
    return CanaryForm(request.POST or None, versions=others) if others else None


@pressed_on("../")
def start_canary(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    deployment = found_deployment(request, deployment_id)
    form = canary_form(request, deployment)
    if form is None or not form.is_valid():
        return render(request, "marketplace/routes.html", context_of(request, deployment))
    asked = form.cleaned_data
    marketplace.start_canary(actor=request.user, deployment=deployment, **asked)
    messages.success(
        request, f"Version {asked['version']} answers {asked['share']} % of the calls."
    )
    return redirect("marketplace:routes", deployment.pk)


@pressed_on("../")
def promote_canary(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    found = found_deployment(request, deployment_id)
    made = marketplace.promote_canary(actor=request.user, deployment=found)
    messages.success(request, f"Version {made.version.number} answers every call.")
    return redirect("marketplace:routes", found.pk)


@pressed_on("../")
def abort_canary(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    found = found_deployment(request, deployment_id)
    made = marketplace.abort_canary(actor=request.user, deployment=found)
    messages.success(request, f"Version {made.version.number} answers every call again.")
    return redirect("marketplace:routes", found.pk)


@pressed_on("../")
def roll_back(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    found = found_deployment(request, deployment_id)
    number = request.POST.get("route_set", "")
    to = int(number) if number.isdecimal() and len(number) < 10 else None
    made = marketplace.roll_back(actor=request.user, deployment=found, to=to)
    messages.success(request, f"Version {made.version.number} answers again.")
    return redirect("marketplace:routes", found.pk)
