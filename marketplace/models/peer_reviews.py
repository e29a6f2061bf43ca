"""What qualified members say of a version before a moderator decides on it."""

import uuid

from django.db import models
from django.db.models.functions import Length, Now
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from governance.models import User
from marketplace.models.templates import TemplateVersion
from training.models import Reproduction

PEER_TEXT_LENGTH_MAX = 5_000
WANTED = 2  # of them a moderator would like to read


class Check(models.TextChoices):
    """What every reviewer looks at."""

    WORDS = "words", "The description says what it is for, what it learned from and where it fails"
    FIGURES = "figures", "The figures that were measured are those that matter for this use"
    LIMITS = "limits", "Its limits, and whom it could harm, are said honestly"
    LICENCE = "licence", "The licence fits the data and what is offered"
    WORKS = "works", "I asked it something, and it answered as described"
    PRICE = "price", "The price is in proportion to what one gets"


class Answer(models.TextChoices):
    YES = "yes", "Yes"
    NO = "no", "No"
    UNSURE = "unsure", "Cannot tell"


class PeerReviewQuerySet(models.QuerySet["PeerReview"]):
    def current(self) -> "PeerReviewQuerySet":
        """Of what waits as it is: a version that was recalled and submitted anew is another."""
        return self.filter(submitted_at=models.F("version__submitted_at"))


class PeerReview(models.Model):
    """One member's review of one submission; it may change until a moderator has decided.

    `reproduction` is the training that was run again to look at it, where the reviewer knew one.
    """

    class Recommendation(models.TextChoices):
        APPROVE = "approve", "Approve"
        CHANGES = "changes", "Request changes"
        REJECT = "reject", "Reject"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(
        TemplateVersion, on_delete=models.PROTECT, related_name="peer_reviews"
    )
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="peer_reviews")
    submitted_at = models.DateTimeField(editable=False)  # the version, as it was reviewed
    answers = models.JSONField()  # of each Check, an Answer
    recommendation = models.CharField(max_length=7, choices=Recommendation)
    text = models.TextField()
    reproduction = models.ForeignKey(
        Reproduction, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = PeerReviewQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            # Two voices are two people's.
            models.UniqueConstraint(fields=["version", "reviewer"], name="one_review_per_peer"),
            models.CheckConstraint(
                condition=models.Q(recommendation__in=["approve", "changes", "reject"]),
                name="peer_recommends_something_known",
            ),
            models.CheckConstraint(
                condition=models.Q(GreaterThan(Length("text"), 0))
                & models.Q(LessThanOrEqual(Length("text"), PEER_TEXT_LENGTH_MAX)),
                name="peer_review_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer} on {self.version}"

    @property
    def said(self) -> list[tuple[str, str, str]]:
        """Each check as a sentence, with the answer and its word."""
        return [
            (check.label, self.answers[check], Answer(self.answers[check]).label)
            for check in Check
            if check in self.answers
        ]
