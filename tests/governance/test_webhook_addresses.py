"""Webhooks never lead to where mallory points."""

import socket

import pytest

from governance import services as governance
from governance.models import (
    WebhookAttempt,
    WebhookEndpoint,
)
from tests.governance.receivers import certificate_for, receiving
from tests.governance.sending import deliver, hook, make_due, the_delivery, told


@pytest.fixture(autouse=True)
def _loopback(settings) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = True


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
