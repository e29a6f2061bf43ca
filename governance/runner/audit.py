"""The audit trail's pen. Here, below the services, since workers write in it, too."""

from collections.abc import Mapping
from typing import Any

import structlog
from django.db import models

from governance.models import AuditEntry, User


def request_id() -> str:
    """The id that the answer, the logs and the rows of this request, or this work, carry."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def record(
    *,
    actor: User | None,
    verb: str,
    subject: models.Model,
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write down who did what to which row, in the transaction that does it."""
    return AuditEntry.objects.create(
        actor=actor,
        verb=verb,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        details=dict(details or {}),
        request_id=request_id(),
    )
