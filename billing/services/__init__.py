"""What may be asked of billing: issue, sell, hold, meter, and read a wallet.

Every service that moves credits takes a `key` of the caller's, made from what the movement is about
(`purchase/<id>`, `job/<id>/chunk/3`). The same key again is the same answer and no second effect;
the same key with other content raises `governance.services.KeyReused`. A refusal changes nothing
and leaves the key free. Amounts are micro-credits; `credits` writes them for people.

Movements lock wallets, so make one of them per transaction where you can, and make it last.
"""

from billing.runner.amounts import credits, microcredits
from billing.runner.caps import Cap, SpendCapReached
from billing.runner.faults import ledger_faults
from billing.runner.holds import HoldExceeded
from billing.runner.postings import InsufficientCredits
from billing.runner.settlement import settle_usage
from billing.runner.splits import author_share
from billing.services.allowances import include, used_this_month
from billing.services.holds import capture, hold, release
from billing.services.sales import Sale, SelfDealing, sell
from billing.services.usage import close_leases, meter, room_of_cap
from billing.services.wallets import (
    Movement,
    Wallet,
    available_credits,
    available_microcredits,
    available_to,
    balance,
    issue,
    wallet,
    welcome,
)

__all__ = [
    "Cap",
    "SpendCapReached",
    "close_leases",
    "HoldExceeded",
    "InsufficientCredits",
    "Movement",
    "Sale",
    "SelfDealing",
    "Wallet",
    "author_share",
    "available_credits",
    "available_microcredits",
    "available_to",
    "balance",
    "capture",
    "credits",
    "hold",
    "include",
    "issue",
    "ledger_faults",
    "meter",
    "microcredits",
    "release",
    "room_of_cap",
    "sell",
    "settle_usage",
    "used_this_month",
    "wallet",
    "welcome",
]
