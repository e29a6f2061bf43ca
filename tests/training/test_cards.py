"""Cards and bills of materials say what was measured, in words that nobody could slip in."""

import json
import uuid

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.conftest import SMALL
from training import services as training
from training.models import Export, Model, Tier
from training.runner import chunks, exports, reproductions


@pytest.fixture
def model(trained):
    """Few tests here read a figure of it: those ask for `measured`."""
    return trained


def head_of(card: str) -> dict:
    _, head, body = card.split("---\n", 2)
    assert body.strip()
    return yaml.safe_load(head)


@pytest.mark.usefixtures("measured")
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


@pytest.mark.usefixtures("measured")
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
    chunks.run_job(str(job.pk))
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
    chunks.run_job(str(again.job_id))
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
    chunks.run_job(str(job.pk))
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


@pytest.mark.usefixtures("measured")
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
