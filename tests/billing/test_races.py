"""What happens at once: on PostgreSQL, with one connection per thread and real commits."""

import functools
import itertools
import os
import subprocess
import sys
import threading
import time
import uuid

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from billing import services as billing
from billing.models import MICROCREDITS, Account, Hold, Transfer, UsageEvent
from billing.services import usage
from governance import services as governance
from tests.billing.conftest import person
from tests.billing.test_usage import ten_minutes_pass
from tests.migrated import database_url

pytestmark = pytest.mark.usefixtures("transactional_db")


def rich(name, credits=100):
    user = person(name)
    billing.issue(
        user=user,
        amount_microcredits=credits * MICROCREDITS,
        reason="A voucher",
        key=f"voucher/{name}",
        promotional=False,
    )
    return user


def sale(buyer, author, credits, key, source="template/1"):
    return functools.partial(
        billing.sell,
        buyer=buyer,
        author=author,
        amount_microcredits=credits * MICROCREDITS,
        key=key,
        source=source,
        memo="m",
    )


def call(user, author, price=MICROCREDITS, event_id=None, source="deployment/1"):
    return functools.partial(
        billing.meter,
        user=user,
        source=source,
        author=author,
        price_microcredits=price,
        units=1,
        event_id=event_id or uuid.uuid4(),
    )


def refusals(results, kind):
    return [result for result in results if isinstance(result, kind)]


def test_a_balance_is_spent_once_however_many_ask(together):
    alice, bob = person("alice"), rich("bob")
    results = together([sale(bob, alice, 60, f"purchase/{n}") for n in range(8)])
    assert len(refusals(results, billing.InsufficientCredits)) == 7
    assert billing.available_credits(bob) == "40"
    assert billing.ledger_faults() == []


def test_one_key_from_many_callers_moves_once(together):
    alice, bob = person("alice"), rich("bob")
    results = together([sale(bob, alice, 10, "purchase/1")] * 8)
    assert len({result.transfer.pk for result in results}) == 1
    assert billing.available_credits(bob) == "90"


def test_one_key_for_many_contents_moves_one_of_them(together):
    alice = person("alice")
    buyers = [rich(f"bob{n}") for n in range(6)]
    results = together([sale(buyer, alice, 10, "purchase/1") for buyer in buyers])
    assert len(refusals(results, governance.KeyReused)) == 5
    assert billing.available_credits(alice) == "7"


def test_the_first_two_uses_of_a_wallet_make_one(together):
    bob = person("bob")
    welcomes = together([functools.partial(billing.welcome, user=bob)] * 6)
    assert len({transfer.pk for transfer in welcomes}) == 1
    assert billing.available_credits(bob) == "100"
    assert Account.objects.filter(owner=bob).count() == 1


def test_people_who_buy_from_one_another_never_wait_in_a_circle(together):
    people = [rich(name) for name in ("alice", "bob", "carol")]
    acts = [
        sale(buyer, author, 1, f"{buyer} {author} {n}")
        for n in range(3)
        for buyer, author in itertools.permutations(people, 2)
    ]
    results = together(acts)
    assert refusals(results, DatabaseError) == []
    assert billing.ledger_faults() == []


