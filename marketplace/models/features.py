"""What those who curate put in front, each with a reason that everybody reads."""

import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from governance.models import User
from marketplace.models.templates import Template

FEATURE_REASON_LENGTH_MAX = 200


class FeatureQuerySet(models.QuerySet["Feature"]):
    def live(self) -> "FeatureQuerySet":
        """In front now, in their order; of what no longer is on offer, none."""
        offered = models.Q(
            template__current__isnull=False,
            template__withdrawn_at=None,
            template__hidden_at=None,
        )
        return self.standing().filter(offered, from_at__lte=Now()).order_by("place", "from_at")

    def standing(self) -> "FeatureQuerySet":
        """Not over, whether it has begun or will."""
        return self.exclude(until_at__lte=Now())


class Feature(models.Model):
    """A template in front, from a moment until another, or until somebody ends it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="features")
    reason = models.CharField(max_length=FEATURE_REASON_LENGTH_MAX)
    place = models.PositiveSmallIntegerField(default=0)  # the least stands first
    from_at = models.DateTimeField(db_default=Now())
    until_at = models.DateTimeField(null=True)
    curated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = FeatureQuerySet.as_manager()

    class Meta:
        ordering = ["place", "from_at"]
        constraints = [
            # Whoever reads why, reads something.
            models.CheckConstraint(
                condition=models.Q(reason__regex=r"\S"), name="feature_says_why"
            ),
            models.CheckConstraint(
                condition=models.Q(until_at=None) | models.Q(until_at__gt=models.F("from_at")),
                name="feature_ends_after_it_begins",
            ),
            # Two at once would show a template twice, with two reasons.
            ExclusionConstraint(
                name="one_feature_of_a_template_at_a_time",
                expressions=[
                    ("template", RangeOperators.EQUAL),
                    (
                        models.Func(
                            "from_at",
                            "until_at",
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template}, in front"

    def get_absolute_url(self) -> str:
        return reverse("marketplace:template", args=[self.template.slug])

    @property
    def is_over(self) -> bool:
        return self.until_at is not None and self.until_at <= timezone.now()
