"""Credits set aside for work that is not done yet: placed, captured in parts, given back."""

from collections.abc import Sequence

from billing.models import BURN_ORDER, Account, Hold, HoldPart
from billing.runner import postings
from billing.runner.amounts import credits
from billing.runner.postings import Draw
from governance import services as governance
from governance.models import User


class HoldExceeded(governance.Refusal):
    """More was asked of a hold than it still holds; nothing was changed."""


def place(*, owner: User, key: str, fingerprint: str, reason: str, draws: Sequence[Draw]) -> Hold:
    """Set aside what these wallets give. The caller has locked them and looked for the key."""
    hold = Hold.objects.create(
        key=key,
        fingerprint=fingerprint,
        owner=owner,
        reason=reason,
        amount_microcredits=sum(draw.amount_microcredits for draw in draws),
    )
    HoldPart.objects.bulk_create(
        HoldPart(
            hold=hold, account_id=draw.account_id, amount_microcredits=draw.amount_microcredits
        )
        for draw in sorted(draws, key=lambda draw: draw.account_id)
    )
    return hold


def draw(hold: Hold, amount_microcredits: int) -> list[Draw]:
    """Which wallets give this much of the hold, in burn order. The caller has locked the hold.

    Raises `HoldExceeded`.
    """
    if amount_microcredits > hold.remaining_microcredits:
        raise HoldExceeded(
            f"{hold} is {hold.state} and holds {credits(hold.remaining_microcredits)} more credits;"
            f" {credits(amount_microcredits)} were asked. Work may not cost more than its quote:"
            " quote anew and place another hold."
        )
    parts = HoldPart.objects.filter(hold=hold).select_related("account")
    wallets = [
        Draw(
            part.account_id,
            Account.Kind(part.account.kind),
            part.amount_microcredits - part.captured_microcredits,
        )
        for part in parts
    ]
    wallets.sort(key=lambda wallet: BURN_ORDER.index(wallet.kind))
    return postings.take(wallets, amount_microcredits)


def close(hold: Hold) -> None:
    """Give back what was not captured. The caller has locked the hold."""
    postings.lock_wallets([hold.owner_id])
    Hold.objects.open().filter(pk=hold.pk).update(state=Hold.State.CLOSED)
