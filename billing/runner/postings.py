"""The one way in which legs are written: the key, the locks, the check, the rows."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import F, OuterRef, Q, Subquery, Sum

from billing.models import BURN_ORDER, Account, Balance, Hold, Leg, Stream, Transfer
from billing.runner.amounts import credits
from governance import services as governance
from governance.models import User

Place = tuple[Account.Kind, uuid.UUID | None]  # the kind of an account and whose it is
Accounts = Mapping[Place, int]  # the id of the account at each place
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
    governance.take_turn(f"{rows._meta.label_lower}/{key}")
    row: Keyed | None = rows._default_manager.filter(key=key).first()
    if row is not None and row.fingerprint != fingerprint:
        raise governance.KeyReused(
            f"key {key!r} already stands for another movement of credits; give this one a new key"
        )
    return row


def wallets_of(*owner_ids: uuid.UUID) -> list[Place]:
    return [(kind, owner_id) for owner_id in owner_ids for kind in BURN_ORDER]


def open_accounts(places: Collection[Place]) -> Accounts:
    """The ids of the accounts at these places, made at their first use.

    Every movement calls this before it locks anything, with all its places at once: whoever makes
    an account keeps others waiting for it until COMMIT.
    """
    found = accounts(places)
    missing = sorted((place for place in places if place not in found), key=str)
    if missing:
        rows = [Account(kind=kind, owner_id=owner_id) for kind, owner_id in missing]
        Account.objects.bulk_create(rows, ignore_conflicts=True)  # another may make them just now
        found = accounts(places)
    return found


def accounts(places: Collection[Place]) -> Accounts:
    """The ids of those accounts at these places that were opened."""
    owned = Q(owner__in={owner_id for _, owner_id in places if owner_id is not None})
    platform = Q(owner=None, kind__in=[kind for kind, owner_id in places if owner_id is None])
    rows = Account.objects.filter(owned | platform).values_list("pk", "kind", "owner")
    return {(Account.Kind(kind), owner_id): account_id for account_id, kind, owner_id in rows}


def lock_wallets(owner_ids: Collection[uuid.UUID]) -> list[Balance]:
    """Lock all wallets of these people, in the order of their accounts' ids."""
    return list(
        Balance.objects.select_for_update(of=("self",))
        .filter(account__owner__in=owner_ids)
        .select_related("account")
        .order_by("account_id")
    )


FREE = Sum(F("posted_microcredits") - F("held_microcredits"))


def available_microcredits(owner: User) -> int:
    """What a person may spend now: all wallets, less what is held."""
    return Balance.objects.filter(account__owner=owner).aggregate(free=FREE)["free"] or 0


def available_to(owner: OuterRef) -> Subquery:
    """The same inside another query, which has the person; null for who has no wallet yet."""
    wallets = Balance.objects.filter(account__owner=owner).order_by().values("account__owner")
    return Subquery(wallets.annotate(free=FREE).values("free"))


def lock_free(owner: User, *, others: Collection[uuid.UUID] = ()) -> list[Draw]:
    """Lock a person's wallets and say what each has free, in burn order.

    `others` are the people who are paid, so that all wallets of a movement are locked in one order.
    """
    wallets = [
        Draw(balance.account_id, Account.Kind(balance.account.kind), balance.available_microcredits)
        for balance in lock_wallets([owner.pk, *others])
        if balance.account.owner_id == owner.pk
    ]
    return sorted(wallets, key=lambda wallet: BURN_ORDER.index(wallet.kind))


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
