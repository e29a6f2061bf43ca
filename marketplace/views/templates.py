"""Buying a template, deploying it, and what a person has."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from billing import services as billing
from governance.services import Refusal
from governance.views import MemberRequest, pressed_on
from marketplace import services as marketplace
from marketplace.forms.offers import PressedForm
from marketplace.models import Purchase, Template, TemplateVersion
from marketplace.views.found import found_template

PAGE_SIZE = 24


def version_pressed(request: MemberRequest) -> int:
    """The one that the button stood beside. Raises Refusal."""
    form = PressedForm(request.POST)
    if not form.is_valid():
        raise Refusal("version: is not said; press the button on the template's page.")
    version: int = form.cleaned_data["version"]
    return version


@pressed_on("../")
def buy_template(request: MemberRequest, slug: str) -> HttpResponse:
    """At the price of the version that was seen, for a version's terms never change."""
    found = found_template(request, slug)
    try:
        purchase = marketplace.buy_template(
            buyer=request.user, template=found, version=version_pressed(request)
        )
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect(found)
    price = billing.credits(purchase.price_microcredits)
    author = billing.credits(purchase.author_microcredits)
    messages.success(
        request,
        f"“{found.name}” is yours for {price} credits; {author} of them went to {found.owner}.",
    )
    return redirect(found)


@pressed_on("../")
def deploy_template(request: MemberRequest, slug: str) -> HttpResponse:
    found = found_template(request, slug)
    deployment = marketplace.deploy_template(
        owner=request.user, template=found, custom_config={"version": version_pressed(request)}
    )
    messages.success(request, f"“{deployment.name}” is deployed and answers.")
    return redirect(deployment)


@login_required
@require_GET
def mine(request: MemberRequest) -> HttpResponse:
    """What a person offers and what a person bought: the newest of each, or the pages of the one
    that the address names.
    """
    open_ones = TemplateVersion.objects.open().filter(template__owner=request.user)
    lists: dict[str, QuerySet[Any]] = {
        "open": open_ones.select_related("template", "model").order_by("-created_at", "pk"),
        "offered": Template.objects.of(request.user).with_current(),
        "bought": Purchase.objects.of(request.user).select_related("template__owner"),
    }
    asked = request.GET.get("show", "")
    show, number = (asked, request.GET.get("page")) if asked in lists else ("", 1)
    pages = {
        name: Paginator(rows, PAGE_SIZE).get_page(number)
        for name, rows in lists.items()
        if show in ("", name)
    }
    return render(request, "marketplace/mine.html", pages | {"show": show})
