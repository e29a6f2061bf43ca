"""What owners say of their models. The rows of models themselves never change; these may."""

from django.db import models
from django.db.models.functions import Now

from training.models.networks import Model


class Licence(models.TextChoices):
    """Under which terms others may use a model, by SPDX's names; `other` are the owner's own."""

    APACHE = "Apache-2.0", "Apache 2.0"
    MIT = "MIT", "MIT"
    BSD = "BSD-3-Clause", "BSD, 3 clauses"
    MPL = "MPL-2.0", "Mozilla Public License 2.0"
    GPL = "GPL-3.0-or-later", "GNU GPL 3 or later"
    AGPL = "AGPL-3.0-or-later", "GNU Affero GPL 3 or later"
    CC0 = "CC0-1.0", "CC0 1.0, no rights reserved"
    CC_BY = "CC-BY-4.0", "CC BY 4.0"
    CC_BY_SA = "CC-BY-SA-4.0", "CC BY-SA 4.0"
    CC_BY_NC = "CC-BY-NC-4.0", "CC BY-NC 4.0, not for commerce"
    OTHER = "other", "Other, in my own words"


class CardQuerySet(models.QuerySet["Card"]):
    def about(self, model: Model) -> "Card":
        """The card of a model; an empty one, which is not stored, where nobody wrote it."""
        return self.filter(model=model).first() or Card(model=model)


class Card(models.Model):
    """Its owner's words on a model. They may change, the licence only until the model is first
    published: from then on people have it under those terms.
    """

    model = models.OneToOneField(Model, on_delete=models.CASCADE, related_name="card")
    licence = models.CharField(max_length=20, choices=Licence, blank=True)
    licence_terms = models.TextField(blank=True)  # where the licence is `other`
    licence_fixed_at = models.DateTimeField(null=True, editable=False)
    intended_use = models.TextField(blank=True)
    limits = models.TextField(blank=True)
    ethics = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CardQuerySet.as_manager()

    def __str__(self) -> str:
        return f"card of {self.model}"
