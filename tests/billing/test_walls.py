"""What the database itself refuses, shown by a client that goes around every service.

Raw SQL and the ORM's own verbs, since a rule that only services keep is no rule.
"""

import itertools
import uuid

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing import services as billing
from billing.models import (
    MICROCREDITS,
    Account,
    Balance,
    Hold,
    HoldPart,
    Lease,
    Leg,
    Stream,
    Transfer,
    UsageEvent,
)
from tests.billing.conftest import person

ALLOWED = {  # kind of transfer: accounts it takes from, accounts it gives to
    "issue": ({"issuer"}, {"wallet_promo", "wallet_paid"}),
    "sale": (
        {"wallet_promo", "wallet_paid", "wallet_earned"},
        {"wallet_promo", "wallet_earned", "fee"},
    ),
    "capture": ({"wallet_promo", "wallet_paid", "wallet_earned"}, {"compute", "storage"}),
    "usage": (
        {"wallet_promo", "wallet_paid", "wallet_earned"},
        {"wallet_promo", "wallet_earned", "fee", "compute"},
    ),
}


def execute(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0] if cursor.description else None


def refused(reason):
    """The block is refused at once or at COMMIT, and leaves nothing behind."""
    return pytest.raises(IntegrityError, match=reason)


def commit():
    """Run what waits for COMMIT."""
    connection.check_constraints()


def account(kind, owner=None):
    return Account.objects.get_or_create(kind=kind, owner=owner)[0]


def stream(author, buyer):
    return Stream.objects.create(author=author, buyer=buyer, source="template/1")


def transfer(kind="issue", key="raw", **values):
    return Transfer.objects.create(kind=kind, key=key, memo="raw", **values)


def legs(transfer, amounts):
    for account, amount in amounts.items():
        Leg.objects.create(transfer=transfer, account=account, amount_microcredits=amount)


@pytest.fixture
def leased(alice, bob):
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
def ledger(alice, bob, leased):
    """A row in every table of the ledger."""
    billing.settle_usage()
    commit()


# Legs


def test_a_transfer_without_legs_is_refused_at_commit(bob):
    with refused("has 0 legs"), transaction.atomic():
        transfer()
        commit()


def test_a_transfer_with_one_leg_is_refused_at_commit(bob):
    with refused("1 legs that sum to 5, not at least 2"), transaction.atomic():
        legs(transfer(), {account("wallet_paid", bob): 5})
        commit()


def test_legs_that_do_not_sum_to_zero_are_refused_at_commit(bob):
    with refused("2 legs that sum to 1, not at least 2 that sum to 0"), transaction.atomic():
        legs(transfer(), {account("issuer"): -5, account("wallet_paid", bob): 6})
        commit()


def test_a_leg_after_an_early_check_is_checked_again(bob):
    with refused("3 legs that sum to 7"), transaction.atomic():
        issue = transfer()
        legs(issue, {account("issuer"): -5, account("wallet_paid", bob): 5})
        commit()
        legs(issue, {account("wallet_promo", bob): 7})
        commit()


def test_a_leg_of_nothing_is_refused(bob):
    with refused("leg_moves_something"), transaction.atomic():
        legs(transfer(), {account("wallet_paid", bob): 0})


def test_an_account_takes_part_in_a_transfer_once(bob):
    with refused("one_leg_per_account"), transaction.atomic():
        issue = transfer()
        legs(issue, {account("wallet_paid", bob): 5})
        legs(issue, {account("wallet_paid", bob): 5})


def test_a_complete_transfer_takes_no_more_legs(committed):
    bob = person("bob")
    issue = billing.welcome(user=bob)
    with refused("is complete"), transaction.atomic():
        legs(issue, {account("wallet_paid", bob): 5})


def test_an_amount_beyond_bigint_is_refused(bob):
    with pytest.raises(DatabaseError, match="out of range"), transaction.atomic():
        legs(transfer(), {account("wallet_paid", bob): 2**63 - 1})


