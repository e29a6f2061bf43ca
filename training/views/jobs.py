"""The pages of jobs."""

import json
import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from billing import services as billing
from governance.views import MemberRequest, pressed_on
from training import services as training
from training.models import Job

PAGE_SIZE = 20


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
    """A job, live: the fragment asks for itself again until the job is over.

    It says which version it has; where that is still the newest, the answer is empty (204).
    """
    related = (
        "dataset",
        "model",
        "repeats",
        "parent",
        "start_job",
        "trial__search",
        "reproduction__model",
    )
    rows = Job.objects.of(request.user).select_related(*related)
    found = get_object_or_404(rows, pk=job_id)
    seen = request.GET.get("seen", "") if request.htmx else ""
    progress = training.job_progress(job=found, seen=seen)
    if progress is None:
        return HttpResponse(status=204)
    context = {
        "job": found,
        "progress": progress,
        "augmentation": training.augmentation_said(found.config),
        "told": {"told-job": told(found, progress)},
        "config_json": json.dumps(found.config, indent=2, ensure_ascii=False),
        "kept": training.kept_checkpoints(job=found),
        "quote_hint": f"of at most {billing.credits(found.quote_microcredits)}",
    }
    template = "training/job.html#progress" if request.htmx else "training/job.html"
    return render(request, template, context)


def told(job: Job, progress: training.JobProgress) -> str:
    """What is read out of a job: its state, and each quarter of its way, but not each epoch."""
    state = str(job.get_status_display())
    if progress.place is not None:
        return f"{state}, {progress.place.ahead} before it."
    if not job.is_over:
        return f"{state}, {25 * int(4 * job.progress)} % done."
    return f"{state}. {job.error_message}".strip()


@login_required
@vary_on_headers("HX-Request")
@require_GET
def compare(request: MemberRequest) -> HttpResponse:
    """Jobs side by side, in the order in which the address names them."""
    try:
        wanted = [uuid.UUID(text) for text in dict.fromkeys(request.GET.getlist("job"))]
    except ValueError as error:
        raise Http404("job: is not the id of a job") from error
    rows = Job.objects.of(request.user).select_related(
        "dataset", "parent__job", "start_job", "model"
    )
    found = rows.in_bulk(wanted)
    chosen = [found[job_id] for job_id in wanted if job_id in found]
    if len(chosen) < len(wanted):
        raise Http404("job: one of these is not a job of yours")
    comparison = training.compare_jobs(jobs=chosen) if len(chosen) > 1 else None
    is_open = any(not job.is_over for job in chosen)
    return render(request, "training/compare.html", {"comparison": comparison, "is_open": is_open})


@pressed_on("../")
def cancel_job(request: MemberRequest, job_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Job.objects.of(request.user), pk=job_id)
    training.cancel_job(actor=request.user, job=found)
    messages.success(request, "The job was cancelled; what it did not use is back in your wallet.")
    return redirect(found)


@pressed_on("../")
def retrain_job(request: MemberRequest, job_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Job.objects.of(request.user), pk=job_id)
    again = training.retrain_job(owner=request.user, job=found)
    messages.success(request, f"Trained again with seed {again.seed}; nothing else differs.")
    return redirect(again)


@pressed_on("../")
def run_baseline(request: MemberRequest, job_id: uuid.UUID) -> HttpResponse:
    """The plain run beside the divergent one, both on one page."""
    found = get_object_or_404(Job.objects.of(request.user), pk=job_id)
    plain = training.run_baseline(owner=request.user, job=found)
    both = urlencode({"job": [str(found.pk), str(plain.pk)]}, doseq=True)
    return redirect(f"{reverse('training:compare')}?{both}")
