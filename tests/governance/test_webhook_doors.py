"""The pages and operations of webhooks, for their owner and for nobody else."""

import re

import pytest
from django.urls import reverse

from governance import services as governance
from governance.models import (
    Answer,
    AuditEntry,
    NoticeType,
    Scope,
    WebhookDelivery,
    WebhookEndpoint,
)
from governance.runner import deliveries
from tests.governance.receivers import receiving

SECRET = re.compile(r"whsec_[\w+/=]{40,}")


def text(response) -> str:
    return response.content.decode()


@pytest.fixture
def webhook(alice) -> WebhookEndpoint:
    endpoint, _ = governance.create_webhook(
        owner=alice, url="https://hook.example/a", types=[NoticeType.TEMPLATE_SOLD]
    )
    return endpoint


@pytest.fixture
def delivery(alice, webhook) -> WebhookDelivery:
    governance.tell(
        user=alice, type=NoticeType.TEMPLATE_SOLD, text="Bob bought it.", url="/wallet/"
    )
    return WebhookDelivery.objects.get()


def ended(delivery: WebhookDelivery) -> None:
    deliveries.drop_pending(delivery.endpoint)


# Pages


def test_alice_makes_a_webhook_and_sees_its_secret_once(client, alice):
    client.force_login(alice)
    address = reverse("governance:webhooks")
    form = {"url": "https://hook.example/", "description": "ci", "types": ["training.done"]}
    page = client.post(address, form)
    assert SECRET.search(text(page))
    assert page["Cache-Control"].startswith("max-age=0")
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.types == ["training.done"]
    for again in (address, endpoint.get_absolute_url()):
        assert not SECRET.search(text(client.get(again)))
    assert AuditEntry.objects.get(verb="create_webhook").subject_id == str(endpoint.pk)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hook.example/", "it must begin with https:// and name a host."),
        ("https://10.0.0.1/", "its host is not in the public internet."),
        ("https://hook.example:22/", "port 22 is refused; use 443, or one above 1023."),
        ("", "This field is required."),
    ],
)
def test_an_address_that_is_refused_is_said_beside_its_field(client, alice, url, said):
    client.force_login(alice)
    page = text(client.post(reverse("governance:webhooks"), {"url": url, "description": "mine"}))
    assert said in page
    assert 'value="mine"' in page


def test_alice_sends_a_test_looks_at_it_and_sends_it_again(client, alice, settings):
    settings.WEBHOOKS_TO_LOOPBACK = True
    client.force_login(alice)
    with receiving((200, {}, b"<b>thanks</b>")) as receiver:
        endpoint, secret = governance.create_webhook(owner=alice, url=receiver.url)
        page = client.post(reverse("governance:test_webhook", args=[endpoint.pk]), follow=True)
        assert "It is on its way." in text(page)
        assert 'hx-trigger="every 2s"' in text(page)
        twice = client.post(reverse("governance:test_webhook", args=[endpoint.pk]))
        assert twice.status_code == 409
        deliveries.deliver_due(str(endpoint.pk))
        assert receiver.verified(secret)["type"] == "webhook.test"
        delivery = WebhookDelivery.objects.get()
        page = text(client.get(delivery.get_absolute_url()))
        assert "&lt;b&gt;thanks&lt;/b&gt;" in page
        assert "hx-trigger" not in page.partition('id="delivery"')[2]
        fragment = text(client.get(delivery.get_absolute_url(), headers={"HX-Request": "true"}))
        assert "<html" not in fragment
        again = reverse("governance:replay_delivery", args=[endpoint.pk, delivery.pk])
        assert "under the same id" in text(client.post(again, follow=True))
        deliveries.deliver_due(str(endpoint.pk))
    assert len(receiver.requests) == 2
    assert "answered 200" in text(client.get(endpoint.get_absolute_url()))


def test_a_new_secret_is_shown_once_on_the_page_itself(client, alice, webhook):
    client.force_login(alice)
    address = reverse("governance:rotate_webhook", args=[webhook.pk])
    assert SECRET.search(text(client.post(address)))
    assert not SECRET.search(text(client.get(address, follow=True)))  # asks to press it again
    assert AuditEntry.objects.filter(verb="rotate_webhook_secret").count() == 1


def test_a_button_pressed_twice_makes_one_secret(client, alice, webhook):
    """A second one would end the first, which is still good for a day."""
    client.force_login(alice)
    token = {"csrfmiddlewaretoken": "of the page that was shown"}
    address = reverse("governance:rotate_webhook", args=[webhook.pk])
    first, again = (text(client.post(address, token)) for _ in range(2))
    assert SECRET.search(first)[0] == SECRET.search(again)[0]
    assert AuditEntry.objects.filter(verb="rotate_webhook_secret").count() == 1
    form = token | {"url": "https://hook.example/", "description": "ci"}
    first, again = (text(client.post(reverse("governance:webhooks"), form)) for _ in range(2))
    assert SECRET.search(first)[0] == SECRET.search(again)[0]
    assert WebhookEndpoint.objects.count() == 2
    assert not Answer.objects.filter(body__contains="whsec_").exists()
    refused = token | {"url": "https://10.0.0.1/"}
    for _ in range(2):
        page = text(client.post(reverse("governance:webhooks"), refused))
        assert "its host is not in the public internet." in page


