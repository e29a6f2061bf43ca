"""Who took files of a template home, once a day each, so that nobody makes one popular alone."""

import uuid
from collections.abc import Iterable

from django.db import models

from governance.models import User
from marketplace.models.templates import Template, TemplateVersion


class DownloadQuerySet(models.QuerySet["Download"]):
    def per_template(self, templates: Iterable[Template]) -> dict[uuid.UUID, int]:
        """How often each of these was taken, a person counted once a day; those never are left
        out.
        """
        counted = self.filter(template__in=templates).values("template").order_by()
        return dict(counted.values_list("template").annotate(models.Count("pk")))


class Download(models.Model):
    """That a person took files of a template on a day, the first of this version; `times` counts
    every file that was begun, also the same again.
    """

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="downloads")
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="downloads")
    day = models.DateField()  # in UTC
    times = models.PositiveIntegerField(default=1)

    objects = DownloadQuerySet.as_manager()

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
