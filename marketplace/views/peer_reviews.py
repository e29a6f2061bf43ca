"""The queue of versions that wait, and the page on which a member reviews one of them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from governance.services import Refusal
from governance.views import MemberRequest, pressed_on
from marketplace import services as marketplace
from marketplace.forms.peer_reviews import PeerReviewForm
from marketplace.forms.publishing import blame
from marketplace.models import PeerReview, TemplateVersion
from marketplace.models.peer_reviews import WANTED
from training import services as training

WAITING_SHOWN = 20
REVIEWS_SHOWN = 10


@login_required
@require_GET
def peer_reviews(request: MemberRequest) -> HttpResponse:
    """What waits, and what one reviewed; for who may not review yet, how one gets there."""
    reviewed = PeerReview.objects.filter(reviewer=request.user)
    context = {
        "unqualified": marketplace.why_unqualified(request.user),
        "wanted": WANTED,
        "reviewed": reviewed.select_related("version__template").order_by("-changed_at")[
            :REVIEWS_SHOWN
        ],
    }
    if not context["unqualified"]:
        rows = marketplace.reviewable(request.user)
        context["page_obj"] = Paginator(rows, WAITING_SHOWN).get_page(request.GET.get("page"))
    return render(request, "marketplace/peer_reviews.html", context)


def waiting_version(request: MemberRequest, slug: str, number: int) -> TemplateVersion:
    """For who may review it. To others it is not there, as to everybody once it is decided."""
    rows = marketplace.reviewable(request.user).select_related(
        "template__owner", "template__current__model__job__dataset", "validation"
    )
    version = get_object_or_404(rows, template__slug=slug, number=number)
    if marketplace.why_unqualified(request.user):
        raise Http404
    return version


@login_required
@require_http_methods(["GET", "POST"])
def peer_review(request: MemberRequest, slug: str, number: int) -> HttpResponse:
    version = waiting_version(request, slug, number)
    mine = PeerReview.objects.current().filter(version=version, reviewer=request.user).first()
    form = PeerReviewForm(request.POST or None, review=mine)
    if request.method == "POST" and form.is_valid():
        try:
            marketplace.review_version(
                reviewer=request.user,
                version=version,
                recommendation=form.cleaned_data["recommendation"],
                answers=form.answers,
                text=form.cleaned_data["text"],
            )
        except Refusal as refusal:
            blame(form, refusal)
        else:
            messages.success(request, "Thank you. The moderator reads it; you may change it.")
            return redirect("marketplace:peer_reviews")
    dataset = version.model.job.dataset
    context = {
        "template": version.template,
        "version": version,
        "validation": version.validation,
        "shows_rows": dataset.is_visible_to(request.user),
        "changes": marketplace.changes_of(version=version),
        "conflict": marketplace.conflict_of(request.user, version),
        "mine": mine,
        "form": form,
        "again": marketplace.again_of(version),
        "may_reproduce": marketplace.may_reproduce(request.user, version),
    }
    return render(request, "marketplace/peer_review.html", context)


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def peer_try(request: MemberRequest, slug: str, number: int) -> HttpResponse:
    """Ask a version that waits something; for who reviews it, that is free."""
    version = waiting_version(request, slug, number)
    if request.method == "POST":
        sheet = training.ask_model(
            model=version.model,
            viewer=request.user,
            posted=request.POST,
            picture=request.FILES.get("picture"),
        )
    else:
        sheet = training.blank_sheet(model=version.model, viewer=request.user)
    is_part = request.htmx and request.method == "POST"
    page = "training/_answered.html" if is_part else "marketplace/peer_try.html"
    context = {"version": version, "template": version.template, "sheet": sheet}
    return render(request, page, context | {"told": {"told-answer": ""}})


def reproduced_version(request: MemberRequest, slug: str, number: int) -> TemplateVersion:
    """For who may have it run again."""
    rows = TemplateVersion.objects.select_related("template__owner", "model__job__dataset")
    version = get_object_or_404(rows, template__slug=slug, number=number)
    if not marketplace.may_reproduce(request.user, version):
        raise Http404
    return version


@login_required
@vary_on_headers("HX-Request")
@require_GET
def reproductions(request: MemberRequest, slug: str, number: int) -> HttpResponse:
    version = reproduced_version(request, slug, number)
    context = {
        "version": version,
        "template": version.template,
        "again": marketplace.again_of(version),
        "may_reproduce": True,
    }
    page = "marketplace/_again.html" if request.htmx else "marketplace/reproductions.html"
    return render(request, page, context)


@pressed_on("../")
def reproduce(request: MemberRequest, slug: str, number: int) -> HttpResponse:
    version = reproduced_version(request, slug, number)
    marketplace.reproduce_version(actor=request.user, version=version)
    messages.success(request, "It is trained again; the answer comes to the same page.")
    return redirect("marketplace:reproductions", slug, number)
