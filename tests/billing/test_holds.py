"""Bob's job holds its quote, pays for what it does, and gives the rest back."""

import pytest

from billing import services as billing
from billing.models import MICROCREDITS, Account, Hold, Transfer
from governance import services as governance


def hold(bob, credits, key="job/1", reason="Training “Digits”"):
    return billing.hold(
        owner=bob, amount_microcredits=credits * MICROCREDITS, key=key, reason=reason
    )


def capture(hold, credits, key="job/1/chunk/1", **values):
    return billing.capture(
        hold=hold, up_to_microcredits=int(credits * MICROCREDITS), key=key, **values
    )


def earned_by(kind):
    return billing.balance(Account.objects.get(kind=kind, owner=None)) / MICROCREDITS


def test_what_is_held_cannot_be_spent_twice(bob):
    hold(bob, 120)
    assert billing.available_credits(bob) == "30"
    with pytest.raises(billing.InsufficientCredits):
        hold(bob, 31, key="job/2")
    assert billing.available_credits(bob) == "30"


def test_a_job_is_paid_chunk_by_chunk_and_the_rest_returns(bob):
    job = hold(bob, 20)
    capture(job, 5, "chunk/1")
    job = capture(job, 12, "chunk/2")
    assert job.captured_microcredits == 12 * MICROCREDITS
    assert billing.available_credits(bob) == "130"
    assert billing.release(hold=job).state == Hold.State.CLOSED
    assert billing.available_credits(bob) == "138"
    assert earned_by("compute") == 12


def test_a_chunk_that_is_done_twice_is_paid_once(bob):
    job = hold(bob, 20)
    capture(job, 5, "chunk/1")
    capture(job, 5, "chunk/1")
    capture(job, 5, "chunk/1, a second attempt")
    capture(job, 3, "a late message")
    assert Hold.objects.get().captured_microcredits == 5 * MICROCREDITS
    assert Transfer.objects.filter(kind=Transfer.Kind.CAPTURE).count() == 1


def test_a_late_chunk_of_a_closed_job_changes_nothing(bob):
    job = hold(bob, 20)
    capture(job, 5)
    billing.release(hold=job)
    assert capture(job, 5, "late").captured_microcredits == 5 * MICROCREDITS
    with pytest.raises(billing.HoldExceeded, match="closed and holds 0 more"):
        capture(job, 6, "later")


def test_a_first_chunk_may_cost_nothing(bob):
    assert capture(hold(bob, 20), 0).captured_microcredits == 0


def test_work_never_costs_more_than_its_quote(bob):
    job = hold(bob, 20)
    capture(job, 19)
    with pytest.raises(billing.HoldExceeded, match="holds 1 more credits; 1.5 were asked"):
        capture(job, 20.5, "chunk/2")
    assert Hold.objects.get().captured_microcredits == 19 * MICROCREDITS


def test_a_hold_is_captured_promotional_first_then_paid(bob):
    job = hold(bob, 120)
    capture(job, 110)
    billing.release(hold=job)
    wallet = billing.wallet(user=bob)
    assert wallet.promotional_microcredits == 0
    assert wallet.paid_microcredits == 40 * MICROCREDITS


def test_storage_is_paid_to_storage(bob):
    capture(hold(bob, 20), 2, to="storage")
    assert earned_by("storage") == 2


def test_the_same_key_holds_once(bob):
    first = hold(bob, 20)
    assert hold(bob, 20) == first
    assert billing.available_credits(bob) == "130"


def test_the_same_key_for_another_hold_or_capture_is_refused(bob):
    job = hold(bob, 20)
    with pytest.raises(governance.KeyReused, match="job/1"):
        hold(bob, 21)
    capture(job, 5)
    with pytest.raises(governance.KeyReused, match="chunk/1"):
        capture(job, 6)


def test_releasing_twice_is_releasing_once(bob):
    job = hold(bob, 20)
    first = billing.release(hold=job)
    assert billing.release(hold=job).closed_at == first.closed_at
    assert billing.available_credits(bob) == "150"


@pytest.mark.parametrize("credits", [0, -1, 2**53])
def test_amounts_that_no_ledger_moves_are_mistakes_of_the_caller(bob, credits):
    with pytest.raises(ValueError, match="amount_microcredits is"):
        hold(bob, credits)
