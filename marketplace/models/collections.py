"""Lists of templates that people keep, in an order of theirs and with notes."""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from governance.models import Moderated, User
from marketplace.models.templates import Template

NOTE_LENGTH_MAX = 500
ITEMS_MAX = 100


class CollectionQuerySet(models.QuerySet["Collection"]):
    def of(self, user: User) -> "CollectionQuerySet":
        return self.filter(owner=user)

    def public(self) -> "CollectionQuerySet":
        return self.filter(is_public=True, hidden_at=None)

    def visible_to(self, user: User | None) -> "CollectionQuerySet":
        shown = models.Q(is_public=True, hidden_at=None)
        return self.filter(shown | models.Q(owner=user)) if user else self.filter(shown)


class Collection(Moderated):
    """Public to everyone, or private to its owner."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="collections")
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=500, blank=True)
    is_public = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CollectionQuerySet.as_manager()

    class Meta:
        ordering = ["-changed_at"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_collection_per_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("marketplace:collection", args=[self.pk])


class CollectionItem(models.Model):
    """A template in a collection. Positions are checked at commit, so that two may be swapped."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="items")
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()
    note = models.CharField(max_length=NOTE_LENGTH_MAX, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["collection", "template"], name="once_in_a_collection"),
            models.UniqueConstraint(
                fields=["collection", "position"],
                name="one_item_per_position",
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} in {self.collection}"