@pytest.mark.parametrize(
    ("kind", "account_kind", "side"),
    list(itertools.product(ALLOWED, Account.Kind.values, ("from", "to"))),
)
def test_only_these_accounts_take_part_in_only_these_transfers(db, kind, account_kind, side):
    takes, gives = ALLOWED[kind]
    amount = -1 if side == "from" else 1
    assert execute("SELECT billing_leg_allowed(%s, %s, %s)", kind, account_kind, amount) == (
        account_kind in (takes if side == "from" else gives)
    )


def test_a_leg_outside_of_the_matrix_is_refused(bob):
    reason = "kind issue may not move 5 to an account of kind wallet_earned"
    with refused(reason), transaction.atomic():
        legs(transfer(), {account("wallet_earned", bob): 5})


def test_credits_come_from_the_issuer_with_a_reason(bob):
    with refused("transfer_says_why"), transaction.atomic():
        Transfer.objects.create(kind="issue", key="raw", memo="")


def test_a_key_moves_once(bob):
    with refused("billing_transfer_key_key"), transaction.atomic():
        transfer(key="bob's voucher")


def test_the_time_is_the_databases(bob):
    issue = transfer(at="2001-01-01T00:00:00Z")
    legs(issue, {account("issuer"): -5, account("wallet_paid", bob): 5})
    issue.refresh_from_db()
    assert issue.at.year > 2001


# Sales


def test_an_overdraft_is_refused(alice, bob):
    with refused("wallet_is_not_overdrawn"), transaction.atomic():
        sale = transfer("sale", stream=stream(alice, bob))
        legs(sale, {account("wallet_paid", bob): -50 * MICROCREDITS - 1})


def test_a_sale_with_another_split_is_refused_at_commit(alice, bob):
    sold = {
        account("wallet_paid", bob): -10,
        account("wallet_earned", alice): 6,
        account("fee"): 4,
    }
    with refused("does not give the author"), transaction.atomic():
        legs(transfer("sale", stream=stream(alice, bob)), sold)
        commit()


def test_promotional_credits_never_become_earned_ones(alice, bob):
    sold = {
        account("wallet_promo", bob): -10,
        account("wallet_earned", alice): 7,
        account("fee"): 3,
    }
    with refused("makes 7 earned credits of 0 that were paid or earned"), transaction.atomic():
        legs(transfer("sale", stream=stream(alice, bob)), sold)
        commit()


def test_a_stream_pays_its_author_only(alice, bob):
    carol = person("carol")
    with refused("has no part in the stream"), transaction.atomic():
        sale = transfer("sale", stream=stream(alice, bob))
        legs(sale, {account("wallet_earned", carol): 7})


def test_a_stream_takes_from_its_buyer_only(alice, bob):
    carol = person("carol")
    with refused("has no part in the stream"), transaction.atomic():
        sale = transfer("sale", stream=stream(alice, carol))
        legs(sale, {account("wallet_paid", bob): -10})


def test_nobody_has_a_stream_to_themselves(bob):
    with refused("nobody_earns_from_themselves"), transaction.atomic():
        stream(bob, bob)


def test_a_sale_names_its_stream_and_a_capture_its_hold(bob):
    for kind in ("sale", "capture", "usage"):
        with refused("transfer_kind_names_its_origin"), transaction.atomic():
            transfer(kind)


# Rows that follow from others


def test_every_wallet_has_a_balance_from_the_start(alice):
    wallet = account("wallet_earned", alice)
    assert Balance.objects.get(account=wallet).posted_microcredits == 0


def test_only_people_have_wallets(alice):
    with refused("wallets_and_only_wallets_have_owners"), transaction.atomic():
        Account.objects.create(kind="wallet_paid", owner=None)
    with refused("wallets_and_only_wallets_have_owners"), transaction.atomic():
        Account.objects.create(kind="fee", owner=alice)


