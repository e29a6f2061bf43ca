"""Taking files home: who may, by which link, from where it broke off, and how it is counted."""

import hashlib
import time
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core import signing
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse

from governance import services as governance
from governance.models import AuditEntry, Scope
from marketplace import services as marketplace
from marketplace.models import Download, Plan, Template, TemplateVersion
from training import services as training
from training.models import Export
from training.runner import exports

pytestmark = pytest.mark.usefixtures("shared_template")


@pytest.fixture
def free(alice, judy, model) -> Template:
    """alice's template that costs nothing, with its own file on offer."""
    template = marketplace.publish_template(
        owner=alice,
        model=model,
        name="Free reader",
        description="Reads digits.",
        category="vision",
        plan=Plan.FREE,
    )
    return marketplace.approve_template(actor=judy, template=template)


@contextmanager
def past_the_walls():
    """Inside, the database lets rows be written that stay as they are for everybody else."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = origin")


def as_(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def link_of(user, template, kind="safetensors", number=None) -> str:
    offer = marketplace.find_offer(viewer=user, slug=template.slug, number=number)
    return marketplace.link_download(actor=user, offer=offer, kind=kind).address


def fetch(address, client=None, **headers):
    """The answer at an address, read to its end."""
    answer = (client or Client()).get(address, headers=headers, follow=True)
    answer.body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer


def test_bob_buys_presses_download_and_has_the_very_file(template, bob):
    browser = as_(bob)
    page = browser.get(template.get_absolute_url()).content.decode()
    assert "for buyers" in page
    marketplace.buy_template(buyer=bob, template=template)
    page = browser.get(template.get_absolute_url()).content.decode()
    address = reverse("marketplace:take_file", args=[template.slug, 1, "safetensors"])
    assert f'action="{address}"' in page
    answer = fetch(browser.post(address).url, browser)
    assert answer.status_code == 200
    assert hashlib.sha256(answer.body).hexdigest() == template.shown.model.sha256
    assert 'filename="digit-reader-1.safetensors"' in answer["Content-Disposition"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    entry = AuditEntry.objects.filter(verb="link_download").get()
    assert entry.actor == bob
    assert entry.details["sha256"] == template.shown.model.sha256


def test_mallory_gets_no_link_to_what_she_did_not_buy(template, mallory):
    offer = marketplace.find_offer(viewer=mallory, slug=template.slug)
    with pytest.raises(marketplace.NotEntitled, match="buy it on its page first"):
        marketplace.link_download(actor=mallory, offer=offer, kind="safetensors")
    address = reverse("marketplace:take_file", args=[template.slug, 1, "safetensors"])
    assert as_(mallory).post(address).status_code == 403
    assert Client().post(address).url.startswith("/account/login/")
    assert not AuditEntry.objects.filter(verb="link_download").exists()


def test_what_is_free_is_for_every_member_and_for_nobody_else(free, bob):
    assert fetch(link_of(bob, free), as_(bob)).status_code == 200
    nobody = marketplace.find_offer(viewer=None, slug=free.slug)
    assert [one.may_take for one in marketplace.files_on_offer(offer=nobody)] == [False]


def later(monkeypatch, seconds: float) -> None:
    """Let Django's signer read a clock that has gone on."""
    clock = SimpleNamespace(time=lambda: time.time() + seconds)
    monkeypatch.setattr(signing, "time", clock)


def test_a_link_works_without_a_session_for_ten_minutes(free, bob, monkeypatch):
    address = link_of(bob, free)
    later(monkeypatch, 590)
    assert fetch(address).status_code == 200
    later(monkeypatch, 601)
    late = fetch(address)
    assert late.status_code == 403
    assert "has expired" in late.content.decode()


def test_mallory_can_neither_use_nor_forge_a_link(free, bob, mallory):
    address = link_of(bob, free)
    assert fetch(address, as_(mallory)).status_code == 403
    assert fetch(address, as_(bob)).status_code == 200
    token = address.split("/")[2]
    told = signing.loads(token, salt="marketplace.download")
    for forged in (
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        signing.dumps(told),  # ours, for another purpose
        signing.dumps(told, key="hers", salt="marketplace.download"),
        "x",
    ):
        assert Client().get(f"/downloads/{forged}/").status_code == 404


