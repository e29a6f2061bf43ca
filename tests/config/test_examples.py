"""Examples of each category: which there are, and what they say of what they reached."""

import pytest
from django.core.management import CommandError, call_command

from config import examples
from config.demo import StepFailed
from governance.models import User
from training import services as training
from training.models import Category, Model, Validation


def test_every_category_that_has_data_has_an_example():
    categories = {preset.category for preset in training.ALL_PRESETS}
    assert categories == set(Category) - {Category.CUSTOM}
    for category in categories:
        found = examples.choose(category=category)
        assert found == [p for p in training.ALL_PRESETS if p.category == category]
        assert found


def test_all_examples_of_a_category_are_trained_or_the_one_that_is_named():
    names = [preset.name for preset in examples.choose(category="classification")]
    assert names == ["iris", "wine", "breast-cancer", "digits"]
    (chosen,) = examples.choose(category="classification", only="wine")
    assert chosen.name == "wine"
    with pytest.raises(StepFailed, match="vision has no example 'wine'; there are: digit-pictures"):
        examples.choose(category="vision", only="wine")


def test_a_floor_is_held_against_what_was_measured():
    (preset,) = examples.choose(category="timeseries")
    for value, is_reached in ((0.64, True), (0.9, False)):
        metrics = {"mase": {"value": value, "low": 0.5, "high": 0.9, "baseline": 1.4}}
        found = examples.floors(preset, Validation(metrics=metrics))
        assert [each["is_reached"] for each in found] == [is_reached]
        assert (found[0]["floor"], found[0]["baseline"]) == (0.9, 1.4)
    with pytest.raises(StepFailed, match="no figure 'mase' was measured, but accuracy"):
        examples.floors(preset, Validation(metrics={"accuracy": {"value": 1.0}}))


def test_a_floor_may_stand_against_the_figures_own_baseline():
    (preset,) = examples.choose(category="nlp", only="python-docs")
    metrics = {"perplexity": {"value": 6.4, "baseline": 10.0, "lower_is_better": True}}
    (found,) = examples.floors(preset, Validation(metrics=metrics))
    assert (found["floor"], found["is_of_baseline"], found["is_reached"]) == (6.0, True, False)


def example(job, model, *, accuracy=0.96, again=None):
    """What came of wine's preset, had it been this job."""
    (preset,) = examples.choose(category="classification", only="wine")
    validation = Validation(metrics={"accuracy": {"value": accuracy}})
    return examples.Example(
        preset=preset,
        dataset=job.dataset,
        job=job,
        model=model,
        validation=validation,
        again=again,
    )


def test_an_example_says_what_it_fell_short_of(model):
    job = model.job
    assert example(job, model, again=model).faults == []
    assert example(job, model, accuracy=0.94).faults == ["accuracy is 0.94, and its floor 0.95"]
    other = Model(weights_sha256="0" * 64)
    assert example(job, model, again=other).faults == ["the weights differ the second time"]
    job.memory_bytes, job.compute_seconds = 2**30, 61
    assert example(job, model).faults == [
        "memory_bytes is 1,073,741,824, and nano allows 134,217,728",
        "compute_seconds is 61, and nano allows 60",
    ]
    told = examples.report(example(job, model))
    assert told["tier_use"]["compute_seconds"] == {"used": 61, "most": 60}
    assert len(told["faults"]) == 2


def test_examples_keep_out_where_there_is_no_demonstration(db, settings):
    settings.DEMO = False
    with pytest.raises(CommandError, match="DEMO is off"):
        call_command("train_example", "vision", "--json")
    assert not User.objects.exists()
