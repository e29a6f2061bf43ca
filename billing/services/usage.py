"""Metering of use: one inserted row per served call, paid in advance by a lease.

A call must not wait for another call's row, and must not be served on credit. So the first call
opens a lease, a hold worth `LEASE_UNITS` units or `LEASE_CALLS` such calls at most, and this
process counts down what is left of it; each call then inserts one row that names the hold, and
nothing else is written. What was counted down and never inserted only returns later: no path spends
more than the hold. The settlement (`runner.settlement`) turns rows into transfers and gives the
rest back.
"""

import datetime
import os
import threading
import time
import uuid
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models.functions import Now

from billing.models import Lease, UsageEvent
from billing.runner import caps, holds, postings, settlement
from billing.runner.amounts import require_amount
from billing.runner.caps import Cap
from billing.services.sales import require_two_people
from governance import services as governance
from governance.models import User

LEASE_UNITS, LEASE_CALLS = 100, 20
LEASE_DURATION = datetime.timedelta(minutes=10)

Use = tuple[uuid.UUID, str, uuid.UUID | None, int]  # user, source, author, price of a unit


@dataclass
class Budget:
    """What this process may still spend of a lease."""

    hold_id: int
    left_microcredits: int
    opened_seconds: float = field(default_factory=time.monotonic)


class Budgets:
    """The leases this process counts down. It may forget one, and may never make one up.

    The lock guards arithmetic only. Waiting for the database under it could tie a knot that the
    database does not see.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._lock = threading.Lock()  # a new one: a fork may have copied the old one locked
        self._budgets: dict[Use, list[Budget]] = {}  # the most lately refilled last

    def take(self, use: Use, cost_microcredits: int) -> Budget | None:
        """Count the cost down from a lease that has it."""
        with self._lock:
            for budget in self._budgets.get(use, []):
                if budget.left_microcredits >= cost_microcredits:
                    budget.left_microcredits -= cost_microcredits
                    return budget
        return None

    def give_back(self, budget: Budget, cost_microcredits: int) -> None:
        with self._lock:
            budget.left_microcredits += cost_microcredits

    def put(self, use: Use, budget: Budget) -> None:
        """Add a lease, and forget those whose time is over, by this process's own clock."""
        oldest_seconds = budget.opened_seconds - LEASE_DURATION.total_seconds()
        price_microcredits = use[-1]
        with self._lock:
            others = self._budgets.pop(use, [])
            useful = [other for other in others if other.left_microcredits >= price_microcredits]
            self._budgets[use] = [*useful, budget]
            for other_use, budgets in list(self._budgets.items()):
                if budgets[-1].opened_seconds >= oldest_seconds:
                    break
                del self._budgets[other_use]

    def drop(self, use: Use, budget: Budget) -> None:
        with self._lock:
            left = [other for other in self._budgets.pop(use, []) if other is not budget]
            if left:
                self._budgets[use] = left


BUDGETS = Budgets()
os.register_at_fork(after_in_child=BUDGETS.clear)  # two processes must not count down one lease


def meter(
    *,
    user: User,
    source: str,
    author: User | None,
    price_microcredits: int,
    units: int,
    event_id: uuid.UUID,
    cap: Cap | None = None,
) -> UsageEvent:
    """Record a call that used `units` of a source, each at this price, paid in advance.

    Call it before the answer goes out. The same `event_id` is recorded once; with other content it
    raises `governance.KeyReused`. A price of 0 is recorded and costs nothing. With an author, 70 %
    of the price become theirs, otherwise all of it pays for compute. Raises `InsufficientCredits`,
    and `SelfDealing` when the user is the author: for one's own, give no author or a price of 0.
    With a cap, `SpendCapReached` when the source would cost the user more; it costs calls nothing,
    since it is held where leases are opened.
    """
    if author is not None and price_microcredits:
        require_two_people(payer=user, author=author)
    event = UsageEvent(
        pk=event_id,
        source=source,
        user=user,
        author=author,
        units=units,
        price_microcredits=price_microcredits,
    )
    if price_microcredits == 0:
        return event if insert_free_event(event) else earlier_event(event)
    cost_microcredits = units * price_microcredits
    require_amount("units · price_microcredits", cost_microcredits)
    use = (user.pk, source, event.author_id, price_microcredits)
    while (budget := BUDGETS.take(use, cost_microcredits)) is not None:
        if _insert_prepaid(event, budget.hold_id):
            return event
        if UsageEvent.objects.filter(pk=event_id).exists():
            BUDGETS.give_back(budget, cost_microcredits)
            return earlier_event(event)
        BUDGETS.drop(use, budget)  # closed by a settlement, or rolled back with what opened it
    budget = _open_lease(event, cost_microcredits, cap)
    if budget is None:
        return earlier_event(event)
    BUDGETS.put(use, budget)
    return event


