"""The split of a running total: it always adds up, and no way of cutting a payment changes it."""

from hypothesis import given
from hypothesis import strategies as st

from billing.models import LARGEST_MICROCREDITS
from billing.runner.splits import author_share, promotional_share


def test_author_and_fee_make_the_gross_for_every_total_up_to_200_000():
    before = 0
    for gross in range(200_001):
        author = author_share(gross)
        fee = gross - author
        assert 10 * author >= 7 * gross, gross
        assert fee == gross * 30 // 100, gross
        assert author - before in (0, 1), gross  # neither side ever has to give back
        before = author


@given(st.lists(st.integers(1, LARGEST_MICROCREDITS // 100), min_size=1, max_size=100))
def test_any_cut_of_a_total_gives_the_author_the_same(payments):
    gross = author = 0
    for payment in payments:
        step = author_share(gross + payment) - author_share(gross)
        assert 0 <= step <= payment
        gross += payment
        author += step
    assert author == author_share(sum(payments))


@given(st.data(), st.integers(0, 10**9), st.integers(1, 10**9))
def test_the_earned_part_of_a_share_is_never_more_than_was_paid_in_earnest(data, before, gross):
    promotional = data.draw(st.integers(0, gross))
    share = author_share(before + gross) - author_share(before)
    earned = share - promotional_share(share, promotional, gross)
    assert 0 <= earned <= gross - promotional


def test_a_share_of_only_one_class_of_credits_stays_in_it():
    assert promotional_share(7, 10, 10) == 7
    assert promotional_share(7, 0, 10) == 0