def test_alice_switches_a_webhook_off_and_on_and_deletes_it(client, alice, delivery):
    client.force_login(alice)
    webhook = delivery.endpoint
    page = client.post(reverse("governance:disable_webhook", args=[webhook.pk]), follow=True)
    assert "You switched it off." in text(page)
    assert "the webhook was switched off before" in text(client.get(delivery.get_absolute_url()))
    replay = reverse("governance:replay_delivery", args=[webhook.pk, delivery.pk])
    assert client.post(replay).status_code == 409
    client.post(reverse("governance:enable_webhook", args=[webhook.pk]))
    assert "It is sent again" in text(client.post(replay, follow=True))
    client.post(reverse("governance:delete_webhook", args=[webhook.pk]))
    assert client.get(webhook.get_absolute_url()).status_code == 404
    verbs = set(AuditEntry.objects.filter(actor=alice).values_list("verb", flat=True))
    assert {"disable_webhook", "enable_webhook", "replay_delivery", "delete_webhook"} <= verbs


def test_alice_changes_its_address_and_what_it_tells_and_its_secret_stays(client, alice, webhook):
    client.force_login(alice)
    secret = governance.webhook_secret(webhook)
    address = reverse("governance:edit_webhook", args=[webhook.pk])
    assert 'value="https://hook.example/a"' in text(client.get(address))
    refused = text(client.post(address, {"url": "https://10.0.0.1/", "description": "ci"}))
    assert "its host is not in the public internet." in refused
    form = {"url": "https://hook.example/b", "description": "ci", "types": ["training.done"]}
    assert "Its secret is the same." in text(client.post(address, form, follow=True))
    webhook.refresh_from_db()
    found = (webhook.url, webhook.description, webhook.types)
    assert found == ("https://hook.example/b", "ci", ["training.done"])
    assert governance.webhook_secret(webhook) == secret


PAGES = (
    "webhook",
    "edit_webhook",
    "rotate_webhook",
    "test_webhook",
    "enable_webhook",
    "disable_webhook",
)
PAGES += ("delete_webhook", "delivery", "replay_delivery")


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_finds_no_page_of_it(client, mallory, delivery, name):
    ids = [delivery.endpoint_id, delivery.pk] if "delivery" in name else [delivery.endpoint_id]
    address = reverse(f"governance:{name}", args=ids)
    ask = client.get if name in ("webhook", "edit_webhook", "delivery") else client.post
    assert ask(address)["Location"].startswith("/account/login/")
    client.force_login(mallory)
    assert ask(address).status_code == 404
    assert "hook.example" not in text(client.get(reverse("governance:webhooks")))
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.disabled_at, endpoint.previous_until) == (None, None)


def test_a_message_is_found_under_its_own_webhook_only(client, alice, delivery):
    other, _ = governance.create_webhook(owner=alice, url="https://hook.example/b")
    client.force_login(alice)
    address = reverse("governance:delivery", args=[other.pk, delivery.pk])
    assert client.get(address).status_code == 404


def test_the_log_asks_the_database_no_more_for_many(
    client, alice, webhook, django_assert_max_num_queries
):
    def sell(times):
        for _ in range(times):
            governance.tell(user=alice, type=NoticeType.TEMPLATE_SOLD, text="Sold.", url="")

    client.force_login(alice)
    sell(3)
    client.get(webhook.get_absolute_url())
    with django_assert_max_num_queries(8) as few:
        client.get(webhook.get_absolute_url())
    sell(40)
    with django_assert_max_num_queries(len(few)):
        page = text(client.get(webhook.get_absolute_url()))
    assert "Page 1 of 2" in page
    with django_assert_max_num_queries(6):
        client.get(reverse("governance:webhooks"))


# Operations


