"""The pages of models."""

import json
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from governance.services import Refusal
from governance.views import MemberRequest, pressed_on
from governance.views.files import attachment, named
from training import services as training
from training.forms.datasets import blame
from training.forms.models import CardForm
from training.forms.validations import ValidationForm
from training.models import Model, Validation, Work

PAGE_SIZE = 20
REPRODUCTIONS_SHOWN = 10
WORK = ("is_measuring", "is_reproducing", "is_exporting")  # what a worker may be at


@login_required
@require_GET
def models(request: MemberRequest) -> HttpResponse:
    rows = Model.objects.of(request.user).listed().select_related("job__dataset")
    measured = Prefetch("validations", queryset=Validation.objects.done())
    page = Paginator(rows.prefetch_related(measured), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "training/models.html", {"page_obj": page})


def own_model(request: MemberRequest, model_id: uuid.UUID) -> Model:
    related = ("job__dataset", "job__parent", "job__start_job", "card")
    rows = Model.objects.of(request.user).select_related(*related)
    return get_object_or_404(rows, pk=model_id)


@login_required
@vary_on_headers("HX-Request", "HX-Target")
@require_GET
def model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    """A model whole, or the part of it that asks for itself while a worker is at it."""
    found = own_model(request, model_id)
    rooms = training.rooms_of(request.user.pk)
    if request.htmx:
        part = request.htmx.target if request.htmx.target in PARTS else "validation"
        context = {"model": found, "rooms": rooms, **PARTS[part](found)}
        return render(request, f"training/model.html#{part}", context)
    measured = measured_of(found)
    parts = [measured, reproduced_of(found), made_of(found, measured["measured"])]
    context = {"model": found, "rooms": rooms, **about(found)}
    for each in parts:
        context |= each
    context["told"] = {place: text for each in parts for place, text in each["told"].items()}
    context["is_open"] = any(context[name] for name in WORK)
    return render(request, "training/model.html", context)


def about(found: Model) -> dict[str, Any]:
    """What does not change while one looks."""
    lineage = training.lineage_of(model=found)
    context: dict[str, Any] = {
        "progress": training.learning_of(job=found.job),
        "layers": training.model_layers(model=found),
        "lineage": lineage,
        "split": lineage.split,
        "augmentation": training.augmentation_said(found.job.config),
        "command": lineage.command,
        "config_json": json.dumps(found.job.config, indent=2, ensure_ascii=False),
    }
    try:
        described = training.describe_model(model=found)
    except training.FileUnreadable as refusal:
        return context | {"unreadable": str(refusal)}
    signature = [("What goes in", described.inputs), ("What comes out", described.outputs)]
    return context | {"described": described, "signature": signature}


def measured_of(found: Model) -> dict[str, Any]:
    leading = list(found.validations.leading())
    newest = max(leading, key=lambda row: row.created_at, default=None)
    return {
        "told": {"told-validation": told("Measuring", newest)},
        "validation": newest,
        "measured": next((row for row in leading if row.is_whole), None),
        "is_measuring": newest is not None and not newest.is_over,
        "validation_form": ValidationForm(),
    }


def reproduced_of(found: Model) -> dict[str, Any]:
    rows = list(found.reproductions.select_related("job")[:REPRODUCTIONS_SHOWN])
    context: dict[str, Any] = {
        "told": {"told-reproductions": told("Making it again", rows[0] if rows else None)},
        "reproductions": rows,
        "reproduced": training.count_reproductions(model=found),
        "is_reproducing": any(not row.is_over for row in rows),
    }
    try:
        return context | {"quote": training.quote_reproduction(model=found)}
    except Refusal as refusal:
        return context | {"no_quote": str(refusal)}


def made_of(found: Model, measured: Validation | None = None) -> dict[str, Any]:
    files = training.files_of(found, measured)
    is_exporting = any(file.export is not None and not file.export.is_over for file in files)
    made = [f"{file.label}: {file.export.get_status_display()}." for file in files if file.export]
    return {"files": files, "is_exporting": is_exporting, "told": {"told-files": " ".join(made)}}


def told(what: str, work: Work | None) -> str:
    """What is read out of a worker's work; nothing where there was none."""
    return (
        "" if work is None else f"{what}: {work.get_status_display()}. {work.error_message}".strip()
    )


PARTS: dict[str, Callable[[Model], dict[str, Any]]] = {
    "validation": measured_of,
    "reproductions": reproduced_of,
    "files": made_of,
}


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def try_model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    """Ask one's own model something, published or not."""
    found = own_model(request, model_id)
    if request.method == "POST":
        sheet = training.ask_model(
            model=found,
            viewer=request.user,
            posted=request.POST,
            picture=request.FILES.get("picture"),
        )
    else:
        sheet = training.blank_sheet(model=found, viewer=request.user)
    is_part = request.htmx and request.method == "POST"
    page = "training/_answered.html" if is_part else "training/try.html"
    return render(request, page, {"model": found, "sheet": sheet, "told": {"told-answer": ""}})


@login_required
@require_http_methods(["GET", "POST"])
def document_model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    """The owner's part of the card: licence, use, limits, considerations."""
    found = own_model(request, model_id)
    form = CardForm(request.POST or None, card=training.card_of(model=found))
    if request.method == "POST" and form.is_valid():
        try:
            training.document_model(actor=request.user, model=found, **form.cleaned_data)
        except Refusal as refusal:
            blame(form, refusal)
        else:
            messages.success(request, "The card was saved.")
            return redirect(f"{found.get_absolute_url()}#card")
    return render(request, "training/model_card.html", {"model": found, "form": form})


@pressed_on("../")
def validate_model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    """Queue what was asked for; without a form, everything."""
    found = get_object_or_404(Model.objects.of(request.user), pk=model_id)
    form = ValidationForm(request.POST)
    if not form.is_valid():
        raise training.InvalidValidation("kind or folds: choose one of those that are offered.")
    training.validate_model(actor=request.user, model=found, **form.cleaned_data)
    return redirect(found)


@pressed_on("../")
def reproduce_model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    found = own_model(request, model_id)
    training.reproduce_model(actor=request.user, model=found)
    return redirect(f"{found.get_absolute_url()}#reproductions")


@pressed_on("../")
def export_model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    found = own_model(request, model_id)
    training.export_model(actor=request.user, model=found, kind=request.POST.get("kind", ""))
    return redirect(f"{found.get_absolute_url()}#files")


# What is taken home


@login_required
@require_GET
def model_file(request: MemberRequest, model_id: uuid.UUID, kind: str) -> HttpResponseBase:
    """One of the model's files."""
    found = own_model(request, model_id)
    file, opened = training.open_model_file(actor=request.user, model=found, kind=kind)
    name = f"{slugify(found.name)[:80] or 'model'}.{file.kind}"
    return attachment(request, opened, sha256=file.sha256, name=name)


@login_required
@require_GET
def model_card(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    found = own_model(request, model_id)
    text = training.write_card(model=found)
    response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    named(response, f"{slugify(found.name)[:80] or 'model'}-card.md")
    return response


@login_required
@require_GET
def model_bill(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    found = own_model(request, model_id)
    text = training.write_bill(model=found)
    response = HttpResponse(text, content_type="application/vnd.cyclonedx+json; version=1.6")
    named(response, f"{slugify(found.name)[:80] or 'model'}-bom.json")
    return response
