"""Datasets as an upload leaves them; files and schemas as nobody would bring them, for the tests
that try many.
"""

import io
import json
import secrets
import zipfile

import numpy as np
import polars as pl
from hypothesis import strategies as st
from PIL import Image

from training.models import Dataset
from training.runner import blobs, datasets
from training.runner.rows import Rows, unpack


def brought(owner, content: bytes, kind: str, **fields) -> Dataset:
    """A dataset as an upload leaves it."""
    return Dataset.objects.create(
        owner=owner,
        slug=f"brought-{secrets.token_hex(8)}",
        format=kind,
        upload_sha256=blobs.put(content),
        upload_name=f"mine.{kind}",
        **{"name": "Brought"} | fields,
    )


def bring(owner, content: bytes, kind: str, **fields) -> Dataset:
    """The same, prepared."""
    dataset = brought(owner, content, kind, **fields)
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    return dataset


def stored(dataset: Dataset) -> Rows:
    return unpack(blobs.get(dataset.sha256))


KINDS = ["csv", "tsv", "jsonl", "parquet", "npy", "npz", "zip", "text"]


def parquet(**values) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(values).write_parquet(file)
    return file.getvalue()


def npy(array: np.ndarray, **more) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **more)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def picture(size=(6, 4), mode="L", kind="PNG", color=7) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, kind)
    return file.getvalue()


def archive(files: dict[str, bytes], method=zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(name) if method == zipfile.ZIP_STORED else name, content)
    return file.getvalue()


PICTURES = {
    f"{label}/{number}.{kind}": picture(kind=kind, color=number * 20)
    for number in range(10)
    for label, kind in (("cats", "png"), ("dogs", "gif"))
}
SEEDS = {
    "csv": b'a,b,c\n1,x,"y\nz"\n-2,NA,w\n3,,v\n4,x,v\n5,x,w\n6,x,w\n7,x,w\n',
    "tsv": b"a\tb\n1\tx\n2\ty\n3\tx\n4\ty\n5\tx\n6\ty\n7\tx\n8\ty\n",
    "jsonl": b'{"a": 1, "b": "x"}\n{"a": null, "b": true}\n{"a": 2, "b": "x"}\n{"a": 3}\n',
    "parquet": parquet(a=[1, None, 3, 4, 5, 6], b=["x", "y", None, "x", "y", "x"]),
    "npy": npy(np.arange(30.0).reshape(10, 3)),
    "npz": npz(x=np.arange(30.0).reshape(10, 3), y=np.arange(10) % 2),
    "zip": archive(PICTURES, zipfile.ZIP_DEFLATED),
    "text": "Übermut tut selten gut.\n".encode() * 20,
}


@st.composite
def damaged_files(draw) -> tuple[str, bytes]:
    """A sound file of some format with bytes changed, cut out, doubled or put in; or no file.

    A Parquet file stays sound: damaged, it may abort the process that reads it.
    """
    kind = draw(st.sampled_from(KINDS))
    if draw(st.integers(0, 4)) == 0:
        return kind, draw(st.binary(max_size=200))
    held = draw(st.sampled_from([kind, kind, kind, *KINDS]))
    if held == "parquet":
        return kind, SEEDS[held]
    content = bytearray(SEEDS[held])
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(content)))
        end = min(begin + draw(st.integers(0, 12)), len(content))
        content[begin:end] = draw(st.binary(max_size=12)) * draw(st.integers(1, 3))
    return kind, bytes(content)


CELLS = {
    "number": st.floats(-1e6, 1e6).map(lambda value: round(value, 3)),
    "whole": st.integers(0, 3),
    "huge": st.sampled_from([3e38, -3e38, 1e-40, 0]),
    "date": st.dates().map(str),
    "colour": st.sampled_from(["red", "blue", "white"]),
    "same": st.just("x"),
    "text": st.text(max_size=12),
    "any": st.one_of(st.none(), st.text(max_size=3), st.integers(), st.booleans()),
}


