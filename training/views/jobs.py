"""The pages of jobs."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from billing import services as billing
from governance.views import MemberRequest
from training import services as training
from training.models import Job, Point

PAGE_SIZE = 20
LOG_LINES = 50


@login_required
@require_GET
def jobs(request: MemberRequest) -> HttpResponse:
    rows = Job.objects.of(request.user).select_related("dataset", "model")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "training/jobs.html", {"page_obj": page})


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