def test_a_link_ends_with_the_right_to_the_file(free, template, bob, judy, alice):
    address = link_of(bob, free)
    governance.hide(actor=judy, subject=free, reason="Copied.")
    assert fetch(address).status_code == 403
    governance.restore(actor=judy, subject=free)
    assert fetch(address).status_code == 200
    marketplace.withdraw_template(actor=alice, template=free, reason="I retire.")
    assert fetch(address).status_code == 403
    marketplace.buy_template(buyer=bob, template=template)
    kept = link_of(bob, template)
    marketplace.withdraw_template(actor=alice, template=template, reason="I retire.")
    assert fetch(kept).status_code == 200  # he bought it


def test_a_download_goes_on_where_it_broke_off(free, bob):
    address = link_of(bob, free)
    whole = fetch(address).body
    size = len(whole)

    def part(asked, **headers):
        return fetch(address, **{"Range": asked} | headers)

    for asked, first, end in [
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, size),
        ("bytes=-10", size - 10, size),
        (f"bytes=5-{size + 99}", 5, size),
        (f"bytes=-{size + 9}", 0, size),
    ]:
        answer = part(asked)
        assert answer.status_code == 206, asked
        assert answer.body == whole[first:end]
        assert answer["Content-Range"] == f"bytes {first}-{end - 1}/{size}"
        assert answer["Content-Length"] == str(end - first)
    for odd in ("bytes=9-5", "bytes=-", "bytes=0-1,3-4", "rows=0-1", "bytes=a-b"):
        assert part(odd).body == whole, odd
    for beyond in (f"bytes={size}-", "bytes=-0"):
        answer = part(beyond)
        assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{size}")
    tag = part("bytes=0-0")["ETag"]
    assert part("bytes=0-9", **{"If-Range": tag}).status_code == 206
    assert part("bytes=0-9", **{"If-Range": '"another"'}).body == whole


def test_a_person_counts_once_a_day_and_each_begun_file_apart(free, alice, bob, mallory):
    address = link_of(bob, free)
    Client().head(address)
    assert not Download.objects.exists()
    for headers in ({}, {}, {"Range": "bytes=0-9"}, {"Range": "bytes=10-"}):
        fetch(address, **headers)
    fetch(link_of(mallory, free))
    fetch(link_of(alice, free))  # her own
    assert sorted(Download.objects.values_list("user__username", "times")) == [
        ("bob", 3),
        ("mallory", 1),
    ]
    Download.objects.update(day=F("day") - timedelta(days=1))
    fetch(link_of(bob, free))
    assert free.downloads.count() == 3
    assert "3 downloads" in as_(bob).get(free.get_absolute_url()).content.decode()


def test_a_head_says_how_large_the_file_is(free, bob):
    answer = Client().head(link_of(bob, free))
    assert answer.status_code == 200
    assert answer["Content-Length"] == str(free.shown.model.size_bytes)
    assert answer["Accept-Ranges"] == "bytes"


@pytest.fixture
def with_onnx(free) -> Template:
    """Offers an ONNX file whose making failed of old, as one may that is older than its kind."""
    with past_the_walls():
        TemplateVersion.objects.filter(pk=free.current_id).update(files=["safetensors", "onnx"])
    return free


def test_a_file_in_which_something_was_found_is_kept_back(with_onnx, bob):
    training.order_export(actor=bob, model=with_onnx.shown.model, kind="onnx")
    exports.make_export(str(Export.objects.get().pk))
    address = link_of(bob, with_onnx, "onnx")
    with past_the_walls():
        Export.objects.update(scan={"state": "flagged", "findings": []})
    assert fetch(address).status_code == 409
    with pytest.raises(training.NotReady, match="kept back"):
        link_of(bob, with_onnx, "onnx")
    assert "kept back" in as_(bob).get(with_onnx.get_absolute_url()).content.decode()
    assert not Download.objects.exists()


