"""The most that a person lets one source cost, each month or in all.

Use is paid in advance by leases, and no path spends more than its lease (`services.usage`). So a
cap is held where leases are opened, once for many calls: what the closed ones took and the open
ones may still take, together, never exceed it. Leases of one capped source are opened one at a
time; whoever finds too little room closes the others first, which tells what they really took.

A lease counts for the month in which it was opened.
"""

from dataclasses import dataclass

from django.db.models import F, Sum
from django.db.models.functions import Now, TruncMonth

from billing.models import Hold, Spending, UsageEvent
from billing.runner import settlement
from billing.runner.amounts import credits
from governance import services as governance
from governance.models import User


class SpendCapReached(governance.Refusal):
    """The call would cost more than its owner lets the source cost; nothing was charged."""


@dataclass(frozen=True, kw_only=True)
class Cap:
    """`is_monthly` begins anew with each month of UTC."""

    microcredits: int
    is_monthly: bool = True


def require_room(owner: User, source: str, cap: Cap, cost_microcredits: int) -> int:
    """What may still be set aside for the source. Raises SpendCapReached.

    The caller opens a lease in the same transaction, before anything else of it is locked.
    """
    governance.take_turn(f"cap/{owner.pk}/{source}")
    room = cap.microcredits - bound_microcredits(owner, source, cap)
    if room < cost_microcredits:
        settlement.close_leases(owner, source=source)
        room = cap.microcredits - bound_microcredits(owner, source, cap)
    if room < cost_microcredits:
        period = "this month" if cap.is_monthly else "in all"
        raise SpendCapReached(
            f"The call costs {credits(cost_microcredits)} credits, and of the "
            f"{credits(cap.microcredits)} that its owner lets it cost {period} "
            f"{credits(max(room, 0))} are left. Raise spend_cap, or take it away."
        )
    return room


def bound_microcredits(owner: User, source: str, cap: Cap) -> int:
    """What the source took, and may still take without asking again."""
    leases = Hold.objects.open().filter(owner=owner, lease__source=source)
    held = leases.aggregate(sum=Sum(F("amount_microcredits"), default=0))["sum"]
    return taken_microcredits(owner, source, cap) + int(held)


def taken_microcredits(owner: User, source: str, cap: Cap) -> int:
    """By the leases that are closed."""
    closed = Spending.objects.filter(owner=owner, source=source)
    if cap.is_monthly:
        closed = closed.filter(month=TruncMonth(Now()))
    return int(closed.aggregate(sum=Sum("microcredits", default=0))["sum"])


def room_microcredits(owner: User, source: str, cap: Cap) -> int:
    """What the source may still cost: less what was used of open leases, not all that they hold."""
    leases = Hold.objects.open().filter(owner=owner, lease__source=source)
    events = UsageEvent.objects.filter(hold__in=leases)
    used = events.aggregate(sum=Sum(F("units") * F("price_microcredits"), default=0))["sum"]
    return max(0, cap.microcredits - taken_microcredits(owner, source, cap) - int(used))
