"""Trained networks, and what was measured of them."""

import uuid

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from governance.models import User
from training.models.datasets import Category
from training.models.jobs import Job
from training.models.work import NAME_LENGTH_MAX, Work


class ModelQuerySet(models.QuerySet["Model"]):
    def of(self, user: User) -> "ModelQuerySet":
        return self.filter(owner=user)

    def listed(self) -> "ModelQuerySet":
        """Without the trials of a search that nobody had measured: its page shows them."""
        measured = Validation.objects.filter(model=models.OuterRef("pk"))
        return self.filter(models.Q(job__trial=None) | models.Exists(measured))


class Model(models.Model):
    """A trained network: one `.safetensors` file with its config, signature and provenance."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="models")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="model")
    name = models.CharField(max_length=NAME_LENGTH_MAX)
    category = models.CharField(max_length=16, choices=Category, default=Category.CLASSIFICATION)
    family = models.UUIDField(db_default=RandomUUID(), editable=False)
    version = models.PositiveIntegerField(default=1)
    sha256 = models.CharField(max_length=64)
    weights_sha256 = models.CharField(max_length=64)
    kernel_hash = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    parameters = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ModelQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["family", "version"], name="one_model_per_version"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("training:model", args=[self.pk])


class ValidationQuerySet(models.QuerySet["Validation"]):
    def done(self) -> "ValidationQuerySet":
        """Those with all figures, newest first: the first is what is sold, shown and answered."""
        return self.finished().filter(kind=Validation.Kind.COMPREHENSIVE)

    def leading(self) -> "ValidationQuerySet":
        """Of one model's, two at most: the newest that `done` has, and the newest of all others."""
        is_whole = models.Q(status=Work.Status.DONE, kind=Validation.Kind.COMPREHENSIVE)
        told = self.annotate(whole=models.ExpressionWrapper(is_whole, models.BooleanField()))
        return told.order_by("whole", "-created_at").distinct("whole")

    def finished(self) -> "ValidationQuerySet":
        """Those with the figures of their kind, newest first."""
        return self.filter(status=Work.Status.DONE)


class Validation(Work):
    """What a model does on rows it never saw, and how fast. Measured by a worker.

    `metrics` holds each figure of quality by name: {"value", "low", "high", "baseline"}; `receipt`
    all that is needed to measure it again. The columns of classifiers are empty for others.
    """

    class Kind(models.TextChoices):
        PERFORMANCE = "performance", "Performance"
        ACCURACY = "accuracy", "Accuracy"
        ROBUSTNESS = "robustness", "Robustness"
        COMPREHENSIVE = "comprehensive", "Comprehensive"

    class Certificate(models.TextChoices):
        PLATINUM = "platinum", "Platinum"
        GOLD = "gold", "Gold"
        SILVER = "silver", "Silver"
        BRONZE = "bronze", "Bronze"
        BASIC = "basic", "Basic"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="validations")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.COMPREHENSIVE)
    folds = models.PositiveSmallIntegerField(default=0)  # trainings on other splits, on request
    progress = models.FloatField(default=0)  # share of the tests done, 0–1
    stage = models.CharField(max_length=80, blank=True)  # what is being measured
    metrics = models.JSONField(default=dict)
    receipt = models.JSONField(default=dict)
    score = models.FloatField(null=True)
    certificate = models.CharField(max_length=8, choices=Certificate, blank=True)
    certificate_id = models.UUIDField(null=True, unique=True)
    expires_at = models.DateTimeField(null=True)
    rows = models.PositiveIntegerField(null=True)
    accuracy = models.FloatField(null=True)
    precision = models.FloatField(null=True)
    recall = models.FloatField(null=True)
    f1 = models.FloatField(null=True)
    latency_p50_ms = models.FloatField(null=True)
    latency_p95_ms = models.FloatField(null=True)
    latency_p99_ms = models.FloatField(null=True)
    samples_per_second = models.FloatField(null=True)
    model_size_mb = models.FloatField(null=True)
    peak_memory_mb = models.FloatField(null=True)
    report = models.JSONField(
        default=dict
    )  # confusion, per class, histogram, interval, environment

    objects = ValidationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"validation of {self.model}"

    @property
    def is_whole(self) -> bool:
        """Whether every figure of it is there."""
        return self.status == Work.Status.DONE and self.kind == self.Kind.COMPREHENSIVE

    @property
    def time_by_layer(self) -> dict[str, float]:
        """Microseconds of one call in each layer; nothing where it was not measured."""
        layers = self.report.get("profile", {}).get("layers", [])
        return {row["layer"]: row["us"] for row in layers}

    @property
    def time_by_op(self) -> dict[str, float]:
        """The same in each kind of instruction, the costliest first."""
        ops = self.report.get("profile", {}).get("ops", [])
        return {row["op"]: row["us"] for row in ops}

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def latency_marks(self) -> dict[str, float | None]:
        return {
            "p50": self.latency_p50_ms,
            "p95": self.latency_p95_ms,
            "p99": self.latency_p99_ms,
        }
