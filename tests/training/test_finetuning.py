"""Fine-tuning: alice trains a model further, and whose weights it began from can be proved."""

import copy
import io
import json
import re
from datetime import date, timedelta

import pytest

from kernels import modelfile
from tests.training.test_studio import Visitor, at
from training import services as training
from training.models import Dataset, Job, Model, Tier
from training.runner import blobs, chunks, datasets, validations
from training.runner.rows import Part, unpack


@pytest.fixture
def model(trained):
    """Nothing here reads a figure of it."""
    return trained


def network_like(model, *, epochs=2, hidden=32, rate=0.001):
    config = copy.deepcopy(model.job.config)
    config["architecture"]["layers"][1]["params"]["size"] = hidden
    config["training"] |= {"epochs": epochs, "learning_rate": rate}
    return config


def tuned(alice, model, dataset, **changes):
    return training.submit_job(
        owner=alice,
        parent=model,
        dataset=dataset,
        config=network_like(model, **changes),
        tier=Tier.NANO,
        seed=9,
    )


def trained(job):
    while not job.is_over:
        chunks.run_turn()
        job.refresh_from_db()
    assert job.status == "done", job.error_message
    return Model.objects.get(job=job)


def log(job):
    return [event.message for event in job.events.all()]


def test_alice_trains_a_model_further_from_where_it_stood(alice, model, digits):
    """A model of 12 epochs has a loss after one more that a beginner has not."""
    job = tuned(alice, model, digits, epochs=1)
    assert (job.parent, job.repeats) == (model, None)
    assert job.name == f"{model.name}, fine-tuned"
    assert f"Begins from “{model.name}”: 4 of 4 weights are taken over." in log(job)
    child = trained(job)
    first = model.job.points.order_by("epoch")
    point = job.points.get()
    assert point.train_loss < 0.5 * first[0].train_loss
    assert point.validation_loss < 1.1 * first.last().validation_loss
    file = modelfile.load(blobs.get(child.sha256))
    assert file.provenance["parent_sha256"] == model.weights_sha256
    assert child.weights_sha256 != model.weights_sha256


def test_fine_tuning_twice_ends_in_the_same_bits_however_it_is_cut(alice, model, digits, settings):
    straight = trained(tuned(alice, model, digits))
    settings.TRAINING_CHUNK_SECONDS = 0
    cut_job = tuned(alice, model, digits)
    cut = trained(cut_job)
    assert cut_job.attempt > 1
    assert cut.weights_sha256 == straight.weights_sha256
    again = training.retrain_job(owner=alice, job=cut_job)
    assert (again.parent, again.seed) == (model, cut_job.seed + 1)


def test_layers_that_do_not_fit_are_drawn_anew_and_listed(alice, model, digits):
    config = network_like(model)
    config["architecture"]["layers"].insert(2, {"type": "hidden", "params": {"size": 24}})
    job = training.submit_job(
        owner=alice, parent=model, dataset=digits, config=config, tier=Tier.NANO, name="Deeper"
    )
    assert job.name == "Deeper"
    said = "Begins from “{}”: 2 of 6 weights are taken over; drawn anew, since they do not fit: {}."
    names = "dense1.weight, dense1.bias, dense2.weight, dense2.bias"
    assert said.format(model.name, names) in log(job)
    trained(job)


@pytest.fixture
def iris(db) -> Dataset:
    iris = training.add_bundled_dataset(slug="iris")
    datasets.prepare_dataset(str(iris.pk))
    iris.refresh_from_db()
    return iris


def test_a_network_with_nothing_to_share_is_refused_with_the_way_out(alice, model, iris):
    config = training.PRESETS["iris"]
    with pytest.raises(training.InvalidConfig, match="no weight has the name and shape") as refused:
        training.submit_job(owner=alice, parent=model, dataset=iris, config=config, tier=Tier.NANO)
    assert refused.value.invalid_parameters[0]["field"] == "architecture.layers"
    assert not Job.objects.filter(parent=model).exists()


def test_another_kind_of_network_is_refused_by_name(alice, model, digits):
    config = training.presets_of("digits")[1].config
    with pytest.raises(training.InvalidConfig, match="must be 'feedforward'") as refused:
        training.submit_job(
            owner=alice, parent=model, dataset=digits, config=config, tier=Tier.NANO
        )
    assert refused.value.invalid_parameters[0]["field"] == "architecture.type"


def test_mallory_may_not_train_alices_model_further(mallory, model, digits):
    with pytest.raises(training.NotOwner, match="Only the owner"):
        training.submit_job(
            owner=mallory,
            parent=model,
            dataset=digits,
            config=network_like(model),
            tier=Tier.NANO,
        )
    assert not Job.objects.filter(parent=model).exists()


# ------------------------------------------------------------------------------------- its pages


