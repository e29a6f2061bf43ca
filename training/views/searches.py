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
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from billing import services as billing
from governance.models import User
from governance.services import Refusal
from governance.views import MemberRequest, led_once
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
@require_http_methods(["GET", "POST"])
def new_search(request: MemberRequest, job_id: uuid.UUID) -> HttpResponse:
    """A search around the settings of a job, with ranges proposed."""
    job = get_object_or_404(Job.objects.of(request.user).select_related("dataset"), pk=job_id)
    if request.method == "GET":
        form = SearchForm(initial=typed(training.propose_search(job=job)))
        return render(request, "training/search_new.html", {"form": form, "job": job})
    form = SearchForm(request.POST)
    if form.is_valid():
        try:
            return redirect(led_once(request, lambda: begun(request.user, job, form.wanted)))
        except training.InvalidSearch as refusal:
            for entry in refusal.invalid_parameters:
                root = str(entry["field"]).partition(".")[0]
                form.add_error(
                    root if root in form.fields else None, f"{entry['field']}: {entry['reason']}."
                )
        except Refusal as refusal:
            form.add_error(None, str(refusal))
    return render(request, "training/search_new.html", {"form": form, "job": job})


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


@login_required
@require_POST
def cancel_search(request: MemberRequest, search_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Search.objects.of(request.user), pk=search_id)
    training.cancel_search(actor=request.user, search=found)
    messages.success(request, "The search was cancelled; what was measured stays.")
    return redirect(found)
