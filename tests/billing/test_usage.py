"""Bob's calls are metered: recorded once, paid in advance, settled per lease, never on credit."""

import uuid

import pytest
from django.db import connection

from billing import services as billing
from billing.models import MICROCREDITS, Account, Hold, Lease, Transfer, UsageEvent
from billing.services import usage
from governance import services as governance
from tests.billing.conftest import person

PRICE = MICROCREDITS // 100


def call(user, author, price=PRICE, units=1, source="deployment/1", event_id=None):
    return billing.meter(
        user=user,
        source=source,
        author=author,
        price_microcredits=price,
        units=units,
        event_id=event_id or uuid.uuid4(),
    )


def ten_minutes_pass():
    """Leases end by the database's clock, so it is the row that moves, past its triggers."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE billing_lease SET expires_at = expires_at - interval '10 minutes'")
        cursor.execute("SET session_replication_role = origin")


def test_a_hundred_calls_are_paid_by_one_lease(alice, bob, django_assert_num_queries):
    call(bob, alice)
    with django_assert_num_queries(99):  # one statement each
        for _ in range(99):
            call(bob, alice)
    assert UsageEvent.objects.count() == 100
    lease = Lease.objects.get()
    assert lease.hold.amount_microcredits == 100 * PRICE
    call(bob, alice)
    assert Lease.objects.count() == 2


def test_use_is_settled_to_its_author_and_the_lease_goes_on(alice, bob):
    for _ in range(10):
        call(bob, alice)
    assert billing.settle_usage() == 1
    assert billing.available_credits(alice) == "0.07"
    assert billing.wallet(user=bob).movements[0].transfer.memo == "10 × deployment/1"
    assert Hold.objects.get().state == Hold.State.OPEN
    call(bob, alice)
    assert Lease.objects.count() == 1
    assert billing.settle_usage() == 1
    assert billing.available_credits(alice) == "0.077"
    assert billing.ledger_faults() == []


def test_settling_again_changes_nothing(alice, bob):
    call(bob, alice)
    assert billing.settle_usage() == 1
    assert billing.settle_usage() == 0
    assert billing.available_credits(alice) == "0.007"


def test_use_without_an_author_pays_for_compute(bob):
    call(bob, None)
    billing.settle_usage()
    assert billing.balance(Account.objects.get(kind=Account.Kind.COMPUTE)) == PRICE


def test_a_call_costs_its_units_and_its_like_go_on_its_lease(alice, bob):
    call(bob, alice, units=250)
    assert Hold.objects.get().amount_microcredits == usage.LEASE_CALLS * 250 * PRICE
    for _ in range(usage.LEASE_CALLS - 1):
        call(bob, alice, units=250)
    billing.settle_usage()
    paid = usage.LEASE_CALLS * 250 * PRICE
    assert billing.wallet(user=bob).movements[0].amount_microcredits == -paid
    assert Hold.objects.get().state == Hold.State.CLOSED  # the lease is used up


def test_use_that_costs_nothing_is_recorded_without_a_lease(alice):
    event = call(alice, alice, price=0)
    assert event.at is not None
    assert UsageEvent.objects.get().hold is None
    assert billing.settle_usage() == 0
    assert call(alice, alice, price=0, event_id=event.pk) == event


def test_an_author_pays_nobody_for_their_own(bob):
    with pytest.raises(billing.SelfDealing):
        call(bob, bob)


def test_a_call_reported_twice_is_recorded_once(alice, bob):
    first = call(bob, alice)
    assert call(bob, alice, event_id=first.pk) == first
    usage.BUDGETS.clear()  # another process
    assert call(bob, alice, event_id=first.pk) == first
    assert UsageEvent.objects.count() == 1
    assert Lease.objects.count() == 1


def test_a_repeated_call_counts_nothing_down(alice, bob):
    first = call(bob, alice)
    for _ in range(150):
        call(bob, alice, event_id=first.pk)
    assert Lease.objects.count() == 1


def test_a_repeated_call_needs_no_credits(alice, bob):
    first = call(bob, alice, price=150 * MICROCREDITS)
    assert billing.available_credits(bob) == "0"
    assert call(bob, alice, price=150 * MICROCREDITS, event_id=first.pk) == first


@pytest.mark.parametrize("change", [{"units": 2}, {"source": "deployment/2"}, {"price": 0}])
def test_the_id_of_another_call_is_refused(alice, bob, change):
    first = call(bob, alice)
    with pytest.raises(governance.KeyReused, match=str(first.pk)):
        call(bob, alice, event_id=first.pk, **change)
    assert UsageEvent.objects.count() == 1


def test_the_id_of_somebody_elses_call_is_refused(alice, bob):
    carol = person("carol")
    billing.welcome(user=carol)
    first = call(bob, alice)
    with pytest.raises(governance.KeyReused):
        call(carol, alice, event_id=first.pk)
    assert billing.available_credits(carol) == "100"


def test_exactly_what_the_wallet_pays_is_served(alice):
    carol = person("carol")
    billing.issue(
        user=carol, amount_microcredits=25 * PRICE + 1, reason="r", key="k", promotional=False
    )
    for _ in range(25):
        call(carol, alice)
    with pytest.raises(billing.InsufficientCredits, match="needs 0.01 credits and 0.000001 are"):
        call(carol, alice)
    billing.settle_usage()
    assert billing.wallet(user=carol).total_microcredits == 1
    assert UsageEvent.objects.count() == 25


def test_a_refused_call_leaves_no_trace(alice):
    with pytest.raises(billing.InsufficientCredits):
        call(alice, person("dora"))
    assert not UsageEvent.objects.exists()
    assert not Hold.objects.exists()


def test_a_lease_takes_at_most_half_of_what_is_free(alice, bob):
    call(bob, alice, price=MICROCREDITS)
    assert billing.available_credits(bob) == "75"


def test_a_call_finds_credits_that_wait_in_another_lease(alice, bob):
    call(bob, alice, price=MICROCREDITS)
    call(bob, alice, price=140 * MICROCREDITS, source="deployment/2")
    assert billing.available_credits(bob) == "9"
    call(bob, alice, price=MICROCREDITS)  # its lease was closed for the other: it gets a new one
    billing.settle_usage()
    assert billing.ledger_faults() == []
    assert billing.wallet(user=bob).total_microcredits == 8 * MICROCREDITS


def test_an_unused_lease_returns_when_its_time_is_over(alice, bob):
    call(bob, alice)
    billing.settle_usage()
    ten_minutes_pass()
    assert billing.settle_usage() == 1
    assert Hold.objects.get().state == Hold.State.CLOSED
    assert billing.wallet(user=bob).held_microcredits == 0
    call(bob, alice)
    assert Lease.objects.count() == 2


def test_a_process_that_died_loses_no_use_and_no_credits(alice, bob):
    for _ in range(7):
        call(bob, alice)
    usage.BUDGETS.clear()  # its memory is all that dies with it
    call(bob, alice)
    ten_minutes_pass()
    assert billing.settle_usage() == 2
    wallet = billing.wallet(user=bob)
    assert wallet.held_microcredits == 0
    assert wallet.total_microcredits == 150 * MICROCREDITS - 8 * PRICE


def test_a_price_change_opens_its_own_lease(alice, bob):
    call(bob, alice)
    call(bob, alice, price=2 * PRICE)
    call(bob, alice)
    assert Lease.objects.count() == 2
    billing.settle_usage()
    assert billing.wallet(user=bob).total_microcredits == 150 * MICROCREDITS - 4 * PRICE


def test_a_memory_of_leases_that_ended_is_forgotten():
    budgets = usage.Budgets()
    people = [uuid.uuid4() for _ in range(3)]
    for number, person_id in enumerate(people):
        opened_seconds = number * 500.0
        budgets.put((person_id, "s", None, 1), usage.Budget(number, 100, opened_seconds))
    left = [budgets.take((person_id, "s", None, 1), 1) for person_id in people]
    assert [budget is not None for budget in left] == [False, True, True]


def test_one_lease_that_cannot_be_settled_does_not_stop_the_others(alice, bob):
    carol = person("carol")
    billing.welcome(user=carol)
    call(bob, alice)
    call(carol, alice)
    with connection.cursor() as cursor:  # a ledger that somebody has damaged
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE billing_usageevent SET units = 1000 WHERE user_id = %s", [bob.pk])
        cursor.execute("SET session_replication_role = origin")
    with pytest.raises(ExceptionGroup, match="1 leases could not be settled") as failures:
        billing.settle_usage()
    assert isinstance(failures.value.exceptions[0], billing.HoldExceeded)
    assert UsageEvent.objects.get(user=carol).settled_by is not None
    assert UsageEvent.objects.get(user=bob).settled_by is None
    assert any("left for use worth" in fault for fault in billing.ledger_faults())


def test_many_windows_pay_the_author_what_one_would(alice, bob):
    for count in (1, 2, 3, 5, 8):
        for _ in range(count):
            call(bob, alice, price=7)
        billing.settle_usage()
    gross = 19 * 7
    assert billing.available_microcredits(alice) == gross - 3 * gross // 10
    assert Transfer.objects.filter(kind=Transfer.Kind.USAGE).count() == 5
