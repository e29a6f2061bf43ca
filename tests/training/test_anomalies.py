"""Whose rows are usual, who learns from them alone, and how an autoencoder is judged."""

import io

import numpy as np
import pytest

from kernels import modelfile
from kernels.predictor import Predictor
from training import services as training
from training.models import Dataset, Model, Tier
from training.runner import anomalies, blobs, chunks, datasets, validations, walls
from training.runner.learners import current_module
from training.runner.rows import Part, unpack

pytestmark = pytest.mark.usefixtures("in_this_process")

CODE = {
    "architecture": {
        "type": "autoencoder",
        "layers": [
            {"type": "dense", "units": 6, "activation": "tanh"},
            {"type": "dense", "units": 1},
        ],
    },
    "training": {"epochs": 60, "batch_size": 16, "learning_rate": 0.01, "optimizer": "adam"},
}


def measurements(usual: str, odd: str, *, share: float = 0.2, rows: int = 300) -> bytes:
    """What is usual lies near a line; what is odd, as far from the middle, but beside it."""
    rng = np.random.default_rng(5)
    lines = ["length,width,height,kind"]
    for number in range(rows):
        is_odd = number < share * rows
        along, off = rng.normal(0, 1), rng.normal(0, 0.05, 3)
        x, y, z = np.array([1, -1, 1] if is_odd else [1, 1, 1]) * along + off
        lines.append(f"{x:.4f},{y:.4f},{z:.4f},{odd if is_odd else usual}")
    return "\n".join(lines).encode()


def read(dataset: Dataset) -> Dataset:
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    assert dataset.status == "done", dataset.error_message
    return dataset


def brought(alice, content: bytes) -> Dataset:
    return read(
        training.upload_dataset(owner=alice, file=io.BytesIO(content), file_name="traffic.csv")
    )


def trained(alice, dataset, config=CODE) -> Model:
    job = training.submit_job(owner=alice, dataset=dataset, config=config, tier=Tier.NANO)
    while not job.is_over:
        chunks.run_turn()
        job.refresh_from_db()
    assert job.status == "done", job.error_message
    return job.model


def measured(model):
    validation = model.validations.get()
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    assert validation.status == "done", validation.error_message
    return validation


@pytest.mark.parametrize(("usual", "odd"), [("normal", "attack"), ("ok", "a_bad"), ("a", "b")])
def test_alices_anomalies_are_the_rarer_rows_whatever_they_are_called(alice, usual, odd):
    """By the alphabet, half of these would have had the network learn what is odd."""
    dataset = brought(alice, measurements(usual, odd))
    assert dataset.recipe["usual"] == usual
    model = trained(alice, dataset)
    said = [event.message for event in model.job.events.all()]
    assert f"Learns only from rows of “{usual}”, the usual class." in said
    found = measured(model)
    assert found.report["judged"] == "anomalies"
    assert found.report["usual"] == usual
    assert found.metrics["pr_auc"]["value"] > 0.9 > 2 * found.metrics["pr_auc"]["baseline"]
    assert found.report["share_of_anomalies"] == pytest.approx(0.2, abs=0.02)