def test_there_is_one_account_of_a_kind_and_an_owner(bob):
    for kind, owner in (("issuer", None), ("wallet_paid", bob)):
        with refused("one_account_per_kind"), transaction.atomic():
            Account.objects.create(kind=kind, owner=owner)


def test_a_balance_is_not_made_by_hand(bob):
    with refused("follow from legs and holds"), transaction.atomic():
        Balance.objects.create(account=account("fee"), posted_microcredits=5)


@pytest.mark.parametrize("model", [Balance, HoldPart, Stream])
def test_numbers_that_follow_from_legs_refuse_every_hand(ledger, model):
    assert model.objects.exists()
    with refused("follow from legs and holds"), transaction.atomic():
        model.objects.update(
            **{
                field.name: 1
                for field in model._meta.fields
                if field.name.endswith("_microcredits")
            }
        )


def test_a_stream_starts_at_nothing(alice, bob):
    made = Stream.objects.create(
        author=alice, buyer=bob, source="t", gross_microcredits=10, author_microcredits=7
    )
    made.refresh_from_db()
    assert (made.gross_microcredits, made.author_microcredits) == (0, 0)


# Rows that never change


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Account, {"kind": "fee"}),
        (Transfer, {"memo": "else"}),
        (Leg, {"amount_microcredits": 1}),
        (Lease, {"source": "else"}),
    ],
)
def test_facts_refuse_change(ledger, model, change):
    assert model.objects.exists()
    with refused("its rows are never changed"), transaction.atomic():
        model.objects.update(**change)


@pytest.mark.parametrize(
    "model",
    [Account, Balance, Transfer, Leg, Hold, HoldPart, Stream, Lease, UsageEvent],
)
def test_no_row_of_the_ledger_can_be_removed(ledger, model):
    table = model._meta.db_table
    assert model.objects.exists()
    with refused("DELETE of .* is refused"), transaction.atomic():
        execute(f"DELETE FROM {table}")
    with refused("TRUNCATE of .* is refused"), transaction.atomic():
        execute(f"TRUNCATE {table} CASCADE")


def test_the_orm_cannot_go_around_it(bob):
    issue = Transfer.objects.get(key="bob's voucher")
    issue.memo = "something else"
    with refused("never changed"), transaction.atomic():
        issue.save()
    with refused("never changed"), transaction.atomic():
        Transfer.objects.bulk_update([issue], ["memo"])
    with pytest.raises(IntegrityError), transaction.atomic():
        issue.delete()


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


def test_a_hold_takes_from_wallets_of_its_owner(alice, bob):
    with refused("from wallets of its owner"), transaction.atomic():
        hold = Hold.objects.create(key="raw", owner=alice, reason="r", amount_microcredits=5)
        HoldPart.objects.create(
            hold=hold, account=account("wallet_paid", bob), amount_microcredits=5
        )


def test_a_hold_takes_no_part_later(committed):
    bob = person("bob")
    billing.welcome(user=bob)
    hold = hold_of(bob)
    with refused("only when it is made"), transaction.atomic():
        HoldPart.objects.create(
            hold=hold, account=account("wallet_paid", bob), amount_microcredits=5
        )


def test_a_hold_of_more_than_there_is_is_refused(bob):
    with refused("wallet_is_not_overdrawn"), transaction.atomic():
        hold = Hold.objects.create(
            key="raw", owner=bob, reason="r", amount_microcredits=101 * MICROCREDITS
        )
        HoldPart.objects.create(
            hold=hold,
            account=account("wallet_promo", bob),
            amount_microcredits=101 * MICROCREDITS,
        )


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


def test_a_hold_made_for_something_else_is_no_lease(committed):
    bob = person("bob")
    billing.welcome(user=bob)
    hold = hold_of(bob)
    with refused("made for something else"), transaction.atomic():
        Lease.objects.create(
            hold=hold, source="s", price_microcredits=1, expires_at="2030-01-01T00:00:00Z"
        )
