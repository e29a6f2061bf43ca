"""What a command is, and what several of them are asked."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from kernels import config
from kernels.commands.files import read_json
from kernels.config import NetworkConfig
from kernels.data import DataError, DataShape, Target
from kernels.fields import shown

EXAMPLE = {
    "architecture": {
        "type": "feedforward",
        "layers": [{"type": "dense", "params": {"units": 128, "activation": "relu"}}],
    },
    "training": {"epochs": 20, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"},
}
SIZE_LIMIT = 1_000_000
ROWS_LIMIT = 100_000_000
# the object for --json, the lines for people
Answer = tuple[Mapping[str, Any], Sequence[str]]


@dataclass(frozen=True)
class Command:
    """`options` adds the command's own arguments to its parser."""

    help: str
    run: Callable[[argparse.Namespace], Answer]
    options: Callable[[argparse.ArgumentParser], None] = lambda parser: None


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
    for side in sides:
        check_range("input", side, 1, SIZE_LIMIT)
    check_range("outputs", asked.outputs, 1, SIZE_LIMIT)
    check_range("rows", asked.rows, 1, ROWS_LIMIT)
    check_range("vocabulary", asked.vocabulary, 0, SIZE_LIMIT)
    return DataShape(sides, Target(asked.target), asked.outputs, asked.vocabulary)


def read_config(path: Path | None, data: DataShape) -> NetworkConfig:
    """The configuration in a file, or one hidden layer. Raises DataError and ConfigError."""
    return config.parse(EXAMPLE if path is None else read_json(path), data)


def say(text: str, stream: TextIO | None) -> None:
    """A line at once, not when the command ends. Raises DataError where the stream is closed."""
    if stream is None:
        if sys.stderr is None:
            return
        raise DataError("standard output: is closed, and there is something to say")
    try:
        stream.write(text + "\n")
        stream.flush()
    except OSError:  # what is left of it goes nowhere, or ending the process would try again
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Raises DataError."""
    if not low <= value <= high:
        raise DataError(f"--{name}: must be from {low:,} to {high:,}, not {shown(value)}")


def pairs(answer: Mapping[str, Any]) -> list[str]:
    return [f"{key}: {value}" for key, value in answer.items()]
