"""A person's saved searches: save one from the catalogue, open, rename, be told or not, delete."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from governance.services import Refusal
from governance.views import MemberRequest, led_once, pressed_on
from marketplace import services as marketplace
from marketplace.forms.saved_searches import SavedSearchForm, SaveSearchForm
from marketplace.models import SavedSearch


@login_required
@require_GET
def saved_searches(request: MemberRequest) -> HttpResponse:
    searches = SavedSearch.objects.of(request.user).with_new()
    return render(request, "marketplace/saved_searches.html", {"searches": list(searches)})


@login_required
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def new_search(request: MemberRequest) -> HttpResponse:
    """Saves what the catalogue's address asks; the catalogue holds the same form."""
    form = SaveSearchForm(request.POST or request.GET)
    form.is_valid()
    asked = {
        "query": form.cleaned_data.get("q", ""),
        "sort": marketplace.order_named(form.cleaned_data.get("sort", "")).name,
        "is_exact": form.cleaned_data.get("exact", False),
    }
    if request.method == "POST" and form.is_valid():

        def act() -> str:
            marketplace.save_search(
                owner=request.user,
                name=form.cleaned_data["name"],
                has_alerts=form.cleaned_data["alerts"],
                **asked,
            )
            return f"{request.path}?{urlencode(state_of(asked))}"

        try:
            return redirect(led_once(request, act))
        except Refusal as refusal:
            form.add_error(None, str(refusal))
    query = marketplace.read_query(asked["query"])
    context = {
        "form": form if request.method == "POST" else None,
        "saved": marketplace.saved_as(owner=request.user, query=query, is_exact=asked["is_exact"]),
        "state": state_of(asked | {"query": marketplace.spelled(query)}),
        "suggested": marketplace.suggested_name(query),
        "catalogue_url": f"{reverse('marketplace:catalogue')}?{urlencode(state_of(asked))}",
    }
    page = "marketplace/new_search.html"
    if request.htmx:
        page = "marketplace/_save_search.html"
    return render(request, page, context)


def state_of(asked: dict[str, object]) -> dict[str, str]:
    """As the catalogue's address says it."""
    state = {
        "q": str(asked["query"]),
        "sort": str(asked["sort"]),
        "exact": "on" if asked["is_exact"] else "",
    }
    return {name: value for name, value in state.items() if value}


def own(request: MemberRequest, saved_id: uuid.UUID) -> SavedSearch:
    return get_object_or_404(SavedSearch.objects.of(request.user), pk=saved_id)


@login_required
@require_GET
def saved_search(request: MemberRequest, saved_id: uuid.UUID) -> HttpResponse:
    """Open it. A plain link, as a notice's is: who comes twice finds nothing new."""
    rows = SavedSearch.objects.of(request.user).with_new()
    found = get_object_or_404(rows, pk=saved_id)
    marketplace.look_at_search(actor=request.user, search=found)
    return redirect(found.catalogue_url(sort="newest" if vars(found)["new"] else ""))


@login_required
@require_http_methods(["GET", "POST"])
def edit_search(request: MemberRequest, saved_id: uuid.UUID) -> HttpResponse:
    found = own(request, saved_id)
    initial = {"name": found.name, "alerts": found.has_alerts}
    form = SavedSearchForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            marketplace.change_search(
                actor=request.user,
                search=found,
                name=form.cleaned_data["name"],
                query=found.query,
                sort=found.sort,
                is_exact=found.is_exact,
                has_alerts=form.cleaned_data["alerts"],
            )
        except Refusal as refusal:
            form.add_error("name", str(refusal))
        else:
            return redirect("marketplace:saved_searches")
    return render(request, "marketplace/edit_search.html", {"form": form, "search": found})


@pressed_on("../../")
def set_alerts(request: MemberRequest, saved_id: uuid.UUID) -> HttpResponse:
    found = own(request, saved_id)
    is_on = request.POST.get("alerts") == "on"
    marketplace.set_alerts(actor=request.user, search=found, has_alerts=is_on)
    told = "You are told when" if is_on else "You are no longer told when"
    messages.success(request, f"{told} “{found.name}” finds something new.")
    return redirect("marketplace:saved_searches")


@pressed_on("../../")
def delete_search(request: MemberRequest, saved_id: uuid.UUID) -> HttpResponse:
    found = own(request, saved_id)
    marketplace.delete_search(actor=request.user, search=found)
    messages.success(request, f"The search “{found.name}” is gone.")
    return redirect("marketplace:saved_searches")
