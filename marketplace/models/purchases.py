"""What people bought, with the price and the split as they were that day."""

import uuid

from django.db import models
from django.db.models.functions import Now

from billing.models import Transfer
from governance.models import User
from marketplace.models.templates import Template, TemplateVersion


class PurchaseQuerySet(models.QuerySet["Purchase"]):
    def of(self, user: User) -> "PurchaseQuerySet":
        return self.filter(buyer=user)


class Purchase(models.Model):
    """The right to deploy a template, with the price and split as they were that day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    buyer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="purchases")
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="purchases")
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")
    price_microcredits = models.BigIntegerField()
    author_microcredits = models.BigIntegerField()
    platform_microcredits = models.BigIntegerField()
    transfer = models.OneToOneField(Transfer, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = PurchaseQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["buyer", "template"], name="bought_once"),
            models.CheckConstraint(
                condition=models.Q(
                    price_microcredits=models.F("author_microcredits")
                    + models.F("platform_microcredits")
                ),
                name="purchase_is_split_without_remainder",
            ),
            models.CheckConstraint(
                condition=models.Q(price_microcredits=0) | models.Q(transfer__isnull=False),
                name="paid_purchase_has_its_transfer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.buyer} bought {self.template}"
