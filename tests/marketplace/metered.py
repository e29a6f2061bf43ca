"""What a deployment has answered so far, by the events that were metered."""

from dataclasses import dataclass

from django.db.models import Count, F, Sum

from billing.models import UsageEvent
from marketplace.models import Deployment


@dataclass(frozen=True, kw_only=True)
class Usage:
    calls: int
    microcredits: int


def usage(deployment: Deployment) -> Usage:
    events = UsageEvent.objects.filter(source=deployment.source)
    totals = events.aggregate(
        calls=Count("pk"), spent=Sum(F("price_microcredits") * F("units"), default=0)
    )
    return Usage(calls=totals["calls"], microcredits=totals["spent"])
