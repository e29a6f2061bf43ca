"""The floors of every example: long, since each trains whole, twice, and is validated.

Seed and split are those of the presets. Nothing here chooses anything: what falls short fails.
"""

import pytest

from training import services as training
from training.models import Model
from training.runner import chunks, datasets, validations

BY_NAME = {preset.name: preset for preset in training.ALL_PRESETS}

pytestmark = pytest.mark.campaign


def trained(owner, dataset, preset):
    job = training.submit_job(
        owner=owner, dataset=dataset, config=preset.config, tier=preset.tier, seed=0
    )
    while not job.is_over:
        chunks.run_turn()
        job.refresh_from_db()
    assert (job.status, job.error_message) == ("done", "")
    assert job.cost_microcredits == job.quote_microcredits
    beyond = {name: use for name, use in training.tier_use(job=job).items() if not use.is_within}
    assert beyond == {}
    assert job.steps_done == job.steps_total
    return Model.objects.get(job=job)


@pytest.mark.parametrize("name", BY_NAME)
def test_alice_reaches_the_floors_of_an_example_within_its_tier_twice_to_the_same_hash(alice, name):
    preset = BY_NAME[name]
    dataset = training.add_bundled_dataset(slug=preset.dataset)
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    model, again = trained(alice, dataset, preset), trained(alice, dataset, preset)
    assert model.weights_sha256 == again.weights_sha256
    validation = model.validations.get()
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    assert (validation.status, validation.error_message) == ("done", "")
    assert preset.floors
    short = [
        (floor.metric, validation.metrics[floor.metric])
        for floor in preset.floors
        if not floor.is_reached(validation.metrics[floor.metric])
    ]
    assert short == []
    simple = validation.report.get("words_baseline")  # of texts alone: a bag of words
    assert (simple is not None) == (name == "languages")
    if simple is not None:
        assert validation.metrics["accuracy"]["value"] >= simple["accuracy"] - 0.05
