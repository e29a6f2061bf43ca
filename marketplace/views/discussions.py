"""The discussion of a template: its threads, one thread, asking and answering."""

import uuid
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from governance.models import User
from governance.services import Refusal
from governance.views import MemberRequest, PageRequest, led_once, pressed_on, visitor
from marketplace import services as marketplace
from marketplace.forms.reviews import PostForm, ThreadForm
from marketplace.models import Post, Template, Thread
from marketplace.views.found import found_template

PAGE_SIZE = 30
LATEST_SHOWN = 3
ORDER = ("-is_pinned", "-active_at", "pk")
POSTS_TOTAL = Count("posts", filter=Q(posts__hidden_at=None))


def latest_threads(template: Template, user: User | None) -> list[Thread]:
    """The few that a template's page shows; pinned ones first."""
    rows = Thread.objects.visible_to(user).filter(template=template)
    rows = (
        rows.select_related("author", "template").annotate(posts_total=POSTS_TOTAL).order_by(*ORDER)
    )
    return list(rows[:LATEST_SHOWN])


@require_GET
def discussion(request: PageRequest, slug: str) -> HttpResponse:
    template = found_template(request, slug)
    rows = Thread.objects.visible_to(visitor(request)).filter(template=template)
    kind = request.GET.get("kind", "")
    if kind in Thread.Kind.values:
        rows = rows.filter(kind=kind)
    rows = (
        rows.select_related("author", "template").annotate(posts_total=POSTS_TOTAL).order_by(*ORDER)
    )
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"template": template, "page_obj": page, "kind": kind, "kinds": Thread.Kind.choices}
    return render(request, "marketplace/discussion.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def new_thread(request: MemberRequest, slug: str) -> HttpResponse:
    template = found_template(request, slug)
    form = ThreadForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data

        def act() -> str:
            made = marketplace.start_thread(
                author=request.user,
                template=template,
                title=asked["title"],
                text=asked["text"],
                kind=Thread.Kind(asked["kind"]),
            )
            return made.get_absolute_url()

        try:
            return redirect(led_once(request, act))
        except marketplace.InvalidPost as refusal:
            form.add_error(None, str(refusal))
    context = {"form": form, "template": template}
    return render(request, "marketplace/new_thread.html", context)


def found_thread(request: PageRequest, slug: str, thread_id: uuid.UUID) -> Thread:
    template = found_template(request, slug)
    rows = Thread.objects.visible_to(visitor(request)).select_related("template__owner", "author")
    return get_object_or_404(rows, pk=thread_id, template=template)


@require_http_methods(["GET", "POST"])
def thread(request: PageRequest, slug: str, thread_id: uuid.UUID) -> HttpResponse:
    """Read a thread, and add to it."""
    found = found_thread(request, slug, thread_id)
    user = visitor(request)
    form = PostForm(request.POST or None)
    if request.method == "POST" and user is not None and form.is_valid():

        def act() -> str:
            text = form.cleaned_data["text"]
            return marketplace.add_post(author=user, thread=found, text=text).get_absolute_url()

        try:
            return redirect(led_once(cast(MemberRequest, request), act))
        except Refusal as refusal:
            form.add_error(None, str(refusal))
    posts = Post.objects.visible_to(user).filter(thread=found).select_related("author")
    page = Paginator(posts, PAGE_SIZE).get_page(page_asked(request, posts))
    context = {
        "template": found.template,
        "thread": found,
        "page_obj": page,
        "first": posts.first(),
        "form": form,
        "may_lead": user is not None and marketplace.may_lead(user, found),
        "may_accept": user is not None
        and found.kind == Thread.Kind.QUESTION
        and user.pk in (found.author_id, found.template.owner_id),
    }
    return render(request, "marketplace/thread.html", context)


def page_asked(request: PageRequest, posts: QuerySet[Post]) -> int | str:
    """By its number, or by a post that stands there."""
    if "post" not in request.GET or "page" in request.GET:
        return request.GET.get("page", 1)
    try:
        post = posts.get(pk=request.GET["post"])
    except (Post.DoesNotExist, ValidationError):  # it is hidden, or no id
        return 1
    return posts.filter(created_at__lt=post.created_at).count() // PAGE_SIZE + 1


@pressed_on("../")
def lead_thread(request: MemberRequest, slug: str, thread_id: uuid.UUID) -> HttpResponse:
    """Pin, unpin, lock or unlock."""
    found = found_thread(request, slug, thread_id)
    act = request.POST.get("act", "")
    if act in ("pin", "unpin"):
        marketplace.pin_thread(actor=request.user, thread=found, is_pinned=act == "pin")
    elif act in ("lock", "unlock"):
        marketplace.lock_thread(actor=request.user, thread=found, is_locked=act == "lock")
    else:
        messages.error(request, "act: must be pin, unpin, lock or unlock.")
    return redirect(found)


def found_post(request: MemberRequest, thread: Thread, post_id: uuid.UUID) -> Post:
    rows = Post.objects.visible_to(request.user).select_related("thread__template")
    return get_object_or_404(rows, pk=post_id, thread=thread)


@pressed_on("../../../")
def accept_answer(
    request: MemberRequest, slug: str, thread_id: uuid.UUID, post_id: uuid.UUID
) -> HttpResponse:
    post = found_post(request, found_thread(request, slug, thread_id), post_id)
    marketplace.accept_answer(actor=request.user, post=post)
    return redirect(post)


@login_required
@require_http_methods(["GET", "POST"])
def edit_post(
    request: MemberRequest, slug: str, thread_id: uuid.UUID, post_id: uuid.UUID
) -> HttpResponse:
    post = found_post(request, found_thread(request, slug, thread_id), post_id)
    form = PostForm(request.POST or None, initial={"text": post.text})
    if request.method == "POST" and form.is_valid():
        return redirect(
            marketplace.edit_post(actor=request.user, post=post, text=form.cleaned_data["text"])
        )
    context = {"form": form, "post": post, "thread": post.thread}
    return render(request, "marketplace/edit_post.html", context)
