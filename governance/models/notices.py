"""What people are told, and which of it also by e-mail.

A notice is for one person, and never changes but to be read and to be sent. `NoticeType` is the
closed list of what there is to tell, for pages, e-mails and webhooks alike. It stands in no
constraint by its names, so that a new line is no migration.
"""

import uuid

from django.db import models
from django.db.models.functions import Now

from governance.models.people import User

DOTTED = r"^[a-z_]+\.[a-z_]+$"
OF_THIS_SITE = r"^/([^/\\]|$)"  # what begins with two slashes is another site
TEXT_LENGTH_MAX = 500


class NoticeType(models.TextChoices):
    """What happened, as programs read it and as people choose it. One line each, by its noun."""

    TRAINING_DONE = "training.done", "A training is done"
    TRAINING_FAILED = "training.failed", "A training failed"
    TRAINING_SEARCHED = "training.searched", "A search for settings is over"
    VALIDATION_DONE = "validation.done", "A validation is done"
    VALIDATION_FAILED = "validation.failed", "A validation failed"
    TEMPLATE_SUBMITTED = "template.submitted", "A template waits for review"
    TEMPLATE_REVIEWED_BY_PEER = "template.peer_reviewed", "A peer reviewed your submission"
    TEMPLATE_CHANGES_REQUESTED = "template.changes_requested", "Changes to a template are asked for"
    TEMPLATE_APPROVED = "template.approved", "A template was approved"
    TEMPLATE_REJECTED = "template.rejected", "A template was rejected"
    TEMPLATE_PUBLISHED = "template.published", "A template was published"
    TEMPLATE_SOLD = "template.sold", "Somebody bought your template"
    TEMPLATE_REVIEWED = "template.reviewed", "Somebody rated your template"
    TEMPLATE_QUESTION = "template.question", "Somebody asked about your template"
    TEMPLATE_ANSWERED = "template.answered", "Somebody answered your question or review"
    TEMPLATE_NEW_VERSION = "template.new_version", "What you use has a new version"
    TEMPLATE_DEPRECATED = "template.deprecated", "What you use is deprecated or withdrawn"
    TEMPLATE_REMOVED = "template.removed", "Your template was hidden by a moderator"
    DEPLOYMENT_STOPPED = "deployment.stopped", "A deployment was stopped, and not by you"
    BATCH_DONE = "batch.done", "A batch job is done"
    BATCH_FAILED = "batch.failed", "A batch job failed"
    SEARCH_FOUND = "search.found", "A saved search found something new"
    WEBHOOK_DISABLED = "webhook.disabled", "A webhook was switched off"


# By e-mail too, unless a person says otherwise: what waits for them, costs or pays them, or ends.
BY_EMAIL = frozenset(
    {
        NoticeType.TRAINING_FAILED,
        NoticeType.TEMPLATE_CHANGES_REQUESTED,
        NoticeType.TEMPLATE_APPROVED,
        NoticeType.TEMPLATE_REJECTED,
        NoticeType.TEMPLATE_SOLD,
        NoticeType.TEMPLATE_QUESTION,
        NoticeType.TEMPLATE_DEPRECATED,
        NoticeType.TEMPLATE_REMOVED,
        NoticeType.DEPLOYMENT_STOPPED,
        NoticeType.SEARCH_FOUND,
        NoticeType.WEBHOOK_DISABLED,
    }
)


class NoticeQuerySet(models.QuerySet["Notice"]):
    def of(self, user: User) -> "NoticeQuerySet":
        return self.filter(user=user)

    def unread(self) -> "NoticeQuerySet":
        return self.filter(read_at=None)

    def unsent(self) -> "NoticeQuerySet":
        """Of those that are wanted by e-mail."""
        return self.filter(is_mailed=True, mailed_at=None)


class Notice(models.Model):
    """One thing that one person is told."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    type = models.CharField(max_length=40)
    text = models.CharField(max_length=TEXT_LENGTH_MAX)
    url = models.CharField(max_length=300, blank=True)  # a path of this site
    data = models.JSONField(default=dict)  # ids and figures, for programs
    at = models.DateTimeField(db_default=Now(), editable=False)
    read_at = models.DateTimeField(null=True, editable=False)
    is_mailed = models.BooleanField(default=False)  # whether it goes by e-mail, too
    mailed_at = models.DateTimeField(null=True, editable=False)
    hinted_at = models.DateTimeField(null=True, editable=False)  # when the sweep woke a worker

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(type__regex=DOTTED), name="notice_type_is_dotted"
            ),
            models.CheckConstraint(condition=~models.Q(text=""), name="notice_says_something"),
            # Who follows a notice is led to its address, which must not be another site's.
            models.CheckConstraint(
                condition=models.Q(url="") | models.Q(url__regex=OF_THIS_SITE),
                name="notice_leads_to_this_site",
            ),
            models.CheckConstraint(
                condition=models.Q(mailed_at=None) | models.Q(is_mailed=True),
                name="notice_is_mailed_where_wanted",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-at", "-id"], name="notices_of_user"),
            # The number beside the bell is asked for by every page.
            models.Index(fields=["user"], condition=models.Q(read_at=None), name="unread_notices"),
            models.Index(
                fields=["at"],
                condition=models.Q(is_mailed=True, mailed_at=None),
                name="unsent_notices",
            ),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def label(self) -> str:
        """In words; a type that is no longer in the list stands for itself."""
        return NoticeType(self.type).label if self.type in NoticeType.values else self.type


class NoticeChoice(models.Model):
    """What a person wants otherwise than is usual; the rest follows `BY_EMAIL`, new lines too."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    type = models.CharField(max_length=40)
    by_email = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "type"], name="one_choice_per_notice_type"),
            models.CheckConstraint(
                condition=models.Q(type__regex=DOTTED), name="notice_choice_type_is_dotted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.type} by e-mail: {self.by_email}"
