"""What a dataset looks like: its first rows as people wrote them, and how each column is spread.

Of data that people brought, the worker's report says it; of bundled data it is worked out from the
stored rows, once, and kept under their hash.
"""

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np
from django.core.cache import cache
from numpy.typing import NDArray

from training.models import Dataset
from training.runner import tokenizers
from training.runner.recipes import Column, Form, Kind, Recipe, feature_names
from training.runner.recipes.columns import EPOCH
from training.runner.rows import Rows
from training.services.datasets import load_rows

KEPT_SECONDS = 86_400
TABLE_ROWS = 10
PICTURES = 40
TEXTS = 8
TEXT_LENGTH_MAX = 400
COLUMNS_SHOWN = 24
SPREADS_SHOWN = 24
BINS = 20
VALUES_SHOWN = 12
SERIES_POINTS_MAX = 5_000
PICTURE_SIDE_MAX = 64
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_COLOURS = {1: 0, 3: 2, 4: 6}  # channels: grey, red green blue, and with opacity
Cell = float | str | None


@dataclass(frozen=True, kw_only=True)
class Picture:
    number: int
    label: str
    values: list[float] = field(default_factory=list)  # as shades of ink
    source: str = ""  # or in its colours, the address of a PNG that holds it

    @property
    def alt(self) -> str:
        return f"Row {self.number}"


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How often values lie between neighbouring `edges`, or how often each of `values` is there."""

    name: str
    counts: list[int]
    edges: list[float] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    missing: int = 0
    is_date: bool = False  # the edges are days since 1970-01-01


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A table, pictures, texts or lines; `hidden` columns of a table are not shown."""

    header: list[str] = field(default_factory=list)
    rows: list[tuple[int, list[Cell]]] = field(default_factory=list)
    hidden: int = 0
    pictures: list[Picture] = field(default_factory=list)
    sides: tuple[int, int] = (0, 0)  # height, width
    highest: float = 1.0
    texts: list[tuple[int, str, str]] = field(default_factory=list)  # number, label, text
    lines: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    spreads: list[Spread] = field(default_factory=list)


def sample_rows(*, dataset: Dataset) -> Sample:
    """The first rows and the spread of each column."""
    key = f"sample/{dataset.sha256}/{dataset.pk}"
    kept: Sample | None = cache.get(key)
    if kept is None:
        kept = take_sample(dataset)
        cache.set(key, kept, timeout=KEPT_SECONDS)
    return kept


def take_sample(dataset: Dataset) -> Sample:
    found = drawn_sample(dataset)
    if not dataset.report.get("columns"):
        return found
    return replace(found, spreads=reported_spreads(dataset.report["columns"]))


def drawn_sample(dataset: Dataset) -> Sample:
    """The first rows, in the form that they have."""
    told = dataset.report.get("first_rows") and dataset.recipe["kind"] == Form.TABLE
    if told and not dataset.image_shape:  # rows that are pictures are looked at as pictures
        names = [column["name"] for column in dataset.recipe["columns"]]
        return reported_table(names, dataset.report["first_rows"])
    rows = load_rows(dataset)
    if not len(rows):
        return Sample()
    recipe = Recipe.from_json(dataset.recipe) if dataset.recipe else None
    if (sides := picture_sides(dataset, rows)) is not None:
        return pictures(dataset, recipe, rows, sides)
    if recipe is None or recipe.kind in (Form.ARRAYS, Form.ENVIRONMENT):
        return numbers(dataset, recipe, rows)
    if recipe.kind is Form.TEXT:
        return texts(recipe, rows)
    if recipe.kind is Form.SERIES:
        return series(recipe, rows)
    return table(recipe, rows)


def labels(dataset: Dataset, recipe: Recipe | None, rows: Rows, count: int) -> list[str]:
    """What is asked of each of the first rows, in words."""
    if recipe is not None:
        names, known = list(recipe.classes), bool(recipe.targets)
    else:
        names, known = dataset.classes, True
    given = rows.targets[:count]
    if not known or given.ndim > 1 and given.shape[1] > 1:
        return [""] * len(given)
    flat = given.reshape(len(given))
    if names and flat.dtype.kind in "iu":
        return [names[number] for number in flat]
    return [f"{number:.4g}" for number in flat]


# What the worker said


