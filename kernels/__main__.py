"""`python -m kernels build | bench | inspect | run`: the compute core without the site.

Each command prints for people, or with --json one object on standard output.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kernels import bench, build, config, estimate, programs, tape
from kernels.config import ConfigError
from kernels.data import DataError, DataShape, TrainingData
from kernels.limits import Limits, SandboxError
from kernels.modelfile import Signature
from kernels.trainer import NonFinite, Trainer

EXAMPLE = {
    "architecture": {
        "type": "feedforward",
        "layers": [{"type": "dense", "params": {"units": 128, "activation": "relu"}}],
    },
    "training": {"epochs": 20, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"},
}
COLUMNS_LIMIT = 2_000
Answer = tuple[dict[str, Any], Sequence[str]]


def main(arguments: Sequence[str]) -> int:
    asked = parser().parse_args(arguments)
    try:
        answer, lines = asked.command(asked)
    except (ConfigError, DataError, NonFinite, SandboxError, build.BuildFailed, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    text = json.dumps(answer) if asked.json else "\n".join(lines)
    sys.stdout.write(text + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m kernels", description=__doc__)
    commands = root.add_subparsers(required=True)
    for name, command, text in (
        ("build", build_modules, "compile both modules, if they are not there"),
        ("bench", run_bench, "measure products, every op, and training steps"),
        ("inspect", inspect, "show what a configuration compiles to"),
        ("run", run, "train on a CSV file whose last column is the class"),
    ):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        sub.add_argument("--json", action="store_true", help="one object on standard output")
        if name in ("inspect", "run"):
            sub.add_argument("--config", type=Path, help="a JSON file; default: one hidden layer")
            sub.add_argument("--seed", type=int, default=7)
        if name == "bench":
            sub.add_argument("--only", action="append", choices=list(bench.PARTS), help="a part")
        if name == "inspect":
            sub.add_argument("--features", type=int, default=64)
            sub.add_argument("--classes", type=int, default=10)
            sub.add_argument("--rows", type=int, default=1_257)
        if name == "run":
            sub.add_argument("data", type=Path)
            sub.add_argument("--model", type=Path, help="where to write the model file")
            sub.add_argument("--variant", choices=["simd", "scalar"], default="simd")
    return root


def build_modules(asked: argparse.Namespace) -> Answer:
    simd, scalar = build.module("simd"), build.module("scalar")
    answer = {
        "kernel_hash": simd.kernel_hash,
        "simd_bytes": simd.path.stat().st_size,
        "scalar_bytes": scalar.path.stat().st_size,
        "folder": str(simd.path.parent),
    }
    return answer, [f"{key}: {value}" for key, value in answer.items()]


def run_bench(asked: argparse.Namespace) -> Answer:
    found = bench.measure(asked.only or tuple(bench.PARTS))
    return found, bench.lines(found)


def inspect(asked: argparse.Namespace) -> Answer:
    settings = config.parse(
        read_config(asked.config), DataShape.table(asked.features, asked.classes)
    )
    guess = estimate.estimate(settings, rows=asked.rows)
    found = programs.training_plan(settings, rows=asked.rows, validation_rows=0, seed=asked.seed)
    plan = found.plan
    answer = {
        **asdict(guess),
        "arena_bytes": plan.tape.arena_bytes,
        "persistent_bytes": plan.tape.persistent_bytes,
        "scratch_bytes": plan.scratch_bytes,
        "scratch_bytes_without_reuse": plan.unshared_bytes,
        "programs": {
            name: [i.op for i in plan.tape.programs[number]]
            for name, number in plan.programs.items()
        },
    }
    lines = [f"{key}: {value}" for key, value in answer.items() if key != "programs"]
    return answer, [*lines, *tape.describe(plan.tape)]


def run(asked: argparse.Namespace) -> Answer:
    names, classes, data = read_csv(asked.data)
    settings = config.parse(read_config(asked.config), DataShape.table(len(names), len(classes)))
    training = Trainer(
        settings, data, seed=asked.seed, module=build.module(asked.variant), limits=Limits()
    )
    points = list(training.run())
    if asked.model is not None:
        signature = Signature(names, classes)
        asked.model.write_bytes(training.export(signature, {"data": asked.data.name}))
    answer = {
        "points": [asdict(point) for point in points],
        "steps": training.step,
        "weights_sha256": training.weights_sha256(),
        "kernel_hash": training.module.kernel_hash,
    }
    lines = [
        f"epoch {point.epoch}: loss {point.train_loss:.4f}, right {point.train_metric:.4f}; "
        f"validation loss {point.validation_loss:.4f}, right {point.validation_metric:.4f}"
        for point in points
    ]
    return answer, [*lines, f"weights {answer['weights_sha256']}"]


def read_config(path: Path | None) -> Any:
    if path is None:
        return EXAMPLE
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path}: must be JSON: {error}") from error


def read_csv(path: Path) -> tuple[tuple[str, ...], tuple[str, ...], TrainingData]:
    """Names of features, names of classes, and the data; every fifth row is kept for validation."""
    with path.open(newline="") as lines:
        names, *rows = csv.reader(lines)
    if not 2 <= len(names) <= COLUMNS_LIMIT or len(rows) < 5:
        raise DataError(f"{path}: must have a heading, 2 to {COLUMNS_LIMIT} columns and 5 rows")
    values = np.array(list(numbers(path, rows, len(names))), np.float32)
    classes = tuple(sorted({row[-1] for row in rows}))
    labels = np.array([classes.index(row[-1]) for row in rows], np.int32)
    held_out = np.arange(len(rows)) % 5 == 4
    data = TrainingData(values[~held_out], labels[~held_out], values[held_out], labels[held_out])
    return tuple(names[:-1]), classes, data


def numbers(path: Path, rows: Sequence[Sequence[str]], width: int) -> Iterator[list[float]]:
    for line, row in enumerate(rows, start=2):
        if len(row) != width:
            raise DataError(f"{path}, line {line}: has {len(row)} columns, the heading {width}")
        try:
            yield [float(value) for value in row[:-1]]
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
