"""Deployments: what answers one person's predictions, and which versions it answers with.

    preparing ──▶ active ⇄ stopped
        └──▶ failed: stopped, and it never had a route

A deployment has sets of routes, one after the other; `stable` is the first route of the set that
answers now. A set never changes: another one takes its place, and going back makes a copy of an
older one, so that of every moment it is known which versions answered. The database holds the
shares of a set to 100 at COMMIT, and `stable` to the deployment's own sets.
"""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from governance.models import User
from marketplace.models.templates import Template, TemplateVersion
from training.models import Job, Model

DEPLOYMENT_NAME_LENGTH_MAX = 80
BATCH_LIMIT_MAX = 1_000  # rows of one call, as `training.runner.answers` has it
TIMEOUT_MS_MAX = 60_000


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def of(self, user: User) -> "DeploymentQuerySet":
        return self.filter(owner=user)

    def active(self) -> "DeploymentQuerySet":
        return self.filter(stopped_at=None, stable__isnull=False)

    def open(self) -> "DeploymentQuerySet":
        """Active, or on the way to it."""
        return self.filter(stopped_at=None)

    def with_stable(self) -> "DeploymentQuerySet":
        """With what a list or a page says of it."""
        return self.select_related(
            "template__owner", "stable__version__template", "stable__route_set", "stable__model"
        )


class Deployment(models.Model):
    """What answers one person's predictions."""

    class Follows(models.TextChoices):
        PINNED = "pinned", "Stay with this version"
        CURRENT = "current", "Follow the template's current version"

    class Aggregation(models.TextChoices):
        """What becomes of several routes' answers; without one, a single route answers a call."""

        NONE = "", "One version answers each call"
        MEAN = "mean", "Mean of all versions"
        MAJORITY = "majority", "Majority of all versions"
        WEIGHTED = "weighted", "Mean, weighted by share"
        ENSEMBLE = "ensemble", "Mean, with each version's own answer"

    class SpendPeriod(models.TextChoices):
        MONTH = "month", "each month"
        TOTAL = "total", "in all"

    class Status(models.TextChoices):
        PREPARING = "preparing", "Preparing"
        ACTIVE = "active", "Active"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="deployments")
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="deployments")
    stable = models.OneToOneField(
        "Route", on_delete=models.RESTRICT, null=True, editable=False, related_name="+"
    )
    # Trains what it will answer with, where it was asked to fine-tune first.
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=DEPLOYMENT_NAME_LENGTH_MAX)
    follows = models.CharField(max_length=8, choices=Follows, default=Follows.PINNED)
    considered = models.ForeignKey(  # the current version that it last followed, or told why not
        TemplateVersion, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    aggregation = models.CharField(max_length=8, choices=Aggregation, blank=True, default="")
    batch_limit = models.PositiveIntegerField(default=BATCH_LIMIT_MAX)  # rows of one call
    timeout_ms = models.PositiveIntegerField(default=TIMEOUT_MS_MAX)  # and the site's, if less
    spend_cap_microcredits = models.BigIntegerField(null=True)
    spend_period = models.CharField(max_length=5, choices=SpendPeriod, default=SpendPeriod.MONTH)
    inputs_logged_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    stopped_at = models.DateTimeField(null=True, editable=False)
    stopped_reason = models.TextField(blank=True, editable=False)  # where nobody pressed Stop

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=models.Q(stopped_at=None),
                name="one_open_deployment_per_name",
            ),
            models.CheckConstraint(
                condition=models.Q(batch_limit__gte=1, batch_limit__lte=BATCH_LIMIT_MAX),
                name="deployment_batch_limit_is_within_a_call",
            ),
            models.CheckConstraint(
                condition=models.Q(timeout_ms__gte=1, timeout_ms__lte=TIMEOUT_MS_MAX),
                name="deployment_timeout_is_within_a_minute",
            ),
            models.CheckConstraint(
                condition=models.Q(spend_cap_microcredits=None)
                | models.Q(spend_cap_microcredits__gte=0),
                name="deployment_spend_cap_is_not_negative",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="deployments_of_owner"),
            # What the sweep looks through for those that a new version concerns.
            models.Index(
                fields=["template"],
                condition=models.Q(stopped_at=None, follows="current"),
                name="following_deployments",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("marketplace:deployment", args=[self.pk])

    @property
    def is_over(self) -> bool:
        return self.stopped_at is not None

    @property
    def is_active(self) -> bool:
        return self.stopped_at is None and self.stable_id is not None

    @property
    def status(self) -> "Deployment.Status":
        if self.stopped_at is None:
            return self.Status.ACTIVE if self.stable_id else self.Status.PREPARING
        return self.Status.STOPPED if self.stable_id else self.Status.FAILED

    @property
    def source(self) -> str:
        """What its metered calls are told apart by."""
        return f"deployment/{self.pk}"

    @property
    def answering(self) -> "Route":
        assert self.stable is not None, "asked of a deployment that has no route yet"
        return self.stable

    @property
    def version(self) -> TemplateVersion:
        return self.answering.version

    @property
    def model(self) -> Model:
        return self.answering.model

    @property
    def model_id(self) -> uuid.UUID:
        return self.answering.model_id

    @property
    def call_price_microcredits(self) -> int:
        return self.answering.price_microcredits


class RouteSet(models.Model):
    """What a deployment answered with from one moment on."""

    class Cause(models.TextChoices):
        DEPLOYED = "deployed", "Deployed"
        CANARY = "canary", "Canary started"
        PROMOTED = "promoted", "Canary promoted"
        ABORTED = "aborted", "Canary aborted"
        CHANGED = "changed", "Versions changed"
        FOLLOWED = "followed", "Followed the current version"
        ROLLED_BACK = "rolled_back", "Rolled back"

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="route_sets")
    number = models.PositiveIntegerField()
    cause = models.CharField(max_length=11, choices=Cause)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "number"], name="one_route_set_per_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment}, set {self.number}"


class Route(models.Model):
    """A version that answers a share of the calls, with the price that a row had that day."""

    class Role(models.TextChoices):
        STABLE = "stable", "Stable"
        CANARY = "canary", "Canary"
        MEMBER = "member", "Member"  # beside the stable one, where their answers are merged

    route_set = models.ForeignKey(RouteSet, on_delete=models.CASCADE, related_name="routes")
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="routes")
    # The version's, or what was trained from it.
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="routes")
    role = models.CharField(max_length=6, choices=Role, default=Role.STABLE)
    share = models.PositiveSmallIntegerField(default=100)  # percent
    price_microcredits = models.BigIntegerField()  # of a row
    earns = models.BooleanField(default=False)  # whether the author has a part of it

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["route_set", "model"], name="one_route_per_model"),
            models.UniqueConstraint(
                fields=["route_set"],
                condition=models.Q(role="stable"),
                name="one_stable_route_per_set",
            ),
            models.CheckConstraint(
                condition=models.Q(share__gte=1, share__lte=100), name="share_is_a_percentage"
            ),
            models.CheckConstraint(
                condition=models.Q(price_microcredits__gt=0), name="route_has_a_price"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.share} % to version {self.version.number}"
