"""What people who have a template say of it, and how helpful others find that.

A template's rating is a mean over reviews that count: a burst of them waits for a moderator first.
Sorted lists take the mean together with `PRIOR_COUNT` imaginary reviews of `PRIOR_MEAN` stars, so
that one review of five stars is not better than a hundred of 4.8 (a Bayesian mean); single reviews
stand in the order of the lower bound of their share of helpful votes (Wilson, 95 %).
"""

import uuid
from decimal import Decimal

from django.db import models
from django.db.models.functions import Cast, Now, Sqrt

from governance.models import Moderated, User
from marketplace.models.templates import Template, TemplateVersion

REVIEW_LENGTH_MAX = 5_000
REPLY_LENGTH_MAX = 5_000
RATINGS = range(1, 6)
PRIOR_COUNT = 5
PRIOR_MEAN = Decimal("3.5")
Z = 1.96  # of 95 %


def wilson() -> models.Case:
    """The lower bound of the share of helpful votes, 0 without any (Wilson, 1927)."""
    helpful = Cast("helpful", models.FloatField())
    votes = Cast(models.F("helpful") + models.F("unhelpful"), models.FloatField())
    share = helpful / votes
    spread = Sqrt((share * (1.0 - share) + Z * Z / (4.0 * votes)) / votes)
    bound = (share + Z * Z / (2.0 * votes) - Z * spread) / (1.0 + Z * Z / votes)
    return models.Case(
        models.When(models.Q(helpful=0), then=0.0),  # where rounding could leave it below
        default=bound,
        output_field=models.FloatField(),
    )


class ReviewQuerySet(models.QuerySet["Review"]):
    def counted(self) -> "ReviewQuerySet":
        """Those that make the rating."""
        return self.filter(held_at=None, hidden_at=None)

    def visible_to(self, user: User | None) -> "ReviewQuerySet":
        shown = models.Q(held_at=None, hidden_at=None)
        return self.filter(shown | models.Q(author=user)) if user else self.filter(shown)


class Review(Moderated):
    """One person's stars and words about a template; the newest of them, when edited."""

    class Sort(models.TextChoices):
        HELPFUL = "helpful", "Most helpful"
        NEWEST = "newest", "Newest"
        HIGHEST = "highest", "Highest rating"
        LOWEST = "lowest", "Lowest rating"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="reviews")
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reviews")
    rating = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    reply = models.TextField(blank=True)
    replied_at = models.DateTimeField(null=True, editable=False)
    held_at = models.DateTimeField(null=True, editable=False)  # one of a burst
    helpful = models.PositiveIntegerField(default=0, editable=False)
    unhelpful = models.PositiveIntegerField(default=0, editable=False)
    helpfulness = models.GeneratedField(
        expression=wilson(), output_field=models.FloatField(), db_persist=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    edited_at = models.DateTimeField(null=True, editable=False)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["-helpfulness", "-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["template", "author"], name="one_review_per_person_and_template"
            ),
            models.CheckConstraint(
                condition=models.Q(rating__range=(1, 5)), name="review_has_one_to_five_stars"
            ),
            models.CheckConstraint(
                condition=models.Q(reply="") | models.Q(replied_at__isnull=False),
                name="reply_says_since_when",
            ),
        ]
        indexes = [
            models.Index(fields=["template", "-helpfulness", "-created_at"], name="best_reviews"),
            models.Index(fields=["template", "-created_at"], name="newest_reviews"),
        ]

    def __str__(self) -> str:
        return f"{self.author} on {self.template}: {self.rating}"

    def get_absolute_url(self) -> str:
        return f"{self.template.get_absolute_url()}#review-{self.pk}"


class ReviewRevision(models.Model):
    """What a review said before it was edited. Never changed."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="revisions")
    rating = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    at = models.DateTimeField()  # when it was said

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.review} until edited"


class Vote(models.Model):
    """Whether a review helped somebody."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="votes")
    voter = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    is_helpful = models.BooleanField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["review", "voter"], name="one_vote_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.voter} on {self.review_id}"
