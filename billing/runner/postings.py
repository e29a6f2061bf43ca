"""The one way in which legs are written: the key, the locks, the check, the rows."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import connection
from django.db.models import F, Q, Sum

from billing.models import BURN_ORDER, Account, Balance, Hold, Leg, Stream, Transfer
from billing.runner.amounts import credits
from governance import services as governance
from governance.models import User

Place = tuple[Account.Kind, uuid.UUID | None]  # the kind of an account and whose it is
Keyed = TypeVar("Keyed", Hold, Transfer)


class InsufficientCredits(governance.Refusal):
    """The wallet has less free than this needs; nothing was changed."""

    def __init__(self, *, available_microcredits: int, needed_microcredits: int) -> None:
        missing = needed_microcredits - available_microcredits
        super().__init__(
            f"This needs {credits(needed_microcredits)} credits and"
            f" {credits(available_microcredits)} are free in your wallet. Add"
            f" {credits(missing)} credits, wait until held ones return (/wallet/ lists them),"
            " or choose something that costs less."
        )
        self.available_microcredits = available_microcredits
        self.needed_microcredits = needed_microcredits


@dataclass(frozen=True)
class Draw:
    """What one wallet gives."""

    account_id: int
    kind: Account.Kind
    amount_microcredits: int


def find(rows: type[Keyed], *, key: str, fingerprint: str) -> Keyed | None:
    """The row that this key made, once everybody else who uses the key is done with it.

    Raises `governance.KeyReused` when the row was made of other content. The lock lasts until the
    end of the transaction, so the caller may make the row when there is none.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"{rows._meta.label_lower}/{key}"],
        )
    row: Keyed | None = rows._default_manager.filter(key=key).first()
    if row is not None and row.fingerprint != fingerprint:
        raise governance.KeyReused(
            f"key {key!r} already stands for another movement of credits; give this one a new key"
        )
    return row


def wallets_of(*owner_ids: uuid.UUID) -> list[Place]:
    return [(kind, owner_id) for owner_id in owner_ids for kind in BURN_ORDER]


def accounts(places: Collection[Place]) -> dict[Place, Account]:
    """The accounts at these places, made at their first use."""
    found = _accounts(places)
    missing = [place for place in places if place not in found]
    if missing:
        rows = [Account(kind=kind, owner_id=owner_id) for kind, owner_id in missing]
        Account.objects.bulk_create(rows, ignore_conflicts=True)  # another may make them just now
        found = _accounts(places)
    return found


def _accounts(places: Collection[Place]) -> dict[Place, Account]:
    owned = Q(owner__in={owner_id for _, owner_id in places if owner_id is not None})
    platform = Q(owner=None, kind__in=[kind for kind, owner_id in places if owner_id is None])
    return {
        (Account.Kind(account.kind), account.owner_id): account
        for account in Account.objects.filter(owned | platform)
    }


def lock_balances(account_ids: Iterable[int]) -> dict[int, Balance]:
    """Lock these wallets in the order of their ids; other accounts have nothing to lock."""
    rows = Balance.objects.select_for_update().filter(account__in=set(account_ids))
    return {balance.account_id: balance for balance in rows.order_by("account_id")}


def available_microcredits(owner: User) -> int:
    """What a person may spend now: all wallets, less what is held."""
    total = Balance.objects.filter(account__owner=owner).aggregate(
        free=Sum(F("posted_microcredits") - F("held_microcredits"))
    )
    return total["free"] or 0


def lock_free(owner: User, *, also_lock: Collection[Account] = ()) -> list[Draw]:
    """Lock a person's wallets and say what each has free, in burn order.

    `also_lock` names the other wallets of the same movement, so that all are locked in one order.
    """
    own = accounts(wallets_of(owner.pk))
    ids = {kind: own[kind, owner.pk].pk for kind in BURN_ORDER}
    balances = lock_balances([*ids.values(), *(account.pk for account in also_lock)])
    return [
        Draw(ids[kind], kind, balances[ids[kind]].available_microcredits) for kind in BURN_ORDER
    ]


def take(wallets: Sequence[Draw], amount_microcredits: int) -> list[Draw]:
    """The first parts of what these wallets have that make the amount, in their order.

    Raises `InsufficientCredits`.
    """
    available = sum(wallet.amount_microcredits for wallet in wallets)
    if available < amount_microcredits:
        raise InsufficientCredits(
            available_microcredits=available, needed_microcredits=amount_microcredits
        )
    draws = []
    missing = amount_microcredits
    for wallet in wallets:
        part = min(wallet.amount_microcredits, missing)
        if part > 0:
            draws.append(Draw(wallet.account_id, wallet.kind, part))
            missing -= part
    return draws


def write(
    *,
    kind: Transfer.Kind,
    key: str,
    fingerprint: str,
    memo: str,
    legs: Mapping[int, int],
    hold: Hold | None = None,
    stream: Stream | None = None,
) -> Transfer:
    """Write a transfer with these legs (account id to micro-credits; zeros are left out).

    The caller holds the locks. The database brings balances, hold and stream in line.
    """
    transfer = Transfer.objects.create(
        kind=kind, key=key, fingerprint=fingerprint, memo=memo, hold=hold, stream=stream
    )
    Leg.objects.bulk_create(
        Leg(transfer=transfer, account_id=account_id, amount_microcredits=amount)
        for account_id, amount in sorted(legs.items())
        if amount
    )
    return transfer
