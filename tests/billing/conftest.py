"""People with credits, and a ledger that commits, for the tests of the ledger.

Here alice and bob come without the welcome of the site's cast: alice has nothing, so that what she
has is what she earned, and bob has credits of two classes.

Most tests run in a transaction that is rolled back. Races need several connections, which see only
what was committed: they ask for `transactional_db`, and say `together` what should happen at once.
"""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection

from billing import services as billing
from billing.models import MICROCREDITS, UsageEvent
from billing.services import usage
from governance import services as governance
from governance.models import User

Together = Callable[[list[Callable[[], Any]]], list[Any]]


def person(name: str) -> User:
    return User.objects.create_user(name, f"{name}@example.com")


@pytest.fixture
def alice(db) -> User:
    """Publishes."""
    return person("alice")


@pytest.fixture
def bob(db) -> User:
    """Buys and trains; has 100 promotional and 50 paid credits."""
    bob = person("bob")
    billing.welcome(user=bob)
    billing.issue(
        user=bob,
        amount_microcredits=50 * MICROCREDITS,
        reason="A voucher",
        key="bob's voucher",
        promotional=False,
    )
    return bob


@pytest.fixture
def leased(alice, bob) -> UsageEvent:
    """Bob called alice's deployment once; the call is paid from a lease."""
    return billing.meter(
        user=bob,
        source="deployment/1",
        author=alice,
        price_microcredits=10_000,
        units=1,
        event_id=uuid.uuid4(),
    )


@pytest.fixture
def ledger(alice, bob, leased) -> None:
    """A row in every table of the ledger."""
    billing.settle_usage()
    connection.check_constraints()


@pytest.fixture(autouse=True)
def _no_leases_of_earlier_tests() -> None:
    usage.BUDGETS.clear()


@pytest.fixture
def together() -> Together:
    """Runs the acts at once, each on its own connection; what was refused is an act's result."""

    def run(acts: list[Callable[[], Any]]) -> list[Any]:
        barrier = threading.Barrier(len(acts))

        def perform(act: Callable[[], Any]) -> Any:
            barrier.wait()
            try:
                return act()
            except (governance.Refusal, DatabaseError) as error:
                return error
            finally:
                connection.close()

        with ThreadPoolExecutor(len(acts)) as pool:
            return list(pool.map(perform, acts))

    return run
