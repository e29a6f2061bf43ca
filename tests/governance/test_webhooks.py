"""Webhooks: signed, and brought at least once, in patience."""

import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import jsonschema
import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from standardwebhooks import WebhookVerificationError

from governance import services as governance
from governance.models import (
    AuditEntry,
    Notice,
    NoticeType,
    Role,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from governance.runner import deliveries, receivers
from tests import conformance
from tests.governance.receivers import receiving
from tests.governance.sending import deliver, hook, make_due, the_delivery, told


@pytest.fixture(autouse=True)
def _loopback(settings) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = True


# What arrives


def test_alice_hears_what_happened_signed_as_her_library_checks_it(alice, settings):
    with receiving(204) as receiver:
        endpoint, secret = hook(alice, receiver.url)
        notice = told(alice, credits="15")
        deliver(endpoint)
        message = receiver.verified(secret)
    assert message["type"] == "template.sold"
    assert message["data"] == {
        "credits": "15",
        "notice_id": str(notice.pk),
        "text": "Bob bought it.",
        "url": f"{settings.SITE_URL}/wallet/",
    }
    assert datetime.fromisoformat(message["timestamp"]).tzinfo is not None
    (path, headers, _), *others = receiver.requests
    assert (path, others) == ("/hook", [])
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    delivery = the_delivery()
    assert delivery.state == "delivered"
    assert delivery.attempts.get().outcome == "answered 204"


def test_the_description_of_the_api_tells_a_receiver_what_arrives(alice):
    hook(alice, "https://hook.example/")
    told(alice, credits="15")
    told_of = conformance.schema()["webhooks"]["message"]["post"]
    schema = told_of["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate(json.loads(the_delivery().body), schema)
    assert set(NoticeType.values) < set(schema["properties"]["type"]["enum"])


def test_another_secret_does_not_verify(alice):
    with receiving(204) as receiver:
        endpoint, _ = hook(alice, receiver.url)
        told(alice)
        deliver(endpoint)
        with pytest.raises(WebhookVerificationError):
            receiver.verified("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_only_what_is_wanted_and_ones_own_is_sent(alice, bob):
    some, _ = hook(alice, "https://hook.example/", types=[NoticeType.TRAINING_DONE])
    every, _ = hook(alice, "https://hook.example/")
    off, _ = hook(alice, "https://hook.example/")
    governance.disable_webhook(owner=alice, endpoint=off)
    told(alice), told(bob), told(alice, NoticeType.TRAINING_DONE)
    assert [delivery.type for delivery in some.deliveries.all()] == ["training.done"]
    assert every.deliveries.count() == 2
    assert not off.deliveries.exists()


def test_one_event_has_one_id_at_all_endpoints(alice):
    for _ in range(2):
        hook(alice, "https://hook.example/")
    told(alice)
    assert len(set(WebhookDelivery.objects.values_list("message_id", flat=True))) == 1


def test_after_a_rotation_both_secrets_verify_for_a_day(alice):
    with receiving(204) as receiver:
        endpoint, old = hook(alice, receiver.url)
        endpoint, new = governance.rotate_webhook_secret(owner=alice, endpoint=endpoint)
        told(alice)
        deliver(endpoint)
        assert receiver.verified(old) == receiver.verified(new)
        past = timezone.now() - timedelta(seconds=1)
        WebhookEndpoint.objects.update(previous_until=past)
        told(alice)
        deliver(endpoint)
        assert receiver.verified(new)["type"] == "template.sold"
        with pytest.raises(WebhookVerificationError):
            receiver.verified(old)


def test_a_copy_of_the_database_has_no_secret(alice, settings):
    with receiving(204) as receiver:
        endpoint, secret = hook(alice, receiver.url)
        assert secret.startswith("whsec_")
        assert secret.removeprefix("whsec_") not in endpoint.secret
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another key of this installation"
        told(alice)
        deliver(endpoint)
        assert receiver.verified(secret)
        settings.SECRET_KEY_FALLBACKS = []
        told(alice)
        deliver(endpoint)
        assert len(receiver.requests) == 1
    assert WebhookAttempt.objects.latest("pk").error.endswith("make a new one.")


def test_a_new_secret_heals_what_a_lost_key_sealed(alice, settings):
    with receiving(204) as receiver:
        endpoint, _ = hook(alice, receiver.url)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a key made anew", []
        with pytest.raises(governance.Refusal, match="make a new one"):
            governance.webhook_secret(endpoint)
        endpoint, new = governance.rotate_webhook_secret(owner=alice, endpoint=endpoint)
        told(alice)
        deliver(endpoint)
        assert receiver.verified(new)
    assert the_delivery().state == "delivered"
    assert endpoint.previous_until is None


def test_the_keys_before_this_one_come_from_the_environment(settings):
    said = subprocess.run(
        [sys.executable, "-c", "from config import settings; print(settings.SECRET_KEY_FALLBACKS)"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"SECRET_KEY_FALLBACKS": "last,before"},
        capture_output=True,
        text=True,
    )
    assert said.stdout.strip() == "['last', 'before']", said.stderr


def test_a_closed_account_is_told_nothing_of_what_waits_or_comes(alice, judy):
    governance.grant_role(actor=None, user=judy, role=Role.ADMIN)
    with receiving(204) as receiver:
        endpoint, _ = hook(alice, receiver.url)
        told(alice)
        governance.close_account(actor=judy, user=alice, reason="Asked for.")
        told(alice)
        deliver(endpoint)
        assert receiver.requests == []
        assert WebhookDelivery.objects.count() == 1
        governance.reopen_account(actor=judy, user=alice)
        deliver(endpoint)
        assert len(receiver.requests) == 1


def test_what_is_kept_for_ever_holds_no_address_that_anybody_could_send_to(alice):
    endpoint, _ = hook(alice, "https://hook.example:8443/services/T0/token?key=1")
    governance.delete_webhook(owner=alice, endpoint=endpoint)
    for verb in ("create_webhook", "delete_webhook"):
        assert AuditEntry.objects.get(verb=verb).details["site"] == "https://hook.example"
        assert "token" not in str(AuditEntry.objects.get(verb=verb).details)


def test_a_body_of_more_than_receivers_take_names_what_it_leaves_out(alice):
    hook(alice, "https://hook.example/")
    told(alice, rows=list(range(9_000)), score="0.97")
    body = the_delivery().body
    assert len(body.encode()) <= 20_000
    assert json.loads(body)["data"]["left_out"] == ["rows"]
    assert json.loads(body)["data"]["score"] == "0.97"
    with pytest.raises(IntegrityError, match="delivery_body_is_small"), transaction.atomic():
        WebhookDelivery.objects.update(body="ü" * 10_001)


# What does not arrive


def test_a_failure_is_tried_again_by_the_table_under_the_same_id(alice):
    with receiving(500, 500, 204) as receiver:
        endpoint, secret = hook(alice, receiver.url)
        told(alice)
        for least in (timedelta(seconds=5), timedelta(minutes=5)):
            before = WebhookDelivery.objects.get().created_at
            deliver(endpoint)
            deliver(endpoint)  # not before its time
            wait = the_delivery().next_at - before
            assert least <= wait <= least * 1.2 + timedelta(seconds=30)
            make_due()
        deliver(endpoint)
        assert receiver.verified(secret)
    assert len(set(receiver.ids)) == 1
    outcomes = [attempt.outcome for attempt in the_delivery().attempts.all()]
    assert outcomes == ["It answered 500.", "It answered 500.", "answered 204"]


def test_what_never_answers_is_switched_off_after_the_table_and_alice_is_told(alice):
    url = f"http://127.0.0.1:{closed_port()}/"
    endpoint, _ = hook(alice, url, description="night shift")
    told(alice)
    for _ in range(1 + len(deliveries.RETRIES)):
        assert the_delivery().state == "pending"
        deliver(endpoint)
        make_due()
    delivery = the_delivery()
    assert (delivery.state, delivery.attempt) == ("failed", 10)
    endpoint.refresh_from_db()
    assert "The connection was refused." in endpoint.disabled_reason
    notice = Notice.objects.get(type=NoticeType.WEBHOOK_DISABLED)
    assert (notice.user, notice.url) == (alice, endpoint.get_absolute_url())
    assert notice.text.startswith("The webhook “night shift” was switched off:")
    assert AuditEntry.objects.get(verb="disable_webhook").actor is None


def closed_port() -> int:
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        return once.getsockname()[1]


def test_one_message_that_fails_does_not_switch_off_what_takes_others(alice):
    with receiving(*[500] * 10, 204) as receiver:
        endpoint, _ = hook(alice, receiver.url)
        told(alice)
        WebhookDelivery.objects.update(retries=len(deliveries.RETRIES))
        WebhookDelivery.objects.create(
            endpoint=endpoint,
            message_id="x",
            type="a.b",
            body="{}",
            state="delivered",
            ended_at=timezone.now() + timedelta(seconds=1),
        )
        deliver(endpoint)
    endpoint.refresh_from_db()
    assert endpoint.disabled_at is None
    assert WebhookDelivery.objects.get(type="template.sold").state == "failed"


def test_gone_switches_off_at_once_and_drops_what_waits(alice):
    with receiving(410) as receiver:
        endpoint, _ = hook(alice, receiver.url)
        told(alice), told(alice)
        deliver(endpoint)
    assert len(receiver.requests) == 1
    endpoint.refresh_from_db()
    assert endpoint.state == "disabled"
    assert "410" in endpoint.disabled_reason
    assert not WebhookDelivery.objects.pending().exists()
    with pytest.raises(governance.WebhookIsOff):
        governance.test_webhook(owner=alice, endpoint=endpoint)
    endpoint = governance.enable_webhook(owner=alice, endpoint=endpoint)
    assert governance.test_webhook(owner=alice, endpoint=endpoint).state == "pending"


@pytest.mark.parametrize("status", [429, 502, 504])
def test_who_is_busy_has_peace_as_long_as_it_asks_from_all_messages(alice, status):
    with receiving((status, {"Retry-After": "3600"})) as receiver:
        endpoint, _ = hook(alice, receiver.url)
        told(alice), told(alice)
        deliver(endpoint)
        assert len(receiver.requests) == 1
    soon = timezone.now() + timedelta(minutes=58)
    assert WebhookDelivery.objects.filter(next_at__gt=soon).count() == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("999999999999", 86_400),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("²", 0),
        ("", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(text, seconds):
    reply = receivers.Reply(status=429, retry_after=text, text="")
    assert deliveries.retry_after(reply).total_seconds() == seconds


def test_retry_after_may_be_a_date_to_come():
    later = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    reply = receivers.Reply(status=429, retry_after=later, text="")
    assert 7_100 < deliveries.retry_after(reply).total_seconds() <= 7_200


def test_a_redirect_is_not_followed(alice):
    with receiving(204) as inside, receiving((302, {"Location": "/"})) as receiver:
        receiver.answers = [(302, {"Location": inside.url}, b"")]
        endpoint, _ = hook(alice, receiver.url)
        told(alice)
        deliver(endpoint)
        assert inside.requests == []
    assert "we follow no redirect" in the_delivery().attempts.get().error


def test_a_receiver_that_drips_is_cut_off(alice, monkeypatch):
    """Takes a second, which is the shortest time that a busy machine keeps."""
    monkeypatch.setattr(receivers, "SECONDS_MAX", 1.0)

    def drip(handler):
        for _ in range(100):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: 1\r\n"[:1])
            handler.wfile.flush()
            time.sleep(0.1)

    with receiving(204) as receiver:
        receiver.on_request = drip
        endpoint, _ = hook(alice, receiver.url)
        told(alice)
        begun_at = time.monotonic()
        deliver(endpoint)
        assert time.monotonic() - begun_at < 5
    assert the_delivery().attempts.get().error == "It did not answer within 1 seconds."


def test_what_is_no_http_is_said_so(alice):
    with receiving(204) as receiver:
        receiver.on_request = lambda handler: handler.wfile.write(b"220 mail.example ESMTP\r\n")
        endpoint, _ = hook(alice, receiver.url)
        told(alice)
        deliver(endpoint)
    assert the_delivery().attempts.get().error == "What came back is no HTTP answer."


def test_of_an_answer_a_kilobyte_is_kept(alice):
    with receiving((200, {}, b"\0\xff" + b"x" * 5_000)) as receiver:
        endpoint, _ = hook(alice, receiver.url)
        told(alice)
        deliver(endpoint)
    assert the_delivery().attempts.get().response == "\ufffd\ufffd" + "x" * 998
