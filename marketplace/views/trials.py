"""The page on which a template is tried: on the server, or in the visitor's own browser."""

from collections.abc import Callable
from typing import Any, cast

from csp.constants import SELF, WASM_UNSAFE_EVAL
from csp.decorators import csp_update
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect

from governance.models import User
from governance.views import MemberRequest, PageRequest, pressed_on, visitor
from governance.views.files import attachment
from governance.views.requests import View
from marketplace import services as marketplace
from marketplace.forms.offers import OfferForm
from marketplace.forms.trials import TriesForm
from marketplace.services import Offer
from marketplace.views.found import found_offer, open_offer
from training import services as training

# This page alone compiles WebAssembly. (By its types, the decorator knows views of no arguments.)
allows_wasm = cast(Callable[[View], View], csp_update({"script-src": [SELF, WASM_UNSAFE_EVAL]}))


def tried_offer(request: PageRequest, slug: str) -> Offer:
    """The version that the address names, or the one on offer; refused where it is gone."""
    form = OfferForm(request.GET)
    form.is_valid()
    return open_offer(request, slug, form.cleaned_data.get("version"))


@allows_wasm
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def try_template(request: PageRequest, slug: str) -> HttpResponse:
    offer, user = tried_offer(request, slug), visitor(request)
    if request.method == "POST":
        if user is None:
            asked = redirect_to_login(request.get_full_path())
            return HttpResponseClientRedirect(asked.url) if request.htmx else asked
        context = answered(request, offer, user)
        if request.htmx:
            return render(request, "training/_answered.html", context | {"cost": "0"})
    else:
        context = {"sheet": sheet_of(request, offer, user)}
    return render(request, "marketplace/try.html", about(offer, user) | context)


def sheet_of(request: PageRequest, offer: Offer, user: User | None) -> training.Sheet:
    """With the author's example that the address names; those are counted from 1."""
    named, examples = request.GET.get("example", ""), offer.version.examples
    place = int(named) if named.isdecimal() and len(named) < 3 else 1
    chosen = examples[place - 1] if 0 < place <= len(examples) else None
    return training.blank_sheet(model=offer.version.model, viewer=user, example=chosen)


def answered(request: PageRequest, offer: Offer, user: User) -> dict[str, Any]:
    sheet = training.ask_model(
        model=offer.version.model,
        viewer=user,
        posted=request.POST,
        picture=request.FILES.get("picture"),
        answer=lambda question: marketplace.try_template(user=user, offer=offer, question=question),
    )
    return {"sheet": sheet, "told": {"told-answer": ""}}


def about(offer: Offer, user: User | None) -> dict[str, Any]:
    context: dict[str, Any] = {
        "template": offer.template,
        "version": offer.version,
        "standing": offer.standing,
        "is_current": offer.is_current,
        "runs_here": marketplace.runs_here(offer),
        "told": {"told-answer": ""},
    }
    if user is not None:
        context["tries_left"] = marketplace.tries_left(user=user, template=offer.template)
    if context["runs_here"]:
        context["file"] = marketplace.file_for_browser(offer=offer)
    return context


@require_GET
def model_here(request: PageRequest, slug: str) -> HttpResponseBase:
    """The model as a browser runs it."""
    file, opened = marketplace.open_for_browser(offer=tried_offer(request, slug))
    response = attachment(request, opened, sha256=file.sha256, name=f"{slug}.wasm")
    response["Content-Type"] = "application/wasm"
    response["Cache-Control"] = "private, max-age=3600"
    return response


def back_to_try(request: HttpRequest, slug: str) -> HttpResponse:
    version = request.GET.get("version", "")
    asked = f"?{urlencode({'version': version})}" if version else ""
    return redirect(f"/templates/{slug}/try/{asked}")


@pressed_on("../")
def prepare_here(request: MemberRequest, slug: str) -> HttpResponse:
    marketplace.prepare_for_browser(actor=request.user, offer=tried_offer(request, slug))
    return back_to_try(request, slug)


@pressed_on("../try/")
def allow_tries(request: MemberRequest, slug: str) -> HttpResponse:
    offer = found_offer(request, slug)
    form = TriesForm(request.POST)
    if form.is_valid():
        tries = form.cleaned_data["daily_tries"]
        marketplace.allow_tries(actor=request.user, template=offer.template, daily_tries=tries)
        messages.success(request, f"Each member has {tries} free answers a day.")
    else:
        messages.error(request, "Free answers a day: a whole number from 0 to 100.")
    return back_to_try(request, slug)
