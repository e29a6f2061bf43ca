"""Forgetting answers that nobody asks for again."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from governance.models import Answer


def forget_answers() -> None:
    """A key is for a call that is repeated within hours; after `RETENTION_DAYS` it is free."""
    kept = models.Value(
        timedelta(days=settings.RETENTION_DAYS), output_field=models.DurationField()
    )
    Answer.objects.filter(created_at__lt=Now() - kept).delete()
