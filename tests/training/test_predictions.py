"""What may be asked of a model, and what it answers."""

import dataclasses

import pytest

from governance.services import Refusal
from training import services as training
from training.runner import tiers, walls
from training.services import predictions


def test_a_model_names_the_digit_and_how_sure_it_is(model, digits):
    row = training.preview_rows(dataset=digits, count=1, part=training.Part.TEST)[0]
    answer = training.predict(model=model, rows=[row.values])[0]
    assert answer.label == row.label
    assert answer.confidence == max(answer.probabilities.values())
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_a_row_is_answered_the_same_alone_and_among_others(model, digits):
    rows = [row.values for row in training.preview_rows(dataset=digits, count=40)]
    together = training.predict(model=model, rows=rows)
    assert [training.predict(model=model, rows=[row])[0] for row in rows] == together


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "must be 64 numbers"),
        ([[1.0] * 63], r"input_data\[0\]: must be 64 numbers, one per feature; got 63"),
        ([[1.0] * 63 + ["x"]], r"input_data\[0\]\[63\]: 'x' is not a number"),
        ([[1.0] * 63 + [True]], r"input_data\[0\]\[63\]: True is not a number"),
        ([[1.0] * 63 + [float("nan")]], "must be finite"),
        ([[1.0] * 63 + [1e300]], "must be finite"),
        ([[1.0] * 63 + [10**400]], r"input_data\[0\]\[63\]: must be finite"),
        ([[1.0] * 64] * 1001, "at most 1000"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_the_reason(model, rows, reason):
    with pytest.raises(training.InvalidRows, match=reason):
        training.predict(model=model, rows=rows)


def test_what_the_largest_tier_trains_can_also_be_asked():
    largest = max(limits.memory_bytes for limits in tiers.TIERS.values())
    assert walls.PREDICTION.memory_bytes >= largest


def test_a_model_whose_sandbox_failed_answers_again(model, digits, monkeypatch):
    row = training.preview_rows(dataset=digits, count=1)[0]
    predictions.ready.cache_clear()
    spent = dataclasses.replace(walls.PREDICTION, deadline_seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(walls, "PREDICTION", spent)
        with pytest.raises(Refusal, match="could not answer"):
            training.predict(model=model, rows=[row.values])
    assert training.predict(model=model, rows=[row.values])[0].label == row.label
