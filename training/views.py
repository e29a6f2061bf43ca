"""The pages of datasets, jobs and models."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from billing import services as billing
from governance.services import Refusal
from governance.views import MemberRequest, PageRequest, visitor
from training import services as training
from training.forms import JobForm
from training.models import Dataset, Job, Model, Point, Tier, Validation

PAGE_SIZE = 20
LOG_LINES = 50


# /datasets/


@require_GET
def datasets(request: PageRequest) -> HttpResponse:
    return render(
        request,
        "training/datasets.html",
        {"datasets": Dataset.objects.visible_to(visitor(request))},
    )


@require_GET
def dataset(request: PageRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Dataset.objects.visible_to(visitor(request)), slug=slug)
    context: dict[str, Any] = {"dataset": found}
    if found.sha256:
        context |= {
            "preview": training.preview_rows(dataset=found),
            "balance": dict(zip(found.classes, found.class_balance, strict=True)),
            "highest": training.highest_value(found),
        }
    return render(request, "training/dataset.html", context)


# /jobs/


@login_required
@require_GET
def jobs(request: MemberRequest) -> HttpResponse:
    rows = Job.objects.of(request.user).select_related("dataset", "model")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "training/jobs.html", {"page_obj": page})


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


@login_required
@vary_on_headers("HX-Request")
@require_GET
def job(request: MemberRequest, job_id: uuid.UUID) -> HttpResponse:
    """A job, live: the fragment asks for itself again until the job is over."""
    rows = Job.objects.of(request.user).select_related("dataset", "model")
    found = get_object_or_404(rows, pk=job_id)
    points = list(found.points.all())
    context = {
        "job": found,
        "points": points,
        "last": points[-1] if points else None,
        "loss": curves(points, "loss"),
        "metric": curves(points, "metric"),
        "quote_hint": f"of at most {billing.credits(found.quote_microcredits)}",
        "events": found.events.all()[:LOG_LINES],
    }
    template = "training/job.html#progress" if request.htmx else "training/job.html"
    return render(request, template, context)


def curves(points: list[Point], quantity: str) -> dict[str, list[tuple[int, float]]]:
    """The two lines of a chart: on training rows and on validation rows."""
    return {
        name: [(point.epoch, getattr(point, f"{side}_{quantity}")) for point in points]
        for name, side in (("training", "train"), ("validation", "validation"))
    }


@login_required
@require_POST
def cancel_job(request: MemberRequest, job_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Job.objects.of(request.user), pk=job_id)
    training.cancel_job(actor=request.user, job=found)
    messages.success(request, "The job was cancelled; what it did not use is back in your wallet.")
    return redirect(found)


# /models/


@login_required
@require_GET
def models(request: MemberRequest) -> HttpResponse:
    rows = Model.objects.of(request.user).select_related("job__dataset")
    measured = Prefetch("validations", queryset=Validation.objects.done())
    page = Paginator(rows.prefetch_related(measured), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "training/models.html", {"page_obj": page})


@login_required
@vary_on_headers("HX-Request")
@require_GET
def model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    rows = Model.objects.of(request.user).select_related("job__dataset")
    found = get_object_or_404(rows, pk=model_id)
    context = {
        "model": found,
        "validation": found.validations.first(),
        "measured": found.validations.done().first(),
    }
    template = "training/model.html#validation" if request.htmx else "training/model.html"
    return render(request, template, context)


@login_required
@require_POST
def validate_model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Model.objects.of(request.user), pk=model_id)
    training.validate_model(actor=request.user, model=found)
    return redirect(found)
