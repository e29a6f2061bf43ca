"""bob's file of rows, as models take it, or which row is none and why."""

import io

import numpy as np
import polars as pl
import pytest
import safetensors.numpy

from training.runner.readers import Bounds, FileRefused, read
from training.runner.recipes import Recipe, encode_rows
from training.runner.sheets import RowsRefused, read_sheet


def recipe(*columns, **more) -> Recipe:
    return Recipe.from_json({"kind": "table", "columns": list(columns), **more})


def number(name: str, **more) -> dict:
    return {"name": name, "kind": "number", **more}


FLOWERS = recipe(
    number("length"),
    {"name": "colour", "kind": "category", "values": ["blue", "red"]},
    {"name": "kind", "kind": "category", "role": "target", "values": ["a", "b"]},
)
PICTURES = Recipe.from_json(
    {
        "kind": "images",
        "columns": [{"name": "picture", "kind": "image"}],
        "height": 2,
        "width": 2,
        "channels": 1,
    }
)


@pytest.fixture
def asked(tmp_path):
    def asked(content: bytes | str, recipe: Recipe, kind: str = "csv"):
        path = tmp_path / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        fields, packed = read_sheet(read(path, kind, Bounds()), [recipe])
        return fields, safetensors.numpy.load(packed)["0"]

    return asked


def test_columns_go_by_their_names_and_others_are_left_aside(asked):
    fields, rows = asked("id,colour,length\n7,red,1.5\n8,blue,2\n", FLOWERS)
    assert fields == {"rows": 2, "unused": ["id"]}
    as_called = encode_rows(FLOWERS, [{"length": 1.5, "colour": "red"}, [2, "blue"]])
    assert rows.tobytes() == as_called.tobytes()


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "tsv"])
def test_every_format_says_the_same(asked, kind):
    frame = pl.DataFrame({"length": [1.5, 2.0], "colour": ["red", "blue"]})
    out = io.BytesIO()
    if kind == "jsonl":
        frame.write_ndjson(out)
    elif kind == "parquet":
        frame.write_parquet(out)
    else:
        frame.write_csv(out, separator="\t")
    assert asked(out.getvalue(), FLOWERS, kind)[1].tolist() == [[1.5, 0, 1], [2, 1, 0]]


def test_the_first_wrong_row_of_each_column_is_named(asked):
    text = "length,colour\n1,red\n2,green\nlong,blue\n,red\n"
    with pytest.raises(RowsRefused) as refused:
        asked(text, FLOWERS)
    found = [(each["row"], each["column"]) for each in refused.value.problems]
    assert found == [(2, "colour"), (3, "length")]
    assert str(refused.value).startswith("row 2, column 'colour': 'green'")


def test_a_column_that_is_not_there_is_named(asked):
    with pytest.raises(FileRefused, match="has no column 'colour'; it has: 'length', 'x'"):
        asked("length,x\n1,2\n", FLOWERS)


def test_an_array_has_the_numbers_in_their_order(asked):
    def saved(array):
        out = io.BytesIO()
        np.save(out, array)
        return out.getvalue()

    flat = np.arange(8, dtype=np.uint8).reshape(2, 4)
    assert asked(saved(flat), PICTURES, "npy")[1].shape == (2, 2, 2, 1)
    nested = asked(saved(flat.reshape(2, 2, 2).astype(np.float32)), PICTURES, "npy")[1]
    assert nested.tobytes() == asked(saved(flat), PICTURES, "npy")[1].tobytes()
    with pytest.raises(FileRefused, match="rows of 3 numbers, and the model takes 2 × 2 × 1"):
        asked(saved(np.zeros((5, 3))), PICTURES, "npy")


def test_numbers_of_a_picture_may_be_columns(asked):
    text = "pixel_0_0,pixel_0_1,pixel_1_0,pixel_1_1\n0,1,2,3\n"
    assert asked(text, PICTURES)[1].ravel().tolist() == [0, 1, 2, 3]
    with pytest.raises(RowsRefused, match="row 1, column 'pixel_1_1'"):
        asked(text.replace("3", "dark"), PICTURES)
