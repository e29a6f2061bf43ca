"""Jobs, with the checkpoints, curves and log of each."""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from billing.models import Hold
from governance.models import User
from training.models.datasets import Category, Dataset
from training.models.work import NAME_LENGTH_MAX, Tier, Work


class JobQuerySet(models.QuerySet["Job"]):
    def of(self, user: User) -> "JobQuerySet":
        return self.filter(owner=user)


class Job(Work):
    """One training run: its configuration, its price, and how far it is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="jobs")
    # Whose place in line it takes: the owner, or who asked to see the owner's model made again.
    payer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="jobs")
    name = models.CharField(max_length=NAME_LENGTH_MAX)
    category = models.CharField(max_length=16, choices=Category, default=Category.CLASSIFICATION)
    config = models.JSONField()
    tier = models.CharField(max_length=8, choices=Tier)
    seed = models.BigIntegerField()
    # The model whose weights it begins from, and the job that it does again.
    parent = models.ForeignKey(
        "training.Model", on_delete=models.PROTECT, null=True, related_name="children"
    )
    repeats = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="repetitions"
    )
    # The job and step of the checkpoint that it begins from; once a worker has it, the model file
    # that was made of it, which stays when the checkpoint is forgotten (`runner.beginnings`).
    start_job = models.ForeignKey(
        "self", on_delete=models.RESTRICT, null=True, related_name="continuations"
    )
    start_step = models.PositiveBigIntegerField(null=True)
    start_sha256 = models.CharField(max_length=64, blank=True, default="")
    priority = models.SmallIntegerField(default=0)  # by plan; the higher is claimed first
    metric = models.CharField(max_length=40, default="accuracy")  # what stands beside the loss
    # Led round by round by a cluster, so no single worker may claim it.
    is_distributed = models.BooleanField(default=False)
    kernel_hash = models.CharField(max_length=64, blank=True)
    parameters = models.PositiveIntegerField()
    # As its tape was planned; 0 in jobs that are older than these columns.
    memory_bytes = models.PositiveBigIntegerField(default=0)
    flops = models.PositiveBigIntegerField(default=0)
    epochs = models.PositiveIntegerField()
    steps_total = models.PositiveBigIntegerField()
    steps_done = models.PositiveBigIntegerField(default=0)
    compute_seconds = models.FloatField(default=0)
    overhead_seconds = models.FloatField(default=0)  # what its last chunk took beside computing
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
            models.CheckConstraint(
                condition=models.Q(parent=None) | models.Q(start_job=None),
                name="job_begins_from_one_thing",
            ),
            models.CheckConstraint(
                condition=models.Q(start_job=None, start_step=None, start_sha256="")
                | models.Q(start_job__isnull=False, start_step__isnull=False),
                name="job_begins_at_a_step_of_a_job",
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
            # Where a job stands in line hangs on those that wait, and on who was served lately.
            models.Index(
                fields=["payer", "priority", "created_at", "id"],
                condition=models.Q(status="queued", is_distributed=False),
                name="queued_jobs",
            ),
            models.Index(
                fields=["payer"],
                condition=models.Q(status__in=["leased", "running"], is_distributed=False),
                name="begun_jobs",
            ),
            models.Index(
                fields=["finished_at"],
                condition=models.Q(is_distributed=False),
                name="finished_jobs",
            ),
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


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    def unneeded(self) -> "CheckpointQuerySet":
        """Without those that a job begins from which no worker had yet."""
        begins = Job.objects.filter(
            status__in=Work.OPEN,
            start_job=models.OuterRef("job"),
            start_step=models.OuterRef("step"),
            start_sha256="",
        )
        return self.exclude(models.Exists(begins))


class Checkpoint(models.Model):
    """All that a job needs to go on after this step, under the SHA-256 of its bytes."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="checkpoints")
    step = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        ordering = ["-step"]
        constraints = [
            models.UniqueConstraint(fields=["job", "step"], name="one_checkpoint_per_step"),
        ]

    def __str__(self) -> str:
        return f"{self.job.name}, step {self.step:,}"

    def get_absolute_url(self) -> str:
        return self.job.get_absolute_url()


class Point(models.Model):
    """The curves of a job at the end of an epoch. Measured; the same on every run."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="points")
    epoch = models.PositiveIntegerField()
    step = models.PositiveBigIntegerField()
    train_loss = models.FloatField()
    train_metric = models.FloatField(null=True)
    validation_loss = models.FloatField(null=True)
    validation_metric = models.FloatField(null=True)
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
