"""bob says what a source may cost him at most, and nothing spends a micro-credit more."""

import uuid
from functools import partial

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing import services as billing
from billing.models import MICROCREDITS, Lease, Spending, UsageEvent
from billing.services import usage
from tests.billing.test_usage import PRICE, call

CAP = billing.Cap(microcredits=10 * PRICE)


def capped(user, author, *, cap=CAP, units=1, source="deployment/1"):
    return billing.meter(
        user=user,
        source=source,
        author=author,
        price_microcredits=PRICE,
        units=units,
        event_id=uuid.uuid4(),
        cap=cap,
    )


def answered_until_refused(user, author, **asked):
    for number in range(1_000):
        try:
            capped(user, author, **asked)
        except billing.SpendCapReached:
            return number
    raise AssertionError("never refused")


def test_a_source_costs_exactly_its_cap(alice, bob):
    assert answered_until_refused(bob, alice) == 10
    billing.settle_usage()
    assert billing.available_credits(alice) == "0.07"
    assert billing.ledger_faults() == []


def test_a_call_that_would_pass_the_cap_is_told_how_much_is_left(alice, bob):
    capped(bob, alice, units=8)
    with pytest.raises(billing.SpendCapReached, match="0.03 credits.* 0.02 are left.* Raise"):
        capped(bob, alice, units=3)
    capped(bob, alice, units=2)
    assert UsageEvent.objects.count() == 2


def test_accounts_are_opened_before_anybody_is_kept_waiting(alice, bob):
    """Who makes an account keeps others waiting until COMMIT: it may not wait for them then."""
    with CaptureQueriesContext(connection) as asked:
        capped(bob, alice)
    asked = [one["sql"] for one in asked]
    first = {
        word: next(place for place, sql in enumerate(asked) if word in sql)
        for word in ('"billing_account"', "pg_advisory_xact_lock")
    }
    assert first['"billing_account"'] < first["pg_advisory_xact_lock"]


def test_other_sources_and_a_higher_cap_are_free_of_it(alice, bob):
    answered_until_refused(bob, alice)
    capped(bob, alice, source="deployment/2")
    capped(bob, alice, cap=billing.Cap(microcredits=11 * PRICE))
    call(bob, alice)


def test_a_cap_begins_anew_with_the_month_unless_it_is_for_all_time(alice, bob):
    answered_until_refused(bob, alice)
    billing.close_leases(user=bob, source="deployment/1")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE billing_spending SET month = month - interval '1 month'")
        cursor.execute("SET session_replication_role = origin")
    with pytest.raises(billing.SpendCapReached, match="in all"):
        capped(bob, alice, cap=billing.Cap(microcredits=10 * PRICE, is_monthly=False))
    assert answered_until_refused(bob, alice) == 10


def test_a_cap_that_is_set_later_counts_what_was_spent(alice, bob):
    for _ in range(9):
        call(bob, alice)
    billing.close_leases(user=bob, source="deployment/1")
    assert answered_until_refused(bob, alice) == 1


def test_calls_under_a_cap_are_still_one_statement(alice, bob, django_assert_num_queries):
    cap = billing.Cap(microcredits=1_000 * PRICE)
    capped(bob, alice, cap=cap)
    with django_assert_num_queries(99):
        for _ in range(99):
            capped(bob, alice, cap=cap)


@pytest.mark.parametrize("forgetful", [False, True], ids=["one process", "many"])
def test_many_at_once_spend_the_cap_and_no_more(
    transactional_db, alice, bob, together, monkeypatch, forgetful
):
    """Who forgets its leases is as another process, which finds them open and knows no more."""
    cap = billing.Cap(microcredits=60 * PRICE)
    if forgetful:
        monkeypatch.setattr(usage.BUDGETS, "take", lambda *_: None)

    def try_ten():
        answered = 0
        for _ in range(10):
            try:
                capped(bob, alice, cap=cap)
            except billing.SpendCapReached:
                continue
            answered += 1
        return answered

    assert sum(together([partial(try_ten)] * 8)) == 60
    billing.close_leases(user=bob, source="deployment/1")
    assert Spending.objects.get().microcredits == 60 * PRICE
    assert billing.ledger_faults() == []


def test_the_database_keeps_the_sums_itself(alice, bob):
    call(bob, alice)
    billing.close_leases(user=bob, source="deployment/1")
    assert not Lease.objects.filter(hold__state="open").exists()
    row = Spending.objects.get()
    assert row.microcredits == PRICE == MICROCREDITS // 100
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        Spending.objects.update(microcredits=0)
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        row.delete()
