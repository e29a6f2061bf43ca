"""What models of every category may be asked, and what they answer."""

import copy
import math

import numpy as np
import pytest

from kernels.exchange import wasm
from training import services as training
from training.models import Dataset, Export, Model
from training.runner import blobs, chunks, datasets, exports
from training.runner.answers import QuestionRefused, examples_asked, rows_in, texts_asked
from training.runner.recipes import Recipe
from training.runner.rows import Part, unpack
from training.runner.tokenizers import RESERVED
from training.services.presets import ALL

BY_NAME = {preset.name: preset for preset in ALL}


def model_of(owner, name, *, epochs=3):
    """A model of a preset that was trained a little: it answers, but not well."""
    preset = BY_NAME[name]
    dataset = training.add_bundled_dataset(slug=preset.dataset)
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    config = copy.deepcopy(preset.config)
    config["training"]["epochs"] = epochs
    job = training.submit_job(owner=owner, dataset=dataset, config=config, tier=preset.tier)
    finish(job)
    return Model.objects.select_related("job__dataset").get(job=job)


def finish(job):
    """Work until it is over: a busy machine takes more than one chunk."""
    while not job.is_over:
        chunks.run_turn()
        job.refresh_from_db()


def rows_of_test(model):
    return unpack(blobs.get(model.job.dataset.sha256)).only(Part.TEST)


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "python-docs"])
def test_the_example_of_every_preset_is_answered_as_it_stands(alice, name):
    model = model_of(alice, name, epochs=1)
    question = training.example_question(model=model, viewer=alice)
    answers = training.predict(model=model, rows=question)
    kind = training.prediction_kind(model=model)
    assert {answer.kind for answer in answers} == {kind}
    assert all(answer.to_json() for answer in answers)
    assert training.predict(model=model, rows=question) == answers


def test_a_sentence_of_which_nothing_was_ever_seen_gets_no_answer(alice):
    model = model_of(alice, "languages", epochs=1)
    for text in ("", "  ", "Ϡϡϻ"):
        with pytest.raises(
            training.InvalidRows, match=r"input_data\[0\].sentence: must begin with"
        ):
            training.predict(model=model, rows={"sentence": text})


def test_an_example_is_found_once_and_not_at_each_look(alice, mallory):
    model = model_of(alice, "iris", epochs=1)
    Dataset.objects.filter(pk=model.job.dataset_id).update(owner=alice)
    model.job.dataset.refresh_from_db()
    first = {
        viewer: training.example_question(model=model, viewer=viewer)
        for viewer in (alice, mallory, None)
    }
    content = blobs.get(model.job.dataset.sha256)
    blobs.delete(model.job.dataset.sha256)
    try:
        for viewer, question in first.items():
            assert training.example_question(model=model, viewer=viewer) == question
    finally:
        blobs.put(content)
    assert first[mallory] == first[None] != first[alice]


def test_a_flower_may_be_described_by_name_or_in_order(alice):
    model = model_of(alice, "iris")
    by_name = {
        "sepal length (cm)": 5.1,
        "sepal width (cm)": 3.5,
        "petal length (cm)": 1.4,
        "petal width (cm)": 0.2,
    }
    in_order = list(by_name.values())
    found = training.predict(model=model, rows=[by_name, in_order])
    assert found[0] == found[1] == training.predict(model=model, rows=by_name)[0]
    assert set(found[0].probabilities) == {"setosa", "versicolor", "virginica"}
    with pytest.raises(
        training.InvalidRows, match=r"input_data\[0\].petal: is not known \(known: sepal"
    ):
        training.predict(model=model, rows={"petal": 3})


def test_a_number_is_foretold_in_its_own_unit(alice):
    model = model_of(alice, "diabetes", epochs=30)
    rows = rows_of_test(model)
    found = training.predict(model=model, rows=rows.features.tolist())
    values = np.array([answer.values["progression"] for answer in found])
    assert abs(values.mean() - rows.targets.mean()) < 20
    assert found[0].to_json() == {"values": found[0].values}


def test_a_forecast_has_a_value_for_each_week_of_the_horizon(alice):
    model = model_of(alice, "co2", epochs=20)
    rows = rows_of_test(model)
    history = rows.features[0].reshape(-1).tolist()
    flat, named, nested, longer = training.predict(
        model=model,
        rows=[history, {"co2": history}, [[value] for value in history], [300.0, *history]],
    )
    assert flat == named == nested == longer
    assert list(flat.values) == [f"co2 t+{week}" for week in range(1, 14)]
    assert np.abs(np.array(list(flat.values.values())) - rows.targets[0]).max() < 5
    with pytest.raises(training.InvalidRows, match="must be at least 52 steps, not 51"):
        training.predict(model=model, rows=[history[1:]])


def test_a_sentence_is_told_its_language(alice):
    model = model_of(alice, "languages", epochs=10)
    sentences = ["Das Passwort muss geändert werden.", "Il faut changer le mot de passe."]
    german, french = training.predict(model=model, rows=sentences)
    assert (german.label, french.label) == ("German", "French")
    assert training.predict(model=model, rows=sentences[0]) == [german]
    assert training.predict(model=model, rows={"sentence": sentences[0]}) == [german]


