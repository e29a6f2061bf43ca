"""Arrays: one as .npy, or several by name as .npz.

A header is read and believed only as far as the file goes: what it promises must be what follows
it, within the bounds, before memory is asked for. Objects are never unpickled.
"""

import io
import math
import tokenize
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.lib.format as npy
import polars as pl
from numpy.typing import NDArray

from training.runner.readers import zips
from training.runner.readers.cells import check_cell
from training.runner.readers.content import Arrays, Bounds, FileRefused, Table
from training.runner.recipes.columns import LARGEST

HEADER_BYTES_MAX = 10_000
DIMENSIONS_MAX = 4  # rows, height, width, channels
ARRAYS_MAX = 16
# What NumPy's reading of a header, which is Python's of a literal, may raise.
HEADER_FAULTS = (
    ValueError,
    TypeError,
    SyntaxError,
    RecursionError,
    EOFError,
    MemoryError,
    OverflowError,
    tokenize.TokenError,
)
FEATURES = ("features", "x", "data", "images", "inputs")
TARGETS = ("targets", "target", "labels", "label", "y", "classes")


def read_npy(path: Path, bounds: Bounds) -> Table | Arrays:
    """One array: a table of numbers, or examples without targets. Raises FileRefused."""
    return examples(array_of(path.read_bytes(), "the file", bounds), None, bounds)


def read_npz(path: Path, bounds: Bounds) -> Table | Arrays:
    """`features` (or x, data, images, inputs) and perhaps `targets` (or labels, y, classes)."""
    with zips.open_zip(path) as archive:
        entries = zips.entries(archive, path.stat().st_size, ARRAYS_MAX)
        names = {entry.filename: entry for entry in entries}
        if not names or not all(name.endswith(".npy") for name in names):
            raise FileRefused("must hold arrays only, as numpy.savez writes them.")
        found = {
            name.removesuffix(".npy"): array_of(zips.content_of(archive, entry), name, bounds)
            for name, entry in names.items()
        }
    features, targets = chosen(found)
    if targets is not None and (targets.ndim not in (1, 2) or len(targets) != len(features)):
        raise FileRefused(
            f"targets are {targets.shape} and features {features.shape}; there must be one for "
            "each row."
        )
    return examples(features, targets, bounds)


def chosen(arrays: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Which array is given and which is asked for, by their names."""
    by_name = {name.lower(): array for name, array in arrays.items()}
    targets = next((by_name[name] for name in TARGETS if name in by_name), None)
    features = next((by_name[name] for name in FEATURES if name in by_name), None)
    if features is None and len(arrays) == 1:
        features, targets = next(iter(arrays.values())), None
    if features is None:
        raise FileRefused(
            f"holds {', '.join(sorted(arrays))[:200]}; name what is given `features` and what is "
            "asked for `targets`."
        )
    return features, targets


def array_of(content: bytes, name: str, bounds: Bounds) -> NDArray[Any]:
    """The array that these bytes are, its header checked first. Raises FileRefused."""
    file = io.BytesIO(content)
    try:
        version = npy.read_magic(file)
        read_header = {
            (1, 0): npy.read_array_header_1_0,
            (2, 0): npy.read_array_header_2_0,
        }[version]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers that Python 2 wrote
            shape, _, dtype = read_header(file, max_header_size=HEADER_BYTES_MAX)
    except KeyError as error:
        raise FileRefused(f"{name}: is of a version that is not read here.") from error
    except HEADER_FAULTS as error:
        raise FileRefused(f"{name}: its header is damaged: {str(error)[:120]}.") from error
    check_header(shape, dtype, len(content) - file.tell(), name, bounds)
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = npy.read_array(file, allow_pickle=False, max_header_size=HEADER_BYTES_MAX)
    except (ValueError, TypeError, EOFError) as error:
        raise FileRefused(f"{name}: is damaged: {str(error)[:120]}.") from error
    return checked(array, name)


def check_header(
    shape: tuple[int, ...], dtype: np.dtype[Any], there_bytes: int, name: str, bounds: Bounds
) -> None:
    if dtype.hasobject or dtype.kind not in "biufUS":
        raise FileRefused(f"{name}: holds {dtype}; only numbers and texts are read, no objects.")
    if not 1 <= len(shape) <= DIMENSIONS_MAX or any(side < 0 for side in shape):
        raise FileRefused(f"{name}: its shape is {shape}; 1 to {DIMENSIONS_MAX} sides are read.")
    promised = math.prod(shape) * dtype.itemsize
    if promised != there_bytes:
        raise FileRefused(
            f"{name}: its header promises {promised:,} bytes and {there_bytes:,} follow; it was "
            "cut short, or is not honest."
        )
    if not math.prod(shape):
        raise FileRefused(f"{name}: is empty; bring rows.")
    bounds.check_size(shape[0], math.prod(shape[1:]), "values")


def checked(array: NDArray[Any], name: str) -> NDArray[Any]:
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise FileRefused(f"{name}: holds texts that are not UTF-8.") from error
    if array.dtype.kind == "f":
        wrong = np.argwhere(~(np.abs(array.astype(np.float64)) <= LARGEST))
        if wrong.size:
            raise FileRefused(
                f"{name}: row {int(wrong[0][0]) + 1:,} holds a number that is not finite or does "
                "not fit a 32-bit float; replace it or leave the row out."
            )
    return array


def examples(
    features: NDArray[Any], targets: NDArray[Any] | None, bounds: Bounds
) -> Table | Arrays:
    """Flat rows are a table, whose columns can be looked at one by one."""
    if features.dtype.kind == "U":
        raise FileRefused("features must be numbers; texts are read from CSV or JSON lines.")
    if features.ndim == 1:
        features = features[:, None]
    if features.ndim > 2 or features.shape[1] > bounds.columns:
        return Arrays(features, targets)
    columns: dict[str, pl.Series] = {
        f"x{number}": series_of(features[:, number - 1])
        for number in range(1, features.shape[1] + 1)
    }
    if targets is not None:
        values = targets[:, None] if targets.ndim == 1 else targets
        names = ["target"] if values.shape[1] == 1 else None
        for number in range(values.shape[1]):
            name = names[0] if names else f"target{number + 1}"
            columns[name] = series_of(values[:, number])
    return Table(pl.DataFrame(columns))


def series_of(values: NDArray[Any]) -> pl.Series:
    if values.dtype.kind == "U":
        texts = [str(text).strip() or None for text in values]
        for row, text in enumerate(texts):
            if text is not None:
                check_cell(text, f"row {row + 1:,} of the targets")
        return pl.Series(texts, dtype=pl.String)
    if values.dtype.kind == "b":
        return pl.Series([str(bool(value)).lower() for value in values], dtype=pl.String)
    return pl.Series(np.ascontiguousarray(values, np.float64))
