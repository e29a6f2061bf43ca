"""The audit trail.

Why the chain is written by the database: a hash chain has one writer at a time. If services took
that lock in the middle of their work, two of them could wait for each other's rows for ever. A
deferred trigger takes it at COMMIT, when every other lock is already held, so it cannot deadlock,
and no door can forget it. `AuditLink` is that chain; entries and links refuse UPDATE, DELETE and
TRUNCATE (see the migration).
"""

from django.db import models
from django.db.models.functions import Now

from governance.models.people import User


class AuditEntry(models.Model):
    """One thing somebody did. Never edited, never deleted."""

    at = models.DateTimeField(db_default=Now(), editable=False)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    verb = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=60)
    details = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            # The history of one subject, as its page shows it.
            models.Index(fields=["subject_type", "subject_id", "-id"], name="audit_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject_type} {self.subject_id}"


class AuditLink(models.Model):
    """Binds an entry to all before it, in the order of commits. Written by a trigger only."""

    position = models.BigAutoField(primary_key=True)
    entry = models.OneToOneField(AuditEntry, on_delete=models.PROTECT, related_name="link")
    previous_hash = models.BinaryField()
    hash = models.BinaryField()

    def __str__(self) -> str:
        return f"link {self.position}"
