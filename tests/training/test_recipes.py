"""How what people write becomes the numbers of a row."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.data import Target
from training.runner import tokenizers
from training.runner.recipes import (
    Column,
    Form,
    Kind,
    Recipe,
    RecipeRefused,
    RowRefused,
    decode_columns,
    encode_columns,
    encode_rows,
    encode_targets,
    feature_names,
    read_asked,
    shape_of,
)
from training.runner.recipes.columns import MISSING_WORDS

FLOWERS = {
    "kind": "table",
    "columns": [
        {"name": "width", "kind": "number"},
        {"name": "colour", "kind": "category", "values": ["blue", "red"], "missing": "red"},
        {"name": "seen", "kind": "date"},
        {"name": "note", "kind": "text", "role": "ignored"},
        {"name": "species", "kind": "category", "role": "target", "values": ["iris", "rose"]},
    ],
}
GAS = {
    "kind": "series",
    "window": 3,
    "horizon": 2,
    "columns": [
        {"name": "month", "kind": "date", "role": "time"},
        {"name": "wind", "kind": "number"},
        {"name": "gas", "kind": "number", "role": "target"},
    ],
}
PHRASES = {
    "kind": "text",
    "tokenizer": "words",
    "steps": 4,
    "vocabulary": [*tokenizers.RESERVED, "good", "day", "!"],
    "columns": [
        {"name": "phrase", "kind": "text"},
        {"name": "language", "kind": "category", "role": "target", "values": ["de", "en"]},
    ],
}
PICTURES = {
    "kind": "images",
    "height": 2,
    "width": 2,
    "channels": 1,
    "columns": [{"name": "picture", "kind": "image"}],
}


def recipe(raw: dict, **changes) -> Recipe:
    return Recipe.from_json(raw | changes)


def test_alice_writes_a_row_in_any_of_four_ways_and_it_is_the_same():
    flowers = recipe(FLOWERS)
    named = {"width": "1.5", "colour": "blue", "seen": "1970-01-02"}
    plain = [1.5, 1, 0, 1]
    by_feature = dict(zip(feature_names(flowers), plain, strict=True))
    found = encode_rows(flowers, [named, [1.5, "blue", "1970-01-02"], plain, by_feature])
    assert feature_names(flowers) == ("width", "colour=blue", "colour=red", "seen")
    assert found.dtype == np.float32
    assert (found == np.array(plain)).all()
    assert (encode_rows(flowers, np.array([plain])) == found[:1]).all()


def test_a_category_that_training_never_saw_is_measured_as_zeros_and_refused_when_asked():
    flowers = recipe(FLOWERS)
    colours = ["green", None, " "]
    columns = {"width": [1, 1, 1], "colour": colours, "seen": [0, 0, 0]}
    assert encode_columns(flowers, columns, 3)[:, 1:3].tolist() == [[0, 0], [0, 1], [0, 1]]
    assert encode_rows(flowers, [[1, None, 0], [1, " ", 0]])[:, 1:3].tolist() == [[0, 1], [0, 1]]
    message = r"row 1, column 'colour': 'blu' was never seen .* 'blue'\? \(known: blue, red\)"
    with pytest.raises(RowRefused, match=message):
        encode_rows(flowers, [[1, "red", 0], [1, "blu", 0]])
    assert encode_rows(flowers, [[1, 0, 0, 0]]).tolist() == [
        [1, 0, 0, 0]
    ]  # who means it, writes it


def test_of_many_values_the_first_are_named_and_the_rest_counted():
    column = {"name": "town", "kind": "category", "values": [f"town {n}" for n in range(300)]}
    towns = recipe({"kind": "table", "columns": [column]})
    with pytest.raises(RowRefused, match=r"'Ur' was never .*town 0, .*, town 31 and 268 more\)"):
        encode_rows(towns, [["Ur"]])


def test_a_category_is_the_same_as_a_number_and_as_a_text():
    column = {"name": "grade", "kind": "category", "values": ["1", "2.5", "true"]}
    grades = recipe({"kind": "table", "columns": [column]})
    found = encode_rows(grades, [[1], ["1"], [1.0], [2.5], [True]])
    assert found.argmax(axis=1).tolist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("1970-01-02", 1),
        ("1970-01-02T12:00:00", 1.5),
        ("1970-01-02T12:00:00+12:00", 1),
        ("1970/01/02", 1),
        ("02.01.1970", 1),
        ("1970-02", 31),
        ("1969-12-31T00:00:00Z", -1),
        (2.5, 2.5),
    ],
)
def test_a_date_is_days_in_utc(written, days):
    assert encode_rows(recipe(FLOWERS), [[0, "red", written]])[0, 3] == days


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"width": 1, "colour": "red"}, "row 1, column 'seen': is missing"),
        ({"widht": 1}, "column 'widht': is not known; did you mean 'width'"),
        (["wide", "red", 0], "row 1, column 'width': must be a number, not 'wide'"),
        ([float("nan"), "red", 0], "column 'width': must be finite"),
        (["1e39", "red", 0], "column 'width': must be finite and fit a 32-bit float"),
        (["1_000", "red", 0], "column 'width': must be a number"),
        ([10**400, "red", 0], "column 'width': must be finite"),
        ([True, "red", 0], "column 'width': must be a number, not true"),
        ([1, ["red"], 0], "column 'colour': must be a text or a number, not a list"),
        ([1, "red", "31.12.24"], "column 'seen': must be a date such as 2024-01-31"),
        ([1, "red"], r"row 1: must be 3 values \(width, colour, seen\), not 2 values"),
        ("red", "row 1: must be 3 values"),
        (None, "row 1: must be 3 values .*, not null"),
        ([1, 2, 3, "4"], "row 1: value 3: '4' is not a number"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_row_and_column(row, message):
    with pytest.raises(RowRefused, match=message):
        encode_rows(recipe(FLOWERS), [[1, "red", 0], row])


ASKED = [
    Column("a", Kind.NUMBER),
    Column("a", Kind.NUMBER, missing=2.5),
    Column("a", Kind.DATE),
    Column("a", Kind.DATE, missing="2024-01-31"),
    Column("a", Kind.CATEGORY, values=("red", "2", "?")),
    Column("a", Kind.CATEGORY, values=("red", "2"), missing="red"),
]
TYPED = st.sampled_from(["red", "2", " 2.0 ", "1e3", "1_0", "inf", "2024-02", "٣", *MISSING_WORDS])


def numbers_or_reason(encode, *arguments):
    try:
        return encode(*arguments).tolist()
    except RowRefused as error:
        return error.reason


@given(st.sampled_from(ASKED), TYPED | st.text(max_size=6) | st.floats().map(str))
def test_what_is_typed_on_a_page_is_what_the_api_would_make_of_the_same_text(column, text):
    table = Recipe(Form.TABLE, (column,))

    def typed():
        (value,) = read_asked(column, [text])
        return encode_rows(table, [{"a": value}])

    assert numbers_or_reason(typed) == numbers_or_reason(encode_rows, table, [{"a": text}])


def test_a_series_takes_its_history_by_column_or_by_step_and_uses_the_last_steps():
    gas = recipe(GAS)
    want = [[2, 20], [3, 30], [4, 40]]
    ways = [
        {"wind": [1, 2, 3, 4], "gas": [10, 20, 30, 40]},
        want,
        [{"wind": wind, "gas": gas} for wind, gas in want],
        [2, 20, 3, 30, 4, 40],
    ]
    assert (encode_rows(gas, ways) == np.array(want)).all()
    assert feature_names(gas)[:3] == ("wind t-2", "gas t-2", "wind t-1")
    shape = shape_of(gas)
    assert (shape.input, shape.target, shape.size) == ((3, 2), Target.VALUES, 2)
    for row, message in [
        ([[1, 2]], "row 0: must be at least 3 steps, not 1"),
        ({"wind": [1, 2, 3], "gas": [1]}, "column 'gas': columns must be equally long; this one"),
        ({}, "must be at least 3 steps, not 0"),
        ({"wind": 1}, "column 'wind': must be a list of steps, not 1"),
        ([[1, 2], [1, 2], [1, "x"]], "row 0, column 'gas': must be a number, not 'x'"),
    ]:
        with pytest.raises(RowRefused, match=message):
            encode_rows(gas, [row])


def test_a_text_becomes_tokens_with_padding_in_front():
    phrases = recipe(PHRASES)
    rows = ["Good day!", {"phrase": "good evening"}, ["day"], [2, 3], "a b c day good"]
    want = [[0, 2, 3, 4], [0, 0, 2, 1], [0, 0, 0, 3], [0, 0, 2, 3], [1, 1, 1, 3]]
    assert encode_rows(phrases, rows).tolist() == want
    shape = shape_of(phrases)
    assert (shape.input, shape.target, shape.size, shape.vocabulary) == ((4,), Target.CLASSES, 2, 5)
    assert tokenizers.decode(want[0], "words", phrases.vocabulary) == "good day !"
    for row, message in [
        ([5], "from 0 to 4, not 5"),
        ([], "1 to 4 tokens"),
        (7, "must be a text"),
        ("", "column 'phrase': must begin with words of which training saw any, not ''"),
        ("a b c d good", "must begin with words of which training saw any"),
    ]:
        with pytest.raises(RowRefused, match=message):
            encode_rows(phrases, [row])


def test_a_text_without_a_target_is_asked_for_its_next_token():
    shape = shape_of(recipe(PHRASES, columns=[{"name": "phrase", "kind": "text"}]))
    assert (shape.target, shape.size, shape.vocabulary) == (Target.NEXT, 5, 5)


def test_a_picture_may_be_nested_or_flat_or_named():
    pictures = recipe(PICTURES)
    want = [[0, 1], [2, 3]]
    named = dict(zip(feature_names(pictures), [0, 1, 2, 3], strict=True))
    found = encode_rows(pictures, [want, [0, 1, 2, 3], {"picture": want}, named, np.array(want)])
    assert found.shape == (5, 2, 2, 1)
    assert (found[..., 0] == np.array(want)).all()
    assert feature_names(pictures)[2] == "pixel_1_0"
    for row, message in [
        ([1, 2, 3], "must be 2 × 2 × 1 numbers, not 3"),
        ("cat.png", "'cat.png' is not a number"),
        ([[[[[1]]]]], "nested more than 4 deep"),
    ]:
        with pytest.raises(RowRefused, match=message):
            encode_rows(pictures, [row])


def test_what_is_asked_follows_from_the_target():
    columns = FLOWERS["columns"]
    assert shape_of(recipe(FLOWERS)).to_json() == {"input": [4], "target": "classes", "size": 2}
    numbers = [columns[0], {"name": "a", "kind": "number", "role": "target"}]
    numbers.append(numbers[1] | {"name": "b"})
    assert shape_of(recipe(FLOWERS, columns=numbers)).to_json() == {
        "input": [1],
        "target": "values",
        "size": 2,
    }
    cart = {
        "kind": "environment",
        "environment": "cartpole",
        "sides": [4],
        "columns": [columns[4] | {"name": "action", "values": ["left", "right"]}],
    }
    assert shape_of(recipe(cart)).to_json() == {"input": [4], "target": "actions", "size": 2}


def test_targets_are_classes_or_numbers():
    flowers, gas = recipe(FLOWERS), recipe(GAS)
    assert encode_targets(flowers, {"species": ["rose", "iris"]}, 2).tolist() == [1, 0]
    assert encode_targets(gas, {"gas": [1, "2"]}, 2).tolist() == [[1], [2]]
    with pytest.raises(RowRefused, match="row 1, column 'species': 'oak' is none of the classes"):
        encode_targets(flowers, {"species": ["rose", "oak"]}, 2)


@pytest.mark.parametrize("raw", [FLOWERS, GAS, PHRASES, PICTURES])
def test_a_recipe_survives_json(raw):
    found = recipe(raw, unknown="other", threshold=0.5)
    assert Recipe.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "tabel"}, "recipe.kind: 'tabel' is not known; did you mean 'table'"),
        ({"kind": ["table"]}, "recipe.kind: a list is not known"),
        ({"window": 3}, "recipe.window: is not known here"),
        ({"columns": None}, "recipe.columns: must be a list of at most 2,048, not null"),
        ({"columns": [1]}, r"recipe.columns\[0\]: must be an object"),
        ({"columns": [{"name": "a"}]}, r"recipe.columns\[0\].kind: is required"),
        ({"columns": [{"name": "", "kind": "number"}]}, r"columns\[0\].name: must be a text"),
        ({"columns": [{"name": "a" * 81, "kind": "number"}]}, "at most 80 characters"),
        ({"columns": [{"name": "a\0", "kind": "number"}]}, "must be printable"),
        ({"columns": 2 * [{"name": "a", "kind": "number"}]}, r"\[1\].name: 'a' stands there twice"),
        ({"columns": [{"name": "a", "kind": "text"}]}, r"columns\[0\].role: 'a' is a text"),
        ({"columns": []}, "recipe.columns: there is no feature"),
        (
            {"columns": [{"name": "a", "kind": "number", "missing": "x"}]},
            r"columns\[0\].missing: must be a number, not 'x'",
        ),
        (
            {"columns": [{"name": "a", "kind": "category", "values": ["x"], "missing": "y"}]},
            "missing: 'y' is none of the values",
        ),
        (
            {"columns": [{"name": "a", "kind": "number", "values": ["x"]}]},
            "values: a number has none",
        ),
        (
            {"columns": [{"name": "a", "kind": "date", "role": "target"}]},
            "a target must be a number or a category",
        ),
        ({"threshold": float("inf")}, "recipe.threshold: must be a finite number"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused_by_its_path(changes, message):
    with pytest.raises(RecipeRefused, match=message):
        recipe(FLOWERS, **changes)


@pytest.mark.parametrize(
    ("raw", "changes", "message"),
    [
        (GAS, {"columns": GAS["columns"][:2]}, "a series needs a target that is a number"),
        (GAS, {"window": 0}, "recipe.window: must be from 1 to 1,024"),
        (PHRASES, {"vocabulary": ["a"]}, "must begin with the tokens for padding"),
        (PHRASES, {"tokenizer": "bytes"}, "recipe.tokenizer: 'bytes' is not known"),
        (PHRASES, {"columns": PHRASES["columns"][1:]}, "a text has one feature"),
        (PICTURES, {"height": 10_000}, "recipe.height: must be from 1 to 256"),
        (PICTURES, {"columns": []}, "pictures have one feature"),
    ],
)
def test_each_form_asks_for_what_it_needs(raw, changes, message):
    with pytest.raises(RecipeRefused, match=message):
        recipe(raw, **changes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.sampled_from([FLOWERS, GAS, PHRASES, PICTURES]), st.data())
def test_mallory_sends_any_json_and_gets_a_reason(raw, data):
    """As a recipe with parts exchanged, and as a row."""
    key = data.draw(st.sampled_from([*raw, "season", "white"]))
    try:
        recipe(raw, **{key: data.draw(JSON)})
    except RecipeRefused as refused:
        assert str(refused).startswith("recipe")
    sound = recipe(raw)
    try:
        found = encode_rows(sound, [data.draw(JSON)])
    except RowRefused as refused:
        assert str(refused).startswith("row 0")
    else:
        assert found.shape == (1, *shape_of(sound).input)
        assert np.isfinite(found).all()


@given(st.lists(st.text(max_size=20), max_size=5), st.sampled_from(["characters", "words"]))
def test_what_a_vocabulary_was_made_from_is_known_to_it(texts, tokenizer):
    vocabulary = tokenizers.build_vocabulary(texts, tokenizer)
    assert vocabulary[:2] == tokenizers.RESERVED
    assert len(set(vocabulary)) == len(vocabulary)
    for text in texts:
        cut = tokenizers.tokens(text, tokenizer)
        numbers = tokenizers.numbers_of(text, tokenizer, vocabulary)
        if not set(cut) & set(tokenizers.RESERVED):
            assert [vocabulary[number] for number in numbers] == cut
            assert (numbers > tokenizers.UNKNOWN_TOKEN).all()


def test_stored_rows_can_be_written_again_as_people_write_them():
    flowers, phrases = recipe(FLOWERS), recipe(PHRASES)
    written = {"width": [1.5, 2.0], "colour": ["red", None], "seen": [1.0, 2.0]}
    raw = {**written, "species": ["rose", "iris"]}
    unseen = {**written, "colour": ["red", "green"]}
    targets = encode_targets(flowers, raw, 2)
    assert decode_columns(flowers, encode_columns(flowers, unseen, 2), targets) == raw
    tokens = encode_rows(phrases, ["Good day!", "what a day"])
    found = decode_columns(phrases, tokens, np.array([1, 0], np.uint32))
    assert found["language"] == ["en", "de"]
    assert found["phrase"][0] == "good day !"
