"""A model's page: what it shows, what alice takes home from it, and what others do not see."""

import hashlib
import json

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import services as billing
from governance import services as governance
from governance.models import Scope
from training import services as training
from training.models import Export, Job, Reproduction
from training.runner import blobs, chunks, exports, reproductions


@pytest.fixture
def model(trained):
    """Few tests here read a figure of it: those ask for `measured`."""
    return trained


def text(response) -> str:
    return response.content.decode()


def part(client, model, name: str) -> str:
    headers = {"HX-Request": "true", "HX-Target": name}
    return text(client.get(model.get_absolute_url(), headers=headers))


@pytest.fixture
def page(client, alice, model) -> str:
    client.force_login(alice)
    return text(client.get(model.get_absolute_url()))


@pytest.mark.usefixtures("measured")
def test_the_page_shows_all_that_is_known(page, model, digits):
    for words in (
        "Measured on 270 rows",
        "In other runtimes",
        "same bits",
        "How it learnt",
        "Architecture",
        "What goes in",
        "8 × 8 pixels",
        "one of 10, with the probability of each",
        "Where it comes from",
        "Make it again",
        "Files",
        "Provenance",
        digits.sha256,
        model.weights_sha256,
        model.kernel_hash,
        f"python manage.py reproduce {model.pk}",
        "stratified, seed 0",
    ):
        assert words in page, words
    assert "hx-trigger" not in page  # nothing is under way
    assert "http-equiv" not in page


@pytest.mark.usefixtures("measured")
def test_the_list_shows_what_each_is_worth(client, alice, model):
    client.force_login(alice)
    page = text(client.get("/models/"))
    measured = model.validations.done().first()
    assert f"{measured.accuracy * 100:.4g} %" in page
    assert measured.get_certificate_display() in page
    assert "version 1" in page


def test_the_page_asks_the_database_as_often_however_much_there_is(client, alice, model):
    client.force_login(alice)
    with CaptureQueriesContext(connection) as few:
        client.get(model.get_absolute_url())
    for _ in range(3):
        again = training.reproduce_model(actor=alice, model=model)
        chunks.run_turn()
        reproductions.compare_reproduction(str(again.pk))
    with CaptureQueriesContext(connection) as many:
        client.get(model.get_absolute_url())
    assert len(many) <= len(few)


def test_what_changes_is_read_out_once_and_from_a_place_that_stays(client, alice, model):
    client.force_login(alice)
    page = text(client.get(model.get_absolute_url()))
    assert page.count('role="status"') == 1
    assert "aria-live" not in page
    assert '<p id="told-validation">Measuring: Queued.</p>' in page
    training.reproduce_model(actor=alice, model=model)
    for name, told in (("validation", "Measuring"), ("reproductions", "Making it again")):
        answer = part(client, model, name)
        assert f'<p id="told-{name}" hx-swap-oob="innerHTML">{told}: Queued.</p>' in answer
        assert "role=" not in answer.replace('role="img"', "").split("<table")[0]


def test_alice_reproduces_from_the_page_and_reads_the_answer(client, alice, model):
    client.force_login(alice)
    quote = training.quote_reproduction(model=model).credits
    page = text(client.get(model.get_absolute_url()))
    assert f"Reproduce for at most {quote} credits" in page
    assert "Nobody made it again yet" in page
    answer = client.post(reverse("training:reproduce_model", args=[model.pk]))
    assert answer.url == f"{model.get_absolute_url()}#reproductions"
    waiting = part(client, model, "reproductions")
    assert "<html" not in waiting
    assert "Queued" in waiting
    assert 'hx-trigger="every 1s"' in waiting
    assert "Reproduce for at most" not in waiting  # one at a time
    again = Reproduction.objects.get()
    chunks.run_turn()
    reproductions.compare_reproduction(str(again.pk))
    job = text(client.get(again.job.get_absolute_url()))
    assert f'href="{model.get_absolute_url()}#reproductions"' in job
    done = part(client, model, "reproductions")
    assert "Reproduced once, last today: identical." in done
    assert "hx-trigger" not in done


def test_a_reproduction_that_differs_says_what(client, alice, model):
    again = training.reproduce_model(actor=alice, model=model)
    Job.objects.filter(pk=again.job_id).update(seed=99)
    chunks.run_turn()
    reproductions.compare_reproduction(str(again.pk))
    client.force_login(alice)
    found = part(client, model, "reproductions")
    assert "different" in found
    assert "weights:" in found
    assert "curves:" in found


def test_too_few_credits_are_said_and_nothing_is_queued(client, alice, model):
    billing.hold(
        owner=alice,
        amount_microcredits=billing.available_microcredits(alice),
        key="all of it",
        reason="spent elsewhere",
    )
    client.force_login(alice)
    answer = client.post(reverse("training:reproduce_model", args=[model.pk]))
    assert answer.status_code == 409
    assert "credits" in text(answer)
    assert not Reproduction.objects.exists()


