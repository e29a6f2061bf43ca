"""Who brings messages to webhooks, when, and what of a worker that dies."""

import os
import signal
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from governance import services as governance
from governance.models import (
    NoticeType,
    WebhookDelivery,
    WebhookEndpoint,
)
from governance.runner import deliveries, receivers
from tests.conftest import empty_queues, person
from tests.governance.receivers import receiving
from tests.governance.sending import deliver, hook, the_delivery, told


@pytest.fixture(autouse=True)
def _loopback(settings) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = True


def test_two_workers_do_not_send_to_one_endpoint_at_once(alice):
    with receiving(204) as receiver:
        endpoint, _ = hook(alice, receiver.url)
        told(alice)
        assert deliveries.lease(str(endpoint.pk)) is not None
        deliver(endpoint)
        assert receiver.requests == []
        lost = timezone.now() - timedelta(seconds=1)
        WebhookEndpoint.objects.update(lease_until=lost - timedelta(days=1))
        deliver(endpoint)
        assert len(receiver.requests) == 1


def test_a_worker_that_was_thought_dead_changes_nothing(alice):
    endpoint, _ = hook(alice, "https://hook.example/")
    told(alice)
    slow = deliveries.lease(str(endpoint.pk))
    late = deliveries.begin(slow)
    WebhookEndpoint.objects.update(lease_until=timezone.now() - timedelta(days=1))
    again = deliveries.begin(deliveries.lease(str(endpoint.pk)))
    took = receivers.Reply(status=204, retry_after="", text="")
    for reply, error in ((took, ""), (None, "The connection broke.")):
        deliveries.note(endpoint, late, reply=reply, error=error, milliseconds=9)
        delivery = the_delivery()
        assert (delivery.state, delivery.attempt, delivery.retries) == ("pending", 2, 0)
    assert deliveries.begin(slow) is None
    deliveries.note(endpoint, again, reply=took, error="", milliseconds=1)
    assert the_delivery().state == "delivered"
    assert [attempt.error for attempt in delivery.attempts.all()] == ["The connection broke.", ""]


def test_a_fault_of_ours_is_a_failure_like_another_and_not_tried_for_ever(alice):
    """Here one that no door lets in: an id that no header can carry."""
    endpoint, _ = hook(alice, "https://hook.example/")
    told(alice)
    WebhookDelivery.objects.update(message_id="msg_\n")
    with receiving(204) as receiver, pytest.raises(ValueError, match="Invalid header value"):
        WebhookEndpoint.objects.update(url=receiver.url)
        deliver(endpoint)
    delivery = the_delivery()
    assert (delivery.state, delivery.retries) == ("pending", 1)
    assert delivery.attempts.get().error.startswith("Something went wrong on our side")


def test_the_sweep_wakes_a_worker_for_what_is_due_and_not_at_every_turn(alice, bob):
    waiting, _ = hook(alice, "https://hook.example/")
    idle, _ = hook(bob, "https://hook.example/")
    told(alice)
    deliveries.hint_due()
    waiting.refresh_from_db(), idle.refresh_from_db()
    assert waiting.hinted_at is not None
    assert idle.hinted_at is None
    empty_queues()


def test_old_deliveries_are_forgotten(alice, settings):
    endpoint, _ = hook(alice, "https://hook.example/")
    told(alice), told(alice)
    old = WebhookDelivery.objects.all()[:1].get()
    long_ago = timezone.now() - timedelta(days=settings.RETENTION_DAYS + 1)
    WebhookDelivery.objects.filter(pk=old.pk).update(state="delivered", ended_at=long_ago)
    deliveries.forget_deliveries()
    assert [delivery.state for delivery in endpoint.deliveries.all()] == ["pending"]


@pytest.mark.parametrize("start_worker", [{"WEBHOOKS_TO_LOOPBACK": True}], indirect=True)
def test_a_killed_worker_sends_again_under_the_same_id(start_worker, transactional_db):
    """Takes as long as two workers need to start. The first is killed while the receiver has its
    request and has not answered; the next one finds a lease that ran out.
    """

    alice = person("alice")
    with receiving(204) as receiver:
        worker = start_worker()

        def kill(handler):
            if len(receiver.requests) == 1:
                os.killpg(worker.pid, signal.SIGKILL)

        receiver.on_request = kill
        endpoint, secret = hook(alice, receiver.url)
        told(alice)
        worker.join(120)
        assert the_delivery().state == "pending"
        assert WebhookEndpoint.objects.get().lease_until > timezone.now()
        WebhookEndpoint.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        start_worker()
        ends_at = time.monotonic() + 120
        while the_delivery().state == "pending" and time.monotonic() < ends_at:
            time.sleep(0.2)
        assert receiver.verified(secret, 0) == receiver.verified(secret, 1)
    delivery = the_delivery()
    assert (delivery.state, delivery.attempt) == ("delivered", 2)
    assert receiver.ids == [delivery.message_id] * 2
    first, second = delivery.attempts.all()
    assert (first.outcome, second.outcome) == ("no answer was noted", "answered 204")
    assert mail.outbox == []


def test_replaying_sends_the_same_message_again(alice):
    with receiving(204) as receiver:
        endpoint, _ = hook(alice, receiver.url)
        told(alice)
        deliver(endpoint)
        governance.replay_delivery(owner=alice, delivery=the_delivery())
        with pytest.raises(governance.DeliveryIsPending):
            governance.replay_delivery(owner=alice, delivery=the_delivery())
        deliver(endpoint)
    (_, first, body), (_, second, again) = receiver.requests
    assert body == again
    assert first["webhook-id"] == second["webhook-id"]
    assert the_delivery().attempts.count() == 2


def test_a_message_is_hinted_once_its_act_is_committed(alice, django_capture_on_commit_callbacks):
    hook(alice, "https://hook.example/")
    with django_capture_on_commit_callbacks() as callbacks:
        told(alice, NoticeType.TRAINING_DONE)
    assert len(callbacks) == 1
