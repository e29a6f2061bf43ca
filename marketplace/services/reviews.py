"""Reviews: one per person who has the template; edited, answered and found helpful or not."""

import datetime
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, OuterRef, Subquery, Value, prefetch_related_objects
from django.db.models.functions import Now

from governance import services as governance
from governance.models import NoticeType, User
from governance.services import Refusal
from marketplace.models import Purchase, Review, ReviewRevision, Template, Vote
from marketplace.models.reviews import (
    PRIOR_COUNT,
    PRIOR_MEAN,
    RATINGS,
    REPLY_LENGTH_MAX,
    REVIEW_LENGTH_MAX,
)

# More than this many new reviews of one template within the window wait for a moderator.
BURST = 20
BURST_WINDOW = datetime.timedelta(hours=1)

ORDERS = {
    Review.Sort.HELPFUL: ("-helpfulness", "-created_at", "id"),
    Review.Sort.NEWEST: ("-created_at", "id"),
    Review.Sort.HIGHEST: ("-rating", "-helpfulness", "id"),
    Review.Sort.LOWEST: ("rating", "-helpfulness", "id"),
}


class InvalidReview(Refusal):
    """A field is missing or out of range; the text names it."""

    status = 422


class NotAUser(Refusal):
    """Only who has a template can say how it is."""

    status = 403


@dataclass(frozen=True, kw_only=True)
class Rating:
    """The stars of a template: how many reviews gave how many."""

    by_stars: dict[int, int]

    @property
    def count(self) -> int:
        return sum(self.by_stars.values())

    @property
    def total(self) -> int:
        return sum(stars * count for stars, count in self.by_stars.items())

    @property
    def mean(self) -> float | None:
        return round(self.total / self.count, 1) if self.count else None

    @property
    def bayesian(self) -> float:
        """What lists are sorted by: as if `PRIOR_COUNT` had given `PRIOR_MEAN` before."""
        return (self.total + PRIOR_COUNT * float(PRIOR_MEAN)) / (self.count + PRIOR_COUNT)


def rating_of(template: Template) -> Rating:
    rows = Review.objects.counted().filter(template=template).values("rating").order_by()
    counts = dict(rows.values_list("rating").annotate(count=Count("pk")))
    return Rating(by_stars={stars: counts.get(stars, 0) for stars in reversed(RATINGS)})


def may_review(user: User, template: Template) -> bool:
    """Who bought it, or took it for free and deployed it, which leaves a purchase of 0."""
    return (
        template.owner_id != user.pk
        and Purchase.objects.of(user).filter(template=template).exists()
    )


@transaction.atomic
def review_template(*, reviewer: User, template: Template, rating: int, text: str = "") -> Review:
    """Say how a template is, or say it anew: what was said before is kept as history."""
    if rating not in RATINGS:
        raise InvalidReview(f"rating: {rating} is not one of 1 to 5 stars.")
    if len(text) > REVIEW_LENGTH_MAX:
        raise InvalidReview(f"review: has {len(text):,} letters; at most {REVIEW_LENGTH_MAX:,}.")
    if template.owner_id == reviewer.pk:
        raise NotAUser("Nobody rates a template of their own.")
    if not may_review(reviewer, template):
        raise NotAUser(f"Only who has “{template.name}” can rate it: buy or deploy it first.")
    governance.take_turn(f"review/{template.pk}")
    earlier = Review.objects.filter(template=template, author=reviewer).first()
    if earlier is None:
        review = first_review(reviewer, template, rating, text)
        governance.tell(
            user=template.owner,
            type=NoticeType.TEMPLATE_REVIEWED,
            text=f"{reviewer} gave “{template.name}” {rating} of 5 stars.",
            url=review.get_absolute_url(),
            data={"template_id": str(template.pk), "rating": rating},
        )
    else:
        review = edited_review(earlier, rating, text)
    governance.record(
        actor=reviewer,
        verb="review_template",
        subject=review,
        details={"template": str(template.pk), "rating": rating},
    )
    return review


def first_review(reviewer: User, template: Template, rating: int, text: str) -> Review:
    lately = Review.objects.filter(template=template, created_at__gt=Now() - Value(BURST_WINDOW))
    return Review.objects.create(
        template=template,
        version=template.shown,
        author=reviewer,
        rating=rating,
        text=text,
        held_at=Now() if lately.count() >= BURST else None,
    )


