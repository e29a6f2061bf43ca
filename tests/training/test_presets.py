"""Every preset is a job that could be submitted as it stands."""

import copy

import pytest

from training import services as training
from training.models import Category, Job, Model, Tier
from training.runner import chunks, datasets
from training.services.presets import ALL

BY_NAME = {preset.name: preset for preset in ALL}


def dataset_of(preset):
    dataset = training.add_bundled_dataset(slug=preset.dataset)
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    return dataset


@pytest.mark.parametrize("name", BY_NAME)
def test_alice_is_quoted_a_preset_within_its_tier_and_trains_two_epochs(alice, name):
    preset = BY_NAME[name]
    dataset = dataset_of(preset)
    quote = training.quote_job(dataset=dataset, config=preset.config, tier=preset.tier)
    assert quote.category == preset.category
    cheaper = [tier for tier in Tier if tier != preset.tier]
    cheaper = cheaper[: list(Tier).index(preset.tier)]
    for tier in cheaper:
        with pytest.raises(training.TierTooSmall):
            training.quote_job(dataset=dataset, config=preset.config, tier=tier)
    if preset.category == Category.NLP and dataset.slug == "python-docs":
        return  # two of its epochs take seconds; its job is trained whole in the campaign
    config = copy.deepcopy(preset.config)
    config["training"]["epochs"] = 2
    job = training.submit_job(owner=alice, dataset=dataset, config=config, tier=preset.tier)
    while not job.is_over:  # a busy machine takes more than one chunk
        chunks.run_turn()
        job = Job.objects.get(pk=job.pk)
    assert (job.status, job.error_message) == ("done", "")
    assert job.points.count() == 2
    assert Model.objects.get(job=job).category == preset.category


def test_the_first_preset_of_a_dataset_is_the_one_to_start_from():
    assert training.presets_of("digits")[0].config == training.PRESETS["digits"]
    assert [preset.name for preset in training.presets_of("digits")] == [
        "digits",
        "digits-vae",
        "digits-gan",
    ]
    assert training.presets_of("nothing") == []


def test_a_floor_of_an_error_is_reached_from_above():
    mase, accuracy = BY_NAME["co2"].floors[0], BY_NAME["iris"].floors[0]
    assert mase.is_reached({"value": 0.89}) and not mase.is_reached({"value": 0.9})
    assert accuracy.is_reached({"value": 0.95}) and not accuracy.is_reached({"value": 0.9499})


def test_a_language_model_must_be_far_less_surprised_than_counting():
    (floor,) = BY_NAME["python-docs"].floors
    assert (floor.metric, floor.is_of_baseline) == ("perplexity", True)
    assert floor.is_reached({"value": 6.4, "baseline": 13.6})
    assert not floor.is_reached({"value": 6.4, "baseline": 10.0})
    assert not floor.is_reached({"value": 13.6, "baseline": 13.6})


def test_every_example_is_held_to_a_floor():
    assert [preset.name for preset in ALL if not preset.floors] == []