def test_bob_has_a_file_made_that_is_on_offer_and_sees_it_under_way(with_onnx, bob):
    browser, page = as_(bob), with_onnx.get_absolute_url()
    make = reverse("marketplace:make_file", args=[with_onnx.slug, 1, "onnx"])
    assert f'action="{make}"' in browser.get(page).content.decode()
    browser.post(make)
    export = Export.objects.get()
    part = browser.get(page, headers={"HX-Request": "true", "HX-Target": "files"}).content.decode()
    assert part.lstrip().startswith('<section class="card" id="files"')
    assert 'hx-trigger="every 1s"' in part
    assert "<progress" in part
    exports.make_export(str(export.pk))
    part = browser.get(page, headers={"HX-Request": "true", "HX-Target": "files"}).content.decode()
    assert "every 1s" not in part
    assert fetch(link_of(bob, with_onnx, "onnx")).status_code == 200
    assert browser.post(make.replace("onnx", "wasm")).status_code == 404  # not on offer
    assert not Export.objects.filter(kind="wasm").exists()


def key_of(user, *scopes) -> dict[str, str]:
    _, secret = governance.create_api_key(owner=user, name="test", scopes=scopes)
    return {"Authorization": f"Bearer {secret}"}


def test_a_program_reads_a_template_and_takes_its_files(template, bob, mallory):
    headers = key_of(bob, Scope.MODELS_READ)
    address = f"/api/v1/templates/{template.pk}"
    told = Client().get(address, headers=headers).json()
    validation = template.shown.validation
    assert told["metrics"]["accuracy"]["value"] == validation.accuracy
    assert told["receipt"]["command"] == validation.receipt["command"]
    assert (told["price_credits"], told["is_yours"], told["tier"]) == ("15", False, "paid")
    assert told["signature"]["outputs"][0]["name"] == "class"
    assert [one["number"] for one in told["versions"]] == [1]
    files = Client().get(f"{address}/files", headers=headers).json()["files"]
    assert [(one["kind"], one["may_take"]) for one in files] == [("safetensors", False)]
    link = f"{address}/files/safetensors/link"
    refused = Client().post(link, headers=headers, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_entitled")
    marketplace.buy_template(buyer=bob, template=template)
    given = Client().post(link, headers=headers, content_type="application/json")
    assert given.status_code == 201
    assert given.json()["url"].startswith("http://testserver/downloads/")
    got = fetch(given.json()["url"])
    assert hashlib.sha256(got.body).hexdigest() == given.json()["sha256"]
    unknown = Client().post(
        f"{address}/files/pkl/link", headers=headers, content_type="application/json"
    )
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_kind")


def test_a_program_is_told_what_became_of_a_template(template, bob, alice, judy):
    headers = key_of(bob, Scope.MODELS_READ)
    address = f"/api/v1/templates/{template.pk}"
    marketplace.withdraw_template(actor=alice, template=template, reason="I retire.")
    for path in (address, f"{address}/files"):
        gone = Client().get(path, headers=headers)
        assert (gone.status_code, gone.json()["code"]) == (410, "template_not_available")
        assert gone.json()["reason"] == "I retire."
        assert gone.json()["gone_at"]
    assert Client().get(address, headers=key_of(alice, Scope.MODELS_READ)).status_code == 200
    odd = Client().get(f"{address}?version=0", headers=headers)
    assert odd.json()["invalid_parameters"][0]["field"] == "version"


def test_a_file_not_made_yet_is_begun_when_a_program_asks_for_it(with_onnx, bob):
    headers = key_of(bob, Scope.MODELS_READ)
    link = f"/api/v1/templates/{with_onnx.pk}/files/onnx/link"
    early = Client().post(link, headers=headers, content_type="application/json")
    assert (early.status_code, early.json()["code"]) == (409, "not_ready")
    exports.make_export(str(Export.objects.get().pk))
    assert Client().post(link, headers=headers, content_type="application/json").status_code == 201
