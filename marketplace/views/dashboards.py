"""How a deployment does, and its last calls."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from governance.views import MemberRequest, pressed_on
from marketplace import services as marketplace
from marketplace.forms.deployments import InputsForm
from marketplace.models import Route
from marketplace.views.deployments import found_deployment


@login_required
@require_GET
def dashboard(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    deployment = found_deployment(request, deployment_id)
    window = marketplace.WINDOWS.get(request.GET.get("window", "24h"))
    if window is None:
        raise Http404(f"window: one of {', '.join(marketplace.WINDOWS)}")
    routes = marketplace.routes_now(deployment) if deployment.stable else []
    context = {
        "deployment": deployment,
        "found": marketplace.dashboard(deployment=deployment, window=window),
        "windows": marketplace.WINDOWS,
        "canary": next((each for each in routes if each.role == Route.Role.CANARY), None),
        "axis": f"{window.unit} before now",
        "per_step": f"calls in {window.step.total_seconds() / 60:g} min",
    }
    return render(request, "marketplace/dashboard.html", context)


@login_required
@require_GET
def calls(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    deployment = found_deployment(request, deployment_id)
    until = deployment.inputs_logged_until
    context = {
        "deployment": deployment,
        "calls": marketplace.last_calls(deployment=deployment),
        "form": InputsForm(),
        "keeping": until is not None and until > timezone.now(),
    }
    return render(request, "marketplace/calls.html", context)


@pressed_on("../")
def log_inputs(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    deployment = found_deployment(request, deployment_id)
    form = InputsForm(request.POST)
    if form.is_valid():
        hours = form.cleaned_data["hours"]
        marketplace.log_inputs(actor=request.user, deployment=deployment, hours=hours)
        said = "What is asked is kept for now." if hours else "What is asked is not kept any more."
        messages.success(request, said)
    return redirect("marketplace:calls", deployment.pk)
