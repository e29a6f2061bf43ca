"""Searches for settings: a space, the trials in it, and a budget that they may not pass."""

import uuid

from django.db import models
from django.urls import reverse

from governance.models import User
from training.models.datasets import Dataset
from training.models.jobs import Job
from training.models.work import NAME_LENGTH_MAX, Tier, Work


class SearchQuerySet(models.QuerySet["Search"]):
    def of(self, user: User) -> "SearchQuerySet":
        return self.filter(owner=user)


class Search(Work):
    """Many jobs with other settings each, of which the best by `objective` is kept.

    `space` maps paths of the configuration to what may stand there: {"low", "high", "log", "step"}
    or {"choices"}.
    """

    class Sampler(models.TextChoices):
        RANDOM = "random", "Random"
        TPE = "tpe", "Tree-structured Parzen estimator"
        HALVING = "halving", "Successive halving"

    class Objective(models.TextChoices):
        LOSS = "validation_loss", "Validation loss"
        METRIC = "validation_metric", "Validation metric"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="searches")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="searches")
    name = models.CharField(max_length=NAME_LENGTH_MAX)
    config = models.JSONField()
    space = models.JSONField()
    sampler = models.CharField(max_length=8, choices=Sampler, default=Sampler.TPE)
    objective = models.CharField(max_length=20, choices=Objective, default=Objective.LOSS)
    tier = models.CharField(max_length=8, choices=Tier)
    seed = models.BigIntegerField()
    trials_max = models.PositiveIntegerField()
    budget_microcredits = models.BigIntegerField()

    objects = SearchQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("training:search", args=[self.pk])


class Trial(models.Model):
    """One point of a search's space, and the job that measured it."""

    class State(models.TextChoices):
        ASKED = "asked", "Training"
        TOLD = "told", "Measured"
        PRUNED = "pruned", "Stopped early"
        FAILED = "failed", "Failed"

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField()
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, related_name="trial")
    params = models.JSONField()
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    value = models.FloatField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["search", "number"], name="one_trial_per_number"),
        ]

    def __str__(self) -> str:
        return f"trial {self.number}"

    @property
    def badge(self) -> str:
        """The state of work that looks like it."""
        looks = {self.State.ASKED: "running", self.State.TOLD: "done", self.State.FAILED: "failed"}
        return looks.get(self.State(self.state), "cancelled")
