"""How each kind of answer looks on the page of a deployment."""

from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string

from marketplace.forms import PredictForm
from marketplace.views import forecast_lines, initial
from training.services import Kind, Prediction

PICTURES = SimpleNamespace(image_shape=[2, 2], features=["a", "b", "c", "d"])
TABLE = SimpleNamespace(image_shape=None, features=["age"])


@pytest.mark.parametrize(
    ("prediction", "dataset", "shown"),
    [
        (
            Prediction(label="Danish", confidence=0.93, probabilities={"Danish": 0.93}),
            TABLE,
            ["Danish", "93 % sure", "How sure of each class"],
        ),
        (Prediction(kind=Kind.VALUES, values={"price": 178.81}), TABLE, ["price", "178.8"]),
        (
            Prediction(kind=Kind.FORECAST, values={"t+1": 1.5, "t+2": 2.5}),
            TABLE,
            ["What comes next", "foretold"],
        ),
        (
            Prediction(kind=Kind.ANOMALY, score=3.8, threshold=0.32, is_anomaly=True),
            TABLE,
            ["Unusual", "3.8", "from 0.32 on"],
        ),
        (
            Prediction(kind=Kind.ANOMALY, score=0.1, threshold=0.32, is_anomaly=False),
            TABLE,
            ["Usual"],
        ),
        (
            Prediction(kind=Kind.TEXT, prompt="<b>Once", text=" upon & a"),
            TABLE,
            ["&lt;b&gt;Once", "upon &amp; a"],
        ),
        (
            Prediction(kind=Kind.SAMPLE, sample=[0.0, 8.0, 16.0, 4.0]),
            PICTURES,
            ['aria-label="A picture that was made"'],
        ),
        (Prediction(kind=Kind.SAMPLE, sample=[31.5]), TABLE, ["age", "31.5"]),
        (
            Prediction(kind=Kind.ACTION, label="push left", values={"push left": 1.25}),
            TABLE,
            ["push left", "1.25"],
        ),
    ],
)
def test_bob_sees_an_answer_as_what_it_is(prediction, dataset, shown):
    page = render_to_string(
        "marketplace/_prediction.html",
        {
            "prediction": prediction,
            "predictions": [prediction],
            "made": [(prediction, "")],
            "lines": forecast_lines([1.0, 1.25], prediction),
            "dataset": dataset,
            "highest": 16.0,
        },
    )
    for words in shown:
        assert words in page
    assert set(prediction.to_json()) <= set(vars(prediction))


def test_a_forecast_is_drawn_behind_what_was_seen():
    prediction = Prediction(kind=Kind.FORECAST, values={"t+1": 3.0})
    assert forecast_lines([1, 2], prediction) == {
        "seen": [(-1, 1.0), (0, 2.0)],
        "foretold": [(1, 3.0)],
    }
    assert forecast_lines({"co2": [1, 2]}, prediction) == {"foretold": [(1, 3.0)]}


@pytest.mark.parametrize(
    ("posted", "question"),
    [
        ({"values": "1, 2.5"}, [1.0, 2.5]),
        ({"values": '{"age": 31}'}, {"age": 31}),
        ({"text": "Once "}, "Once "),
        ({"text": "Once", "length": "9", "seed": "3"}, {"text": "Once", "length": 9, "seed": 3}),
        ({"count": "4"}, {"count": 4, "seed": 0}),
        ({"row": "7"}, None),
    ],
)
def test_what_bob_posts_is_asked_as_the_api_takes_it(posted, question):
    form = PredictForm(posted)
    assert form.is_valid(), form.errors
    assert form.question() == question


@pytest.mark.parametrize(
    ("posted", "fault"),
    [
        ({}, "Draw something, pick a row"),
        ({"values": "{age: 31}"}, "values: is no JSON"),
        ({"values": "[" * 50_000}, "values: is no JSON"),
        ({"count": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(posted, fault):
    form = PredictForm(posted)
    assert not form.is_valid()
    assert fault in form.errors.as_text()


def test_the_form_of_each_kind_holds_its_example():
    assert initial(Kind.SAMPLE, {"count": 16, "seed": 0}) == {"count": 16, "seed": 0}
    assert initial(Kind.TEXT, {"story": "Once", "seed": 0}) == {"text": "Once", "seed": 0}
    assert initial(Kind.VALUES, {"age": 31.0}) == {"values": '{\n  "age": 31.0\n}'}
    assert initial(Kind.FORECAST, [1.0, 2.25]) == {"values": "1.0, 2.25"}
