"""The pages of webhooks: endpoints, their secrets, and the log of what was sent."""

import json
import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from governance import services as governance
from governance.forms import WebhookForm
from governance.models import NoticeType, WebhookDelivery, WebhookEndpoint
from governance.views.requests import MemberRequest, led_once, pressed_on

PAGE_SIZE = 25
CHECK = """\
from standardwebhooks import Webhook

message = Webhook("whsec_…").verify(request.body, request.headers)
print(message["type"], message["data"])
"""


def endpoint_of(request: MemberRequest, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    return get_object_or_404(WebhookEndpoint.objects.of(request.user), pk=endpoint_id)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def webhooks(request: MemberRequest) -> HttpResponse:
    form = WebhookForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "check": CHECK}
    if request.method == "POST" and form.is_valid():
        try:
            made = endpoint_of(request, uuid.UUID(led_once(request, lambda: create(request, form))))
        except governance.Refusal as refusal:
            blame(form, refusal)
        else:
            secret = governance.webhook_secret(made)
            context |= {"form": WebhookForm(), "made": made, "secret": secret}
    rows = WebhookEndpoint.objects.of(request.user)
    return render(request, "governance/webhooks.html", context | {"webhooks": rows})


def blame(form: WebhookForm, refusal: governance.Refusal) -> None:
    for each in refusal.invalid_parameters:
        form.add_error(each["field"], f"{each['reason']}.")
    if not refusal.invalid_parameters:
        form.add_error(None, str(refusal))


def create(request: MemberRequest, form: WebhookForm) -> str:
    """The id alone, since what a form came to is kept, and no secret is."""
    endpoint, _ = governance.create_webhook(
        owner=request.user,
        url=form.cleaned_data["url"],
        description=form.cleaned_data["description"],
        types=[NoticeType(type) for type in form.cleaned_data["types"]],
    )
    return str(endpoint.pk)


@login_required
@never_cache
@require_GET
def webhook(request: MemberRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    return the_page(request, endpoint_of(request, endpoint_id))


def the_page(request: MemberRequest, endpoint: WebhookEndpoint, secret: str = "") -> HttpResponse:
    rows = endpoint.deliveries.defer("body").prefetch_related("attempts")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"webhook": endpoint, "page_obj": page, "secret": secret}
    return render(request, "governance/webhook.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def edit_webhook(request: MemberRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    """Its address and what it is told of; its secret stays."""
    endpoint = endpoint_of(request, endpoint_id)
    initial = {name: getattr(endpoint, name) for name in WebhookForm.base_fields}
    form = WebhookForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            governance.change_webhook(
                owner=request.user,
                endpoint=endpoint,
                url=form.cleaned_data["url"],
                description=form.cleaned_data["description"],
                types=[NoticeType(type) for type in form.cleaned_data["types"]],
                is_on=endpoint.disabled_at is None,
            )
        except governance.Refusal as refusal:
            blame(form, refusal)
        else:
            messages.success(request, "Saved. Its secret is the same.")
            return redirect(endpoint)
    return render(request, "governance/edit_webhook.html", {"form": form, "webhook": endpoint})


@never_cache
@pressed_on("../")
def rotate_webhook(request: MemberRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    """Answers with the page itself, since nothing that is redirected to could show the secret. The
    button pressed twice makes one: a second would end the one that the receivers have.
    """
    endpoint = endpoint_of(request, endpoint_id)

    def act() -> str:
        rotated, _ = governance.rotate_webhook_secret(owner=request.user, endpoint=endpoint)
        return str(rotated.pk)

    led_once(request, act)
    endpoint.refresh_from_db()
    return the_page(request, endpoint, governance.webhook_secret(endpoint))


@pressed_on("../")
def test_webhook(request: MemberRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    endpoint = endpoint_of(request, endpoint_id)
    delivery = governance.test_webhook(owner=request.user, endpoint=endpoint)
    messages.success(request, "A test is on its way.")
    return redirect(delivery)


@pressed_on("../")
def enable_webhook(request: MemberRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    endpoint = endpoint_of(request, endpoint_id)
    governance.enable_webhook(owner=request.user, endpoint=endpoint)
    messages.success(request, "The webhook is on.")
    return redirect(endpoint)


@pressed_on("../")
def disable_webhook(request: MemberRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    endpoint = endpoint_of(request, endpoint_id)
    governance.disable_webhook(owner=request.user, endpoint=endpoint)
    messages.success(request, "The webhook is off; nothing is sent there.")
    return redirect(endpoint)


@pressed_on("../")
def delete_webhook(request: MemberRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    endpoint = endpoint_of(request, endpoint_id)
    governance.delete_webhook(owner=request.user, endpoint=endpoint)
    messages.success(request, f"The webhook “{endpoint}” was deleted.")
    return redirect("governance:webhooks")


def delivery_of(
    request: MemberRequest, endpoint_id: uuid.UUID, delivery_id: uuid.UUID
) -> WebhookDelivery:
    rows = WebhookDelivery.objects.select_related("endpoint")
    return get_object_or_404(
        rows, pk=delivery_id, endpoint=endpoint_id, endpoint__owner=request.user
    )


@login_required
@require_GET
def delivery(
    request: MemberRequest, endpoint_id: uuid.UUID, delivery_id: uuid.UUID
) -> HttpResponse:
    found = delivery_of(request, endpoint_id, delivery_id)
    context = {
        "delivery": found,
        "attempts": list(found.attempts.all()),
        "body": json.dumps(json.loads(found.body), indent=2, ensure_ascii=False),
    }
    page = "governance/delivery.html"
    return render(request, f"{page}#delivery" if request.htmx else page, context)


@pressed_on("../")
def replay_delivery(
    request: MemberRequest, endpoint_id: uuid.UUID, delivery_id: uuid.UUID
) -> HttpResponse:
    found = delivery_of(request, endpoint_id, delivery_id)
    governance.replay_delivery(owner=request.user, delivery=found)
    messages.success(request, "It is sent again, under the same id.")
    return redirect(found)