def reported_table(header: Sequence[str], given: Sequence[Mapping[str, Cell]]) -> Sample:
    """The rows as they came, in the order of the columns; also those that are ignored."""
    columns = len(header)
    header = [name for name in header if name in given[0]]
    return Sample(
        header=header[:COLUMNS_SHOWN],
        rows=[
            (number, [row[name] for name in header[:COLUMNS_SHOWN]])
            for number, row in enumerate(given[:TABLE_ROWS])
        ],
        hidden=columns - min(len(header), COLUMNS_SHOWN),  # also those that no row was kept of
    )


def reported_spreads(columns: Sequence[Mapping[str, Any]]) -> list[Spread]:
    """Of numbers and dates a histogram, of others the commonest values."""
    found = []
    for column in [each for each in columns if each["kind"] != Kind.TEXT][:SPREADS_SHOWN]:
        drawn = column.get("histogram", {})
        top = sorted(column.get("top", {}).items(), key=lambda each: -each[1])[:VALUES_SHOWN]
        found.append(
            Spread(
                name=column["name"],
                counts=drawn.get("counts", [count for _, count in top]),
                edges=drawn.get("edges", []),
                values=[value for value, _ in top],
                missing=column["missing"],
                is_date=column["kind"] == Kind.DATE,
            )
        )
    return [spread for spread in found if spread.counts]


# Pictures


def picture_sides(dataset: Dataset, rows: Rows) -> tuple[int, int] | None:
    """Height and width, where a row can be drawn."""
    shape = rows.features.shape[1:]
    if dataset.image_shape:
        height, width = dataset.image_shape
    elif len(shape) == 3 and shape[2] <= 4 and rows.features.dtype.kind == "f":
        height, width = shape[:2]
    else:
        return None
    return (height, width) if max(height, width) <= PICTURE_SIDE_MAX else None


def pictures(dataset: Dataset, recipe: Recipe | None, rows: Rows, sides: tuple[int, int]) -> Sample:
    """Pictures that were brought in their colours; others in ink, as the mean of the channels."""
    given = rows.features[:PICTURES].reshape(-1, *sides, rows.features[0].size // np.prod(sides))
    told = labels(dataset, recipe, rows, PICTURES)
    if dataset.format == Dataset.Format.ZIP and recipe is not None:
        seen = (given * (255 / recipe.white)).clip(0, 255).astype(np.uint8)
        return Sample(
            pictures=[
                Picture(number=number, label=told[number], source=png_address(pixels))
                for number, pixels in enumerate(seen)
            ]
        )
    grey = given.mean(axis=3).reshape(len(given), -1)
    return Sample(
        pictures=[
            Picture(number=number, label=told[number], values=values.tolist())
            for number, values in enumerate(grey)
        ],
        sides=sides,
        highest=float(rows.features.max()) or 1.0,
    )


def coloured(*, dataset: Dataset, values: Sequence[float]) -> str:
    """A `data:` address of a row that is a picture in colours, or too fine to be drawn in ink;
    nothing of any other.
    """
    if not dataset.image_shape or not values:
        return ""
    height, width = dataset.image_shape
    if len(values) == height * width and max(height, width) <= PICTURE_SIDE_MAX:
        return ""
    white = dataset.recipe.get("white") or max(values) or 1.0
    seen = np.array(values, np.float32).reshape(height, width, -1) * (255 / white)
    return png_address(seen.clip(0, 255).astype(np.uint8))


def png_address(pixels: NDArray[np.uint8]) -> str:
    """A `data:` address of these pixels [height, width, channels], of which 1, 3 or 4 are drawn.

    PNG as its specification has it: rows without a filter, in one chunk.
    """
    height, width, channels = pixels.shape
    if channels not in PNG_COLOURS:
        pixels, channels = pixels[:, :, :1], 1
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, PNG_COLOURS[channels], 0, 0, 0)
    content = PNG_SIGNATURE
    for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + name + data
        content += struct.pack(">I", zlib.crc32(name + data))
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


# Tables


