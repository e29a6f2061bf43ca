"""What it means to be moderated."""

from django.db import models
from django.db.models.functions import Now


class Moderated(models.Model):
    """What people can see and a moderator can hide.

    Governance acts on rows of apps it must not import: it calls `hide` and `restore`, and an app
    whose row has consequences extends them.
    """

    hidden_at = models.DateTimeField(null=True, blank=True, editable=False)
    hidden_reason = models.TextField(blank=True, editable=False)

    class Meta:
        abstract = True

    def hide(self, reason: str) -> None:
        type(self)._base_manager.filter(pk=self.pk).update(hidden_at=Now(), hidden_reason=reason)

    def restore(self) -> None:
        type(self)._base_manager.filter(pk=self.pk).update(hidden_at=None, hidden_reason="")
