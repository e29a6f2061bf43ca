"""Calls that a price includes each month: counted exactly, and recorded as use that costs nothing.

A call is included when all its units fit into what is left of the month; else all of it costs what
it costs, and what is left waits for a smaller call. One row per person, source and month counts
them, so a person's own calls wait for each other here, for the length of one short transaction;
nobody else's do.
"""

import uuid

from django.db import connection, transaction

from billing.models import UsageEvent
from billing.services.usage import earlier_event, insert_free_event
from governance.models import User

THIS_MONTH = "date_trunc('month', statement_timestamp() AT TIME ZONE 'utc')::date"
COUNT = f"""
    INSERT INTO billing_allowance AS used (user_id, source, month, used_units)
    VALUES (%s, %s, {THIS_MONTH}, %s)
    ON CONFLICT (user_id, source, month) DO UPDATE
        SET used_units = used.used_units + excluded.used_units
        WHERE used.used_units + excluded.used_units <= %s
    RETURNING used_units
"""  # noqa: S608  # of our own constants
USED = f"""
    SELECT used_units FROM billing_allowance
    WHERE user_id = %s AND source = %s AND month = {THIS_MONTH}
"""  # noqa: S608


class _CountedBefore(Exception):
    """The event was there: what was counted for it again is rolled back."""


def include(
    *,
    user: User,
    source: str,
    author: User | None,
    units: int,
    event_id: uuid.UUID,
    allowance: str,
    included_units: int,
) -> UsageEvent | None:
    """Record a call as one of the `included_units` of this month; None where it does not fit.

    `allowance` names what they belong to, such as a template, `source` what answered. The same
    `event_id` is counted once; with other content it raises `governance.KeyReused`.
    """
    event = UsageEvent(
        pk=event_id, source=source, user=user, author=author, units=units, price_microcredits=0
    )
    try:
        with transaction.atomic():
            if units > included_units or not _count(user, allowance, units, included_units):
                stored = UsageEvent.objects.filter(pk=event_id, price_microcredits=0).exists()
                return earlier_event(event) if stored else None
            if not insert_free_event(event):
                raise _CountedBefore
    except _CountedBefore:
        stored = UsageEvent.objects.filter(pk=event_id, price_microcredits=0).exists()
        return earlier_event(event) if stored else None
    return event


def _count(user: User, allowance: str, units: int, included_units: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [user.pk, allowance, units, included_units])
        return cursor.fetchone() is not None


def used_this_month(*, user: User, allowance: str) -> int:
    """How many included units a person has used of a source since the first of the month, UTC."""
    with connection.cursor() as cursor:
        cursor.execute(USED, [user.pk, allowance])
        row = cursor.fetchone()
    return row[0] if row else 0
