"""The studio: where a network is composed."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from governance.services import Refusal
from governance.views import MemberRequest
from training import services as training
from training.forms.jobs import JobForm
from training.models import Tier


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def new_job(request: MemberRequest) -> HttpResponse:
    """The form; while one types it answers with the price, and says what is wrong where it is."""
    if request.method == "GET":
        initial = {"dataset": request.GET.get("dataset", "digits")}
        form = JobForm(user=request.user, initial=initial)
        return render(request, "training/new_job.html", {"form": form})
    form = JobForm(request.POST, user=request.user)
    only_quote = "quote" in request.POST or request.htmx
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        asked = {
            "dataset": form.cleaned_data["dataset"],
            "config": form.cleaned_data["config"],
            "tier": Tier(form.cleaned_data["tier"]),
        }
        try:
            if not only_quote:
                job = training.submit_job(
                    owner=request.user,
                    name=form.cleaned_data["name"],
                    seed=form.cleaned_data["seed"],
                    **asked,
                )
                return redirect(job)
            context["quote"] = training.quote_job(**asked)
        except training.InvalidConfig as refusal:
            context["faults"] = refusal.invalid_parameters
            form.add_error("config", str(refusal))
        except training.TierTooSmall as refusal:
            form.add_error("tier", str(refusal))
        except Refusal as refusal:  # such as too few credits: what was typed is kept
            form.add_error(None, str(refusal))
    template = (
        "training/new_job.html#quote" if only_quote and request.htmx else "training/new_job.html"
    )
    return render(request, template, context)
