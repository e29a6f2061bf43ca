"""What the database itself refuses of holds, leases and use."""

import pytest
from django.db import transaction

from billing import services as billing
from billing.models import MICROCREDITS, Hold, HoldPart, Lease, Transfer, UsageEvent
from tests.billing.conftest import person
from tests.billing.raw import account, commit, legs, refused, stream, transfer

# Holds


def hold_of(bob, credits=20):
    return billing.hold(
        owner=bob, amount_microcredits=credits * MICROCREDITS, key="hold", reason="Training"
    )


def test_a_hold_is_captured_up_to_its_amount(bob):
    hold = hold_of(bob)
    with refused("captured_beyond_its_amount"), transaction.atomic():
        capture = transfer("capture", hold=hold)
        legs(capture, {account("wallet_promo", bob): -20 * MICROCREDITS - 1})


def test_a_hold_is_captured_from_its_own_wallets(alice, bob):
    hold = hold_of(bob)  # all promotional
    with refused("holds nothing of account"), transaction.atomic():
        legs(transfer("capture", hold=hold), {account("wallet_paid", bob): -1})
    billing.welcome(user=alice)
    with refused("holds nothing of account"), transaction.atomic():
        legs(transfer("capture", key="2", hold=hold), {account("wallet_promo", alice): -1})


def test_a_closed_hold_gives_nothing(bob):
    hold = billing.release(hold=hold_of(bob))
    with refused("is closed"), transaction.atomic():
        legs(transfer("capture", hold=hold), {account("wallet_promo", bob): -1})


def test_a_hold_is_closed_once(bob):
    hold = billing.release(hold=hold_of(bob))
    for state in ("closed", "open"):
        with refused("is closed"), transaction.atomic():
            Hold.objects.filter(pk=hold.pk).update(state=state)


@pytest.mark.parametrize(
    "change", [{"captured_microcredits": 1}, {"amount_microcredits": 1}, {"reason": "else"}]
)
def test_a_hold_changes_by_closing_only(bob, change):
    hold = hold_of(bob)
    with refused("a hold can be closed"), transaction.atomic():
        Hold.objects.filter(pk=hold.pk).update(**change)


def test_a_hold_is_made_open_and_uncaptured(bob):
    hold = Hold.objects.create(
        key="raw",
        owner=bob,
        reason="r",
        amount_microcredits=5,
        captured_microcredits=3,
        state="closed",
    )
    HoldPart.objects.create(
        hold=hold,
        account=account("wallet_paid", bob),
        amount_microcredits=5,
        captured_microcredits=3,
    )
    hold.refresh_from_db()
    assert (hold.state, hold.captured_microcredits) == ("open", 0)
    assert hold.parts.get().captured_microcredits == 0


def test_the_parts_of_a_hold_make_its_amount(bob):
    with refused("parts of hold .* do not sum"), transaction.atomic():
        Hold.objects.create(key="raw", owner=bob, reason="r", amount_microcredits=5)
        commit()


def part(hold, account, amount):
    return HoldPart.objects.create(hold=hold, account=account, amount_microcredits=amount)


def test_a_part_after_an_early_check_is_checked_again(bob):
    with refused("parts of hold .* do not sum"), transaction.atomic():
        hold = Hold.objects.create(key="raw", owner=bob, reason="r", amount_microcredits=5)
        part(hold, account("wallet_paid", bob), 5)
        commit()
        part(hold, account("wallet_promo", bob), 5)
        commit()


def test_a_hold_takes_from_a_wallet_once(bob):
    with refused("one_part_per_wallet"), transaction.atomic():
        hold = Hold.objects.create(key="raw", owner=bob, reason="r", amount_microcredits=5)
        part(hold, account("wallet_paid", bob), 2)
        part(hold, account("wallet_paid", bob), 3)


def test_a_hold_and_its_parts_hold_something(bob):
    with refused("hold_holds_something"), transaction.atomic():
        Hold.objects.create(key="raw", owner=bob, reason="r", amount_microcredits=0)
    with refused("part_holds_something"), transaction.atomic():
        hold = Hold.objects.create(key="raw", owner=bob, reason="r", amount_microcredits=5)
        part(hold, account("wallet_paid", bob), 0)