@transaction.atomic
def _open_lease(event: UsageEvent, cost_microcredits: int, cap: Cap | None) -> Budget | None:
    """Open a lease and record its first call with it; None when the call was recorded before.

    A lease holds at most half of what is free, where that covers the call, so that another
    source, or a purchase, finds credits without closing it; and at most half of what a cap leaves.
    """
    postings.open_accounts(settlement.places(event.user_id, event.author_id))
    room = (
        None if cap is None else caps.require_room(event.user, event.source, cap, cost_microcredits)
    )
    settlement.make_room(event.user, cost_microcredits)
    wallets = postings.lock_free(event.user)
    if UsageEvent.objects.filter(pk=event.pk).exists():
        return None
    affordable_units = (
        sum(wallet.amount_microcredits for wallet in wallets) // event.price_microcredits
    )
    wanted_units = max(LEASE_UNITS, LEASE_CALLS * event.units)
    capped_units = wanted_units if room is None else room // event.price_microcredits // 2
    units = max(event.units, min(wanted_units, affordable_units // 2, capped_units))
    hold = holds.place(
        owner=event.user,
        key=f"lease/{uuid.uuid4()}",
        fingerprint="",
        reason=f"Use of {event.source}, in advance",
        draws=postings.take(wallets, units * event.price_microcredits),
    )
    Lease.objects.create(
        hold=hold,
        source=event.source,
        author_id=event.author_id,
        price_microcredits=event.price_microcredits,
        expires_at=Now() + LEASE_DURATION,
    )
    if not _insert_prepaid(event, hold.pk):
        raise _reused(event)  # somebody else's call has this id, a moment ago
    return Budget(hold.pk, hold.amount_microcredits - cost_microcredits)


@transaction.atomic
def close_leases(*, user: User, source: str) -> None:
    """Settle what was used at a source and give the rest back: the next call opens a lease anew,
    and so meets a cap that changed.
    """
    settlement.close_leases(user, source=source)


def room_of_cap(*, user: User, source: str, cap: Cap) -> int:
    """What a source may still cost its user, in micro-credits."""
    return caps.room_microcredits(user, source, cap)


INSERT = """
    INSERT INTO billing_usageevent
        (id, source, user_id, author_id, units, price_microcredits, hold_id)
"""
ONCE = " ON CONFLICT (id) DO NOTHING RETURNING at"


def insert_free_event(event: UsageEvent) -> bool:
    return _insert(event, INSERT + "VALUES (%s, %s, %s, %s, %s, %s, NULL)" + ONCE)


def _insert_prepaid(event: UsageEvent, hold_id: int) -> bool:
    """Insert the row while its hold is open; one statement, so one trip and no lost race."""
    open_hold = (
        "SELECT %s, %s, %s, %s, %s, %s, id FROM billing_hold WHERE id = %s AND state = 'open'"
    )
    event.hold_id = hold_id
    return _insert(event, INSERT + open_hold + " FOR KEY SHARE" + ONCE, hold_id)


def _insert(event: UsageEvent, statement: str, *more: int) -> bool:
    values: list[uuid.UUID | str | int | None] = [
        event.pk,
        event.source,
        event.user_id,
        event.author_id,
        event.units,
        event.price_microcredits,
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, *more])
        row = cursor.fetchone()
    if row is None:
        return False
    event.at = row[0]
    event._state.adding = False
    return True


def earlier_event(event: UsageEvent) -> UsageEvent:
    """The row that this id made before, when it says the same."""
    earlier = UsageEvent.objects.get(pk=event.pk)
    if _content(earlier) != _content(event):
        raise _reused(event)
    return earlier


def _content(event: UsageEvent) -> tuple[str, uuid.UUID, uuid.UUID | None, int, int]:
    return event.source, event.user_id, event.author_id, event.units, event.price_microcredits


def _reused(event: UsageEvent) -> governance.KeyReused:
    return governance.KeyReused(
        f"event_id {event.pk} already stands for another call; give each call its own"
    )
