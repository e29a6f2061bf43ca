"""Whose file is read next. As with jobs (`queue`), a hint only says that there is a file to read.

Everybody's first file comes before anybody's second, and of first ones that of whoever was served
longest ago, so a person with many delays another by no more than those that are being read. They
have a queue of their own, so that they do not stand before training.
"""

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Max, Value
from django.db.models.functions import Now

from training.models import Dataset, Work
from training.runner.leases import claimable
from training.runner.queue import REMEMBERED

LONG_AGO = datetime.min.replace(tzinfo=UTC)


def line() -> list[UUID]:
    """The datasets that nobody reads, in the order in which they come."""
    is_free = ExpressionWrapper(claimable(), output_field=BooleanField())
    rows = Dataset.objects.filter(status__in=Work.OPEN).order_by("created_at", "pk")
    turns: Counter[UUID | None] = Counter()
    served, found = served_at(), []
    for dataset_id, owner_id, free in rows.values_list("pk", "owner_id", is_free):
        turns[owner_id] += 1  # those that are being read count, too
        if free:
            found.append((turns[owner_id], served.get(owner_id, LONG_AGO), dataset_id))
    return [dataset_id for _, _, dataset_id in sorted(found, key=lambda each: each[:2])]


def served_at() -> dict[UUID | None, datetime]:
    """When a file of each of these people was begun last, as far as it still matters."""
    lately = Dataset.objects.filter(started_at__gt=Now() - Value(REMEMBERED))
    return dict(lately.order_by().values_list("owner_id").annotate(last=Max("started_at")))
