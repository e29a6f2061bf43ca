"""The catalogue: search, facets, orders. Its address is its state."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from governance.views import PageRequest, visitor
from marketplace import services as marketplace
from marketplace.forms.catalogue import CatalogueForm

PAGE_SIZE = 24
HELP = (
    ("two words", "both occur"),
    ('"hand written"', "together"),
    ("-letters", "does not occur"),
    ("category:vision,nlp", "one of these"),
    ("price:0", "just this; price:1..5 is a range"),
    ("latency<5", "milliseconds; also params<100k, size<2MB"),
    ("accuracy>0.95", "a measured figure by its name"),
    ("author:alice", "also dataset:, licence:, architecture:, metric:"),
    ("published>2026-01-01", "or published:30d, the last 30 days"),
    ("-licence:other", "turned round"),
)


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def catalogue(request: PageRequest) -> HttpResponse:
    form = CatalogueForm(request.GET)
    form.is_valid()
    asked = form.cleaned_data
    beside = [(name, str(request.GET[name])) for name in request.GET if name in marketplace.FIELDS]
    query = marketplace.read_query(asked.get("q", ""), beside)
    order = marketplace.order_named(asked.get("sort", ""))
    try:
        results = marketplace.search_catalogue(
            query=query,
            order=order,
            cursor=asked.get("cursor", ""),
            length=PAGE_SIZE,
            is_literal=asked.get("exact", False),
        )
    except marketplace.UnknownPlace:
        return redirect(address(sort=order.name, q=marketplace.spelled(query)))
    context = {
        "results": results,
        "typed": marketplace.spelled(query) if beside else asked.get("q", ""),
        "cursor": asked.get("cursor", ""),
        "sort": "" if order.name == marketplace.DEFAULT_ORDER else order.name,
        "orders": marketplace.ORDERS.values(),
        "help": HELP,
    }
    if not results.chips and not context["cursor"]:
        context["featured"] = marketplace.featured_now()
    elif results.chips:
        context |= keeping(request, results, is_exact=asked.get("exact", False))
    return render(request, f"marketplace/catalogue.html{fragment(request)}", context)


def keeping(
    request: PageRequest, results: marketplace.Results, *, is_exact: bool
) -> dict[str, object]:
    """What saving this search takes: what was looked for, even if it was typed otherwise."""
    user = visitor(request)
    saved = None
    if user is not None and not results.meant:  # what was corrected is looked up as it is saved
        saved = marketplace.saved_as(owner=user, query=results.query, is_exact=is_exact)
    state = {"q": results.text, "sort": results.order.name, "exact": "on" if is_exact else ""}
    return {
        "state": {name: value for name, value in state.items() if value},
        "saved": saved,
        "suggested": marketplace.suggested_name(results.query),
    }


def fragment(request: PageRequest) -> str:
    """Those who asked for more of a list get the rest of it, others with HTMX the results."""
    if not request.htmx:
        return ""
    return "#more" if request.htmx.target == "more" else "#results"


def address(**state: str) -> str:
    said = urlencode({name: value for name, value in state.items() if value})
    return f"{reverse('marketplace:catalogue')}?{said}"