def test_people_whose_leases_are_closed_for_purchases_never_wait_in_a_circle(together):
    """Each purchase needs the credits that wait in the lease of the other's deployment."""
    people = [rich(name) for name in ("alice", "bob", "carol", "dora")]
    for turn in range(4):
        for user, author in zip(people, people[1:] + people[:1], strict=True):
            call(user, author)()
        free = [billing.available_microcredits(user) // MICROCREDITS for user in people]
        acts = [
            sale(user, author, credits + 1, f"{turn} {user}")
            for user, author, credits in zip(people, people[2:] + people[:2], free, strict=True)
        ]
        assert refusals(together(acts), Exception) == []
    assert billing.ledger_faults() == []


def test_capture_and_release_at_once_agree(together):
    """Whoever comes first wins: what was captured is paid, the rest is back, nothing is lost."""
    bob = rich("bob")
    for turn in range(5):
        hold = billing.hold(
            owner=bob, amount_microcredits=10 * MICROCREDITS, key=f"job/{turn}", reason="r"
        )
        capture = functools.partial(
            billing.capture, hold=hold, up_to_microcredits=4 * MICROCREDITS, key=f"chunk/{turn}"
        )
        results = together([capture, functools.partial(billing.release, hold=hold)])
        hold.refresh_from_db()
        assert hold.state == Hold.State.CLOSED
        refused = refusals(results, billing.HoldExceeded)
        assert hold.captured_microcredits == (0 if refused else 4 * MICROCREDITS)
    spent = sum(hold.captured_microcredits for hold in Hold.objects.all())
    assert billing.available_microcredits(bob) == 100 * MICROCREDITS - spent
    assert billing.ledger_faults() == []


def test_two_attempts_of_one_chunk_pay_once(together):
    bob = rich("bob")
    hold = billing.hold(owner=bob, amount_microcredits=10 * MICROCREDITS, key="job", reason="r")
    together(
        [
            functools.partial(
                billing.capture, hold=hold, up_to_microcredits=4 * MICROCREDITS, key=f"attempt/{n}"
            )
            for n in range(6)
        ]
    )
    hold.refresh_from_db()
    assert hold.captured_microcredits == 4 * MICROCREDITS
    assert Transfer.objects.filter(kind=Transfer.Kind.CAPTURE).count() == 1


def test_calls_from_many_threads_never_spend_more_than_there_is(together):
    alice, bob = person("alice"), rich("bob", 12)

    def five_calls():
        served = 0
        for _ in range(5):
            try:
                call(bob, alice)()
            except billing.InsufficientCredits:
                continue
            served += 1
        return served

    served = sum(together([five_calls] * 4))
    assert served == UsageEvent.objects.count() == 12
    billing.settle_usage()
    assert billing.wallet(user=bob).total_microcredits == 0
    assert billing.available_credits(alice) == "8.4"
    assert billing.ledger_faults() == []


def test_one_call_reported_by_many_threads_is_recorded_once(together):
    alice, bob = person("alice"), rich("bob")
    results = together([call(bob, alice, event_id=uuid.UUID(int=1))] * 6)
    assert {result.pk for result in results} == {uuid.UUID(int=1)}
    assert UsageEvent.objects.count() == 1


def test_settlements_at_once_settle_each_lease_once(together):
    alice = person("alice")
    buyers = [rich(f"bob{n}", 10) for n in range(4)]
    for buyer in buyers:
        call(buyer, alice)()
    together([billing.settle_usage] * 4)
    billing.settle_usage()
    assert Transfer.objects.filter(kind=Transfer.Kind.USAGE).count() == 4
    assert billing.available_credits(alice) == "2.8"
    assert billing.ledger_faults() == []


def test_a_lease_is_closed_only_between_calls(together):
    """Calls, settlements and purchases at once: every served call is paid, by an open lease."""
    alice, bob = person("alice"), rich("bob", 60)
    stop = threading.Event()

    def settle():
        while not stop.is_set():
            billing.settle_usage()

    def calls():
        try:
            return sum(call(bob, alice, event_id=None)() is not None for _ in range(15))
        finally:
            stop.set()

    def purchases():
        for number in range(5):
            sale(bob, alice, 5, f"purchase/{number}")()

    results = together([calls, purchases, settle])
    assert results[0] == 15
    billing.settle_usage()
    assert not UsageEvent.objects.filter(settled_by=None).exists()
    assert billing.wallet(user=bob).total_microcredits == (60 - 25 - 15) * MICROCREDITS
    assert billing.ledger_faults() == []


def test_a_call_that_is_being_recorded_is_waited_for(together):
    alice, bob = person("alice"), rich("bob")
    call(bob, alice)()
    with transaction.atomic():
        call(bob, alice)()
        assert together([billing.settle_usage]) == [0]  # skips the lease: its rows are not all here
    assert billing.settle_usage() == 1
    assert billing.available_credits(alice) == "1.4"


def settle_until_killed(lock):
    """Settle while we hold a row's lock, and end its connection when it waits for the row."""
    started = threading.Event()
    pids = []
    errors = []

    def settle():
        pids.append(one("SELECT pg_backend_pid()"))
        started.set()
        try:
            billing.settle_usage()
        except (ExceptionGroup, DatabaseError) as error:
            errors.append(error)
        finally:
            connection.close()

    with transaction.atomic():
        one(lock)
        thread = threading.Thread(target=settle)
        thread.start()
        started.wait()
        deadline = time.monotonic() + 10
        while one("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", *pids) != "Lock":
            assert time.monotonic() < deadline, "the settlement never came to the row"
        one("SELECT pg_terminate_backend(%s)", *pids)
        thread.join()
    return errors


def one(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]


@pytest.mark.parametrize("table", ["billing_stream", "billing_balance", "billing_usageevent"])
def test_a_settlement_that_is_killed_happened_not_at_all(table):
    """Killed before it locked the wallets, before its transfer, or between transfer and marks."""
    alice, bob = person("alice"), rich("bob")
    call(bob, alice)()
    billing.settle_usage()
    call(bob, alice)()
    assert settle_until_killed(f"SELECT 1 FROM {table} FOR UPDATE")
    assert Transfer.objects.filter(kind=Transfer.Kind.USAGE).count() == 1
    assert billing.ledger_faults() == []
    assert billing.settle_usage() == 1
    assert billing.available_credits(alice) == "1.4"
    assert billing.ledger_faults() == []


SERVE = """
import sys, uuid
import django
django.setup()
from billing import services as billing
from governance.models import User
bob, alice = (User.objects.get(username=name) for name in ("bob", "alice"))
while True:
    billing.meter(user=bob, source="deployment/1", author=alice, price_microcredits=10_000,
        units=1, event_id=uuid.uuid4())
    print("served", flush=True)
"""


def test_a_server_killed_while_it_serves_is_paid_for_every_call_it_served():
    """A real process, and a real SIGKILL."""
    alice, bob = person("alice"), rich("bob")
    environment = os.environ | {
        "DATABASE_URL": database_url(connection.settings_dict["NAME"]),
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
    }
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(
        command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE
    ) as server:
        answers = [server.stdout.readline() for _ in range(150)]
        server.kill()
        answers += server.stdout.readlines()
    served = UsageEvent.objects.count()
    assert len(answers) <= served <= len(answers) + 1  # the last may have died before its answer
    billing.settle_usage()
    ten_minutes_pass()
    billing.settle_usage()
    assert billing.wallet(user=bob).held_microcredits == 0
    assert billing.wallet(user=bob).total_microcredits == 100 * MICROCREDITS - served * 10_000
    assert billing.available_microcredits(alice) == served * 7_000
    assert billing.ledger_faults() == []


def test_a_lease_of_a_transaction_that_failed_is_not_counted_on():
    alice, bob = person("alice"), rich("bob")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        call(bob, alice)()
        raise ZeroDivisionError
    assert usage.BUDGETS.take((bob.pk, "deployment/1", alice.pk, MICROCREDITS), 1) is not None
    call(bob, alice)()
    assert UsageEvent.objects.count() == 1
    assert UsageEvent.objects.get().hold == Hold.objects.get()
