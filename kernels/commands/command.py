"""What a command is, and what several of them are asked."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels import config
from kernels.commands.files import read_json
from kernels.config import NetworkConfig
from kernels.data import DataError, DataShape, Target

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


def pairs(answer: Mapping[str, Any]) -> list[str]:
    return [f"{key}: {value}" for key, value in answer.items()]
