"""Studies of the divergent patterns: what each changed, on one dataset, seed by seed."""

from django.db import models

from training.models.datasets import Dataset
from training.models.work import Work


class PatternStudy(Work):
    """One dataset trained plainly and with every pattern, each with the same seeds.

    `figures` maps each pattern to [{"seed", "plain_loss", "loss", "plain_accuracy", "accuracy"}],
    all of them on the test rows, by which no pattern chooses.
    """

    dataset = models.OneToOneField(Dataset, on_delete=models.CASCADE, related_name="pattern_study")
    config = models.JSONField()
    factor = models.FloatField()
    seeds = models.PositiveSmallIntegerField()
    kernel_hash = models.CharField(max_length=64, blank=True)
    figures = models.JSONField(default=dict)

    class Meta:
        ordering = ["dataset__name"]
        verbose_name_plural = "pattern studies"

    def __str__(self) -> str:
        return f"patterns on {self.dataset}"
