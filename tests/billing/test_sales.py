"""Bob buys from alice: what moves, what is refused, and what a second call does."""

import uuid

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import services as billing
from billing.models import BURN_ORDER, MICROCREDITS, Account, Balance, Leg, Stream, Transfer
from governance import services as governance
from governance.models import AuditEntry
from tests.billing.conftest import person


def sell(buyer, author, credits, key="purchase/1", source="template/1", memo="“Digits”"):
    return billing.sell(
        buyer=buyer,
        author=author,
        amount_microcredits=int(credits * MICROCREDITS),
        key=key,
        source=source,
        memo=memo,
    )


def wallets(user):
    """Whole credits of the three classes."""
    rows = Balance.objects.filter(account__owner=user)
    posted = {row.account.kind: row.posted_microcredits for row in rows}
    return [posted.get(kind, 0) / MICROCREDITS for kind in BURN_ORDER]


def test_bob_pays_10_credits_and_alice_gets_7(alice, bob):
    sale = sell(bob, alice, 10)
    assert billing.available_credits(bob) == "140"
    assert billing.available_credits(alice) == "7"
    assert sale.gross_microcredits == 10 * MICROCREDITS
    assert sale.author_microcredits == 7 * MICROCREDITS
    assert sale.fee_microcredits == 3 * MICROCREDITS
    fee = Account.objects.get(kind=Account.Kind.FEE)
    assert billing.balance(fee) == 3 * MICROCREDITS


def test_promotional_credits_are_spent_first_and_stay_promotional(alice, bob):
    sell(bob, alice, 10)
    assert wallets(bob) == [90, 50, 0]
    assert wallets(alice) == [7, 0, 0]


def test_paid_credits_become_earned_ones(alice, bob):
    sell(bob, alice, 100, key="1")
    sell(bob, alice, 10, key="2")
    assert wallets(bob) == [0, 40, 0]
    assert wallets(alice) == [70, 0, 7]


def test_a_mixed_payment_is_divided_in_proportion(alice, bob):
    sell(bob, alice, 90, key="1")
    sell(bob, alice, 30, key="2")  # 10 promotional, 20 paid
    assert wallets(bob) == [0, 30, 0]
    assert wallets(alice) == [63 + 7, 0, 14]


def test_earned_credits_are_spent_last(alice, bob):
    sell(bob, alice, 110)  # alice: 70 promotional, 7 earned
    billing.issue(
        user=alice, amount_microcredits=5 * MICROCREDITS, reason="b", key="b", promotional=False
    )
    sell(alice, bob, 76, key="2", source="template/2")
    assert wallets(alice) == [0, 0, 6]


def test_a_price_beyond_the_wallet_is_refused_and_changes_nothing(alice, bob):
    with pytest.raises(billing.InsufficientCredits) as refusal:
        sell(bob, alice, 150.5)
    assert "needs 150.5 credits and 150 are free" in str(refusal.value)
    assert "Add 0.5 credits" in str(refusal.value)
    assert refusal.value.code == "insufficient_credits"
    assert wallets(bob) == [100, 50, 0]
    assert not Transfer.objects.filter(kind=Transfer.Kind.SALE).exists()
    assert not Stream.objects.exists()


def test_a_refused_key_may_try_again(alice, bob):
    with pytest.raises(billing.InsufficientCredits):
        sell(bob, alice, 160)
    billing.issue(
        user=bob, amount_microcredits=10 * MICROCREDITS, reason="b", key="b", promotional=False
    )
    assert sell(bob, alice, 160).gross_microcredits == 160 * MICROCREDITS


def test_nobody_sells_to_themselves(bob):
    with pytest.raises(billing.SelfDealing):
        sell(bob, bob, 10)
    assert wallets(bob) == [100, 50, 0]


def test_a_price_of_nothing_is_a_mistake_of_the_caller(alice, bob):
    with pytest.raises(ValueError, match="amount_microcredits is 0"):
        sell(bob, alice, 0)


def test_the_same_key_sells_once(alice, bob):
    first = sell(bob, alice, 10)
    assert sell(bob, alice, 10) == first
    assert wallets(bob) == [90, 50, 0]
    assert AuditEntry.objects.filter(verb="sell").count() == 1


@pytest.mark.parametrize("change", [{"credits": 11}, {"source": "template/2"}, {"memo": "else"}])
def test_the_same_key_for_another_sale_is_refused(alice, bob, change):
    sell(bob, alice, 10)
    with pytest.raises(governance.KeyReused, match="purchase/1"):
        sell(bob, alice, **{"credits": 10, **change})
    assert wallets(bob) == [90, 50, 0]


def test_a_sale_is_written_in_the_audit_trail_by_its_buyer(alice, bob):
    sale = sell(bob, alice, 10)
    entry = AuditEntry.objects.get(verb="sell")
    assert entry.actor == bob
    assert entry.subject_id == str(sale.transfer.pk)


def test_the_smallest_sale_goes_to_the_author_whole(alice, bob):
    sale = billing.sell(
        buyer=bob, author=alice, amount_microcredits=1, key="1", source="template/1", memo="m"
    )
    assert (sale.author_microcredits, sale.fee_microcredits) == (1, 0)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(amounts=st.lists(st.integers(1, 30), min_size=1, max_size=12))
def test_many_small_sales_pay_the_author_what_one_large_sale_would(alice, bob, amounts):
    with transaction.atomic():
        paid = [
            billing.sell(
                buyer=bob,
                author=alice,
                amount_microcredits=amount,
                key=f"{i}",
                source="t",
                memo="m",
            ).author_microcredits
            for i, amount in enumerate(amounts)
        ]
        gross = sum(amounts)
        assert sum(paid) == gross - 3 * gross // 10
        connection.check_constraints()
        transaction.set_rollback(True)


def test_each_source_and_each_buyer_has_its_own_running_total(alice, bob):
    carol = person("carol")
    billing.welcome(user=carol)
    for buyer, source in [(bob, "template/1"), (bob, "template/2"), (carol, "template/1")]:
        sale = billing.sell(
            buyer=buyer,
            author=alice,
            amount_microcredits=3,
            key=f"{buyer.pk} {source}",
            source=source,
            memo="m",
        )
        assert sale.author_microcredits == 3
    assert Stream.objects.count() == 3


def test_a_sale_finds_credits_that_wait_in_leases(alice, bob):
    billing.meter(
        user=bob,
        source="deployment/1",
        author=alice,
        price_microcredits=MICROCREDITS,
        units=1,
        event_id=uuid.uuid4(),
    )
    assert billing.available_credits(bob) == "75"
    sell(bob, alice, 149)
    assert billing.available_credits(bob) == "0"
    assert Leg.objects.filter(transfer__kind=Transfer.Kind.USAGE).exists()
    assert billing.ledger_faults() == []