@pytest.fixture
def call(client, alice):
    _, secret = governance.create_api_key(owner=alice, name="k", scopes=[Scope.WEBHOOKS])

    def send(method, path, body=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return getattr(client, method)(
            f"/api/v1/webhooks{path}",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"} | named,
        )

    return send


def test_a_program_makes_a_webhook_once_per_key_and_no_secret_is_kept_with_the_answer(call):
    body = {"url": "https://hook.example/", "types": ["training.done"]}
    first = call("post", "", body, Idempotency_Key="one")
    again = call("post", "", body, Idempotency_Key="one")
    assert (first.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert first.json() == again.json()
    assert SECRET.fullmatch(first.json()["secret"])
    assert "secret" not in Answer.objects.get().body
    (listed,) = call("get", "").json()["webhooks"]
    assert listed["id"] == first.json()["id"]
    assert listed["types"] == ["training.done"]
    assert "secret" not in listed
    assert first["Location"] == f"/api/v1/webhooks/{listed['id']}"


def test_a_program_is_told_which_field_is_wrong(call):
    refused = call("post", "", {"url": "https://127.0.0.1/"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_webhook")
    assert refused.json()["invalid_parameters"][0]["field"] == "url"
    refused = call("post", "", {"url": "https://hook.example/", "types": ["no.such"]})
    assert refused.json()["code"] == "invalid_parameters"
    assert "no.such" in refused.json()["detail"]


def test_a_program_tests_looks_rotates_replays_and_deletes(call, alice, webhook):
    path = f"/{webhook.pk}"
    sent = call("post", f"{path}/test")
    assert (sent.status_code, sent.json()["state"]) == (202, "pending")
    one = f"{path}/deliveries/{sent.json()['id']}"
    assert call("post", f"{one}/replay").json()["code"] == "delivery_is_pending"
    ended(WebhookDelivery.objects.get())
    assert call("post", f"{one}/replay").json()["state"] == "pending"
    assert '"webhook.test"' in call("get", one).json()["body"]
    (listed,) = call("get", f"{path}/deliveries").json()["deliveries"]
    assert (listed["type"], "body" in listed) == ("webhook.test", False)
    rotated = call("post", f"{path}/secret").json()
    assert SECRET.fullmatch(rotated["secret"])
    assert rotated["previous_until"]
    governance.disable_webhook(owner=alice, endpoint=webhook)
    assert call("post", f"{path}/test").json()["code"] == "webhook_is_off"
    assert call("post", f"{path}/enable").json()["disabled_at"] is None
    assert call("get", path).json()["url"] == webhook.url
    assert call("delete", path).status_code == 204
    assert call("get", path).status_code == 404


def test_a_program_changes_what_it_saw_and_what_it_leaves_out_stays(call, delivery):
    webhook = delivery.endpoint
    path, secret = f"/{webhook.pk}", governance.webhook_secret(webhook)
    seen = call("get", path)
    assert call("patch", path, {"description": "ci"}).status_code == 428
    changed = call("patch", path, {"url": "https://hook.example/b"}, If_Match=seen["ETag"])
    assert (changed.json()["url"], changed.json()["types"]) == (
        "https://hook.example/b",
        ["template.sold"],
    )
    assert call("patch", path, {"enabled": False}, If_Match=seen["ETag"]).status_code == 412
    off = call("patch", path, {"enabled": False, "types": []}, If_Match=changed["ETag"])
    assert off.json()["types"] == []
    assert off.json()["disabled_reason"] == "You switched it off."
    delivery.refresh_from_db()
    assert delivery.state == WebhookDelivery.State.FAILED  # what waited is dropped
    again = call("patch", path, {"enabled": True, "description": ""}, If_Match=off["ETag"])
    assert again.json()["disabled_at"] is None
    assert call("patch", path, {"url": "http://x.example/"}, If_Match="*").status_code == 400
    webhook.refresh_from_db()
    assert governance.webhook_secret(webhook) == secret


def test_a_stranger_finds_no_operation_of_it(client, mallory, delivery):
    _, secret = governance.create_api_key(owner=mallory, name="k", scopes=[Scope.WEBHOOKS])
    headers = {"Authorization": f"Bearer {secret}"}
    base = f"/api/v1/webhooks/{delivery.endpoint_id}"
    one = f"{base}/deliveries/{delivery.pk}"
    asked = [client.get(path, headers=headers) for path in (base, f"{base}/deliveries", one)]
    acts = [f"{base}/secret", f"{base}/test", f"{base}/enable", f"{one}/replay"]
    asked += [client.post(path, headers=headers) for path in acts]
    asked.append(client.delete(base, headers=headers))
    asked.append(client.patch(base, {}, "application/json", headers=headers))
    assert [answer.status_code for answer in asked] == [404] * 9


def test_a_key_needs_the_scope(client, alice, webhook):
    _, secret = governance.create_api_key(owner=alice, name="k", scopes=[Scope.NOTICES_READ])
    answer = client.get("/api/v1/webhooks", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 403


@pytest.mark.parametrize("act", ["rotate_webhook_secret", "disable_webhook", "test_webhook"])
def test_a_service_refuses_what_is_not_ones_own(mallory, webhook, act):
    with pytest.raises(governance.NotAllowed):
        getattr(governance, act)(owner=mallory, endpoint=webhook)
