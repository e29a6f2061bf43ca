"""What the database itself refuses of transfers, legs and the rows that follow from them."""

import itertools

import pytest
from django.db import DatabaseError, transaction

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
from tests.billing.raw import account, commit, execute, legs, refused, stream, transfer

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


def test_a_complete_transfer_takes_no_more_legs(transactional_db):
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


def test_a_buyer_has_one_stream_at_a_source(alice, bob):
    with refused("one_stream"), transaction.atomic():
        stream(alice, bob)
        stream(alice, bob)


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
    with refused(f"DELETE of {table} is refused"), transaction.atomic():
        execute(f"DELETE FROM {table}")
    with refused(f"TRUNCATE of {table} is refused"), transaction.atomic():
        execute(f"TRUNCATE {table} CASCADE")


def test_the_orm_cannot_go_around_it(bob):
    issue = Transfer.objects.get(key="bob's voucher")
    issue.memo = "something else"
    with refused("never changed"), transaction.atomic():
        issue.save()
    with refused("never changed"), transaction.atomic():
        Transfer.objects.bulk_update([issue], ["memo"])
    with refused("protected foreign keys"), transaction.atomic():
        issue.delete()


# What holds even when the triggers are switched off


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE billing_balance SET held_microcredits = -1", "held_is_not_negative"),
        (
            "UPDATE billing_balance SET held_microcredits = posted_microcredits + 1",
            "wallet_is_not_overdrawn",
        ),
        (
            "UPDATE billing_hold SET captured_microcredits = amount_microcredits + 1",
            "hold_is_not_captured_beyond_its_amount",
        ),
        (
            "UPDATE billing_holdpart SET captured_microcredits = amount_microcredits + 1",
            "part_is_not_captured_beyond_its_amount",
        ),
        ("UPDATE billing_hold SET state = 'closed'", "hold_state_is_known"),
        ("UPDATE billing_hold SET state = 'else'", "hold_state_is_known"),
        ("UPDATE billing_stream SET gross_microcredits = -1", "gross_is_not_negative"),
    ],
)
def test_a_number_that_cannot_be_is_refused_with_triggers_off(ledger, statement, constraint):
    with refused(constraint), transaction.atomic():
        execute("SET LOCAL session_replication_role = replica")
        execute(statement)
