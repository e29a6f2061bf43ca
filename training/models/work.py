"""What a worker claims, does and finishes, and how much of a machine it may use.

The states of work that a worker does (`Work`):

    queued ──claim──▶ leased ──first step──▶ running ──▶ done
                         │                     │ ▲  └──▶ failed       (its own fault: never again)
                         │                     └─┘       cancelled    (a person's wish)
                         └── lease ran out, or its holder got no further for long: claimed again,
                             `attempt` + 1; the fifth: quarantined

`attempt` is the fence: every write of a worker says which attempt it belongs to, and the database
ignores a worker whose lease went to another. Between two chunks a job is `running` without a lease.
Times are the database's, so a wrong clock on a worker neither keeps nor steals a lease.
"""

from django.db import models
from django.db.models.functions import Now

# Of whatever people name, in characters: the row, the form and the API say the same.
NAME_LENGTH_MAX = 120


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
    progressed_at = models.DateTimeField(null=True, editable=False)  # when its holder last got on
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
