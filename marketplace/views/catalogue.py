"""The catalogue: search, facets, sorts. Its address is its state."""

from typing import Any

from django.core.paginator import Paginator
from django.db import models
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from governance.views import PageRequest
from marketplace.forms.catalogue import CatalogueForm
from marketplace.models import Template, TemplateQuerySet
from training.models import Category

PAGE_SIZE = 24
SORTS = {
    "newest": "-published_at",
    "accuracy": "-accuracy",
    "fastest": "latency",
    "price": "price",
}


def search(form: CatalogueForm) -> TemplateQuerySet:
    asked = form.cleaned_data
    found = Template.objects.public()
    if asked.get("q"):
        words = asked["q"]
        found = found.filter(
            models.Q(name__icontains=words)
            | models.Q(summary__icontains=words)
            | models.Q(description__icontains=words)
            | models.Q(owner__username__iexact=words)
        )
    return found


@require_GET
@vary_on_headers("HX-Request")
def catalogue(request: PageRequest) -> HttpResponse:
    form = CatalogueForm(request.GET)
    form.is_valid()
    found = search(form)
    counts = dict(found.order_by().values_list("category").annotate(n=models.Count("id")))
    chosen = form.cleaned_data.get("category", "")
    sort = form.cleaned_data.get("sort") or "newest"
    query = form.cleaned_data.get("q", "")
    rows = found.filter(category=chosen) if chosen else found
    rows = rows.annotate(
        accuracy=models.F("current__validation__accuracy"),
        latency=models.F("current__validation__latency_p50_ms"),
        price=models.F("current__price_microcredits"),
    ).order_by(SORTS[sort], "id")
    context = {
        "page_obj": Paginator(rows.with_current(), PAGE_SIZE).get_page(request.GET.get("page")),
        "query": query,
        "sort": sort,
        "sorts": CatalogueForm.SORTS,
        "chosen": chosen,
        "facets": facets(counts, chosen=chosen, query=query, sort=sort),
    }
    page = "marketplace/catalogue.html#results" if request.htmx else "marketplace/catalogue.html"
    return render(request, page, context)


def facets(counts: dict[str, int], *, chosen: str, query: str, sort: str) -> list[dict[str, Any]]:
    """The categories that would find something, each with its count and address."""
    rows = [("", "All", sum(counts.values()))]
    rows += [(key, label, counts[key]) for key, label in Category.choices if key in counts]
    address = reverse("marketplace:catalogue")
    return [
        {
            "label": label,
            "count": count,
            "is_chosen": key == chosen,
            "url": f"{address}?"
            + urlencode({k: v for k, v in (("q", query), ("category", key), ("sort", sort)) if v}),
        }
        for key, label, count in rows
    ]
