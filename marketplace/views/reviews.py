"""The reviews of a template: read them, write one, vote, reply."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from governance.views import MemberRequest, PageRequest, pressed_on, visitor
from marketplace import services as marketplace
from marketplace.forms.reviews import ReplyForm, ReviewForm
from marketplace.models import Review
from marketplace.services import Offer
from marketplace.views.found import found_template, open_offer

PAGE_LENGTH = 10


def board_of(request: PageRequest, offer: Offer) -> dict[str, Any]:
    """What `marketplace/_reviews.html` shows; the address says how they are sorted."""
    asked = request.GET.get("sort", "")
    sort = Review.Sort(asked) if asked in Review.Sort.values else Review.Sort.HELPFUL
    given = request.GET.get("from", "0")
    first = min(int(given), 10_000) if given.isascii() and given.isdecimal() else 0
    board = marketplace.review_board(
        template=offer.template,
        viewer=visitor(request),
        may_review=offer.standing.has_bought,
        sort=sort,
        first=first,
        length=PAGE_LENGTH,
    )
    return {
        "board": board,
        "template": offer.template,
        "sorts": Review.Sort.choices,
        "next_from": first + PAGE_LENGTH,
    }


@require_GET
@vary_on_headers("HX-Request")
def reviews(request: PageRequest, slug: str) -> HttpResponse:
    context = board_of(request, open_offer(request, slug))
    page = "marketplace/reviews.html"
    part = request.GET.get("from") and request.htmx
    return render(request, f"{page}#more" if part else page, context)


@login_required
@require_http_methods(["GET", "POST"])
def review_template(request: MemberRequest, slug: str) -> HttpResponse:
    """Write a review, or change what one wrote."""
    template = found_template(request, slug)
    own = Review.objects.filter(template=template, author=request.user).first()
    initial = {"rating": own.rating, "text": own.text} if own else None
    form = ReviewForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            review = marketplace.review_template(
                reviewer=request.user, template=template, **form.cleaned_data
            )
        except (marketplace.InvalidReview, marketplace.NotAUser) as refusal:
            form.add_error(None, str(refusal))
        else:
            said = "Thank you. Your review stands below."
            if review.held_at:
                said = "Thank you. Many reviews came at once, so a moderator looks at yours first."
            messages.success(request, said)
            return redirect(f"{template.get_absolute_url()}#reviews")
    context = {"form": form, "template": template, "own": own}
    return render(request, "marketplace/review.html", context)


def found_review(request: MemberRequest, slug: str, review_id: uuid.UUID) -> Review:
    rows = Review.objects.visible_to(request.user).select_related("template")
    return get_object_or_404(rows, pk=review_id, template=found_template(request, slug))


@pressed_on("../../../")
def vote(request: MemberRequest, slug: str, review_id: uuid.UUID) -> HttpResponse:
    """Pressing the same again takes the vote back."""
    review = found_review(request, slug, review_id)
    said = {"yes": True, "no": False}.get(request.POST.get("is_helpful", ""))
    review = marketplace.vote_on_review(voter=request.user, review=review, is_helpful=said)
    if request.htmx:
        context = {"review": review, "template": review.template, "is_helpful": said}
        return render(request, "marketplace/_votes.html", context)
    return redirect(review)


@login_required
@require_http_methods(["GET", "POST"])
def reply(request: MemberRequest, slug: str, review_id: uuid.UUID) -> HttpResponse:
    review = found_review(request, slug, review_id)
    form = ReplyForm(request.POST or None, initial={"text": review.reply})
    if request.method == "POST" and form.is_valid():
        marketplace.reply_to_review(
            actor=request.user, review=review, text=form.cleaned_data["text"]
        )
        return redirect(review)
    context = {"form": form, "review": review, "template": review.template}
    return render(request, "marketplace/reply.html", context)
