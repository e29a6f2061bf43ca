"""Fine-tuning: alice trains a model further, and whose weights it began from can be proved."""

import copy
import json
import re

import pytest

from kernels import modelfile
from tests.training.test_studio import Visitor, at
from training import services as training
from training.models import Dataset, Job, Model, Tier
from training.runner import blobs, chunks, datasets


def network_like(model, *, epochs=2, hidden=32, rate=0.001):
    config = copy.deepcopy(model.job.config)
    config["architecture"]["layers"][1]["params"]["size"] = hidden
    config["training"] |= {"epochs": epochs, "learning_rate": rate}
    return config


def tuned(alice, model, dataset, **changes):
    return training.fine_tune(
        actor=alice,
        model=model,
        dataset=dataset,
        config=network_like(model, **changes),
        tier=Tier.NANO,
        seed=9,
    )


def trained(job):
    while not job.is_over:
        chunks.run_job(str(job.pk))
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
    job = training.fine_tune(
        actor=alice, model=model, dataset=digits, config=config, tier=Tier.NANO, name="Deeper"
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
        training.fine_tune(actor=alice, model=model, dataset=iris, config=config, tier=Tier.NANO)
    assert refused.value.invalid_parameters[0]["field"] == "architecture.layers"
    assert not Job.objects.filter(parent=model).exists()


def test_another_kind_of_network_is_refused_by_name(alice, model, digits):
    config = training.presets_of("digits")[1].config
    with pytest.raises(training.InvalidConfig, match="must be 'feedforward'") as refused:
        training.fine_tune(actor=alice, model=model, dataset=digits, config=config, tier=Tier.NANO)
    assert refused.value.invalid_parameters[0]["field"] == "architecture.type"


def test_mallory_may_not_train_alices_model_further(mallory, model, digits):
    with pytest.raises(training.NotOwner, match="Only the owner"):
        training.fine_tune(
            actor=mallory,
            model=model,
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
    assert Job.objects.get(pk=answer.json()["job_id"]).parent == model
    client.force_login(mallory)
    answer = client.post("/api/v1/training-jobs", asked, content_type="application/json")
    assert answer.status_code == 404