@st.composite
def tables(draw) -> bytes:
    """Lines of JSON whose columns are of some kind each, with or without missing values."""
    rows = draw(st.sampled_from([3, 8, 12, 12, 25]))
    columns = {}
    for number in range(draw(st.integers(1, 4))):
        cells = CELLS[draw(st.sampled_from(sorted(CELLS)))]
        if draw(st.booleans()):
            cells = st.one_of(cells, cells, cells, st.none())
        name = draw(st.sampled_from(["a", "target", "id", "day", "class", "=b"])) + str(number)
        columns[name] = draw(st.lists(cells, min_size=rows, max_size=rows))
    names = list(columns)
    lines = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(map(json.dumps, lines)).encode()


# Also what JSON can spell and no database keeps: NUL, half a surrogate pair, what is not finite.
WORDS = st.text(max_size=6) | st.sampled_from(["\0", "\ud800", "", "x" * 200, "__class__", "=1"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-2, 50) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
CHANGES = {
    "kind": st.sampled_from(["number", "category", "text", "date", "image"]),
    "role": st.sampled_from(["feature", "target", "time", "group", "ignored"]),
    "sensitive": st.booleans(),
    "values": st.sampled_from([[], ["red", "x"], ["0", "1", "2", "3"]]),
    "missing": st.sampled_from([None, 0, "red", "2024-01-01"]),
}
FORMS = {
    "table": {},
    "series": {"window": 2, "horizon": 1},
    "text": {"tokenizer": "words", "steps": 3},
    "images": {"height": 3, "width": 3, "channels": 1},
    "arrays": {"sides": [3]},
}


@st.composite
def schemas(draw, recipe: dict) -> tuple[dict, dict]:
    """A recipe near to this one, mostly one that could be; and a split."""
    changed = {**recipe, "columns": [dict(column) for column in recipe["columns"]]}
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        column = draw(st.sampled_from(changed["columns"]))
        key = draw(st.sampled_from(sorted(CHANGES)))
        column[key] = draw(CHANGES[key])
    if draw(st.integers(0, 3)) == 0:
        kind = draw(st.sampled_from(sorted(FORMS)))
        changed = {"kind": kind, "columns": changed["columns"], **FORMS[kind]}
    if draw(st.integers(0, 9)) == 0:
        changed[draw(st.sampled_from(sorted(changed)))] = draw(JSON)
    names = [str(column.get("name")) for column in recipe["columns"]]
    kind = draw(st.sampled_from(["random", "random", "stratified", "time", "group"]))
    goes_by_one = kind in ("time", "group") or draw(st.integers(0, 9)) == 0
    split = {
        "kind": kind,
        "column": draw(st.sampled_from(["", *names])) if goes_by_one else "",
        "seed": draw(st.integers(0, 3)),
    }
    return changed, split


@st.composite
def texts_of_schema(draw, recipe: dict, split: dict) -> dict[str, str]:
    """The same as the fields of a form, some of which hold other texts or are not sent at all."""
    columns = recipe["columns"] if isinstance(recipe["columns"], list) else []
    fields = {
        f"{key}_{at}": column[key]
        for at, column in enumerate(columns)
        for key in ("kind", "role", "missing", "sensitive")
        if isinstance(column, dict) and column.get(key) not in (None, False)
    }
    names = ("kind", "window", "horizon", "season", "tokenizer", "steps")
    fields |= {name: recipe[name] for name in names if recipe.get(name)}
    shares = {"train": 70, "validation": 15, "test": 15}
    fields |= {f"split_{name}": value for name, value in (shares | split).items()}
    texts = st.text(max_size=8) | st.sampled_from(["-1", "0", "1e999", "nan", "9" * 30, "\0"])
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        fields[draw(st.sampled_from(sorted(fields)))] = draw(texts)
    if draw(st.integers(0, 9)) == 0:
        del fields[draw(st.sampled_from(sorted(fields)))]
    return {name: str(value) for name, value in fields.items()}
