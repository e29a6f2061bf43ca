"""Answers to requests that may be sent twice."""

from django.db import models
from django.db.models.functions import Now

from governance.models.people import User


class Answer(models.Model):
    """The stored answer to a request that carried an `Idempotency-Key`."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "route", "key"], name="one_answer_per_key"),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="answers_by_age"),  # the old are forgotten
        ]

    def __str__(self) -> str:
        return f"answer to {self.route} {self.key}"
