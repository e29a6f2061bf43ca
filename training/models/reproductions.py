"""Trainings that were run again to see whether the same comes out."""

import uuid
from typing import Any

from django.db import models

from governance.models import User
from training.models.jobs import Job
from training.models.networks import Model
from training.models.work import Work


class Reproduction(Work):
    """A model trained once more from the same rows, configuration, seed and kernel, by a job of its
    own, and measured once more. `comparisons` lists what was compared: {"name", "expected",
    "found"}; identical is what is equal to the last bit in all of them.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="reproductions")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reproductions")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="reproduction")
    sha256 = models.CharField(max_length=64, blank=True)
    weights_sha256 = models.CharField(max_length=64, blank=True)
    is_identical = models.BooleanField(null=True)
    comparisons = models.JSONField(default=list)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(status=Work.Status.DONE) | ~models.Q(is_identical=None),
                name="reproduction_is_done_only_with_an_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"reproduction of {self.model}"

    @property
    def differences(self) -> list[dict[str, Any]]:
        return [one for one in self.comparisons if one["expected"] != one["found"]]
