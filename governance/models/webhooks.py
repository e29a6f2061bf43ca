"""Where a person's programs are told what happened, and each message that is brought there.

    pending ──attempt──▶ delivered
       ▲  │         └──▶ failed: the retries are used up, or the endpoint was switched off
       └──┘ by the table of `governance.runner.deliveries`

A worker leases an endpoint, not a delivery: its messages go out one after the other, and a slow
receiver holds one worker at most. `attempt` is the fence: a worker that was thought dead and wakes
up changes nothing. Each attempt is a row that is there before the first byte is sent.
"""

import uuid
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.db.models.lookups import LessThanOrEqual
from django.urls import reverse

from governance.models.notices import DOTTED, NoticeType
from governance.models.people import User

URL_LENGTH_MAX = 500
BODY_BYTES_MAX = 20_000  # what Standard Webhooks holds receivers to
TEST_TYPE = "webhook.test"


class EndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def of(self, user: User) -> "EndpointQuerySet":
        return self.filter(owner=user)

    def enabled(self) -> "EndpointQuerySet":
        """Those that something is sent to: switched on, and of an account that is not closed."""
        owner = User.objects.filter(pk=models.OuterRef("owner"), is_active=True)
        return self.filter(models.Exists(owner), disabled_at=None)

    def wanting(self, type: str) -> "EndpointQuerySet":
        """Those that are told of this type: they name it, or none."""
        return self.enabled().filter(models.Q(types=[]) | models.Q(types__contains=[type]))

    def free(self) -> "EndpointQuerySet":
        """Those that no worker holds."""
        return self.filter(models.Q(lease_until=None) | models.Q(lease_until__lt=Now()))


class WebhookEndpoint(models.Model):
    """An address of a person's program."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=URL_LENGTH_MAX)
    description = models.CharField(max_length=120, blank=True)
    types = ArrayField(models.CharField(max_length=40), default=list)  # none: all of them
    # Sealed (`runner.sealing`), since what is signed with must be readable by us.
    secret = models.TextField()
    previous_secret = models.TextField(blank=True)
    previous_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=300, blank=True)
    turn = models.PositiveIntegerField(default=0)  # the fence of its lease
    lease_until = models.DateTimeField(null=True, editable=False)
    hinted_at = models.DateTimeField(null=True, editable=False)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(url__regex=r"^https?://"), name="webhook_url_is_of_the_web"
            ),
            models.CheckConstraint(
                condition=models.Q(previous_secret="", previous_until=None)
                | (~models.Q(previous_secret="") & models.Q(previous_until__isnull=False)),
                name="webhook_previous_secret_ends",
            ),
            models.CheckConstraint(
                condition=models.Q(disabled_at=None, disabled_reason="")
                | (models.Q(disabled_at__isnull=False) & ~models.Q(disabled_reason="")),
                name="webhook_is_disabled_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.description or self.url

    def get_absolute_url(self) -> str:
        return reverse("governance:webhook", args=[self.pk])

    @property
    def site(self) -> str:
        """What may be told of its address for ever: whoever knows all of it may send there."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}"

    @property
    def state(self) -> str:
        return "active" if self.disabled_at is None else "disabled"

    @property
    def labels(self) -> list[str]:
        """What it is told of, in words; none means all."""
        return [NoticeType(type).label for type in self.types if type in NoticeType.values]


class DeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def pending(self) -> "DeliveryQuerySet":
        return self.filter(state=WebhookDelivery.State.PENDING)

    def due(self) -> "DeliveryQuerySet":
        return self.pending().filter(next_at__lte=Now())


class WebhookDelivery(models.Model):
    """One message to one endpoint. The same event has the same message id at each of them."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries"
    )
    message_id = models.CharField(max_length=60)
    type = models.CharField(max_length=40)
    body = models.TextField()  # as it is signed, to the letter
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempt = models.PositiveIntegerField(default=0)
    retries = models.PositiveSmallIntegerField(default=0)  # since it was made, or sent again
    next_at = models.DateTimeField(db_default=Now(), editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "message_id"], name="one_delivery_per_message"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["pending", "delivered", "failed"]),
                name="delivery_state_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state="pending", ended_at=None)
                | (~models.Q(state="pending") & models.Q(ended_at__isnull=False)),
                name="delivery_ends_or_is_pending",
            ),
            models.CheckConstraint(
                condition=models.Q(type__regex=DOTTED), name="delivery_type_is_dotted"
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(
                    models.Func(
                        "body",
                        function="OCTET_LENGTH",
                        output_field=models.IntegerField(),
                    ),
                    BODY_BYTES_MAX,
                ),
                name="delivery_body_is_small",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-created_at", "-id"], name="deliveries_of_endpoint"),
            # The sweep, and a worker's next message, look only at what is still to be sent.
            models.Index(
                fields=["endpoint", "next_at"],
                condition=models.Q(state="pending"),
                name="pending_deliveries",
            ),
            models.Index(fields=["ended_at"], name="deliveries_by_age"),  # the old are forgotten
        ]

    def __str__(self) -> str:
        return f"{self.type} to {self.endpoint}"

    def get_absolute_url(self) -> str:
        return reverse("governance:delivery", args=[self.endpoint_id, self.pk])

    @property
    def is_pending(self) -> bool:
        return self.state == self.State.PENDING

    @property
    def badge(self) -> str:
        """The state that picks the colour."""
        return {"pending": "queued", "delivered": "done"}.get(self.state, self.state)

    @property
    def last(self) -> "WebhookAttempt | None":
        """Of attempts that were prefetched, without a query."""
        return max(self.attempts.all(), key=lambda attempt: attempt.number, default=None)


class WebhookAttempt(models.Model):
    """One request, and what came of it: a status, or an error. Neither: its worker died."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now(), editable=False)
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    response = models.TextField(blank=True)  # its first kilobyte
    duration_ms = models.PositiveIntegerField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="one_row_per_attempt"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"

    @property
    def outcome(self) -> str:
        """In words."""
        if self.status is not None and not self.error:
            return f"answered {self.status}"
        return self.error or "no answer was noted"
