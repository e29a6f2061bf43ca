"""What people have: credits that enter the ledger, and what a wallet shows."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import models, transaction
from django.db.models import Sum

from billing.models import WELCOME_MICROCREDITS, Account, Balance, Hold, Leg, Transfer
from billing.runner import postings
from billing.runner.amounts import credits, require_amount
from governance import services as governance
from governance.models import Role, User

available_microcredits = postings.available_microcredits
available_to = postings.available_to
PAGE_MOVEMENTS = 25
MOVEMENT_TITLES = {  # for who gave and for who got
    Transfer.Kind.ISSUE: ("Taken back", "Credits added"),
    Transfer.Kind.SALE: ("Purchase", "Sale"),
    Transfer.Kind.CAPTURE: ("Work", "Work"),
    Transfer.Kind.USAGE: ("Use", "Use by others"),
}


@transaction.atomic
def welcome(*, user: User) -> Transfer:
    """Promotional credits for a new person, once."""
    return issue(
        user=user,
        amount_microcredits=WELCOME_MICROCREDITS,
        reason="Welcome credits",
        key=f"welcome/{user.pk}",
        promotional=True,
    )


@transaction.atomic
def issue(
    *,
    user: User,
    amount_microcredits: int,
    reason: str,
    key: str,
    promotional: bool,
    actor: User | None = None,
) -> Transfer:
    """Bring credits into the ledger. Promotional ones can be spent and never be paid out.

    `actor` is the person of finance who does it; None is the site itself.
    """
    require_amount("amount_microcredits", amount_microcredits)
    if not reason.strip():
        raise governance.Refusal("Say why these credits are issued: their owner reads it.")
    if actor is not None:
        governance.require_role(actor, Role.FINANCE, Role.ADMIN)
    content = governance.fingerprint(
        {
            "issue": amount_microcredits,
            "user": user.pk,
            "reason": reason,
            "promotional": promotional,
        }
    )
    earlier = postings.find(Transfer, key=key, fingerprint=content)
    if earlier is not None:
        return earlier
    wallet_kind = Account.Kind.WALLET_PROMO if promotional else Account.Kind.WALLET_PAID
    source, wallet = (Account.Kind.ISSUER, None), (wallet_kind, user.pk)
    accounts = postings.open_accounts([source, wallet])
    postings.lock_wallets([user.pk])
    transfer = postings.write(
        kind=Transfer.Kind.ISSUE,
        key=key,
        fingerprint=content,
        memo=reason,
        legs={
            accounts[source]: -amount_microcredits,
            accounts[wallet]: amount_microcredits,
        },
    )
    governance.record(
        actor=actor,
        verb="issue",
        subject=transfer,
        details={"user": str(user.pk), "microcredits": amount_microcredits, "reason": reason},
    )
    return transfer


def available_credits(user: User) -> str:
    """What a person may spend now, written for people."""
    return credits(available_microcredits(user))


def balance(account: Account) -> int:
    """An account's micro-credits; what the platform's own places hold is the sum of their legs."""
    if account.owner_id is not None:
        return Balance.objects.get(account=account).posted_microcredits
    total = Leg.objects.filter(account=account).aggregate(sum=Sum("amount_microcredits"))
    return total["sum"] or 0


@dataclass(frozen=True)
class Movement:
    """What one transfer did to all wallets of a person together."""

    transfer: Transfer
    amount_microcredits: int
    balance_microcredits: int  # after it

    @property
    def title(self) -> str:
        """What it was, seen from this person's side."""
        gave, got = MOVEMENT_TITLES[Transfer.Kind(self.transfer.kind)]
        return gave if self.amount_microcredits < 0 else got


@dataclass(frozen=True)
class Wallet:
    """What a person has, what waits, and a page of what moved."""

    promotional_microcredits: int
    paid_microcredits: int
    earned_microcredits: int
    held_microcredits: int
    holds: Sequence[Hold]
    movements: Sequence[Movement]
    next_before: int | None  # the next page's `before`

    @property
    def total_microcredits(self) -> int:
        return self.promotional_microcredits + self.paid_microcredits + self.earned_microcredits

    @property
    def available_microcredits(self) -> int:
        return self.total_microcredits - self.held_microcredits


def wallet(*, user: User, before: int | None = None) -> Wallet:
    """A person's wallet and the newest `PAGE_MOVEMENTS` movements before a transfer's id."""
    balances = {
        Account.Kind(row.account.kind): row
        for row in Balance.objects.filter(account__owner=user).select_related("account")
    }
    posted = {kind: row.posted_microcredits for kind, row in balances.items()}
    movements = _movements(balances.values(), before)
    page = movements[:PAGE_MOVEMENTS]
    return Wallet(
        promotional_microcredits=posted.get(Account.Kind.WALLET_PROMO, 0),
        paid_microcredits=posted.get(Account.Kind.WALLET_PAID, 0),
        earned_microcredits=posted.get(Account.Kind.WALLET_EARNED, 0),
        held_microcredits=sum(row.held_microcredits for row in balances.values()),
        holds=list(Hold.objects.open().filter(owner=user).order_by("-pk")),
        movements=page,
        next_before=page[-1].transfer.pk if len(movements) > len(page) else None,
    )


def _movements(balances: Collection[Balance], before: int | None) -> list[Movement]:
    """The newest movements with what the person had after each, one more than a page shows.

    Each leg carries its wallet's balance, so the newest leg of each wallet at or before a movement
    tells the total after it: nothing is summed over the past, and one statement sees one moment.
    """
    pages = [_newest_legs(row.account_id, before) for row in balances]
    if not pages:
        return []
    legs = sorted(pages[0].union(*pages[1:], all=True), key=lambda leg: leg.transfer_id)
    transfers = Transfer.objects.in_bulk({leg.transfer_id for leg in legs})
    standing: dict[int, int] = {}
    movements = []
    for transfer_id, group in itertools.groupby(legs, key=lambda leg: leg.transfer_id):
        amount = 0
        for leg in group:
            assert leg.balance_microcredits is not None, "a wallet's leg carries its balance"
            standing[leg.account_id] = leg.balance_microcredits
            amount += leg.amount_microcredits
        movements.append(Movement(transfers[transfer_id], amount, sum(standing.values())))
    return movements[: -PAGE_MOVEMENTS - 2 : -1]


def _newest_legs(account_id: int, before: int | None) -> models.QuerySet[Leg]:
    legs = Leg.objects.filter(account=account_id)
    if before is not None:
        legs = legs.filter(transfer__lt=before)
    return legs.order_by("-transfer_id")[: PAGE_MOVEMENTS + 1]