def edited_review(review: Review, rating: int, text: str) -> Review:
    if (review.rating, review.text) == (rating, text):
        return review
    ReviewRevision.objects.create(
        review=review,
        rating=review.rating,
        text=review.text,
        at=review.edited_at or review.created_at,
    )
    Review.objects.filter(pk=review.pk).update(rating=rating, text=text, edited_at=Now())
    review.refresh_from_db()
    return review


@transaction.atomic
def release_review(*, actor: User, review: Review) -> Review:
    """A moderator has looked at one of a burst, and lets it count."""
    governance.require_role(actor, *governance.HIDING_ROLES)
    if not Review.objects.filter(pk=review.pk, held_at__isnull=False).update(held_at=None):
        raise Refusal("This review is not held.")
    governance.record(actor=actor, verb="release_review", subject=review)
    review.refresh_from_db()
    return review


@transaction.atomic
def reply_to_review(*, actor: User, review: Review, text: str) -> Review:
    """The author of the template answers a review; an empty text takes the answer back."""
    if review.template.owner_id != actor.pk:
        raise governance.NotAllowed("Only the author of the template replies to its reviews.")
    if len(text) > REPLY_LENGTH_MAX:
        raise InvalidReview(f"reply: has {len(text):,} letters; at most {REPLY_LENGTH_MAX:,}.")
    text = text.strip()
    Review.objects.filter(pk=review.pk).update(reply=text, replied_at=Now() if text else None)
    governance.record(actor=actor, verb="reply_to_review", subject=review)
    if text:
        governance.tell(
            user=review.author,
            type=NoticeType.TEMPLATE_ANSWERED,
            text=f"{actor} replied to your review of “{review.template.name}”.",
            url=review.get_absolute_url(),
            data={"template_id": str(review.template_id)},
        )
    review.refresh_from_db()
    return review


@transaction.atomic
def vote_on_review(*, voter: User, review: Review, is_helpful: bool | None) -> Review:
    """Whether it helped; None takes the vote back. One per person, and none on one's own matter."""
    if voter.pk in (review.author_id, review.template.owner_id):
        raise governance.NotAllowed("Neither its writer nor the template's author votes on it.")
    review = Review.objects.select_for_update(of=("self",)).get(pk=review.pk)
    if is_helpful is None:
        Vote.objects.filter(review=review, voter=voter).delete()
    else:
        Vote.objects.update_or_create(
            review=review, voter=voter, defaults={"is_helpful": is_helpful}
        )
    votes = dict(
        review.votes.values("is_helpful").values_list("is_helpful").annotate(count=Count("pk"))
    )
    Review.objects.filter(pk=review.pk).update(
        helpful=votes.get(True, 0), unhelpful=votes.get(False, 0)
    )
    governance.record(
        actor=voter, verb="vote_on_review", subject=review, details={"is_helpful": is_helpful}
    )
    review.refresh_from_db()
    return review


@dataclass(frozen=True, kw_only=True)
class ShownReview:
    """A review with the vote of who looks at it."""

    review: Review
    is_helpful: bool | None


@dataclass(frozen=True, kw_only=True)
class ReviewBoard:
    """What a template's page shows of its reviews."""

    rating: Rating
    reviews: list[ShownReview]
    own: Review | None
    may_review: bool
    sort: Review.Sort
    is_more: bool


def review_board(
    *,
    template: Template,
    viewer: User | None,
    may_review: bool,
    sort: Review.Sort = Review.Sort.HELPFUL,
    first: int = 0,
    length: int = 10,
) -> ReviewBoard:
    """One page of reviews from place `first` on, in two queries; a third for what was edited, and
    one for the viewer's own where it is on another page. `may_review` is whether they have it.
    """
    vote = Vote.objects.filter(voter=viewer, review=OuterRef("pk")).values("is_helpful")
    rows = Review.objects.visible_to(viewer).filter(template=template)
    rows = rows.select_related("author", "version__template", "template")
    sorted_rows = rows.annotate(vote=Subquery(vote)).order_by(*ORDERS[sort])
    found = list(sorted_rows[first : first + length + 1])
    prefetch_related_objects([one for one in found if one.edited_at], "revisions")
    own = None
    if viewer is not None and may_review:
        own = next((one for one in found if one.author_id == viewer.pk), None)
        if own is None and (first or len(found) > length):
            own = rows.filter(author=viewer).first()
    return ReviewBoard(
        rating=rating_of(template),
        reviews=[ShownReview(review=one, is_helpful=vars(one)["vote"]) for one in found[:length]],
        own=own,
        may_review=may_review,
        sort=sort,
        is_more=len(found) > length,
    )
