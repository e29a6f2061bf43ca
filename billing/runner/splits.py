"""How a payment is divided between an author and the platform.

An author gets f(x) = x − ⌊3x/10⌋ of the running total x that one buyer paid them at one source: at
least 70 % of every payment in the long run, and exactly f of the sum however the sum was cut. The
part of a payment that came from promotional credits reaches the author as promotional credits,
in proportion; what it rounds away goes to the earned part.
"""

import uuid
from collections.abc import Sequence

from billing.models import Account, Hold, Stream, Transfer
from billing.runner import postings
from billing.runner.postings import Accounts, Draw, Place


def author_share(gross_microcredits: int) -> int:
    """f(x) = x − ⌊3x/10⌋, for a running total x ≥ 0."""
    return gross_microcredits - 3 * gross_microcredits // 10


def promotional_share(share: int, promotional: int, gross: int) -> int:
    """How much of an author's share of one payment is promotional, all in micro-credits.

    ⌊share · promotional / gross⌋ leaves an earned part of at most gross − promotional, so no
    promotional credit becomes one that can be paid out.
    """
    return share * promotional // gross


def lock_stream(*, author_id: uuid.UUID, buyer_id: uuid.UUID, source: str) -> Stream:
    named = {"author_id": author_id, "buyer_id": buyer_id, "source": source}
    stream = Stream.objects.select_for_update().filter(**named).first()
    if stream is None:
        Stream.objects.bulk_create([Stream(**named)], ignore_conflicts=True)
        stream = Stream.objects.select_for_update().get(**named)
    return stream


def places(*, author_id: uuid.UUID, buyer_id: uuid.UUID) -> list[Place]:
    """Where a divided payment comes from and goes."""
    return [*postings.wallets_of(author_id, buyer_id), (Account.Kind.FEE, None)]


def post(
    *,
    kind: Transfer.Kind,
    key: str,
    fingerprint: str,
    memo: str,
    draws: Sequence[Draw],
    accounts: Accounts,
    stream: Stream,
    hold: Hold | None = None,
) -> Transfer:
    """Write the transfer of what a buyer's wallets give to the author and the platform.

    The caller has locked the stream and the wallets of both.
    """
    gross = sum(draw.amount_microcredits for draw in draws)
    promotional = sum(
        draw.amount_microcredits for draw in draws if draw.kind == Account.Kind.WALLET_PROMO
    )
    share = author_share(stream.gross_microcredits + gross) - stream.author_microcredits
    promotional_part = promotional_share(share, promotional, gross)
    legs = {draw.account_id: -draw.amount_microcredits for draw in draws}
    legs[accounts[Account.Kind.WALLET_PROMO, stream.author_id]] = promotional_part
    legs[accounts[Account.Kind.WALLET_EARNED, stream.author_id]] = share - promotional_part
    legs[accounts[Account.Kind.FEE, None]] = gross - share
    return postings.write(
        kind=kind, key=key, fingerprint=fingerprint, memo=memo, legs=legs, hold=hold, stream=stream
    )
