"""The pages of searches for settings."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from billing import services as billing
from governance.models import User
from governance.services import Refusal
from governance.views import MemberRequest, led_once, pressed_on
from training import services as training
from training.forms.searches import SearchForm, typed
from training.models import Job, Search, Tier

PAGE_SIZE = 20
COMPARED = 3


@login_required
@require_GET
def searches(request: MemberRequest) -> HttpResponse:
    rows = Search.objects.of(request.user).select_related("dataset")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "training/searches.html", {"page_obj": page})


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def new_search(request: MemberRequest, job_id: uuid.UUID) -> HttpResponse:
    """A search around the settings of a job, with ranges proposed; while one types, and where it is
    asked for, what that tries and costs at most.
    """
    job = get_object_or_404(Job.objects.of(request.user).select_related("dataset"), pk=job_id)
    is_sent = request.method == "POST"
    form = SearchForm(request.POST if is_sent else typed(training.propose_search(job=job)))
    page = planned(form, job)
    is_to_start = is_sent and not request.htmx and request.POST.get("action") != "check"
    if is_to_start and form.is_valid():
        try:
            return redirect(led_once(request, lambda: begun(request.user, job, form.wanted)))
        except Refusal as refusal:
            blame(form, refusal)
    part = "#live" if request.htmx else ""
    return render(request, f"training/search_new.html{part}", page)


def planned(form: SearchForm, job: Job) -> dict[str, Any]:
    """The page of a search that somebody composes, with what it tries and costs at most, or why
    that cannot be said yet.
    """
    page: dict[str, Any] = {"form": form, "job": job, "unplanned": form.unscaled}
    said = form.cleaned_data
    if "budget" in said:
        page["budget"] = billing.microcredits(said["budget"])
    if not page["unplanned"]:
        scale = {"sampler": Search.Sampler(said["sampler"]), "trials_max": said["trials_max"]}
        asked = {"dataset": job.dataset, "config": job.config, "tier": Tier(job.tier)}
        try:
            page["plan"] = training.plan_search(**asked, **scale)
        except Refusal as refusal:
            blame(form, refusal)
            page["unplanned"] = form.unscaled or str(refusal)
    return page | {"told": {"told-cost": page["unplanned"] or page["plan"].said}}


def blame(form: SearchForm, refusal: Refusal) -> None:
    """Show a refusal beside the fields that it names, or above them all."""
    for entry in refusal.invalid_parameters:
        root, _, inside = str(entry["field"]).partition(".")
        field = root if root in form.fields else None
        path = f"{entry['field']}: " if inside or field is None else ""
        form.add_error(field, f"{path}{entry['reason']}.")
    if not refusal.invalid_parameters:
        form.add_error(None, str(refusal))


def begun(owner: User, job: Job, wanted: Mapping[str, Any]) -> str:
    search = training.start_search(
        owner=owner, dataset=job.dataset, config=job.config, tier=Tier(job.tier), **wanted
    )
    return search.get_absolute_url()


@login_required
@vary_on_headers("HX-Request")
@require_GET
def search(request: MemberRequest, search_id: uuid.UUID) -> HttpResponse:
    """A search, live, as the page of a job is."""
    rows = Search.objects.of(request.user).select_related("dataset")
    found = get_object_or_404(rows, pk=search_id)
    seen = request.GET.get("seen", "") if request.htmx else ""
    standing = training.search_standing(search=found, seen=seen)
    if standing is None:
        return HttpResponse(status=204)
    contest = standing.contest
    best = contest.best
    context = {
        "search": found,
        "standing": standing,
        "best": best,
        "told": {
            "told-search": f"{found.get_status_display()}, {len(contest.measured())} measured."
        },
        "top": [trial.job_id for trial in contest.by_rank[:COMPARED]],
        "curves": {
            "each trial": [(trial.number + 1, trial.value) for trial in contest.measured()],
            "best so far": contest.best_so_far,
        },
        "budget_hint": f"of {billing.credits(found.budget_microcredits)}",
        "trials_hint": f"of at most {found.trials_max}",
        "space_json": json.dumps(found.space, indent=2),
    }
    template = "training/search.html#standing" if request.htmx else "training/search.html"
    return render(request, template, context)


@pressed_on("../")
def cancel_search(request: MemberRequest, search_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Search.objects.of(request.user), pk=search_id)
    training.cancel_search(actor=request.user, search=found)
    messages.success(request, "The search was cancelled; what was measured stays.")
    return redirect(found)
