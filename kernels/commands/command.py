"""What a command is, and the files that commands read and write."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import config, modelfile
from kernels.config import NetworkConfig
from kernels.data import DataError, DataShape, Target
from kernels.modelfile import Model

EXAMPLE = {
    "architecture": {
        "type": "feedforward",
        "layers": [{"type": "dense", "params": {"units": 128, "activation": "relu"}}],
    },
    "training": {"epochs": 20, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"},
}
# the object for --json, the lines for people
Answer = tuple[Mapping[str, Any], Sequence[str]]


@dataclass(frozen=True)
class Command:
    """`options` adds the command's own arguments to its parser."""

    help: str
    run: Callable[[argparse.Namespace], Answer]
    options: Callable[[argparse.ArgumentParser], None] = lambda parser: None


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path}: must be JSON: {error}") from error


def read_rows(model: Model) -> NDArray[Any]:
    """Rows from standard input: a list of them, or an object with them under `rows`.

    Raises DataError.
    """
    try:
        raw = json.load(sys.stdin)
        rows = np.array(raw["rows"] if isinstance(raw, dict) else raw)
    except (ValueError, KeyError) as error:
        raise DataError(f"standard input: must be a list of rows in JSON: {error}") from error
    if rows.dtype.kind not in "iuf" or not rows.ndim:
        raise DataError("standard input: rows must hold numbers, each as many as the others")
    shape = next(iter(model.forward(1).inputs.values())).shape or ()
    return rows.reshape(len(rows), *shape[1:]) if rows.size == len(rows) * size(shape) else rows


def size(shape: Sequence[int]) -> int:
    return int(np.prod(shape[1:]))


def read_model(path: Path) -> Model:
    return modelfile.load(path.read_bytes())


def is_model(path: Path) -> bool:
    """Whether a file is a model and no configuration: JSON begins with a brace at once."""
    with path.open("rb") as file:
        return not file.read(64).lstrip().startswith(b"{")


def data_options(parser: argparse.ArgumentParser) -> None:
    """What a configuration needs to know of data that are not there."""
    parser.add_argument("--input", default="64", help="shape of an example: 64, 24,8 or 28,28,1")
    parser.add_argument("--vocabulary", type=int, default=0, help="so many tokens; 0: numbers")
    parser.add_argument("--target", choices=[*Target], default=Target.CLASSES)
    parser.add_argument("--outputs", type=int, default=10, help="how many classes or values")
    parser.add_argument("--rows", type=int, default=1_257, help="how many rows are trained on")


def data_shape(asked: argparse.Namespace) -> DataShape:
    """Raises DataError."""
    try:
        sides = tuple(int(side) for side in asked.input.split(","))
    except ValueError as error:
        raise DataError(f"--input: {asked.input!r} is no shape; say 64, 24,8 or 28,28,1") from error
    if not sides or min(*sides, asked.outputs, asked.rows) < 1:
        raise DataError("--input, --outputs, --rows: must be from 1 on")
    return DataShape(sides, Target(asked.target), asked.outputs, asked.vocabulary)


def read_config(path: Path | None, data: DataShape) -> NetworkConfig:
    """The configuration in a file, or one hidden layer. Raises DataError and ConfigError."""
    return config.parse(EXAMPLE if path is None else read_json(path), data)


def write(path: Path, content: bytes) -> Mapping[str, Any]:
    path.write_bytes(content)
    return {"file": str(path), "bytes": len(content)}


def pairs(answer: Mapping[str, Any]) -> list[str]:
    return [f"{key}: {value}" for key, value in answer.items()]
