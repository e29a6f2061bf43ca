"""Datasets, jobs with their checkpoints and curves, models, and validations.

The states of work that a worker does (`Work`):

    queued ──claim──▶ leased ──first step──▶ running ──▶ done
                         │                     │ ▲  └──▶ failed       (its own fault: never again)
                         │                     └─┘       cancelled    (a person's wish)
                         └── lease ran out: claimed again, `attempt` + 1; the fifth: quarantined

`attempt` is the fence: every write of a worker says which attempt it belongs to, and the database
ignores a worker whose lease went to another. Between two chunks a job is `running` without a lease.
Times are the database's, so a wrong clock on a worker neither keeps nor steals a lease.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from billing.models import Hold
from governance.models import User
from kernels.data import DataShape


class Tier(models.TextChoices):
    """How much of a machine a job may use; the numbers stand in `training.runner.tiers`."""

    NANO = "nano", "Nano"
    MINI = "mini", "Mini"
    SMALL = "small", "Small"
    MEDIUM = "medium", "Medium"
    LARGE = "large", "Large"


class Work(models.Model):
    """What a worker claims, does and finishes."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        LEASED = "leased", "Starting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        QUARANTINED = "quarantined", "Quarantined"

    OPEN = (Status.QUEUED, Status.LEASED, Status.RUNNING)

    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    lost_leases = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, editable=False)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    hinted_at = models.DateTimeField(null=True, editable=False)  # when the sweep last woke a worker
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_over(self) -> bool:
        return self.status not in self.OPEN

    @property
    def seconds(self) -> float | None:
        """Wall time from the first claim to the end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def visible_to(self, user: User | None) -> "DatasetQuerySet":
        """Bundled data for everyone, a person's own for that person."""
        return self.filter(models.Q(owner=None) | models.Q(owner=user))

    def ready(self) -> "DatasetQuerySet":
        return self.filter(status=Work.Status.DONE)


class Dataset(Work):
    """Rows with labels, stored once under the SHA-256 of their bytes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="datasets")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    source = models.CharField(max_length=200, blank=True)
    licence = models.CharField(max_length=120, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    columns = models.PositiveIntegerField(default=0)
    features = ArrayField(models.CharField(max_length=80), default=list)
    classes = ArrayField(models.CharField(max_length=80), default=list)
    class_balance = ArrayField(models.PositiveIntegerField(), default=list)
    image_shape = ArrayField(models.PositiveSmallIntegerField(), null=True)  # height, width
    split_seed = models.PositiveIntegerField(default=0)  # one split for all, so scores compare
    train_rows = models.PositiveIntegerField(default=0)
    validation_rows = models.PositiveIntegerField(default=0)
    test_rows = models.PositiveIntegerField(default=0)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("training:dataset", args=[self.slug])

    @property
    def data_shape(self) -> DataShape:
        """What an example is, and what is asked of it, as networks know it."""
        return DataShape.table(self.columns, len(self.classes))


class JobQuerySet(models.QuerySet["Job"]):
    def of(self, user: User) -> "JobQuerySet":
        return self.filter(owner=user)


class Job(Work):
    """One training run: its configuration, its price, and how far it is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="jobs")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="jobs")
    name = models.CharField(max_length=120)
    config = models.JSONField()
    tier = models.CharField(max_length=8, choices=Tier)
    seed = models.BigIntegerField()
    # Led round by round by a cluster, so no single worker may claim it.
    is_distributed = models.BooleanField(default=False)
    kernel_hash = models.CharField(max_length=64, blank=True)
    parameters = models.PositiveIntegerField()
    epochs = models.PositiveIntegerField()
    steps_total = models.PositiveBigIntegerField()
    steps_done = models.PositiveBigIntegerField(default=0)
    compute_seconds = models.FloatField(default=0)
    quote_microcredits = models.BigIntegerField()
    cost_microcredits = models.BigIntegerField(default=0)
    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, null=True, related_name="+")

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(steps_done__lte=models.F("steps_total")),
                name="job_does_not_overrun_its_steps",
            ),
            models.CheckConstraint(
                condition=models.Q(cost_microcredits__gte=0)
                & models.Q(cost_microcredits__lte=models.F("quote_microcredits")),
                name="job_costs_at_most_its_quote",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=Work.Status.DONE)
                | models.Q(steps_done=models.F("steps_total"))
                # or earlier, where its configuration says how long it waits for a better loss
                | models.Q(config__training__has_key="patience"),
                name="job_is_done_only_at_its_last_step",
            ),
        ]
        indexes = [
            # The sweep that hints jobs again looks only at the open ones.
            models.Index(
                fields=["created_at"],
                condition=models.Q(status__in=["queued", "leased", "running"]),
                name="open_jobs",
            ),
            models.Index(fields=["owner", "-created_at"], name="jobs_of_owner"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("training:job", args=[self.pk])

    @property
    def steps_hint(self) -> str:
        return f"of {self.steps_total:,}"

    @property
    def progress(self) -> float:
        """Share of steps done, 0–1; a job that stopped early is done all the same."""
        return 1.0 if self.status == Work.Status.DONE else self.steps_done / self.steps_total

    @property
    def eta_seconds(self) -> float | None:
        """What the steps still to do would take at the speed of those done."""
        if not self.steps_done or self.is_over:
            return None
        return self.compute_seconds / self.steps_done * (self.steps_total - self.steps_done)


class Checkpoint(models.Model):
    """All that a job needs to go on after this step, under the SHA-256 of its bytes."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="checkpoints")
    step = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-step"]
        constraints = [
            models.UniqueConstraint(fields=["job", "step"], name="one_checkpoint_per_step"),
        ]

    def __str__(self) -> str:
        return f"step {self.step}"


class Point(models.Model):
    """The curves of a job at the end of an epoch. Measured; the same on every run."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="points")
    epoch = models.PositiveIntegerField()
    step = models.PositiveBigIntegerField()
    train_loss = models.FloatField()
    train_accuracy = models.FloatField()
    validation_loss = models.FloatField(null=True)
    validation_accuracy = models.FloatField(null=True)
    learning_rate = models.FloatField()

    class Meta:
        ordering = ["epoch"]
        constraints = [
            models.UniqueConstraint(fields=["job", "epoch"], name="one_point_per_epoch"),
        ]

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


class Event(models.Model):
    """A line of a job's log."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(db_default=Now(), editable=False)
    message = models.TextField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.message


class ModelQuerySet(models.QuerySet["Model"]):
    def of(self, user: User) -> "ModelQuerySet":
        return self.filter(owner=user)


class Model(models.Model):
    """A trained network: one `.safetensors` file with its config, signature and provenance."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="models")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="model")
    name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    weights_sha256 = models.CharField(max_length=64)
    kernel_hash = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    parameters = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ModelQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("training:model", args=[self.pk])


class ValidationQuerySet(models.QuerySet["Validation"]):
    def done(self) -> "ValidationQuerySet":
        """Those with figures, newest first: the first is what is sold, shown and answered."""
        return self.filter(status=Work.Status.DONE)


class Validation(Work):
    """What a model does on rows it never saw, and how fast. Measured by a worker."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="validations")
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
    def accuracy_hint(self) -> str:
        """The interval that the number of rows supports."""
        low, high = self.report["accuracy_interval"]
        return f"95 % sure: {low * 100:.1f}–{high * 100:.1f} %"

    @property
    def latency_marks(self) -> dict[str, float | None]:
        return {
            "p50": self.latency_p50_ms,
            "p95": self.latency_p95_ms,
            "p99": self.latency_p99_ms,
        }
