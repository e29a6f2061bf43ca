"""What pages ask a model, how they say what is wrong, and how each kind of answer looks."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string

from tests.training.counting import calls_of
from tests.training.test_answers import finish, model_of
from tests.training.uploads import bring
from training import services as training
from training.models import Dataset, Model, Tier
from training.services import AnswerKind, Prediction, Sheet
from training.services.asking import forecast_lines

pytestmark = pytest.mark.usefixtures("shared_training")


def text(response) -> str:
    return response.content.decode()


PICTURES = Dataset(image_shape=[2, 2], features=["a", "b", "c", "d"])
TABLE = Dataset(features=["age"])


@pytest.mark.parametrize(
    ("prediction", "dataset", "shown"),
    [
        (
            Prediction(label="Danish", confidence=0.93, probabilities={"Danish": 0.93}),
            TABLE,
            ["Danish", "93 % sure", "How sure of each class"],
        ),
        (Prediction(label="Danish", confidence=0.9996), TABLE, ["more than 99.9 % sure"]),
        (Prediction(kind=AnswerKind.VALUES, values={"price": 178.81}), TABLE, ["price", "178.8"]),
        (
            Prediction(kind=AnswerKind.FORECAST, values={"co2 t+1": 1.5, "co2 t+2": 2.5}),
            TABLE,
            ["What comes next", "foretold", "co2"],
        ),
        (
            Prediction(kind=AnswerKind.ANOMALY, score=3.8, threshold=0.32, is_anomaly=True),
            TABLE,
            ["Unusual", "3.8", "from 0.32 on"],
        ),
        (
            Prediction(kind=AnswerKind.ANOMALY, score=0.1, threshold=0.32, is_anomaly=False),
            TABLE,
            ["Usual"],
        ),
        (
            Prediction(kind=AnswerKind.TEXT, prompt="<b>Once", text=" upon & a"),
            TABLE,
            ["&lt;b&gt;Once", "upon &amp; a"],
        ),
        (
            Prediction(kind=AnswerKind.SAMPLE, sample=[0.0, 8.0, 16.0, 4.0]),
            PICTURES,
            ['aria-label="A picture that was made"'],
        ),
        (Prediction(kind=AnswerKind.SAMPLE, sample=[31.5]), TABLE, ["age", "31.5"]),
        (
            Prediction(kind=AnswerKind.ACTION, label="push left", values={"push left": 1.25}),
            TABLE,
            ["push left", "1.25"],
        ),
    ],
)
def test_bob_sees_an_answer_as_what_it_is(prediction, dataset, shown):
    sheet = Sheet(
        kind=prediction.kind,
        dataset=dataset,
        fields=[],
        predictions=[prediction],
        made=[(prediction, "")],
        lines=forecast_lines({}, prediction),
        highest=16.0,
    )
    page = render_to_string("training/_prediction.html", {"sheet": sheet})
    for words in shown:
        assert words in page
    assert set(prediction.to_json()) <= set(vars(prediction))


def test_a_forecast_is_drawn_behind_what_was_seen():
    prediction = Prediction(kind=AnswerKind.FORECAST, values={"co2 t+1": 3.0})
    seen = {"seen": [(-1, 1.0), (0, 2.0)], "foretold": [(1, 3.0)]}
    assert forecast_lines({"co2": [1, 2]}, prediction) == seen
    for past in ({"gas": [1, 2]}, {"co2": [1, None]}, [1, 2]):  # a list may be of many columns
        assert forecast_lines(past, prediction) == {"foretold": [(1, 3.0)]}
    two = Prediction(kind=AnswerKind.FORECAST, values={"a t+1": 1.0, "a t+2": 2.0, "b t+1": 3.0})
    assert forecast_lines({"b": [5]}, two) == {
        "a, foretold": [(1, 1.0), (2, 2.0)],
        "b, seen": [(0, 5.0)],
        "b, foretold": [(1, 3.0)],
    }


TABLE_ROWS = b"length,colour,seen,kind\n" + b"".join(
    f"{n % 7},{('red', 'blue')[n % 2]},2024-01-{n % 28 + 1:02},{('a', 'b')[n % 2]}\n".encode()
    for n in range(120)
)
GAPPY_ROWS = b"length,colour,kind\n" + b"".join(
    f"{n % 7 or ''},{('red', 'blue', '')[n % 3]},{('a', 'b')[n % 2]}\n".encode() for n in range(120)
)
WEATHER_ROWS = b"wind,sky,gas\n" + b"".join(
    f"{n % 5},{('clear', 'light rain', 'fog, thick')[n % 3]!r},{n % 7 + n % 3}\n".encode()
    for n in range(150)
).replace(b"'", b'"')
WEATHER = {
    "kind": "series",
    "columns": [
        {"name": "wind", "kind": "number"},
        {"name": "sky", "kind": "category"},
        {"name": "gas", "kind": "number", "role": "target"},
    ],
    "window": 4,
    "horizon": 2,
    "season": 1,
}


def model_on(dataset: Dataset) -> Model:
    config = training.starting_points(dataset=dataset)[0].config
    config["training"] |= {"epochs": 2}
    job = training.submit_job(owner=dataset.owner, dataset=dataset, config=config, tier=Tier.NANO)
    finish(job)
    return Model.objects.get(job=job)


@pytest.fixture
def own_model(alice, in_this_process) -> Model:
    """Of a table that alice brought: a number, a category and a date."""
    return model_on(bring(alice, TABLE_ROWS, "csv"))


@pytest.fixture
def gappy_model(alice, in_this_process) -> Model:
    """Of a table in which values are missing, so that others stand in for them."""
    return model_on(bring(alice, GAPPY_ROWS, "csv"))


@pytest.fixture
def weather_model(alice, in_this_process) -> Model:
    """Of a series that alice brought: the past of two numbers and a category."""
    return model_on(bring(alice, WEATHER_ROWS, "csv", asked=WEATHER))


def test_alice_asks_her_unpublished_model_by_the_form_as_it_stands(client, alice, own_model):
    client.force_login(alice)
    assert f"/models/{own_model.pk}/try/" in text(client.get(own_model.get_absolute_url()))
    here = f"/models/{own_model.pk}/try/"
    sheet = client.get(here).context["sheet"]
    assert [one.key for one in sheet.fields] == ["length", "colour", "seen"]
    assert sheet.fields[1].choices == [("blue", "blue"), ("red", "red")]
    assert sheet.fields[2].text.startswith("2024-01-")
    posted = {one.name: one.text for one in sheet.fields}
    answered = client.post(here, posted)
    prediction = answered.context["sheet"].prediction
    question = {"length": float(posted["c0"]), "colour": posted["c1"], "seen": posted["c2"]}
    assert prediction == training.predict(model=own_model, rows=question)[0]
    assert "% sure" in text(answered)
    assert "How sure of each class" in text(answered)


def test_each_mistake_stands_beside_its_field_and_nothing_typed_is_lost(client, alice, own_model):
    client.force_login(alice)
    here = f"/models/{own_model.pk}/try/"
    wrong = {"c0": "long", "c1": "purple", "c2": "31.12.24"}
    page = client.post(here, wrong)
    assert [one.error for one in page.context["sheet"].fields] == [
        "must be a number, not 'long'",
        "'purple' was never seen in training (known: blue, red)",
        "must be a date such as 2024-01-31, not '31.12.24'",
    ]
    assert 'value="31.12.24"' in text(page)
    part = text(client.post(here, wrong, headers={"HX-Request": "true"}))
    assert "<html" not in part
    for error in ("Must be a number", "&#x27;purple&#x27; was never seen", "Must be a date"):
        assert f'-error" hx-swap-oob="true">{error}' in part
    assert "<input" not in part  # what she types meanwhile stays
    mended = client.post(here, wrong | {"c0": "5", "c1": "red"}, headers={"HX-Request": "true"})
    assert '<div class="error" id="ask-c0-error" hx-swap-oob="true"></div>' in text(mended)


@pytest.mark.parametrize("word", ["", " ", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "?"])
def test_a_value_that_is_not_there_is_typed_as_people_write_it(alice, gappy_model, word):
    typed = {"c0": word, "c1": word}
    sheet = training.ask_model(model=gappy_model, viewer=alice, posted=typed)
    assert [one.error for one in sheet.fields] == ["", ""]
    known = training.predict(model=gappy_model, rows={"length": None, "colour": None})
    assert (
        sheet.predictions
        == known
        == training.predict(model=gappy_model, rows={"length": word, "colour": word})
    )


def test_a_value_that_has_to_be_there_is_asked_for_however_its_lack_is_written(alice, own_model):
    for word in ("", "NA", "?", "nan"):
        typed = {"c0": word, "c1": word, "c2": word}
        sheet = training.ask_model(model=own_model, viewer=alice, posted=typed)
        errors = {one.error for one in sheet.fields}
        assert errors == {"is missing, and no value stands in for it"}


def test_a_series_with_a_category_is_asked_by_its_columns(client, alice, weather_model):
    client.force_login(alice)
    here = f"/models/{weather_model.pk}/try/"
    question = training.example_question(model=weather_model, viewer=alice)
    assert {name: len(values) for name, values in question.items()} == dict.fromkeys(
        ("wind", "sky", "gas"), 4
    )
    assert set(question["sky"]) == {"clear", "light rain", "fog, thick"}
    page = client.get(here)
    wind, sky, gas = page.context["sheet"].fields
    assert wind.text.split() == [str(int(value)) for value in question["wind"]]
    assert sky.text.splitlines() == question["sky"]
    posted = {one.name: one.text for one in (wind, sky, gas)}
    answered = client.post(here, posted | {"c1": sky.text.replace("\n", "\r\n") + "\r\n"})
    sheet = answered.context["sheet"]
    assert sheet.predictions == training.predict(model=weather_model, rows=question)
    assert [value for _, value in sheet.lines["seen"]] == question["gas"]
    for name, typed, error in [
        ("c0", "1 2 x 4", "value 3: must be a number, not 'x'"),
        ("c1", "clear\nclear\nclaer\nclear", "value 3: 'claer' was never seen in training; did"),
        ("c1", "\n", "must be values, not empty"),
        ("c2", "1 2 3", "columns must be equally long; this one has 3 steps, the longest 4"),
    ]:
        wrong = client.post(here, posted | {name: typed}).context["sheet"]
        assert [one.name for one in wrong.fields if one.error.startswith(error)] == [name]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("303,10", 303.1),
        ("-1.234,5", -1234.5),
        ("1,234.5", 1234.5),
        ("1,234,567", 1234567),
        ("1.234.567", 1234567),
        ("0,123", 0.123),
        ("1.234", 1.234),  # as the page writes it
        ("1,5e3", 1500),
    ],
)
def test_bob_types_a_number_as_his_file_has_it(alice, own_model, typed, read):
    posted = {"c0": typed, "c1": "red", "c2": "2024-01-03"}
    sheet = training.ask_model(model=own_model, viewer=alice, posted=posted)
    assert [one.error for one in sheet.fields] == ["", "", ""]
    question = {"length": read, "colour": "red", "seen": "2024-01-03"}
    assert sheet.predictions == training.predict(model=own_model, rows=question)
    unclear = training.ask_model(model=own_model, viewer=alice, posted=posted | {"c0": "1,234"})
    assert not unclear.predictions
    assert unclear.fields[0].error == "'1,234' may be 1.234 or 1234; write one of these"
    wrong = training.ask_model(model=own_model, viewer=alice, posted=posted | {"c0": "1,23,4"})
    assert wrong.fields[0].error == "must be a number, not '1,23,4'"


@pytest.mark.parametrize(
    "typed",
    [
        "1.5; 2; 3.25; 4",
        "1,5; 2; 3,25;\n4",
        "1,5\r\n2\n\n3,25\n4\n",
        "1.5,2,3.25,4",
        "1.5, 2 3.25,4,",
    ],
)
def test_the_past_of_a_series_is_typed_or_pasted_in_any_way_that_is_one(
    alice, weather_model, typed
):
    past = {"c1": "\n".join(["clear"] * 4), "c2": "1 2 3 4"}
    sheet = training.ask_model(model=weather_model, viewer=alice, posted=past | {"c0": typed})
    assert [one.error for one in sheet.fields] == ["", "", ""]
    question = {"wind": [1.5, 2, 3.25, 4], "sky": ["clear"] * 4, "gas": [1, 2, 3, 4]}
    assert sheet.predictions == training.predict(model=weather_model, rows=question)


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("100,75 108,05", "'100,75' may be one number or several; write decimals with a point, "),
        ("1 2,5 3", "'2,5' may be one number or several"),
        ("100,75, 108,05", "'100,75' may be one number or several"),
        ("100,200,150,300", "'100,200,150,300' may be one number or several"),
        ("1,5; 1,250; 3; 4", "value 2: '1,250' may be 1.250 or 1250; write one of these"),
    ],
)
def test_a_past_that_may_be_other_numbers_is_refused_and_not_guessed(
    alice, weather_model, typed, error
):
    past = {"c1": "\n".join(["clear"] * 4), "c2": "1 2 3 4"}
    sheet = training.ask_model(model=weather_model, viewer=alice, posted=past | {"c0": typed})
    assert not sheet.predictions
    assert sheet.fields[0].error.startswith(error)
    assert sheet.fields[0].text == typed


def test_a_page_answers_one_row_and_says_where_more_are_answered(alice, trained):
    (field,) = training.blank_sheet(model=trained, viewer=alice).fields
    row = [float(word) for word in field.text.split()]
    one = training.ask_model(model=trained, viewer=alice, posted={"values": f"[{row}]"})
    assert one.predictions == training.predict(model=trained, rows=row)
    many = training.ask_model(model=trained, viewer=alice, posted={"values": f"[{row}, {row}]"})
    assert not many.predictions
    assert many.fields[0].error == "must be one row, not 2; the API answers up to 1,000 in one call"


def test_a_file_without_anything_in_it_is_called_empty(client, alice, trained):
    client.force_login(alice)
    page = client.post(
        f"/models/{trained.pk}/try/", {"picture": SimpleUploadedFile("dog.png", b"")}
    )
    assert "Picture: the file is empty" in text(page)


def test_nobody_else_finds_the_page(client, mallory, own_model):
    here = f"/models/{own_model.pk}/try/"
    assert client.get(here).url.startswith("/account/login/")
    client.force_login(mallory)
    assert client.get(here).status_code == 404
    assert client.post(here, {}).status_code == 404


@pytest.mark.parametrize(
    ("preset", "names", "shown"),
    [
        ("iris", 4, "How sure of each class"),
        ("diabetes", 10, "progression"),
        ("co2", 1, "What comes next"),
        ("languages", 1, "How sure of each class"),
        ("breast-cancer-anomalies", 30, "Its score is"),
        ("digits-vae", 2, "A picture that was made"),
        ("cartpole", 4, "How likely each action"),
    ],
)
def test_the_form_of_every_category_is_answered_as_it_stands(client, alice, preset, names, shown):
    model = model_of(alice, preset, epochs=1)
    client.force_login(alice)
    here = f"/models/{model.pk}/try/"
    fields = client.get(here).context["sheet"].fields
    assert len(fields) == names
    answered = client.post(here, {one.name: one.text for one in fields})
    assert answered.context["sheet"].fault == ""
    assert shown in text(answered)


@pytest.mark.parametrize(
    ("preset", "posted", "fault"),
    [
        ("co2", {"c0": "1 2 3"}, "must be at least 52 steps, not 3"),
        ("co2", {"c0": "1 2 x"}, "value 3: must be a number, not 'x'"),
        ("co2", {"c0": "1_0 2"}, "value 1: must be a number, not '1_0'"),
        ("cartpole", {"c0": "inf"}, "must be a number, not 'inf'"),
        ("languages", {"text": ""}, "must begin with words of which training saw any, not ''"),
        ("digits-vae", {"count": "101", "seed": "0"}, "must be from 1 to 100, not 101"),
        ("digits-vae", {"count": "two", "seed": "0"}, "must be a number, not 'two'"),
        ("iris", {}, "Draw something, pick a row, or type the values first."),
        ("iris", {"c0": "1"}, "is missing, and no value stands in for it"),
    ],
)
def test_what_cannot_be_asked_is_said_in_words(alice, preset, posted, fault):
    sheet = training.ask_model(model=model_of(alice, preset, epochs=1), viewer=alice, posted=posted)
    assert not sheet.predictions
    assert fault in {sheet.fault, *(one.error for one in sheet.fields)}


def test_a_picture_is_written_line_by_line(alice, trained):
    sheet = training.blank_sheet(model=trained, viewer=alice)
    (field,) = sheet.fields
    assert len(field.text.splitlines()) == 8
    typed = training.ask_model(model=trained, viewer=alice, posted={"values": field.text})
    row = typed.predictions
    assert row == training.predict(model=trained, rows=[float(x) for x in field.text.split()])
    short = training.ask_model(model=trained, viewer=alice, posted={"values": "1 2 3"})
    assert "must be 64 values" in short.fields[0].error


@pytest.fixture
def asked(client, alice, trained):
    """What comes back to scripts of what alice sends to her model that reads pictures."""
    client.force_login(alice)

    def asked(**posted: str) -> str:
        here = f"/models/{trained.pk}/try/"
        return text(client.post(here, posted, headers={"HX-Request": "true"}))

    return asked


def test_what_alice_typed_stays_while_she_draws_or_picks(asked, trained):
    (field,) = training.blank_sheet(model=trained, viewer=trained.owner).fields
    drawn = ",".join(field.text.split())
    for posted in ({"pixels": drawn}, {"row": "3"}, {"pixels": "1,2,3"}, {}):
        assert 'id="ask-values' not in asked(**posted)
    assert "Must be 64 values" in asked(pixels="1,2,3")
    assert 'id="ask-values-error" hx-swap-oob="true"></div>' in asked(values=field.text)
    assert 'id="ask-values-error" hx-swap-oob="true">Must be 64 values' in asked(values="1 2 3")


def test_data_are_not_unpacked_for_an_answer_that_shows_none_of_them(client, asked, trained):
    field = client.get(f"/models/{trained.pk}/try/").context["sheet"].fields[0]
    drawn = {"pixels": ",".join(field.text.split())}
    here = f"/models/{trained.pk}/try/"
    assert calls_of("load_rows", lambda: asked(**drawn)) == 0
    assert calls_of("load_rows", lambda: client.post(here, drawn)) > 0
    page = client.post(here, drawn)
    assert text(page).count('type="radio" name="row"') == 24