@pytest.fixture
def studio(client, alice, model) -> Visitor:
    """The studio, as alice comes to it from her model's page."""
    client.force_login(alice)
    found = client.get(model.get_absolute_url()).content.decode()
    (parent,) = re.findall(r'href="/jobs/new/\?parent=([^"]+)"', found)
    return Visitor(client, parent=parent)


def test_alice_goes_from_her_model_to_a_job_that_begins_there(client, studio, model):
    assert "Begins from the weights of" in studio.page
    assert "4 of 4 weights are taken over." in studio.page
    studio.press("start", **{"training.epochs": "1"})
    job = Job.objects.get(parent=model)
    assert studio.answer.url == job.get_absolute_url()
    assert (job.epochs, job.config["architecture"]) == (1, model.job.config["architecture"])
    assert (
        f'begins from <a href="{model.get_absolute_url()}"'
        in client.get(job.get_absolute_url()).content.decode()
    )


def test_while_alice_changes_a_layer_she_reads_what_is_drawn_anew(studio):
    studio.form.values[at(1, "size")] = "40"
    said = "1 of 4 weights are taken over; drawn anew, since they do not fit: dense0.weight"
    assert said in studio.type()


def test_a_parent_that_does_not_fit_is_refused_where_it_is_composed(studio, model):
    studio.press("start", config=json.dumps(training.presets_of("digits")[1].config))
    assert "must be &#x27;feedforward&#x27;" in studio.page
    assert not Job.objects.filter(parent=model).exists()


def test_mallory_finds_no_studio_for_alices_model(client, mallory, model):
    client.force_login(mallory)
    assert client.get("/jobs/new/", {"parent": str(model.pk)}).status_code == 404
    assert client.get("/jobs/new/", {"parent": "nonsense"}).status_code == 404


# ---------------------------------------------------------------------------------- through the API


