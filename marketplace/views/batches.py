"""A person's batches: the list, a new one, one with its price, its progress and its answers."""

import uuid
from functools import partial
from pathlib import PurePath
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import aget_object_or_404, get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect

from governance.services import Refusal
from governance.views import MemberRequest, led_once, pressed_on, visitor
from governance.views.files import attachment
from governance.views.streams import stream
from marketplace import services as marketplace
from marketplace.forms.batches import BatchForm
from marketplace.models import Batch, Deployment
from training import services as training

PAGE_SIZE = 24


def own(request: MemberRequest, batch_id: uuid.UUID) -> Batch:
    rows = Batch.objects.of(request.user).select_related("owner", "deployment__template__owner")
    return get_object_or_404(rows, pk=batch_id)


@login_required
@require_GET
def batches(request: MemberRequest) -> HttpResponse:
    rows = Batch.objects.of(request.user).select_related("deployment")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "marketplace/batches.html", {"page_obj": page})


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def new_batch(request: MemberRequest) -> HttpResponse:
    """Bring a file. With scripts it is sent in the background and its progress shown."""
    active = list(Deployment.objects.of(request.user).active().with_stable())
    form = BatchForm(
        request.POST or None,
        request.FILES or None,
        deployments=active,
        initial={"deployment": request.GET.get("deployment", "")},
    )
    if request.method == "POST" and form.is_valid():
        asked = dict(form.cleaned_data)
        asked |= {"owner": request.user, "file_name": asked["file"].name}
        try:
            address = led_once(request, lambda: marketplace.start_batch(**asked).get_absolute_url())
        except Refusal as refusal:
            say(form, refusal)
        else:
            return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
    context = {"form": form, "active": active, "caps": training.caps_of(request.user.pk)}
    template = "marketplace/new_batch.html" + ("#upload" if request.htmx else "")
    return render(request, template, context)


def say(form: BatchForm, refusal: Refusal) -> None:
    """Beside the field that it names."""
    field, colon, reason = str(refusal).partition(": ")
    known = colon and field in form.fields
    form.add_error(field if known else None, reason if known else str(refusal))


@login_required
@vary_on_headers("HX-Request")
@require_GET
def batch(request: MemberRequest, batch_id: uuid.UUID) -> HttpResponse:
    """A batch, live, as a job is: the fragment asks for itself until it is over or waits."""
    found = own(request, batch_id)
    version = marketplace.batch_version(batch=found)
    if request.htmx and request.GET.get("seen") == version:
        return HttpResponse(status=204)
    context: dict[str, Any] = {
        "batch": found,
        "version": version,
        "is_moving": found.status in Batch.OPEN,
        "told": {"told-batch": told(found)},
        "receipt": marketplace.receipt_of(batch=found),
    }
    if found.is_quoted:
        context["price"] = marketplace.price_of(batch=found)
    template = "marketplace/batch.html#progress" if request.htmx else "marketplace/batch.html"
    return render(request, template, context)


def told(found: Batch) -> str:
    """What is read out: its state, and each quarter of its way."""
    state = str(found.get_status_display())
    if found.accepted_at and not found.is_over:
        return f"{state}, {25 * (4 * found.rows_done // found.rows)} % answered."
    return f"{state}. {found.error_message}".strip()


@login_required
@require_GET
async def batch_stream(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponseBase:
    user = await request.auser()
    found = await aget_object_or_404(Batch, owner=user.pk, pk=batch_id)
    return stream(request, found.owner_id, partial(state, batch_id))


def state(batch_id: uuid.UUID) -> tuple[str, bool]:
    """Its version, and whether nothing of it changes by itself any more."""
    found = Batch.objects.get(pk=batch_id)
    return marketplace.batch_version(batch=found), found.status not in Batch.OPEN


@pressed_on("../")
def accept_batch(request: MemberRequest, batch_id: uuid.UUID) -> HttpResponse:
    found = own(request, batch_id)
    marketplace.accept_batch(actor=request.user, batch=found)
    return redirect(found)


@pressed_on("../")
def cancel_batch(request: MemberRequest, batch_id: uuid.UUID) -> HttpResponse:
    found = own(request, batch_id)
    marketplace.cancel_batch(actor=request.user, batch=found)
    messages.success(request, "No further row is answered; what was answered is yours.")
    return redirect(found)


@pressed_on("../")
def delete_batch(request: MemberRequest, batch_id: uuid.UUID) -> HttpResponse:
    found = own(request, batch_id)
    marketplace.delete_batch(actor=request.user, batch=found)
    messages.success(request, f"The files of “{found}” are deleted; the receipt stays.")
    return redirect(found)


@pressed_on("../")
def take_result(request: MemberRequest, batch_id: uuid.UUID) -> HttpResponse:
    link = marketplace.link_batch_result(actor=request.user, batch=own(request, batch_id))
    return redirect(link.address)


@never_cache
@require_safe
def batch_result(request: HttpRequest, token: str) -> HttpResponseBase:
    """What a link leads to."""
    found, opened = marketplace.open_batch_result(token=token, visitor=visitor(request))
    stem = slugify(PurePath(found.upload_name).stem)[:80] or "rows"
    name = f"{stem}-answers.{found.result_format}"
    return attachment(request, opened, sha256=found.result_sha256, name=name)
