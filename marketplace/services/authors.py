"""Authors, as their page shows them: what they offer, and what people make of it."""

from dataclasses import dataclass

from django.db.models import Avg, Count

from governance.models import User
from marketplace.models import Collection, Purchase, Review, Template, TemplateQuerySet


@dataclass(frozen=True, kw_only=True)
class Author:
    """A person who offers something, with sums over all of it."""

    user: User
    templates: TemplateQuerySet  # on offer, the newest first
    collections: list[Collection]
    users: int  # people who have something of theirs
    reviews: int
    mean_rating: float | None


def find_author(*, username: str) -> Author | None:
    """None for who offers nothing: that somebody has an account here is nobody's business."""
    templates = Template.objects.public().filter(owner__username=username)
    first = templates.select_related("owner").first()
    if first is None:
        return None
    user = first.owner
    stars = Review.objects.counted().filter(template__owner=user)
    rated = stars.aggregate(count=Count("pk"), mean=Avg("rating"))
    buyers = Purchase.objects.filter(template__owner=user).values("buyer").distinct()
    return Author(
        user=user,
        templates=templates.with_current(),
        collections=list(Collection.objects.public().filter(owner=user)[:12]),
        users=buyers.count(),
        reviews=rated["count"],
        mean_rating=None if rated["mean"] is None else round(float(rated["mean"]), 1),
    )
