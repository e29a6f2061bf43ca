"""A person's deployments: the list, one with its question, stopping it."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from billing import services as billing
from governance.services import Refusal
from governance.views import MemberRequest, pressed_on
from marketplace import services as marketplace
from marketplace.forms.deployments import SettingsForm
from marketplace.models import Deployment
from training import services as training

PAGE_SIZE = 24


@login_required
@require_GET
def deployments(request: MemberRequest) -> HttpResponse:
    rows = Deployment.objects.of(request.user).with_stable()
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "marketplace/deployments.html", {"page_obj": page})


def found_deployment(request: MemberRequest, deployment_id: uuid.UUID) -> Deployment:
    rows = Deployment.objects.of(request.user).with_stable()
    rows = rows.select_related("owner", "job", "stable__model__job__dataset")
    return get_object_or_404(rows, pk=deployment_id)


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def deployment(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    """Ask the model something, and see what it makes of it."""
    found = found_deployment(request, deployment_id)
    context: dict[str, Any] = {"deployment": found, "told": {"told-answer": ""}}
    if found.stable is None:
        return render(request, "marketplace/deployment.html", context)
    if request.method == "POST":
        context |= answered(request, found)
        if request.htmx:
            return render(request, "training/_answered.html", context)
    else:
        context["sheet"] = training.blank_sheet(model=found.model, viewer=request.user)
    context["snippets"] = marketplace.snippets_of(
        model=found.model,
        viewer=request.user,
        site=request.build_absolute_uri("/").rstrip("/"),
        deployment=found,
    )
    return render(request, "marketplace/deployment.html", context)


def answered(request: MemberRequest, deployment: Deployment) -> dict[str, Any]:
    """The answer to a posted question, and what it cost; or what is wrong with it."""
    costs = []

    def answer(question: object) -> list[training.Prediction]:
        given = marketplace.predict(
            user=request.user, deployment=deployment, rows=question, event_id=uuid.uuid4()
        )
        costs.append(billing.credits(given.microcredits))
        return given.predictions

    sheet = training.ask_model(
        model=deployment.model,
        viewer=request.user,
        posted=request.POST,
        picture=request.FILES.get("picture"),
        answer=answer,
    )
    return {"sheet": sheet, "cost": costs[0] if costs else None}


@pressed_on("../")
def stop_deployment(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    found = found_deployment(request, deployment_id)
    marketplace.stop_deployment(actor=request.user, deployment=found)
    messages.success(request, f"“{found.name}” is stopped.")
    return redirect("marketplace:deployments")


@pressed_on("../")
def start_deployment(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    found = found_deployment(request, deployment_id)
    marketplace.start_deployment(actor=request.user, deployment=found)
    messages.success(request, f"“{found.name}” answers again.")
    return redirect(found)


@login_required
@require_http_methods(["GET", "POST"])
def settings(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    """What its owner may set."""
    found = found_deployment(request, deployment_id)
    form = SettingsForm(request.POST or None, initial=set_now(found))
    context: dict[str, Any] = {"deployment": found, "form": form}
    if request.method == "POST" and form.is_valid():
        try:
            marketplace.configure_deployment(
                actor=request.user, deployment=found, changes=form.changes()
            )
        except Refusal as refusal:
            return render(request, "marketplace/settings.html", context | {"refusal": refusal})
        messages.success(request, "Your settings were saved.")
        return redirect("marketplace:settings", found.pk)
    return render(request, "marketplace/settings.html", context)


def set_now(deployment: Deployment) -> dict[str, Any]:
    names = ("name", "follows", "aggregation", "batch_limit", "timeout_ms", "spend_period")
    found = {name: getattr(deployment, name) for name in names}
    cap = deployment.spend_cap_microcredits
    return found | {"spend_cap": None if cap is None else billing.credits(cap)}
