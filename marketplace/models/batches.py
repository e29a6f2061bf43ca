"""Batches: files of rows that a deployment answers, chunk by chunk.

    queued ──▶ quoted ──accept──▶ queued ──▶ running ──▶ done
    (is read)    │                              │ └────▶ failed     (what was answered is kept)
       └──▶ failed: which row, which column     └──────▶ cancelled  (likewise)

A worker reads the file first, and nothing is charged before its owner has seen the price of it. How
it is read and asked is work as training has it: claimed, with a lease and the attempt as fence. A
chunk of answers and what it cost appear in one transaction, so each row is charged once, whatever
dies. Who wishes it to end, or a refusal, writes `ending`: no chunk is begun after it, and a worker
makes the file of what is there.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from governance.models import User
from marketplace.models.deployments import Deployment, RouteSet
from training.models import Dataset, Work

FILE_NAME_LENGTH_MAX = 200


class BatchQuerySet(models.QuerySet["Batch"]):
    def of(self, user: User) -> "BatchQuerySet":
        return self.filter(owner=user)

    def open(self) -> "BatchQuerySet":
        """Not over, whether a worker or its owner has the next move."""
        return self.filter(status__in=(*Work.OPEN, Batch.State.QUOTED))

    def to_read(self) -> "BatchQuerySet":
        return self.filter(status__in=Work.OPEN, accepted_at=None)

    def to_answer(self) -> "BatchQuerySet":
        return self.filter(status__in=Work.OPEN, accepted_at__isnull=False)


class Batch(Work):
    """Rows that somebody brought in a file, and the file of their answers."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        LEASED = "leased", "Starting"
        RUNNING = "running", "Running"
        QUOTED = "quoted", "Waits for you"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        QUARANTINED = "quarantined", "Quarantined"

    class Ending(models.TextChoices):
        NONE = "", "Goes on"
        CANCELLED = "cancelled", "Cancelled"
        REFUSED = "refused", "Refused"
        LOST = "lost", "Came to no end"

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        JSONL = "jsonl", "JSON lines"
        PARQUET = "parquet", "Parquet"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="batches")
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="batches")
    # What answers all of it: the set as it was when the file was brought, with its prices.
    route_set = models.ForeignKey(RouteSet, on_delete=models.CASCADE, related_name="+")
    aggregation = models.CharField(max_length=8, blank=True, default="")
    status = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    ending = models.CharField(max_length=9, choices=Ending, blank=True, default=Ending.NONE)
    upload_name = models.CharField(max_length=FILE_NAME_LENGTH_MAX)
    upload_sha256 = models.CharField(max_length=64)
    upload_bytes = models.BigIntegerField()
    upload_format = models.CharField(max_length=8, choices=Dataset.Format)
    result_format = models.CharField(max_length=7, choices=Format, default=Format.CSV)
    price_microcredits = models.BigIntegerField()  # of a row
    accept_up_to_microcredits = models.BigIntegerField(null=True)  # without being asked again
    accepted_at = models.DateTimeField(null=True, editable=False)
    # What a worker found in the file
    rows = models.PositiveIntegerField(default=0)
    sheet_sha256 = models.CharField(max_length=64, blank=True)
    unused = ArrayField(models.CharField(max_length=80), default=list)  # columns
    problems = models.JSONField(default=list)  # row, column and reason of each
    # What was answered
    rows_done = models.PositiveIntegerField(default=0)
    rows_included = models.PositiveIntegerField(default=0)  # in what the month includes
    cost_microcredits = models.BigIntegerField(default=0)
    result_sha256 = models.CharField(max_length=64, blank=True)
    result_bytes = models.BigIntegerField(default=0)
    forgotten_at = models.DateTimeField(null=True, editable=False)  # its files, not what it cost

    objects = BatchQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "batches"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price_microcredits__gt=0), name="batch_has_a_price"
            ),
            models.CheckConstraint(
                condition=models.Q(rows_done__lte=models.F("rows"))
                & models.Q(rows_included__lte=models.F("rows_done")),
                name="batch_answers_at_most_its_rows",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    cost_microcredits=models.F("price_microcredits")
                    * (models.F("rows_done") - models.F("rows_included"))
                ),
                name="batch_costs_what_its_answers_do",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="done") | models.Q(rows_done=models.F("rows")),
                name="batch_is_done_only_at_its_last_row",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="batches_of_owner"),
            models.Index(
                fields=["created_at"],
                condition=models.Q(status__in=["queued", "leased", "running"]),
                name="open_batches",
            ),
            models.Index(
                fields=["created_at"],
                condition=models.Q(forgotten_at=None),
                name="batches_with_files",
            ),
        ]

    def __str__(self) -> str:
        return self.upload_name

    def get_absolute_url(self) -> str:
        return reverse("marketplace:batch", args=[self.pk])

    @property
    def is_over(self) -> bool:
        return self.status not in (*self.OPEN, self.State.QUOTED)

    @property
    def is_quoted(self) -> bool:
        return self.status == self.State.QUOTED

    @property
    def is_read(self) -> bool:
        return self.rows > 0

    @property
    def quote_microcredits(self) -> int:
        """The most that it costs: less where rows are included this month."""
        return self.rows * self.price_microcredits

    @property
    def has_result(self) -> bool:
        return bool(self.result_sha256) and self.forgotten_at is None

    def event_id(self, first_row: int) -> uuid.UUID:
        """Of the chunk that begins with this row: the same, whoever answers it, however often."""
        return uuid.uuid5(self.pk, str(first_row))


class BatchChunk(models.Model):
    """Rows that were answered and charged together; `sha256` names the answers until they are in
    the file of all.
    """

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="chunks")
    first_row = models.PositiveIntegerField()  # from 0
    rows = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    cost_microcredits = models.BigIntegerField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["first_row"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "first_row"], name="one_chunk_per_row"),
            models.CheckConstraint(condition=models.Q(rows__gt=0), name="chunk_has_rows"),
        ]

    def __str__(self) -> str:
        return f"{self.batch}, from row {self.first_row + 1:,}"
