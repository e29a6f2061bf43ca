"""Cards and bills of materials say what was measured, in words that nobody could slip in."""

import json
import uuid

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from django.urls import reverse

from governance.models import AuditEntry
from kernels import modelfile, tensors
from marketplace import services as marketplace
from tests.conftest import CARD, SMALL
from tests.training.test_reproduce import without_walls
from training import services as training
from training.models import Category, Export, Model, Tier
from training.runner import blobs, chunks, exports, reproductions
from training.templatetags.measured import next_level

pytestmark = pytest.mark.usefixtures("shared_training")


def head_of(card: str) -> dict:
    _, head, body = card.split("---\n", 2)
    assert body.strip()
    return yaml.safe_load(head)


def test_the_head_says_what_the_validation_measured(model, digits):
    measured = model.validations.done().first()
    head = head_of(training.write_card(model=model))
    (index,) = head["model-index"]
    (result,) = index["results"]
    found = {metric["type"]: metric for metric in result["metrics"]}
    assert found["accuracy"]["value"] == measured.accuracy
    assert all(metric["verified"] is True for metric in result["metrics"])
    assert result["dataset"]["revision"] == digits.sha256
    assert str(measured.pk) in result["source"]["name"]
    assert head["datasets"] == ["digits"]
    assert "base_model" not in head
    assert set(head) >= {"license", "library_name", "pipeline_tag", "tags"}


def test_the_body_has_what_a_reader_looks_for(model, digits):
    card = training.write_card(model=model)
    for title in ("Intended use", "Limits", "Training data", "Evaluation", "How to reproduce"):
        assert f"\n## {title}\n" in card
    assert f"python manage.py reproduce {model.pk}" in card
    assert model.weights_sha256 in card
    assert digits.sha256 in card
    assert "| accuracy | 0.9" in card
    assert "Not made again yet" in card


def test_the_same_model_has_the_same_card_and_bill(model):
    assert training.write_card(model=model) == training.write_card(model=model)
    assert training.write_bill(model=model) == training.write_bill(model=model)


def test_a_model_that_nobody_measured_says_so(job):
    chunks.run_turn()
    model = Model.objects.get(job=job)
    card = training.write_card(model=model)
    assert "model-index" not in head_of(card)
    assert "Not measured yet" in card
    assert "nothing is known of how good it is" in card
    bill = json.loads(training.write_bill(model=model))
    card = bill["metadata"]["component"]["modelCard"]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == []


def test_what_was_made_again_stands_on_the_card(alice, model):
    again = training.reproduce_model(actor=alice, model=model)
    chunks.run_turn()
    reproductions.compare_reproduction(str(again.pk))
    assert "Made again 1 times, 1 identical" in training.write_card(model=model)


@pytest.mark.parametrize(
    "name",
    [
        "# Not a title",
        "a | b | c",
        "<script>alert(1)</script>",
        "--- \u2028 license: mit",
        "[click](javascript:alert(1))",
        "'quotes': \"and\": {braces}",
    ],
)
def test_mallorys_name_is_nothing_but_letters(mallory, digits, name):
    if not name.isprintable():
        name = name.replace("\u2028", " ")
    job = training.submit_job(
        owner=mallory, dataset=digits, config=SMALL, tier=Tier.NANO, name=name
    )
    chunks.run_turn()
    model = Model.objects.get(job=job)
    card = training.write_card(model=model)
    assert "license: mit" not in card.split("---\n", 2)[1]
    head = head_of(card)
    assert head["license"] == "other"
    body = card.split("---\n", 2)[2]
    title = body.strip().splitlines()[0]
    assert title.startswith("# ")
    for special in "|<>[]{}`":
        for at, letter in enumerate(title):
            assert letter != special or title[at - 1] == "\\"
    bill = training.write_bill(model=model)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None


# Bills of materials


def test_the_bill_is_valid_and_names_every_part_by_its_hash(alice, model, digits):
    export = training.export_model(actor=alice, model=model, kind=Export.Kind.WASM)
    exports.make_export(str(export.pk))
    export.refresh_from_db()
    text = training.write_bill(model=model)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    made = bill["metadata"]["component"]
    assert made["type"] == "machine-learning-model"
    assert made["hashes"] == [{"alg": "SHA-256", "content": model.sha256}]
    hashes = {one["bom-ref"]: one["hashes"][0]["content"] for one in bill["components"]}
    assert hashes[f"dataset/{digits.pk}"] == digits.sha256
    assert hashes["kernel"] == model.kernel_hash
    assert hashes["file/wasm"] == export.sha256
    (data,) = [one for one in bill["components"] if one["type"] == "data"]
    assert data["licenses"] == [{"license": {"name": "CC BY 4.0"}}]
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert set(needs[made["bom-ref"]]) == {f"dataset/{digits.pk}", "kernel"}
    assert uuid.UUID(bill["serialNumber"].removeprefix("urn:uuid:"))


def test_the_bill_carries_the_figures_and_the_way_to_make_it_again(model):
    made = json.loads(training.write_bill(model=model))["metadata"]["component"]
    measured = model.validations.done().first()
    analysis = made["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    figures = {one["type"]: float(one["value"]) for one in analysis}
    assert figures["accuracy"] == measured.accuracy
    told = {one["name"].rpartition(":")[2]: one["value"] for one in made["properties"]}
    assert told["weights_sha256"] == model.weights_sha256
    assert told["seed"] == str(model.job.seed)
    assert str(model.pk) in told["command"]


# What the owner says


def test_mallory_cannot_write_the_card_of_alices_model(mallory, model):
    with pytest.raises(training.NotOwner):
        training.document_model(actor=mallory, model=model, **CARD)
    assert training.card_of(model=model).limits == CARD["limits"]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"licence": "WTFPL"}, "licence: 'WTFPL' is none of Apache-2.0"),
        ({"licence": "other"}, "licence_terms: are empty"),
        ({"licence": "MIT", "licence_terms": "but not on Mondays"}, "licence_terms: are for"),
        ({"licence": "MIT", "limits": "x" * 2_001}, "limits: has 2,001 characters"),
        ({"licence": "MIT", "ethics": "a\0b"}, "ethics: must be text"),
    ],
)
def test_alice_is_told_what_makes_no_card_and_nothing_is_stored(alice, model, said, named):
    with pytest.raises(training.InvalidCard, match=named):
        training.document_model(actor=alice, model=model, **said)
    assert training.card_of(model=model).licence == "Apache-2.0"


