"""Forgetting answers that nobody asks for again."""

from datetime import timedelta

from django.conf import settings

from governance.models import Answer
from governance.runner.clock import ago


def forget_answers() -> None:
    """A key is for a call that is repeated within hours; after `RETENTION_DAYS` it is free."""
    kept = timedelta(days=settings.RETENTION_DAYS)
    Answer.objects.filter(created_at__lt=ago(kept)).delete()