def test_what_is_unlike_the_usual_is_flagged_by_the_threshold_of_the_validation_rows(alice):
    model = model_of(alice, "breast-cancer-anomalies", epochs=150)
    rows = unpack(blobs.get(model.job.dataset.sha256))
    usual = rows.only(Part.VALIDATION)
    found = training.predict(model=model, rows=usual.features.tolist())
    flagged = sum(answer.is_anomaly for answer in found)
    assert flagged == math.ceil(0.05 * len(usual)) == 3
    assert len({answer.threshold for answer in found}) == 1
    far = (usual.features[0] * 100).tolist()
    assert training.predict(model=model, rows=[far])[0].is_anomaly


@pytest.mark.parametrize("name", ["digits-vae", "digits-gan"])
def test_samples_are_those_of_their_seed(alice, name):
    model = model_of(alice, name)
    first = training.predict(model=model, rows={"count": 5, "seed": 7})
    assert len(first) == 5
    assert all(len(answer.sample) == 64 for answer in first)
    described = training.describe_model(model=model)
    assert [field.name for field in described.inputs] == ["count", "seed"]
    assert [(field.name, field.kind) for field in described.outputs] == [("sample", "64 numbers")]
    assert training.predict(model=model, rows={"count": 3, "seed": 7}) == first[:3]
    assert training.predict(model=model, rows={"count": 5, "seed": 8}) != first
    taken_home = exports.converted(blobs.get(model.sha256), Export.Kind.WASM)
    assert [each["name"] for each in wasm.read(taken_home)["inputs"]] == ["latent"]
    for question, reason in (
        ({"count": 0}, "input_data.count: must be from 1 to 1,000, not 0"),
        ({"seed": -1}, "input_data.seed: must be from 0"),
        ({"rows": 3}, "input_data.rows: is not known here"),
        ([1.0] * 64, "input_data: must be an object with count and seed, not 1.0"),
        (
            [{"count": 999}, {}, {}],
            "input_data.count: 3 questions ask for 1,001 examples in all; at most 1,000",
        ),
    ):
        with pytest.raises(training.InvalidRows, match=reason):
            training.predict(model=model, rows=question)


def test_a_text_goes_on_the_same_way_from_the_same_seed(alice):
    # one epoch takes a few seconds; a smaller network of the same kind does not
    preset = BY_NAME["python-docs"]
    dataset = training.add_bundled_dataset(slug=preset.dataset)
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    layers = [
        {"type": "embedding", "vocab_size": 128, "embed_dim": 8},
        {"type": "lstm", "units": 8, "return_sequences": True},
    ]
    config = {
        "architecture": {"type": "lstm", "layers": layers},
        "training": preset.config["training"] | {"epochs": 1},
    }
    job = training.submit_job(owner=alice, dataset=dataset, config=config, tier="mini")
    finish(job)
    model = Model.objects.get(job=job)
    asked = {"text": "The statement ", "length": 20, "seed": 3}
    described = training.describe_model(model=model)
    assert [field.name for field in described.inputs] == [
        "text",
        "length",
        "temperature",
        "top_k",
        "seed",
    ]
    assert described.inputs[1].kind == "whole number, 1 to 400"
    answer = training.predict(model=model, rows=asked)[0]
    assert (answer.prompt, len(answer.text)) == ("The statement ", 20)
    assert training.predict(model=model, rows=[asked, "The"])[0] == answer
    for question, reason in (
        ({"text": ""}, "input_data.text: must be a text to go on from"),
        ({"text": "x", "length": 401}, "input_data.length: must be from 1 to 400, not 401"),
        ({"text": "x", "temperature": -1}, "input_data.temperature: must be from 0"),
        (7, "input_data: must be an object with text, length, temperature, top_k and seed, not 7"),
        (["x", "x", "x"], "input_data.length: 3 questions ask for 600 tokens in all; at most 400"),
    ):
        with pytest.raises(training.InvalidRows, match=reason):
            training.predict(model=model, rows=question)


def test_a_list_is_a_row_or_several_as_its_recipe_says():
    pictures = Recipe.from_json(
        {
            "kind": "images",
            "columns": [{"name": "picture", "kind": "image"}],
            "height": 2,
            "width": 2,
            "channels": 1,
        }
    )
    nested = [[[1], [2]], [[3], [4]]]
    assert rows_in(nested, pictures) == [nested]
    assert rows_in([nested, nested], pictures) == [nested, nested]
    assert rows_in([1, 2, 3, 4], pictures) == [[1, 2, 3, 4]]
    assert rows_in([[1, 2, 3, 4]], pictures) == [[1, 2, 3, 4]]
    assert rows_in({"picture": nested}, pictures) == [{"picture": nested}]


def test_mallory_asks_no_more_of_one_call_by_many_questions():
    text = Recipe.from_json(
        {
            "kind": "text",
            "columns": [{"name": "text", "kind": "text"}],
            "tokenizer": "characters",
            "steps": 8,
            "vocabulary": [*RESERVED, "a"],
        }
    )
    assert len(texts_asked(text, [{"text": "a", "length": 4}] * 100)) == 100
    assert len(examples_asked([{"count": 1}] * 1000)) == 1000
    for asked, reason in (
        (lambda: texts_asked(text, [{"text": "a", "length": 400}] * 1000), "400,000 tokens in all"),
        (lambda: examples_asked([{"count": 1000}] * 1000), "1,000,000 examples in all"),
    ):
        with pytest.raises(QuestionRefused, match=f"1,000 questions ask for {reason}; at most"):
            asked()
