"""Models that answer one person's predictions."""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from governance.models import User
from marketplace.models.templates import TemplateVersion
from training.models import Model


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def of(self, user: User) -> "DeploymentQuerySet":
        return self.filter(owner=user)

    def active(self) -> "DeploymentQuerySet":
        return self.filter(stopped_at=None)


class Deployment(models.Model):
    """A model that answers one person's predictions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="deployments")
    version = models.ForeignKey(
        TemplateVersion, on_delete=models.PROTECT, related_name="deployments"
    )
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="deployments")
    name = models.CharField(max_length=80)
    call_price_microcredits = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    stopped_at = models.DateTimeField(null=True, editable=False)

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "version"],
                condition=models.Q(stopped_at=None),
                name="one_active_deployment_per_version",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("marketplace:deployment", args=[self.pk])

    @property
    def is_over(self) -> bool:
        return self.stopped_at is not None
