"""What a deployment answered: sums by minute and by hour, and its last calls.

Statistics, and nothing else: processes sum up in memory and write every few seconds, so a crash
loses the last of them. What calls cost is in `billing.UsageEvent`, which loses nothing.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from marketplace.models.deployments import Deployment, Route

OUTCOME_LENGTH_MAX = 60


class Served(models.Model):
    """The calls of one route in one span of time that had one outcome."""

    class Span(models.TextChoices):
        MINUTE = "minute", "Minute"
        HOUR = "hour", "Hour"

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="served")
    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="+")
    span = models.CharField(max_length=6, choices=Span)
    at = models.DateTimeField()  # when the span began
    outcome = models.CharField(max_length=OUTCOME_LENGTH_MAX, blank=True)  # a refusal's code, or ""
    calls = models.PositiveIntegerField()
    rows = models.PositiveBigIntegerField()
    # How many calls took how long, by the buckets of `runner.minutes`.
    latencies = ArrayField(models.PositiveIntegerField())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "span", "at", "route", "outcome"], name="one_sum_per_span"
            ),
        ]
        indexes = [
            models.Index(fields=["span", "at"], name="served_by_age"),  # what is forgotten
        ]

    def __str__(self) -> str:
        return f"{self.calls} calls at {self.at}"


class Call(models.Model):
    """One of the last calls. What was asked is kept only while the owner wishes it."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="calls")
    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="+")
    event_id = models.UUIDField()
    at = models.DateTimeField()
    rows = models.PositiveIntegerField()
    milliseconds = models.FloatField()
    outcome = models.CharField(max_length=OUTCOME_LENGTH_MAX, blank=True)
    asked = models.TextField(blank=True)  # JSON, cut where it is long

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["deployment", "-at", "-id"], name="calls_of_deployment"),
            models.Index(fields=["at"], condition=~models.Q(asked=""), name="calls_with_inputs"),
        ]

    def __str__(self) -> str:
        return f"call {self.event_id}"