def test_alice_has_a_file_made_and_takes_it_home(client, alice, model):
    client.force_login(alice)
    answer = client.post(reverse("training:export_model", args=[model.pk]), {"kind": "wasm"})
    assert answer.url == f"{model.get_absolute_url()}#files"
    assert 'hx-trigger="every 1s"' in part(client, model, "files")
    export = Export.objects.get()
    exports.make_export(str(export.pk))
    export.refresh_from_db()
    files = part(client, model, "files")
    assert export.sha256 in files
    assert "clean" in files
    assert "hx-trigger" not in files
    taken = client.get(reverse("training:model_file", args=[model.pk, "wasm"]))
    content = b"".join(taken.streaming_content)
    assert hashlib.sha256(content).hexdigest() == export.sha256
    assert taken["Content-Length"] == str(len(content))
    assert taken["Content-Disposition"].startswith('attachment; filename="handwritten-digits')
    assert taken["Content-Disposition"].endswith('.wasm"')
    assert taken["X-Content-Type-Options"] == "nosniff"
    assert taken["ETag"] == f'"{export.sha256}"'


def test_the_file_comes_in_parts_from_the_server_that_people_use(alice, model):
    client = AsyncClient()

    async def take() -> list[bytes]:
        await client.aforce_login(alice)
        response = await client.get(f"/models/{model.pk}/files/safetensors")
        return [piece async for piece in response.streaming_content]

    pieces = async_to_sync(take)()
    assert hashlib.sha256(b"".join(pieces)).hexdigest() == model.sha256


def test_a_kind_that_is_none_is_not_found(client, alice, model):
    client.force_login(alice)
    answer = client.post(reverse("training:export_model", args=[model.pk]), {"kind": "pkl"})
    assert answer.status_code == 404
    assert "onnx, wasm can." in text(answer)
    assert client.get(f"/models/{model.pk}/files/onnx").status_code == 409


def test_alice_takes_the_card_and_the_bill_home(client, alice, model):
    client.force_login(alice)
    card = client.get(reverse("training:model_card", args=[model.pk]))
    assert card["Content-Type"] == "text/markdown; charset=utf-8"
    assert text(card).startswith("---\n")
    bill = client.get(reverse("training:model_bill", args=[model.pk]))
    assert json.loads(text(bill))["specVersion"] == "1.6"
    for answer in (card, bill):
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_file_that_cannot_be_read_leaves_the_rest_of_the_page(client, alice, model):
    blobs.delete(model.sha256)
    client.force_login(alice)
    page = text(client.get(model.get_absolute_url()))
    assert "cannot be read at present" in page
    assert "Provenance" in page
    assert client.get(reverse("training:model_card", args=[model.pk])).status_code == 503
    assert client.get(f"/models/{model.pk}/files/safetensors").status_code == 503


PATHS = ("", "files/safetensors", "card.md", "bom.json")
ACTS = ("reproduce/", "exports/", "validate/")


def test_mallory_and_visitors_find_nothing(client, model, mallory):
    for path in PATHS:
        assert client.get(f"/models/{model.pk}/{path}").url.startswith("/account/login/")
    client.force_login(mallory)
    for path in PATHS:
        assert client.get(f"/models/{model.pk}/{path}").status_code == 404, path
    for path in ACTS:
        assert client.post(f"/models/{model.pk}/{path}", {"kind": "onnx"}).status_code == 404, path
        assert client.get(f"/models/{model.pk}/{path}").url == "../", path
    assert not Reproduction.objects.exists()
    assert not Export.objects.exists()


# The JSON door


@pytest.fixture
def ask(client, alice):
    def call(method: str, path: str, user=alice, **headers):
        _, secret = governance.create_api_key(owner=user, name="t", scopes=list(Scope))
        headers = {"Authorization": f"Bearer {secret}"} | headers
        address = f"/api/v1/models/{path}"
        return client.generic(method, address, content_type="application/json", headers=headers)

    return call


def test_the_api_tells_figures_files_receipt_and_lineage(ask, model, digits):
    found = ask("GET", str(model.pk)).json()
    assert found["receipt"]["dataset_sha256"] == digits.sha256
    assert found["receipt"]["weights_sha256"] == model.weights_sha256
    assert found["receipt"]["config"] == model.job.config
    assert found["files"][0]["sha256"] == model.sha256
    assert found["lineage"]["job"] == str(model.job_id)
    assert found["lineage"]["dataset"] == "digits"
    assert found["lineage"]["children"] == []
    assert found["signature"] == {
        "inputs": [{"name": "picture", "kind": "8 × 8 pixels", "values": []}],
        "outputs": [
            {
                "name": "class",
                "kind": "one of 10, with the probability of each",
                "values": list("0123456789"),
            }
        ],
    }


def test_the_api_reproduces_once_per_key(ask, model):
    first = ask("POST", f"{model.pk}/reproductions", **{"Idempotency-Key": "once"})
    assert first.status_code == 202
    again = Reproduction.objects.get()
    assert first.json()["job_id"] == str(again.job_id)
    chunks.run_turn()
    reproductions.compare_reproduction(str(again.pk))
    second = ask("POST", f"{model.pk}/reproductions", **{"Idempotency-Key": "once"})
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Reproduction.objects.count() == 1
    (found,) = ask("GET", f"{model.pk}/reproductions").json()["reproductions"]
    assert found["is_identical"] is True
    assert found["differences"] == []


def test_the_api_gives_card_and_bill(ask, model):
    assert ask("GET", f"{model.pk}/card").content.startswith(b"---\n")
    assert ask("GET", f"{model.pk}/bom").json()["bomFormat"] == "CycloneDX"


def test_the_api_hides_alices_model_from_mallory(ask, model, mallory):
    for path in ("", "/card", "/bom", "/reproductions"):
        assert ask("GET", f"{model.pk}{path}", user=mallory).status_code == 404, path
    assert ask("POST", f"{model.pk}/reproductions", user=mallory).status_code == 404
