"""What a price includes each month: counted exactly, also when many call at once."""

import uuid
from functools import partial

import pytest
from django.db import connection

from billing import services as billing
from billing.models import Allowance, UsageEvent
from governance.services import KeyReused


def call(user, author, *, units=1, included=10, event_id=None):
    return billing.include(
        user=user,
        source="deployment/1",
        author=author,
        units=units,
        event_id=event_id or uuid.uuid4(),
        allowance="template/1",
        included_units=included,
    )


def test_bob_has_ten_calls_and_the_eleventh_costs(alice, bob):
    assert all(call(bob, alice) for _ in range(10))
    assert call(bob, alice) is None
    assert UsageEvent.objects.count() == 10
    assert billing.used_this_month(user=bob, allowance="template/1") == 10
    assert billing.available_credits(alice) == "0"


def test_a_call_that_does_not_fit_leaves_the_rest_for_a_smaller_one(alice, bob):
    assert call(bob, alice, units=8)
    assert call(bob, alice, units=3) is None
    assert call(bob, alice, units=11) is None
    assert call(bob, alice, units=2)


def test_a_call_that_is_reported_twice_is_counted_once(alice, bob):
    event_id = uuid.uuid4()
    first = call(bob, alice, units=6, event_id=event_id)
    again = call(bob, alice, units=6, event_id=event_id)
    assert first == again
    assert Allowance.objects.get().used_units == 6
    with pytest.raises(KeyReused):
        call(bob, alice, units=2, event_id=event_id)
    assert Allowance.objects.get().used_units == 6


def test_another_persons_calls_are_their_own(alice, bob, mallory):
    assert call(bob, alice, units=10)
    assert call(mallory, alice, units=10)


def test_the_next_month_begins_anew(alice, bob):
    call(bob, alice, units=10)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_allowance SET month = month - interval '1 month'")
    assert billing.used_this_month(user=bob, allowance="template/1") == 0
    assert call(bob, alice, units=10)


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_get_just_what_is_included(transactional_db, together, alice, bob):
    answers = together([partial(call, bob, alice, included=5)] * 8)
    assert sum(answer is not None for answer in answers) == 5
    assert Allowance.objects.get().used_units == UsageEvent.objects.count() == 5