def test_alices_program_trains_her_model_further(client, alice, mallory, model):
    client.force_login(alice)
    asked = {"config": network_like(model), "parent_model_id": str(model.pk)}
    answer = client.post("/api/v1/training-jobs", asked, content_type="application/json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["parent_model_id"] == str(model.pk)
    job = Job.objects.get(pk=answer.json()["job_id"])
    assert job.parent == model
    receipt = client.get(f"/api/v1/models/{trained(job).pk}").json()["receipt"]
    assert receipt["parent_weights_sha256"] == model.weights_sha256
    assert receipt["start_sha256"] is None
    client.force_login(mallory)
    answer = client.post("/api/v1/training-jobs", asked, content_type="application/json")
    assert answer.status_code == 404
    assert f"parent_model_id: '{model.pk}' is no model of yours" in answer.json()["detail"]


# ----------------------------------------------------- rows that test must not have trained before

FLOWERS = b"length,width,kind\n" + b"".join(
    f"{number / 10},{number * number % 17 / 3},{'ab'[number % 2]}\n".encode()
    for number in range(120)
)
KIND = {
    "kind": "table",
    "columns": [
        {"name": "length", "kind": "number"},
        {"name": "width", "kind": "number"},
        {"name": "kind", "kind": "category", "role": "target"},
    ],
}
SMALL = {
    "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 8}]},
    "training": {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "optimizer": "adam"},
}


def split(seed=0, kind="random", test=0.2):
    return {"kind": kind, "train": 0.8 - test, "validation": 0.2, "test": test, "seed": seed}


def read(dataset):
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    assert dataset.status == "done", dataset.error_message
    return dataset


def brought(alice, *, content=FLOWERS, recipe=KIND, **asked):
    """Flowers as alice brings them and says how they are split."""
    dataset = training.upload_dataset(
        owner=alice, file=io.BytesIO(content), file_name="flowers.csv", name="Flowers"
    )
    return corrected(alice, dataset=read(dataset), recipe=recipe, **asked)


def corrected(alice, *, dataset, recipe=KIND, **asked):
    return read(
        training.correct_schema(actor=alice, dataset=dataset, recipe=recipe, split=split(**asked))
    )


def begun(alice, dataset, *, config=SMALL):
    return trained(training.submit_job(owner=alice, dataset=dataset, config=config, tier=Tier.NANO))


def further(alice, parent, dataset, *, config=SMALL):
    return training.submit_job(
        owner=alice, parent=parent, dataset=dataset, config=config, tier=Tier.NANO
    )


@pytest.mark.usefixtures("in_this_process")
def test_alice_does_not_test_on_rows_that_trained_the_parent(alice):
    """The same file split by another seed: most of its test rows would be old acquaintances."""
    first = brought(alice, seed=0)
    parent = begun(alice, first)
    other = corrected(alice, dataset=first, seed=1)
    with pytest.raises(training.InvalidConfig) as refused:
        further(alice, parent, other)
    said = str(refused.value)
    was, now = (unpack(blobs.get(each.sha256)).parts for each in (first, other))
    shown = sum(n == Part.TEST != w for w, n in zip(was, now, strict=True))
    assert 10 < shown <= other.test_rows
    assert f"{shown} of the {other.test_rows} rows that version 2 of “Flowers” tests on" in said
    assert "(random, 0.6/0.2/0.2, seed 0). Take that version, correct the schema" in said
    assert refused.value.invalid_parameters[0]["field"] == "dataset"
    preview = training.preview_job(dataset=other, config=SMALL, tier=Tier.NANO, parent=parent)
    assert [problem.path for problem in preview.problems] == ["dataset"]


@pytest.mark.usefixtures("in_this_process")
def test_alice_goes_on_with_the_split_of_the_parent(alice):
    """A version that only calls another column sensitive tests on the same rows."""
    first = brought(alice, seed=4)
    parent = begun(alice, first)
    columns = [KIND["columns"][0] | {"sensitive": True}, *KIND["columns"][1:]]
    same = corrected(alice, dataset=first, recipe=KIND | {"columns": columns}, seed=4)
    assert same.sha256 != first.sha256
    child = trained(further(alice, parent, same))
    validation = child.validations.get()
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    assert validation.report["ancestors"] == {
        "models": [parent.name],
        "rows": same.test_rows,
        "seen": 0,
        "of_one_file": 0,
        "share": 0.0,
        "not_compared": [],
    }


@pytest.mark.usefixtures("in_this_process")
def test_what_the_grandparent_was_shown_is_not_forgotten(alice):
    """Between them lies a model of other flowers, and the file was brought anew."""
    first = brought(alice, seed=0)
    between = brought(alice, content=FLOWERS.replace(b".", b"1."), seed=0)
    middle = trained(further(alice, begun(alice, first), between))
    again = brought(alice, seed=1)
    assert again.family != first.family
    with pytest.raises(training.InvalidConfig, match=f"were shown to “{middle.job.parent.name}”"):
        further(alice, middle, again)


@pytest.mark.usefixtures("in_this_process")
def test_a_job_that_leaks_is_not_trained_again_either(alice):
    """Such as one that was placed when nobody looked."""
    first = brought(alice, seed=0)
    parent = begun(alice, first)
    job = further(alice, parent, first)
    Job.objects.filter(pk=job.pk).update(dataset=corrected(alice, dataset=first, seed=1))
    job.refresh_from_db()
    with pytest.raises(training.InvalidConfig, match="were shown to"):
        training.retrain_job(owner=alice, job=job)


@pytest.mark.usefixtures("in_this_process")
def test_rows_brought_twice_are_counted_and_nobody_is_asked_to_pay_for_them(client, alice):
    """An empty line more makes another file of the same rows."""
    parent = begun(alice, brought(alice, seed=0))
    again = brought(alice, content=FLOWERS + b"\n", seed=1)
    child = trained(further(alice, parent, again))
    validation = child.validations.get()
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    seen = validation.report["ancestors"]
    assert seen["models"] == [parent.name]
    assert 0.5 < seen["share"] == seen["seen"] / again.test_rows
    faults = map(str, training.publication_faults(model=child))
    said = f"{seen['seen']} of the {again.test_rows} rows it was tested on were shown to what"
    assert any(said in fault for fault in faults)
    client.force_login(alice)
    said = f"It began from {parent.name}. Of the {again.test_rows} test rows {seen['seen']} ("
    for page in (child.get_absolute_url(), f"{child.get_absolute_url()}card.md"):
        told = client.get(page).content.decode()
        assert said in told
        assert "were shown to an ancestor in training, so these figures say too much." in told


SERIES = b"day,sales\n" + b"".join(
    f"{date(2024, 1, 1) + timedelta(days=day)},{day % 7 + day / 50}\n".encode()
    for day in range(300)
)


def sales(**fields):
    columns = [
        {"name": "day", "kind": "date", "role": "time"},
        {"name": "sales", "kind": "number", "role": "target"},
    ]
    return {"kind": "series", "columns": columns, "season": 1, "horizon": 1} | fields


@pytest.mark.usefixtures("in_this_process")
def test_a_series_is_tested_on_later_steps_than_any_that_trained(alice):
    """Other windows are fine while the last steps alone test; an earlier end is not."""
    config = {
        "architecture": {"type": "lstm", "layers": [{"type": "lstm", "units": 4}]},
        "training": SMALL["training"],
    }
    first = brought(alice, content=SERIES, recipe=sales(window=8), kind="time", test=0.2)
    parent = begun(alice, first, config=config)
    wider = corrected(alice, dataset=first, recipe=sales(window=9), kind="time", test=0.1)
    assert further(alice, parent, wider, config=config).parent == parent
    early = corrected(alice, dataset=first, recipe=sales(window=8), kind="time", test=0.4)
    with pytest.raises(training.InvalidConfig, match="rows that .* may have been shown to"):
        further(alice, parent, early, config=config)
