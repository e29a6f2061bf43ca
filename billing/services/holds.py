"""Paying for work while it is done: hold the quote, capture what was used, release the rest."""

from typing import Literal

from django.db import transaction

from billing.models import Account, Hold, Transfer
from billing.runner import holds, postings, settlement
from billing.runner.amounts import require_amount
from governance import services as governance
from governance.models import User

PAID_TO = {"compute": Account.Kind.COMPUTE, "storage": Account.Kind.STORAGE}


@transaction.atomic
def hold(*, owner: User, amount_microcredits: int, key: str, reason: str) -> Hold:
    """Set credits aside, so that work can be paid when it is done. Raises `InsufficientCredits`."""
    require_amount("amount_microcredits", amount_microcredits)
    content = governance.fingerprint(
        {"hold": amount_microcredits, "owner": owner.pk, "reason": reason}
    )
    earlier = postings.find(Hold, key=key, fingerprint=content)
    if earlier is not None:
        return earlier
    postings.open_accounts(postings.wallets_of(owner.pk))
    settlement.make_room(owner, amount_microcredits)
    draws = postings.take(postings.lock_free(owner), amount_microcredits)
    return holds.place(owner=owner, key=key, fingerprint=content, reason=reason, draws=draws)


@transaction.atomic
def capture(
    *,
    hold: Hold,
    up_to_microcredits: int,
    key: str,
    to: Literal["compute", "storage"] = "compute",
) -> Hold:
    """Bring what was captured of a hold up to a total, and return the hold as it then is.

    The amount is the total so far, not a step: work that is done twice, in a new attempt or with
    a late message, is paid once, whatever its key. A total that was reached before changes nothing,
    on a closed hold too. Raises `HoldExceeded`, also when a closed hold would have to give more.
    """
    if up_to_microcredits:  # a first chunk may round to nothing
        require_amount("up_to_microcredits", up_to_microcredits)
    content = governance.fingerprint({"capture": up_to_microcredits, "hold": hold.pk, "to": to})
    place = (PAID_TO[to], None)
    earlier = postings.find(Transfer, key=key, fingerprint=content)
    paid_to = postings.open_accounts([place])[place]
    locked = Hold.objects.select_for_update().get(pk=hold.pk)
    step = up_to_microcredits - locked.captured_microcredits
    if earlier is not None or step <= 0:
        return locked
    draws = holds.draw(locked, step)
    postings.lock_wallets([locked.owner_id])
    legs = {draw.account_id: -draw.amount_microcredits for draw in draws}
    postings.write(
        kind=Transfer.Kind.CAPTURE,
        key=key,
        fingerprint=content,
        memo=locked.reason,
        legs={**legs, paid_to: step},
        hold=locked,
    )
    locked.refresh_from_db()
    return locked


@transaction.atomic
def release(*, hold: Hold) -> Hold:
    """Close a hold and give back what was not captured. Releasing twice is releasing once."""
    locked = Hold.objects.select_for_update().get(pk=hold.pk)
    if locked.state == Hold.State.OPEN:
        holds.close(locked)
        locked.refresh_from_db()
    return locked
