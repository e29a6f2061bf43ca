"""The audit trail: who did what to which row."""

from collections.abc import Mapping
from typing import Any

import structlog
from django.db import connection, models

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


def verify_audit() -> list[str]:
    """Recompute the whole chain in the database; each line names a break and where it is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT place, fault FROM governance_audit_faults()")
        return [f"entry {place}: {fault}" for place, fault in cursor.fetchall()]
