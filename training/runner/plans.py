"""How much at once a person may have done, by what they pay with.

Who has ever bought or earned credits is on the paying plan; who lives on promotional ones is on the
free plan. The ledger says which, so a plan cannot be claimed, and needs no row of its own.

`places` says in SQL who is on which: what is changed here is changed there, or
`tests/training/test_queue.py` finds people of whom they differ.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from billing.models import Account, Leg


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`priority` is a head start in line, see `training.runner.queue`."""

    name: str
    running_jobs: int
    priority: int


FREE = Plan(name="free", running_jobs=2, priority=0)
PAYING = Plan(name="paying", running_jobs=4, priority=1)
PAYING_KINDS = (Account.Kind.WALLET_PAID, Account.Kind.WALLET_EARNED)


def plans_of(owner_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Plan]:
    """The plan of each of these people, by one question."""
    moved = Leg.objects.filter(account=OuterRef("pk"), amount_microcredits__gt=0)
    wallets = Account.objects.filter(owner__in=owner_ids, kind__in=PAYING_KINDS)
    # Whether there is one: who has sold a million times has as many.
    paying = set(wallets.filter(Exists(moved)).values_list("owner", flat=True))
    return {owner: PAYING if owner in paying else FREE for owner in owner_ids}


def plan_of(owner_id: uuid.UUID) -> Plan:
    return plans_of([owner_id])[owner_id]
