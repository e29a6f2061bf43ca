"""A buyer pays an author."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, Sum

from billing.models import Account, Leg, Transfer
from billing.runner import postings, settlement, splits
from billing.runner.amounts import require_amount
from governance import services as governance
from governance.models import User


class SelfDealing(governance.Refusal):
    """Nobody earns from themselves: what is yours costs you nothing."""


@dataclass(frozen=True)
class Sale:
    """What was paid and where it went; author and fee make the gross, exactly."""

    gross_microcredits: int
    author_microcredits: int
    fee_microcredits: int
    transfer: Transfer


@transaction.atomic
def sell(
    *, buyer: User, author: User, amount_microcredits: int, key: str, source: str, memo: str
) -> Sale:
    """Move a price from a buyer's wallets to the author (70 %) and the platform.

    The split follows the running total of this author, source and buyer (see `runner.splits`).
    Raises `InsufficientCredits`, `SelfDealing`; ValueError for a price of 0: what is free is not
    sold.
    """
    require_amount("amount_microcredits", amount_microcredits)
    require_two_people(payer=buyer, author=author)
    content = governance.fingerprint(
        {
            "sell": amount_microcredits,
            "buyer": buyer.pk,
            "author": author.pk,
            "source": source,
            "memo": memo,
        }
    )
    earlier = postings.find(Transfer, key=key, fingerprint=content)
    if earlier is not None:
        return _sale(earlier)
    accounts = postings.open_accounts(splits.places(author_id=author.pk, buyer_id=buyer.pk))
    settlement.make_room(
        buyer,
        amount_microcredits,
        streams=[(author.pk, buyer.pk, source)],
        others=[author.pk],
    )
    stream = splits.lock_stream(author_id=author.pk, buyer_id=buyer.pk, source=source)
    wallets = postings.lock_free(buyer, others=[author.pk])
    transfer = splits.post(
        kind=Transfer.Kind.SALE,
        key=key,
        fingerprint=content,
        memo=memo,
        draws=postings.take(wallets, amount_microcredits),
        accounts=accounts,
        stream=stream,
    )
    sale = _sale(transfer)
    governance.record(
        actor=buyer,
        verb="sell",
        subject=transfer,
        details={
            "author": str(author.pk),
            "source": source,
            "gross_microcredits": sale.gross_microcredits,
            "author_microcredits": sale.author_microcredits,
        },
    )
    return sale


def require_two_people(*, payer: User, author: User) -> None:
    if payer.pk == author.pk:
        raise SelfDealing("This is your own: use it for free, nothing is bought or sold.")


def _sale(transfer: Transfer) -> Sale:
    """The sale as its legs tell it, so that a repeated call gets the first one's answer."""
    legs = Leg.objects.filter(transfer=transfer).aggregate(
        fee=Sum("amount_microcredits", filter=Q(account__kind=Account.Kind.FEE), default=0),
        gross=Sum("amount_microcredits", filter=Q(amount_microcredits__gt=0)),
    )
    return Sale(
        gross_microcredits=legs["gross"],
        author_microcredits=legs["gross"] - legs["fee"],
        fee_microcredits=legs["fee"],
        transfer=transfer,
    )
