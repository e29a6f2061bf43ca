"""The audit trail: who did what to which row, and whether it still says so."""

from django.db import connection

from governance.runner import audit

record = audit.record
request_id = audit.request_id


def verify_audit() -> list[str]:
    """Recompute the whole chain in the database; each line names a break and where it is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT place, fault FROM governance_audit_faults()")
        return [f"entry {place}: {fault}" for place, fault in cursor.fetchall()]
