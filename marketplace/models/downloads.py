"""Who took files of a template home, once a day each, so that nobody makes one popular alone."""

from django.db import models

from governance.models import User
from marketplace.models.templates import Template, TemplateVersion


class Download(models.Model):
    """That a person took files of a template on a day, the first of this version; `times` counts
    every file that was begun, also the same again.
    """

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="downloads")
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="downloads")
    day = models.DateField()  # in UTC
    times = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(
                fields=["template", "day", "user"], name="download_counts_once_a_day"
            ),
            models.CheckConstraint(condition=models.Q(times__gte=1), name="download_was_begun"),
        ]

    def __str__(self) -> str:
        return f"{self.user} took {self.template} on {self.day}"