def table(recipe: Recipe, rows: Rows) -> Sample:
    """The columns as they were written: a category as its value, a date as a date."""
    header: list[str] = []
    columns: list[list[Cell]] = []
    spreads: list[Spread] = []
    first = 0
    for column in recipe.inputs:
        block = rows.features[:, first : first + len(column.feature_names)]
        first += len(column.feature_names)
        header.append(column.name)
        if len(header) <= COLUMNS_SHOWN:
            columns.append(written(column, block[:TABLE_ROWS]))
        if len(spreads) < SPREADS_SHOWN:
            spreads.append(spread_of(column, block))
    hidden = max(0, len(header) - COLUMNS_SHOWN)
    asked = target_columns(recipe, rows)
    spreads += [spread for name, values in asked if (spread := spread_of_target(name, values))]
    shown = columns + [list(values[:TABLE_ROWS]) for _, values in asked]
    return Sample(
        header=header[:COLUMNS_SHOWN] + [name for name, _ in asked],
        rows=list(enumerate(map(list, zip(*shown, strict=True)))),
        hidden=hidden,
        spreads=spreads,
    )


def written(column: Column, block: NDArray[np.float32]) -> list[Cell]:
    """The values of a column, from its features."""
    if column.kind is Kind.CATEGORY:
        return [column.values[row.argmax()] if row.any() else "another" for row in block]
    if column.kind is Kind.DATE:
        return [(EPOCH + timedelta(days=float(row[0]))).date().isoformat() for row in block]
    return [float(row[0]) for row in block]


def target_columns(recipe: Recipe, rows: Rows) -> list[tuple[str, list[Cell]]]:
    if not recipe.targets:
        return []
    if recipe.classes:
        named: list[Cell] = [recipe.classes[number] for number in rows.targets]
        return [(recipe.targets[0].name, named)]
    given = rows.targets.reshape(len(rows), -1)
    return [(column.name, given[:, place].tolist()) for place, column in enumerate(recipe.targets)]


def spread_of(column: Column, block: NDArray[np.float32]) -> Spread:
    if column.kind is Kind.CATEGORY:
        counts = block.sum(axis=0).astype(int).tolist()
        most = sorted(zip(counts, column.values, strict=True), reverse=True)[:VALUES_SHOWN]
        return Spread(
            name=column.name,
            counts=[count for count, _ in most],
            values=[value for _, value in most],
        )
    return replace(histogram_of(column.name, block[:, 0]), is_date=column.kind is Kind.DATE)


def spread_of_target(name: str, values: Sequence[Cell]) -> Spread | None:
    """Of classes, the balance stands elsewhere."""
    if not values or isinstance(values[0], str):
        return None
    return histogram_of(name, np.array(values, np.float32))


def histogram_of(name: str, values: NDArray[np.float32]) -> Spread:
    counts, edges = np.histogram(values.astype(np.float64), bins=BINS)
    return Spread(name=name, counts=counts.tolist(), edges=edges.tolist())


def numbers(dataset: Dataset, recipe: Recipe | None, rows: Rows) -> Sample:
    """Rows that are nothing but numbers."""
    flat = rows.features.reshape(len(rows), -1)
    names = list(feature_names(recipe)) if recipe else dataset.features
    names = names or [str(place) for place in range(flat.shape[1])]
    told = labels(dataset, recipe, rows, TABLE_ROWS)
    cells: list[list[Cell]] = flat[:TABLE_ROWS, :COLUMNS_SHOWN].tolist()
    return Sample(
        header=[*names[:COLUMNS_SHOWN], "target"],
        rows=[(number, [*row, told[number]]) for number, row in enumerate(cells)],
        hidden=max(0, flat.shape[1] - COLUMNS_SHOWN),
        spreads=[
            histogram_of(names[at], flat[:, at]) for at in range(min(len(names), SPREADS_SHOWN))
        ],
    )


# Texts and series


def texts(recipe: Recipe, rows: Rows) -> Sample:
    """Decoded again, so as the network is given them."""
    found = []
    for number in range(min(TEXTS, len(rows))):
        text = tokenizers.decode(rows.features[number], recipe.tokenizer, recipe.vocabulary)
        label = recipe.classes[int(rows.targets[number])] if recipe.classes else ""
        found.append((number, label, text[:TEXT_LENGTH_MAX]))
    return Sample(texts=found)


def series(recipe: Recipe, rows: Rows) -> Sample:
    """The newest step that each row knows, one after the other."""
    names = [name for column in recipe.inputs for name in column.feature_names]
    newest = rows.features[:SERIES_POINTS_MAX, -1, :]
    return Sample(
        lines={
            name: list(enumerate(newest[:, place].tolist())) for place, name in enumerate(names[:6])
        },
        spreads=[
            histogram_of(name, rows.features[:, -1, place])
            for place, name in enumerate(names[:SPREADS_SHOWN])
        ],
    )
