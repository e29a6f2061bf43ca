"""Collections: everybody's public ones, one's own, and keeping templates in them."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from governance.services import Refusal
from governance.views import MemberRequest, PageRequest, led_once, pressed_on, visitor
from marketplace import services as marketplace
from marketplace.forms.collections import CollectForm, CollectionForm
from marketplace.models import Collection, CollectionItem, Template
from marketplace.views.found import found_template

PAGE_SIZE = 24


@require_GET
def collections(request: PageRequest) -> HttpResponse:
    user = visitor(request)
    counted = Count("items")
    public = Collection.objects.public().select_related("owner").annotate(size=counted)
    filled = public.filter(size__gt=0).order_by("-changed_at", "pk")
    page = Paginator(filled, PAGE_SIZE).get_page(request.GET.get("page"))
    own = Collection.objects.of(user).select_related("owner").annotate(size=counted) if user else []
    return render(request, "marketplace/collections.html", {"page_obj": page, "own": own})


@login_required
@require_http_methods(["GET", "POST"])
def new_collection(request: MemberRequest) -> HttpResponse:
    form = CollectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def act() -> str:
            made = marketplace.make_collection(owner=request.user, **form.cleaned_data)
            return made.get_absolute_url()

        try:
            return redirect(led_once(request, act))
        except Refusal as refusal:
            form.add_error("name", str(refusal))
    return render(request, "marketplace/edit_collection.html", {"form": form})


def found_collection(request: PageRequest, collection_id: uuid.UUID) -> Collection:
    rows = Collection.objects.visible_to(visitor(request)).select_related("owner")
    return get_object_or_404(rows, pk=collection_id)


@require_GET
def collection(request: PageRequest, collection_id: uuid.UUID) -> HttpResponse:
    """What no longer is on offer leaves a line that says so."""
    found = found_collection(request, collection_id)
    user = visitor(request)
    shown = Template.objects.visible_to(user).with_current()
    items = found.items.prefetch_related(Prefetch("template", queryset=shown, to_attr="offered"))
    context = {
        "collection": found,
        "items": list(items),
        "is_owner": user is not None and found.owner_id == user.pk,
    }
    return render(request, "marketplace/collection.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def edit_collection(request: MemberRequest, collection_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Collection.objects.of(request.user), pk=collection_id)
    initial = {
        "name": found.name,
        "description": found.description,
        "is_public": found.is_public,
    }
    form = CollectionForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            marketplace.change_collection(actor=request.user, collection=found, **form.cleaned_data)
        except Refusal as refusal:
            form.add_error("name", str(refusal))
        else:
            return redirect(found)
    context = {"form": form, "collection": found}
    return render(request, "marketplace/edit_collection.html", context)


@pressed_on("../")
def delete_collection(request: MemberRequest, collection_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Collection.objects.of(request.user), pk=collection_id)
    marketplace.delete_collection(actor=request.user, collection=found)
    messages.success(request, f"The collection “{found.name}” is gone.")
    return redirect("marketplace:collections")


@pressed_on("../../")
def change_item(request: MemberRequest, collection_id: uuid.UUID, item_id: int) -> HttpResponse:
    """Move a template up or down, or leave it out."""
    rows = CollectionItem.objects.select_related("collection", "template")
    item = get_object_or_404(
        rows, pk=item_id, collection__owner=request.user, collection_id=collection_id
    )
    act = request.POST.get("act", "")
    if act in ("up", "down"):
        marketplace.move_item(actor=request.user, item=item, is_up=act == "up")
    elif act == "remove":
        marketplace.leave_out(actor=request.user, item=item)
    else:
        messages.error(request, "act: must be up, down or remove.")
    return redirect(item.collection)


@login_required
@require_http_methods(["GET", "POST"])
def collect(request: MemberRequest, slug: str) -> HttpResponse:
    """Put a template into one of one's collections, or a new one."""
    template = found_template(request, slug)
    form = CollectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            kept = kept_in(request, form)
            marketplace.collect_template(
                actor=request.user,
                collection=kept,
                template=template,
                note=form.cleaned_data["note"],
            )
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"“{template.name}” is in “{kept.name}”.")
            return redirect(kept)
    own = Collection.objects.of(request.user).annotate(size=Count("items"))
    context = {"form": form, "template": template, "own": own}
    return render(request, "marketplace/collect.html", context)


def kept_in(request: MemberRequest, form: CollectForm) -> Collection:
    asked = form.cleaned_data
    if asked["collection"]:
        return get_object_or_404(Collection.objects.of(request.user), pk=asked["collection"])
    return marketplace.make_collection(owner=request.user, name=asked["name"])
