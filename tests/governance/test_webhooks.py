"""Webhooks: signed, brought at least once, in patience, and never to where mallory points."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import jsonschema
import pytest
from django.core import mail
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
from tests.conftest import empty_queues, person
from tests.governance.receivers import certificate_for, receiving


@pytest.fixture(autouse=True)
def _loopback(settings) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = True


def told(user, type=NoticeType.TEMPLATE_SOLD, **data):
    return governance.tell(user=user, type=type, text="Bob bought it.", url="/wallet/", data=data)


def hook(user, url, **fields):
    return governance.create_webhook(owner=user, url=url, **fields)


def deliver(endpoint) -> None:
    deliveries.deliver_due(str(endpoint.pk))


def make_due() -> None:
    """As if the time until the next attempt had passed."""
    WebhookDelivery.objects.pending().update(next_at=timezone.now() - timedelta(days=1))


def the_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


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
        endpoint, new = governance.rotate_webhook_secret(owner=alice, endpoint=endpoint)
        told(alice)
        deliver(endpoint)
        assert receiver.verified(new)
    assert the_delivery().state == "delivered"


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


# Mallory


INSIDE = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://[::1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://10.0.0.1/",
    "https://172.16.9.9:8443/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://192.0.2.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[ff02::1]/",
    "https://localhost/",
    "https://db.localhost/",
]
MALFORMED = [
    "http://hook.example/",
    "ftp://hook.example/",
    "file:///etc/passwd",
    "//hook.example/",
    "https://",
    "https://hook.example:25/",
    "https://hook.example:0/",
    "https://hook.example:70000/",
    "https://user:word@hook.example/",
    "https://@hook.example/",
    "https://hook.example/#part",
    "https://hook.example/a b",
    "https://hook.example/\r\nX-Evil: 1",
    "https://höök.example/",
    "https://[::1/",
    "https://a..b/",
    "https://.x.com/",
    f"https://{'x' * 64}.com/",
]


@pytest.mark.parametrize("url", INSIDE + MALFORMED)
def test_mallory_cannot_make_a_webhook_that_leads_inside(mallory, settings, url):
    settings.WEBHOOKS_TO_LOOPBACK = False
    with pytest.raises(governance.InvalidWebhook, match="url: .* is refused"):
        hook(mallory, url)
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("url", [url for url in INSIDE if "localhost" not in url])
def test_what_leads_inside_is_refused_when_it_is_sent_to_as_well(mallory, settings, url):
    settings.WEBHOOKS_TO_LOOPBACK = False
    endpoint, _ = hook(mallory, "https://hook.example/")
    WebhookEndpoint.objects.update(url=url)
    told(mallory)
    deliver(endpoint)
    assert "its host is not in the public internet" in the_delivery().attempts.get().error


class Resolver:
    """Answers as the owner of a name would have it: each time with the next list of addresses."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def __call__(self, host, port, *args, **kwargs):
        if kwargs.get("flags"):
            raise socket.gaierror
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


@pytest.mark.parametrize("addresses", [["10.0.0.7"], ["93.184.216.34", "169.254.169.254"]])
def test_a_name_that_means_a_private_address_is_refused(mallory, monkeypatch, addresses):
    endpoint, _ = hook(mallory, "https://hook.example/")
    told(mallory)
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(addresses))
    deliver(endpoint)
    assert "not in the public internet" in the_delivery().attempts.get().error


def test_a_name_that_means_something_else_a_moment_later_gains_nothing(mallory, monkeypatch):
    """It is resolved once for each attempt, and what was judged is what is connected to."""
    with receiving(500, 204) as receiver:
        endpoint, _ = hook(mallory, f"http://hook.example:{receiver.port}/hook")
        told(mallory)
        resolver = Resolver(["127.0.0.1"], ["169.254.169.254"])
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        deliver(endpoint)
        assert resolver.asked == len(receiver.requests) == 1
        make_due()
        deliver(endpoint)
        assert len(receiver.requests) == 1
    assert "not in the public internet" in the_delivery().attempts.last().error


def test_plain_http_is_for_loopback_only(mallory):
    endpoint, _ = hook(mallory, "https://hook.example/")
    WebhookEndpoint.objects.update(url="http://93.184.216.34/")
    told(mallory)
    deliver(endpoint)
    assert "plain http is for loopback" in the_delivery().attempts.get().error


def test_a_certificate_is_checked_against_the_name(alice, tmp_path, monkeypatch):
    ours = certificate_for("localhost", str(tmp_path / "localhost.pem"))
    other = certificate_for("hook.example", str(tmp_path / "other.pem"))
    for certificate, trusted, error in [
        (ours, "", "Its certificate was not accepted: self-signed certificate."),
        (other, other, "Its certificate was not accepted: Hostname mismatch"),
        (ours, ours, ""),
    ]:
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
        with receiving(204, certificate=certificate) as receiver:
            endpoint, secret = hook(alice, f"https://localhost:{receiver.port}/hook")
            told(alice)
            deliver(endpoint)
            attempt = WebhookAttempt.objects.latest("pk")
            assert attempt.error.startswith(error)
            assert bool(receiver.requests) == (attempt.status == 204) == (not error)
        WebhookEndpoint.objects.all().delete()


def test_nobody_has_more_than_ten(mallory):
    for _ in range(10):
        hook(mallory, "https://hook.example/")
    with pytest.raises(governance.TooManyWebhooks):
        hook(mallory, "https://hook.example/")


# Workers


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


@pytest.mark.parametrize("start_worker", [{"WEBHOOKS_TO_LOOPBACK": "1"}], indirect=True)
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
        worker.wait(120)
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