def test_what_alice_says_stands_quoted_in_card_and_bill(alice, model):
    words = {"intended_use": "Sums.\nNot for [exams](http://x).", "limits": "No letters."}
    training.document_model(
        actor=alice, model=model, licence="other", licence_terms="Ask me.", ethics="Look.", **words
    )
    card = training.write_card(model=model)
    head = head_of(card)
    assert (head["license"], head["license_name"]) == ("other", "own-terms")
    for line in (
        "> Ask me.",
        "> Sums.",
        r"> Not for \[exams\](http://x).",
        "> No letters.",
        "> Look.",
    ):
        assert f"\n{line}\n" in card
    text = training.write_bill(model=model)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    made = json.loads(text)["metadata"]["component"]
    assert made["licenses"][0]["license"]["text"]["content"] == "Ask me."
    considered = made["modelCard"]["considerations"]
    assert considered["useCases"][0] == words["intended_use"]
    assert considered["ethicalConsiderations"] == [{"name": "Look."}]


def test_a_licence_that_spdx_lists_is_named_by_its_id(model):
    assert head_of(training.write_card(model=model))["license"] == "apache-2.0"
    made = json.loads(training.write_bill(model=model))["metadata"]["component"]
    assert made["licenses"] == [{"license": {"id": "Apache-2.0"}}]


def test_alice_keeps_the_licence_she_published_under(alice, model, template):
    with pytest.raises(training.LicenceFixed, match="was published under Apache 2.0"):
        training.document_model(actor=alice, model=model, **CARD | {"licence": "MIT"})
    training.document_model(actor=alice, model=model, **CARD | {"limits": "Nor words."})
    assert training.card_of(model=model).limits == "Nor words."
    entry = AuditEntry.objects.filter(verb="document_model").latest("id")
    assert entry.details["changed"] == ["limits"]


def test_alice_reads_what_is_missing_before_she_can_submit(client, alice, model):
    training.document_model(actor=alice, model=model, licence="", limits="No letters.")
    client.force_login(alice)
    template = marketplace.start_template(owner=alice, model=model)
    marketplace.describe_template(
        actor=alice,
        template=template,
        name="n",
        summary="",
        description="d",
        category=Category.VISION,
    )
    address = reverse("marketplace:draft_step", args=[template.slug, "submit"])
    page = client.get(address).content.decode()
    assert "3 things are missing" in page
    assert "It has no licence." in page
    assert "Its card has no intended use." in page
    assert "no limits" not in page
    assert f'href="/templates/{template.slug}/draft/card/#id_ethics"' in page
    sent = {"publishes_at_once": "yes", "action": "submit"}
    assert "It has no licence." in client.post(address, sent).content.decode()
    said = client.post(reverse("training:document_model", args=[model.pk]), CARD)
    assert said.url == f"{model.get_absolute_url()}#card"
    assert "Nothing stands before it" in client.get(address).content.decode()


def test_alices_words_are_kept_when_something_in_the_form_is_wrong(client, alice, model):
    client.force_login(alice)
    asked = CARD | {"licence": "other", "limits": "My new limits"}
    page = client.post(reverse("training:document_model", args=[model.pk]), asked)
    assert page.status_code == 200
    assert "are empty; write under which terms" in page.content.decode()
    assert "My new limits" in page.content.decode()
    assert training.card_of(model=model).limits == CARD["limits"]


def test_the_certificate_says_what_keeps_a_model_from_the_next_level(model):
    validation = model.validations.done()[0]
    assert next_level(validation) == "There is no higher level."
    certificate = validation.report["certificate"]
    part = next(each for each in certificate["thresholds"] if each["name"] == "accuracy")
    part |= {"value": 0.68, "share": 0.8, "is_met": False}
    validation.score = 0.92
    assert next_level(validation) == (
        "To platinum 0.030 is missing. Accuracy is 0.68 where 0.85 is asked, which costs 0.080."
    )


def test_a_damaged_graph_is_our_fault_and_said_so_at_every_door(client, trained):
    """Its bytes are those that were stored, and they are no network."""
    loaded = modelfile.load(blobs.get(trained.sha256))
    texts = tensors.read(modelfile.dump(loaded))[1] | {"graph": '{"nodes": []}'}
    with without_walls():
        Model.objects.filter(pk=trained.pk).update(
            sha256=blobs.put(tensors.write(loaded.arrays, texts))
        )
    client.force_login(trained.owner)
    for address in (f"/models/{trained.pk}/card.md", f"/models/{trained.pk}/bom.json"):
        answer = client.get(address)
        assert answer.status_code == 503
        assert "cannot be read at present. Nothing was charged" in answer.content.decode()
    answer = client.get(f"/api/v1/models/{trained.pk}/bom")
    assert (answer.status_code, answer.json()["code"]) == (503, "file_unreadable")
    page = client.get(trained.get_absolute_url())
    assert page.status_code == 200
    assert "cannot be read at present" in page.content.decode()