def test_an_autoencoder_learns_from_usual_rows_alone_and_its_threshold_is_of_them(alice):
    dataset = brought(alice, measurements("normal", "attack"))
    model = trained(alice, dataset)
    rows = unpack(blobs.get(dataset.sha256))
    is_usual = rows.targets == dataset.classes.index("normal")
    learned = is_usual & (rows.parts == Part.TRAIN)
    assert learned.sum() < dataset.train_rows
    assert model.job.steps_total == 60 * (learned.sum() // 16)
    file = modelfile.load(blobs.get(model.sha256))
    np.testing.assert_allclose(
        file.arrays["input.mean"], rows.features[learned].mean(axis=0), atol=1e-5
    )
    predictor = Predictor(
        blobs.get(model.sha256), module=current_module(model.job), limits=walls.PREDICTION
    )
    validated = rows.features[is_usual & (rows.parts == Part.VALIDATION)]
    assert len(validated) < dataset.validation_rows
    scores = anomalies.scores(file, validated, predictor.predict(validated))
    assert file.signature.recipe["threshold"] == pytest.approx(np.quantile(scores, 0.95))


def test_alice_says_on_the_schema_page_which_class_is_usual(client, alice):
    """Of her logs, most are of attacks."""
    dataset = brought(alice, measurements("attack", "normal"))
    assert dataset.recipe["usual"] == "attack"
    client.force_login(alice)
    address = f"{dataset.get_absolute_url()}schema/"
    page = client.get(address)
    form = page.context["form"]
    assert "Usual class" in page.content.decode()
    values = {name: form.initial.get(name, "") for name in form.fields}
    values = {name: value for name, value in values.items() if value is not False}
    answer = client.post(address, values | {"usual": "normal"})
    assert answer.status_code == 302, answer.context["form"].errors
    read(dataset)
    assert dataset.recipe["usual"] == "normal"
    assert "“normal” is the usual class" in client.get(dataset.get_absolute_url()).content.decode()
    assert client.post(address, values | {"usual": ""}).status_code == 302
    assert read(dataset).recipe["usual"] == ""
    other = {"role_3": "ignored", "role_2": "target", "usual": "normal"}
    assert client.post(address, values | other).status_code == 302
    assert "usual" not in read(dataset).recipe


def test_a_usual_class_that_is_none_is_refused_with_those_that_are(alice):
    dataset = brought(alice, measurements("normal", "attack"))
    recipe = dataset.recipe | {"usual": "Normal"}
    with pytest.raises(training.InvalidSchema, match="none of the classes; they are: attack, norm"):
        training.correct_schema(actor=alice, dataset=dataset, recipe=recipe, split=dataset.split)


def test_where_no_class_is_usual_an_autoencoder_is_judged_by_what_it_gives_back(client, alice):
    """Three kinds, none of which is most of the rows; nothing is an anomaly there."""
    halves = measurements("a", "b", share=0.45).decode().split("\n")
    halves[-40:] = [line[:-1] + "c" for line in halves[-40:]]
    dataset = brought(alice, "\n".join(halves).encode())
    assert "usual" not in dataset.recipe
    found = measured(trained(alice, dataset))
    assert found.report["judged"] == "reconstructions"
    assert set(found.metrics) == {"reconstruction_error"}
    errors = found.report["reconstruction_errors"]
    assert set(errors) == {"model", "the mean row", "1 principal component"}
    assert errors["the mean row"] == pytest.approx(1, abs=0.3)
    figure = found.metrics["reconstruction_error"]
    assert figure["baseline"] == min(errors["the mean row"], errors["1 principal component"])
    assert figure["low"] < figure["value"] < figure["high"]
    client.force_login(alice)
    page = client.get(found.model.get_absolute_url()).content.decode()
    assert "share of the variance lost" in page


def test_rows_without_a_target_have_no_anomalies_to_find(alice):
    """No label says which row is odd, so no figure pretends to know it."""
    lines = measurements("x", "y").decode().split("\n")
    dataset = brought(alice, "\n".join(line.rsplit(",", 1)[0] for line in lines).encode())
    columns = [column | {"role": "feature"} for column in dataset.recipe["columns"]]
    split = training.DEFAULT_SPLIT
    recipe = {"kind": "table", "columns": columns}
    dataset = read(
        training.correct_schema(actor=alice, dataset=dataset, recipe=recipe, split=split)
    )
    model = trained(alice, dataset)
    found = measured(model)
    assert (model.job.steps_total, found.rows) == (60 * (dataset.train_rows // 16), 45)
    assert found.report["judged"] == "reconstructions"
    assert training.predict(model=model, rows=[[9.0, -9.0, 0.0]])[0].is_anomaly


def test_alice_has_no_anomalies_where_every_test_row_is_usual(alice):
    dataset = brought(alice, measurements("normal", "attack", share=0.02, rows=60))
    model = trained(alice, dataset)
    validation = model.validations.get()
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    assert validation.status == "failed"
    assert "every test row is usual" in validation.error_message
    assert "The usual class is “normal” (recipe.usual)" in validation.error_message
