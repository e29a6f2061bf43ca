"""What rows cost who asks them, whether one call asks them or a batch: included or metered, once
for each event.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from billing import services as billing
from governance.models import User
from marketplace.models import Deployment, Route


def charge(
    *,
    user: User,
    source: str,
    author: User | None,
    price: int,
    rows: int,
    event_id: uuid.UUID,
    allowance: str = "",
    included_rows: int = 0,
    cap: billing.Cap | None = None,
) -> int:
    """Micro-credits: nothing where all of the rows are included this month."""
    if included_rows and billing.include(
        user=user,
        source=source,
        author=author,
        units=rows,
        event_id=event_id,
        allowance=allowance,
        included_units=included_rows,
    ):
        return 0
    billing.meter(
        user=user,
        source=source,
        author=author,
        price_microcredits=price,
        units=rows,
        event_id=event_id,
        cap=cap,
    )
    return price * rows


@transaction.atomic
def charge_together(
    *,
    user: User,
    source: str,
    routes: Sequence[Route],
    rows: int,
    event_id: uuid.UUID,
    cap: billing.Cap | None = None,
) -> int:
    """A row costs the sum of all routes. The author has a part of what they ask; the compute of
    routes that earn nothing is an event of its own. A month's included rows are of one version, so
    none are here.
    """
    earning, compute = 0, 0
    for route in routes:
        if route.earns:
            earning += route.price_microcredits
        else:
            compute += route.price_microcredits
    asked: dict[str, Any] = {"user": user, "source": source, "rows": rows, "cap": cap}
    if earning:
        author = routes[0].version.template.owner
        charge(**asked, author=author, price=earning, event_id=event_id)
        event_id = uuid.uuid5(event_id, "compute")
    if compute:
        charge(**asked, author=None, price=compute, event_id=event_id)
    return (earning + compute) * rows


def cap_of(deployment: Deployment | None) -> billing.Cap | None:
    if deployment is None or deployment.spend_cap_microcredits is None:
        return None
    return billing.Cap(
        microcredits=deployment.spend_cap_microcredits,
        is_monthly=deployment.spend_period == Deployment.SpendPeriod.MONTH,
    )
