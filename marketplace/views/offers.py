"""The page of a template, in the version on offer or an older one; and what stands in its place
once it is gone.
"""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from governance.models import User
from governance.views import PageRequest, visitor
from marketplace import services as marketplace
from marketplace.forms.offers import CALLS, OfferForm
from marketplace.services import Offer
from marketplace.views.discussions import latest_threads
from marketplace.views.found import found_offer
from marketplace.views.reviews import board_of
from training import services as training

GONE = 410
PARTS = ("cost", "files", "similar")  # that ask for themselves


@vary_on_headers("HX-Request", "HX-Target")
@require_GET
def template(request: PageRequest, slug: str, number: int | None = None) -> HttpResponse:
    form = OfferForm(request.GET)
    form.is_valid()
    asked = form.cleaned_data
    offer = found_offer(request, slug, asked.get("version") if number is None else number)
    context = stated(offer)
    if offer.is_closed:
        context["similar"] = marketplace.similar_templates(offer=offer)
        return render(request, "marketplace/tombstone.html", context, status=GONE)
    calls = asked.get("calls")
    context["cost"] = marketplace.cost_of_calls(
        version=offer.version, calls=CALLS if calls is None else calls, standing=offer.standing
    )
    context |= files_of(offer)
    if request.htmx and request.htmx.target in PARTS:
        return part(request, request.htmx.target, context, offer)
    context |= about(offer, visitor(request))
    context |= board_of(request, offer)
    context["threads"] = latest_threads(offer.template, visitor(request))
    context["snippets"] = marketplace.snippets_of(
        model=offer.version.model,
        viewer=visitor(request),
        site=request.build_absolute_uri("/").rstrip("/"),
        name=offer.template.slug,
    )
    return render(request, "marketplace/template.html", context)


def part(request: PageRequest, name: str, context: dict[str, Any], offer: Offer) -> HttpResponse:
    if name == "similar":  # who scrolls down to it asks for it
        context["similar"] = marketplace.similar_templates(offer=offer)
    return render(request, f"marketplace/template.html#{name}", context)


def stated(offer: Offer) -> dict[str, Any]:
    return {
        "template": offer.template,
        "version": offer.version,
        "versions": offer.versions,
        "is_current": offer.is_current,
        "standing": offer.standing,
        "gone": offer.tombstone,
        "runs_here": marketplace.runs_here(offer),
    }


def files_of(offer: Offer) -> dict[str, Any]:
    files = marketplace.files_on_offer(offer=offer)
    return {"files": files, "is_making": any(one.is_making for one in files)}


def about(offer: Offer, viewer: User | None) -> dict[str, Any]:
    """What the whole page shows beside the offer itself."""
    model = offer.version.model
    lineage = training.lineage_of(model=model)
    usage = marketplace.usage_by_day(template=offer.template)
    context: dict[str, Any] = {
        "validation": offer.version.validation,
        "shows_rows": model.job.dataset.is_visible_to(viewer),
        "layers": training.model_layers(model=model),
        "lineage": lineage,
        "kin": marketplace.kin_of(offer=offer, lineage=lineage),
        "usage": usage,
        "is_used": any(people for line in usage.values() for _, people in line),
    } | marketplace.counts_of(template=offer.template)
    try:
        context["signature"] = marketplace.signature_of(version=offer.version, viewer=viewer)
    except training.FileUnreadable as refusal:
        context["unreadable"] = str(refusal)
    return context
