"""The recount of the ledger finds what a hand with triggers switched off has done."""

import json
import uuid

import pytest
from django.core.management import call_command
from django.db import connection

from billing import services as billing
from billing.models import MICROCREDITS


@pytest.fixture
def ledger(alice, bob):
    """Bob bought from alice, trains, and uses her deployment; some of the use is settled."""
    billing.sell(
        buyer=bob,
        author=alice,
        amount_microcredits=110 * MICROCREDITS,
        key="purchase",
        source="template/1",
        memo="m",
    )
    job = billing.hold(
        owner=bob, amount_microcredits=10 * MICROCREDITS, key="job", reason="Training"
    )
    billing.capture(hold=job, up_to_microcredits=3 * MICROCREDITS, key="chunk")
    for settled in (True, False):
        billing.meter(
            user=bob,
            source="deployment/1",
            author=alice,
            price_microcredits=10,
            units=1,
            event_id=uuid.uuid4(),
        )
        if settled:
            billing.settle_usage()
    connection.check_constraints()


def damage(*statements):
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET session_replication_role = origin")


def test_a_ledger_in_use_has_no_faults(ledger):
    assert billing.ledger_faults() == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "UPDATE billing_leg SET amount_microcredits = amount_microcredits + 1 WHERE id ="
            " (SELECT min(id) FROM billing_leg)",
            "ledger: all legs sum to 1, not 0",
        ),
        (
            "DELETE FROM billing_leg WHERE transfer_id = "
            "(SELECT id FROM billing_transfer WHERE key = 'chunk')",
            "transfer chunk: has 0 legs that sum to 0, not at least 2 that sum to 0",
        ),
        (
            "UPDATE billing_leg SET amount_microcredits = amount_microcredits"
            " + CASE WHEN balance_microcredits IS NULL THEN -1 ELSE 1 END"
            " WHERE transfer_id = (SELECT id FROM billing_transfer WHERE key = 'chunk')",
            "hold job: captured 3000000 of account",
        ),
        (
            "DELETE FROM billing_leg WHERE amount_microcredits = 7000000;"
            " UPDATE billing_leg SET amount_microcredits = 77000000, account_id = earned.id"
            " FROM billing_account promo JOIN billing_account earned USING (owner_id)"
            " WHERE account_id = promo.id AND earned.kind = 'wallet_earned'"
            " AND amount_microcredits = 70000000",
            "transfer purchase: makes earned credits of promotional ones",
        ),
        (
            "UPDATE billing_balance SET posted_microcredits = posted_microcredits + 1",
            "has a balance of 36999991, and legs that sum to 36999990",
        ),
        (
            "DELETE FROM billing_balance WHERE posted_microcredits = 36999990",
            "has a balance of , and legs that sum to 36999990",
        ),
        (
            "UPDATE billing_leg SET balance_microcredits = 5 WHERE balance_microcredits = 40000000",
            "leaves a balance of 5, and the legs so far sum to 40000000",
        ),
        (
            "UPDATE billing_balance SET held_microcredits = 0",
            "has 0 held, and open holds of 7000990",
        ),
        (
            "UPDATE billing_hold SET captured_microcredits = 4 WHERE key = 'job'",
            "hold job: is 10000000 with 4 captured, and its parts are 10000000 with 3000000",
        ),
        (
            "UPDATE billing_stream SET gross_microcredits = gross_microcredits + 1"
            " WHERE source = 'template/1'",
            "has 110000001 gross with 77000000 for the author, and its legs 110000000",
        ),
        (
            "UPDATE billing_usageevent SET units = 2 WHERE settled_by_id IS NOT NULL",
            "took 10 for use worth 20",
        ),
        (
            "UPDATE billing_usageevent SET units = 200 WHERE settled_by_id IS NULL",
            "has 990 left for use worth 2000",
        ),
        (
            "UPDATE billing_hold SET state = 'closed', closed_at = now() WHERE key <> 'job'",
            "has 0 left for use worth 10",
        ),
    ],
)
def test_every_kind_of_damage_is_named(ledger, statement, fault):
    damage(statement)
    found = billing.ledger_faults()
    assert any(fault in line for line in found), found


def test_a_damaged_ledger_fails_the_check(ledger, capsys):
    damage("UPDATE billing_balance SET held_microcredits = 0")
    with pytest.raises(SystemExit) as ending:
        call_command("check_ledger", "--json")
    assert ending.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert report["balanced"] is False
    assert report["faults"] == billing.ledger_faults()
    with pytest.raises(SystemExit):
        call_command("check_ledger")
    assert "open holds of" in capsys.readouterr().out
