"""The pages of datasets: bring one, correct its schema, look at it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count
from django.forms import Form
from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect

from governance.models import User
from governance.services import Refusal
from governance.views import MemberRequest, PageRequest, led_once, visitor
from governance.views.files import attachment
from training import services as training
from training.forms.datasets import (
    SHOWN_MAX,
    DeletionForm,
    SchemaForm,
    TextsForm,
    UploadForm,
    blame,
)
from training.models import Category, Dataset

PAGE_SIZE = 24


def visible(user: User | None, slug: str) -> Dataset:
    return get_object_or_404(Dataset.objects.visible_to(user).select_related("owner"), slug=slug)


def own(request: MemberRequest, slug: str) -> Dataset:
    return get_object_or_404(Dataset.objects.of(request.user), slug=slug)


@require_GET
def datasets(request: PageRequest) -> HttpResponse:
    rows = Dataset.objects.visible_to(visitor(request)).newest()
    chosen = request.GET.get("category", "")
    counts = dict(rows.order_by().values_list("category").annotate(Count("pk")))
    facets = [{"label": "All", "count": sum(counts.values()), "is_chosen": not chosen, "url": "?"}]
    facets += [
        {
            "label": category.label,
            "count": counts[category],
            "is_chosen": chosen == category,
            "url": f"?{urlencode({'category': category.value})}",
        }
        for category in Category
        if category in counts
    ]
    is_known = not chosen or chosen in Category.values
    if chosen:
        rows = rows.filter(category=chosen)
    page = Paginator(rows.own_first(), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page_obj": page, "facets": facets, "chosen": chosen}
    if not is_known:
        context["categories"] = Category.choices
    return render(request, "training/datasets.html", context, status=200 if is_known else 404)


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def new_dataset(request: MemberRequest) -> HttpResponse:
    """Bring a file. With scripts it is sent in the background and its progress shown."""
    caps = training.caps_of(request.user.pk)
    form = UploadForm(request.POST or None, request.FILES or None, caps=caps)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        texts = {name: form.cleaned_data[name] for name in ("name", "description", "licence")}
        asked = {"owner": request.user, "file": file, "file_name": file.name, **texts}
        try:
            address = led_once(request, lambda: training.upload_dataset(**asked).get_absolute_url())
        except Refusal as refusal:
            blame(form, refusal)
        else:
            return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
    context = {"form": form, "caps": caps}
    template = "training/new_dataset.html" + ("#upload" if request.htmx else "")
    return render(request, template, context)


@vary_on_headers("HX-Request")
@require_GET
def dataset(request: PageRequest, slug: str) -> HttpResponse:
    """A dataset; while a worker prepares it, the fragment asks for itself again."""
    found = visible(visitor(request), slug)
    if request.htmx:
        return render(request, "training/dataset.html#dataset", about(found))
    return render(request, "training/dataset.html", about(found) | changes(found))


def about(found: Dataset) -> dict[str, Any]:
    context: dict[str, Any] = {
        "dataset": found,
        "is_owner": found.owner_id is not None,
        "steps": training.dataset_steps(dataset=found),
        "told": {"told-dataset": f"{found.get_status_display()}. {found.error_message}".strip()},
        "health": training.dataset_health(dataset=found),
        "versions": Dataset.objects.filter(family=found.family).order_by("-version"),
    }
    if found.sha256:
        context |= {
            "sample": training.sample_rows(dataset=found),
            "balance": dict(zip(found.classes, found.class_balance, strict=False)),
        }
    return context


def changes(found: Dataset, **bound: Form) -> dict[str, Any]:
    """The forms by which an owner changes it: open where one of them holds what was typed."""
    if found.owner_id is None:
        return {}
    names = ("name", "licence", "description")
    forms: dict[str, Form] = {
        "texts": TextsForm(initial={name: getattr(found, name) for name in names}),
        "deletion": DeletionForm(dataset=found),
    }
    return {"is_changing": bool(bound), **forms, **bound}


@login_required
@require_http_methods(["GET", "POST"])
def schema(request: MemberRequest, slug: str) -> HttpResponse:
    """What each column is and is for, and how the rows are split."""
    found = own(request, slug)
    if not found.recipe and request.method == "GET":  # nobody knows yet what its columns are
        messages.warning(request, f"“{found.name}” has no schema to correct: it was not read.")
        return redirect(found)
    if request.GET.get("from") == "last":  # what was tried since could not be read
        found = training.as_last_read(dataset=found)
    query = request.GET.get("q", "").strip().lower()
    form = SchemaForm(request.POST or None, dataset=found, query=query)
    if request.method == "POST" and form.is_valid():
        recipe, split = form.schema()
        try:
            corrected = training.correct_schema(
                actor=request.user, dataset=found, recipe=recipe, split=split
            )
        except training.InvalidSchema as refusal:
            form.show_faults(refusal.invalid_parameters)
        except Refusal as refusal:
            blame(form, refusal)
        else:
            if corrected.is_over:  # what is to be read anew is not
                said = f"Version {corrected.version} has this schema already; nothing was changed."
                messages.info(request, said)
            return redirect(corrected)
    context = {
        "dataset": found,
        "form": form,
        "query": query,
        "shown_max": SHOWN_MAX,
        "is_used": training.is_used(found),
    }
    return render(request, "training/schema.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def rename_dataset(request: MemberRequest, slug: str) -> HttpResponse:
    found = own(request, slug)
    if request.method == "GET":  # such as after signing in anew
        return redirect(f"{found.get_absolute_url()}#change")
    form = TextsForm(request.POST)
    if form.is_valid():
        try:
            training.rename_dataset(actor=request.user, dataset=found, **form.cleaned_data)
        except Refusal as refusal:
            blame(form, refusal)
        else:
            messages.success(request, "The names were changed, in all versions.")
            return redirect(found)
    return render(request, "training/dataset.html", about(found) | changes(found, texts=form))


@login_required
@require_http_methods(["GET", "POST"])
def delete_dataset(request: MemberRequest, slug: str) -> HttpResponse:
    """Gone for good, so its name has to be typed."""
    found = own(request, slug)
    if request.method == "GET":
        return redirect(f"{found.get_absolute_url()}#change")
    form = DeletionForm(request.POST, dataset=found)
    if form.is_valid():
        try:
            other = training.delete_dataset(actor=request.user, dataset=found)
        except Refusal as refusal:
            blame(form, refusal)
        else:
            rest = "its file is not kept for you any more"
            if other is not None:
                rest = f"its file stays: version {other.version} of “{other.name}” is read from it"
            said = f"Version {found.version} of “{found.name}” was deleted; {rest}."
            messages.success(request, said)
            return redirect(reverse("training:datasets"))
    return render(request, "training/dataset.html", about(found) | changes(found, deletion=form))


@require_GET
def brought_file(request: PageRequest, slug: str) -> HttpResponseBase:
    """The file as it was brought: to be saved and never shown, since it is whatever it is."""
    found = visible(visitor(request), slug)
    return stored(request, found.upload_sha256, found.upload_name)


@require_GET
def prepared_rows(request: PageRequest, slug: str) -> HttpResponseBase:
    """The rows as a network is given them, as safetensors."""
    found = visible(visitor(request), slug)
    return stored(request, found.sha256, f"{found.slug}.safetensors")


def stored(request: PageRequest, sha256: str, name: str) -> HttpResponseBase:
    if not sha256:
        raise Http404
    return attachment(request, training.open_file(sha256=sha256), sha256=sha256, name=name)


@require_GET
def croissant(request: PageRequest, slug: str) -> HttpResponse:
    found = visible(visitor(request), slug)
    body = training.describe_dataset(dataset=found)
    return JsonResponse(body, content_type=training.CROISSANT_TYPE, json_dumps_params={"indent": 2})