def test_a_key_holds_once(bob):
    hold_of(bob)
    with refused("billing_hold_key_key"), transaction.atomic():
        Hold.objects.create(key="hold", owner=bob, reason="r", amount_microcredits=5)


def test_a_hold_takes_from_wallets_of_its_owner(alice, bob):
    with refused("from wallets of its owner"), transaction.atomic():
        hold = Hold.objects.create(key="raw", owner=alice, reason="r", amount_microcredits=5)
        part(hold, account("wallet_paid", bob), 5)


def test_a_hold_takes_no_part_later(transactional_db):
    bob = person("bob")
    billing.welcome(user=bob)
    hold = hold_of(bob)
    with refused("only when it is made"), transaction.atomic():
        part(hold, account("wallet_paid", bob), 5)


def test_a_hold_of_more_than_there_is_is_refused(bob):
    with refused("wallet_is_not_overdrawn"), transaction.atomic():
        hold = Hold.objects.create(
            key="raw", owner=bob, reason="r", amount_microcredits=101 * MICROCREDITS
        )
        part(hold, account("wallet_promo", bob), 101 * MICROCREDITS)


# Use


def use(event, **changes):
    values = {
        "source": event.source,
        "user": event.user,
        "author": event.author,
        "units": 1,
        "price_microcredits": event.price_microcredits,
        "hold_id": event.hold_id,
    }
    return UsageEvent.objects.create(**{**values, **changes})


def test_use_is_recorded_while_its_lease_is_open(leased):
    use(leased)
    billing.release(hold=Hold.objects.get())
    with refused("pays for nothing more"), transaction.atomic():
        use(leased)


@pytest.mark.parametrize("change", [{"price_microcredits": 5}, {"source": "else"}])
def test_a_lease_pays_for_what_it_was_opened_for(leased, change):
    with refused("pays for other use"), transaction.atomic():
        use(leased, **change)


def test_a_lease_pays_for_its_owner_only(leased, alice):
    with refused("pays for other use"), transaction.atomic():
        use(leased, user=alice)


def test_use_with_a_price_is_prepaid(leased):
    with refused("usage_is_free_or_prepaid"), transaction.atomic():
        use(leased, hold_id=None)


def test_use_uses_something(bob):
    with refused("usage_used_something"), transaction.atomic():
        UsageEvent.objects.create(source="s", user=bob, units=0, price_microcredits=0)


def test_a_lease_has_a_price(bob):
    with refused("lease_has_a_price"), transaction.atomic():
        lease(hold_of(bob), price=0)


def test_use_changes_only_by_being_settled(leased):
    with refused("can be settled once"), transaction.atomic():
        UsageEvent.objects.update(units=5)
    with refused("can be settled once"), transaction.atomic():
        UsageEvent.objects.update(settled_by=Transfer.objects.first())


def test_use_is_settled_once(leased):
    billing.settle_usage()
    with refused("can be settled once"), transaction.atomic():
        UsageEvent.objects.update(settled_by=None)


def test_a_settlement_takes_what_was_used(leased, alice, bob):
    paid = {
        account("wallet_promo", bob): -20_000,
        account("wallet_promo", alice): 14_000,
        account("fee"): 6_000,
    }
    with refused("takes 20000 for use worth 10000"), transaction.atomic():
        raw = transfer("usage", hold_id=leased.hold_id, stream=stream(alice, bob))
        legs(raw, paid)
        UsageEvent.objects.update(settled_by=raw)
        commit()


def test_a_hold_made_for_something_else_is_no_lease(transactional_db):
    bob = person("bob")
    billing.welcome(user=bob)
    hold = hold_of(bob)
    with refused("made for something else"), transaction.atomic():
        lease(hold, price=1)


def lease(hold, price):
    return Lease.objects.create(
        hold=hold, source="s", price_microcredits=price, expires_at="2030-01-01T00:00:00Z"
    )
