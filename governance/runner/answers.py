"""Forgetting what nobody asks for again: answers and used quotas."""

from datetime import timedelta

from django.conf import settings

from governance.models import Answer, Quota
from governance.runner.clock import ago


def forget_answers() -> None:
    """A key is for a call that is repeated within hours; after `RETENTION_DAYS` it is free."""
    kept = timedelta(days=settings.RETENTION_DAYS)
    Answer.objects.filter(created_at__lt=ago(kept)).delete()


def forget_quotas() -> None:
    """A window that is over says nothing."""
    Quota.objects.filter(began_at__lt=ago(timedelta(seconds=settings.QUOTA_SECONDS))).delete()
