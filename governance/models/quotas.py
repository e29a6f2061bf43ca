"""How much of a quota is used."""

from django.db import models
from django.db.models.functions import Now


class Quota(models.Model):
    """The calls of one caller under one policy since the window began, over all processes.

    The table is not logged: what a crash of the database forgets is a window begun anew.
    """

    policy = models.CharField(max_length=20)
    caller = models.CharField(max_length=64)
    began_at = models.DateTimeField(db_default=Now())
    calls = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["policy", "caller"], name="one_window_per_caller"),
        ]
        indexes = [models.Index(fields=["began_at"], name="quotas_by_age")]  # the old are forgotten

    def __str__(self) -> str:
        return f"{self.calls} {self.policy} calls of {self.caller}"
