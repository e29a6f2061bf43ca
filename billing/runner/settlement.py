"""Pays for metered use: one transfer per lease and window, from the lease's hold.

A lease is a hold that pays in advance; serving a call only inserts a row that names the hold. The
settlement locks a hold FOR UPDATE, which waits for the inserts that name it (they lock it FOR KEY
SHARE), so what it then reads is all there is. Each lease is one transaction: killed anywhere,
nothing happened, and two settlements at once skip each other's leases.

Closing a lease early is always safe: whoever still counts on it finds it closed and opens another.
That is how credits that wait in leases are found again when their owner needs them elsewhere.
"""

import uuid
from collections.abc import Collection

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Now

from billing.models import Account, Hold, Lease, Transfer, UsageEvent
from billing.runner import holds, postings, splits
from billing.runner.postings import Place
from governance import services as governance
from governance.models import User

logger = structlog.get_logger(__name__)

StreamName = tuple[uuid.UUID, uuid.UUID, str]  # author, buyer, source


def settle_usage() -> int:
    """Settle every lease that has unpaid use or is over; the number of leases settled.

    A lease that fails does not stop the others; the failures are raised together at the end.
    """
    unpaid = UsageEvent.objects.filter(hold=OuterRef("hold"), settled_by=None)
    due = Lease.objects.filter(hold__state=Hold.State.OPEN).filter(
        Q(expires_at__lte=Now()) | Exists(unpaid)
    )
    settled = 0
    failures = []
    for hold_id in due.order_by("pk").values_list("pk", flat=True):
        try:
            settled += settle_lease(hold_id)
        except (DatabaseError, governance.Refusal) as error:
            logger.exception("lease_not_settled", hold_id=hold_id)
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"{len(failures)} leases could not be settled", failures)
    return settled


@transaction.atomic
def settle_lease(hold_id: int) -> bool:
    """Settle one lease; False when another does it now, or a call is just being recorded on it."""
    hold = (
        Hold.objects.open()
        .select_for_update(skip_locked=True, of=("self",))
        .select_related("lease")
        .filter(pk=hold_id)
        .first()
    )
    if hold is None:
        return False
    is_over = Lease.objects.filter(pk=hold.pk, expires_at__lte=Now()).exists()
    _settle(hold, close=is_over)
    return True


def make_room(
    owner: User,
    amount_microcredits: int,
    *,
    streams: Collection[StreamName] = (),
    others: Collection[uuid.UUID] = (),
) -> None:
    """When a person has less free than the amount, settle and close their leases, if that helps.

    It is a part of the caller's movement, and of its transaction.
    `streams` and `others` (people) name what the caller locks next: the locks of several leases
    and of the movement after them must be taken in one order, or two purchases could wait for each
    other.
    """
    missing_microcredits = amount_microcredits - postings.available_microcredits(owner)
    if missing_microcredits <= 0 or waiting_microcredits(owner) < missing_microcredits:
        return
    for hold in _locked_leases(owner, streams=streams, others=others):
        _settle(hold, close=True)


def close_leases(owner: User, *, source: str) -> None:
    """Settle and close what a person has open at a source. All of the person's leases are locked,
    so that a movement after it, in the same transaction, has nothing left to wait for.
    """
    for hold in _locked_leases(owner):
        if hold.lease.source == source:
            _settle(hold, close=True)


def _locked_leases(
    owner: User,
    *,
    streams: Collection[StreamName] = (),
    others: Collection[uuid.UUID] = (),
) -> list[Hold]:
    """A person's open leases, then the streams and the wallets that they touch, in one order."""
    leases = list(
        Hold.objects.open()
        .select_for_update(of=("self",))
        .filter(owner=owner, lease__isnull=False)
        .select_related("lease")
        .order_by("pk")
    )
    named = {
        (hold.lease.author_id, hold.owner_id, hold.lease.source)
        for hold in leases
        if hold.lease.author_id is not None
    }
    for author_id, buyer_id, source in sorted(named | set(streams)):
        splits.lock_stream(author_id=author_id, buyer_id=buyer_id, source=source)
    people = {owner.pk, *others, *(author_id for author_id, _, _ in named)}
    postings.lock_wallets(people)
    return leases


def waiting_microcredits(owner: User) -> int:
    """What a person's leases would give back if they were closed now."""
    open_leases = Hold.objects.open().filter(owner=owner, lease__isnull=False)
    held = open_leases.aggregate(
        sum=Sum(F("amount_microcredits") - F("captured_microcredits"), default=0)
    )
    unpaid = UsageEvent.objects.filter(hold__in=open_leases, settled_by=None).aggregate(
        sum=Sum(F("units") * F("price_microcredits"), default=0)
    )
    return int(held["sum"] - unpaid["sum"])


def places(user_id: uuid.UUID, author_id: uuid.UUID | None) -> list[Place]:
    """Where the payment for use comes from and goes."""
    if author_id is None:
        return [*postings.wallets_of(user_id), (Account.Kind.COMPUTE, None)]
    return splits.places(author_id=author_id, buyer_id=user_id)


def _settle(hold: Hold, *, close: bool) -> None:
    """Pay for the use recorded on a locked hold; give the rest back when it is over or empty."""
    unpaid = UsageEvent.objects.filter(hold=hold, settled_by=None)
    use = unpaid.aggregate(
        amount=Sum(F("units") * F("price_microcredits"), default=0), units=Sum("units", default=0)
    )
    if use["amount"]:
        transfer = _pay(hold, amount_microcredits=int(use["amount"]), units=use["units"])
        unpaid.update(settled_by=transfer)
    if close or hold.captured_microcredits + use["amount"] == hold.amount_microcredits:
        holds.close(hold)


def _pay(hold: Hold, *, amount_microcredits: int, units: int) -> Transfer:
    lease = hold.lease
    # What was captured before names the window: it only rises, and a killed attempt repeats it.
    key = f"usage/{hold.key}/{hold.captured_microcredits}"
    fingerprint = governance.fingerprint({"hold": hold.pk, "amount": amount_microcredits})
    memo = f"{units} × {lease.source}"
    draws = holds.draw(hold, amount_microcredits)
    accounts = postings.accounts(places(hold.owner_id, lease.author_id))  # opened with the lease
    if lease.author_id is None:
        postings.lock_wallets([hold.owner_id])
        legs = {draw.account_id: -draw.amount_microcredits for draw in draws}
        return postings.write(
            kind=Transfer.Kind.USAGE,
            key=key,
            fingerprint=fingerprint,
            memo=memo,
            legs={**legs, accounts[Account.Kind.COMPUTE, None]: amount_microcredits},
            hold=hold,
        )
    stream = splits.lock_stream(
        author_id=lease.author_id, buyer_id=hold.owner_id, source=lease.source
    )
    postings.lock_wallets([lease.author_id, hold.owner_id])
    return splits.post(
        kind=Transfer.Kind.USAGE,
        key=key,
        fingerprint=fingerprint,
        memo=memo,
        draws=draws,
        accounts=accounts,
        stream=stream,
        hold=hold,
    )
