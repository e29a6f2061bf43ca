"""Examples of each category: which there are, and what they say of what they reached."""

import pytest
from django.core.management import CommandError, call_command

from config import examples
from config.demo import StepFailed
from governance.models import User
from training import services as training
from training.models import Category, Validation


def test_every_category_that_has_data_has_an_example():
    categories = {preset.category for preset in training.ALL_PRESETS}
    assert categories == set(Category) - {Category.CUSTOM}
    for category in categories:
        assert examples.choose(category=category, dataset="", name="")[0].category == category


def test_an_example_is_chosen_by_its_dataset_or_its_name():
    names = [p.name for p in examples.choose(category="generative", dataset="digits", name="")]
    assert names == ["digits-vae", "digits-gan"]
    chosen = examples.choose(category="classification", dataset="wine", name="")
    assert [preset.name for preset in chosen] == ["wine"]
    with pytest.raises(StepFailed, match=r"vision: no preset is that; .* digit-pictures \(on"):
        examples.choose(category="vision", dataset="wine", name="")


def test_a_floor_is_held_against_what_was_measured():
    preset = examples.choose(category="timeseries", dataset="", name="")[0]
    for value, is_reached in ((0.64, True), (0.9, False)):
        metrics = {"mase": {"value": value, "low": 0.5, "high": 0.9, "baseline": 1.4}}
        found = examples.floors(preset, Validation(metrics=metrics))
        assert [each["is_reached"] for each in found] == [is_reached]
        assert (found[0]["floor"], found[0]["baseline"]) == (0.9, 1.4)
    with pytest.raises(StepFailed, match="no figure 'mase' was measured, but accuracy"):
        examples.floors(preset, Validation(metrics={"accuracy": {"value": 1.0}}))


def test_examples_keep_out_where_there_is_no_demonstration(db, settings):
    settings.DEMO = False
    with pytest.raises(CommandError, match="DEMO is off"):
        call_command("train_example", "vision", "--json")
    assert not User.objects.exists()
