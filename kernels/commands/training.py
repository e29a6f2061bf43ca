"""Commands that train, and that look at what a training would do."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from kernels import build, estimate, modelfile, profile, programs, prune, tape
from kernels.commands.command import (
    Answer,
    Command,
    check_range,
    data_options,
    data_shape,
    pairs,
    read_config,
    say,
)
from kernels.commands.files import (
    check_target,
    force_option,
    is_model,
    read_blob,
    read_model,
    write,
)
from kernels.commands.tables import Table, read_csv
from kernels.config import NetworkConfig
from kernels.data import DataError, DataShape, random_data
from kernels.limits import Limits
from kernels.modelfile import Model, Signature
from kernels.objectives import objective_of
from kernels.predictor import Predictor
from kernels.trainer import EpochMetrics, Trainer

WARMING_STEPS = 3
NUMBERS_LIMIT = 2**27  # at random, half a gigabyte
BATCH_LIMIT = 1_000_000
MEMORY_BYTES = 2**31  # of a command, whose owner can see what the machine has


def train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="CSV whose last column is the class")
    parser.add_argument("--config", type=Path, help="a JSON file; default: one hidden layer")
    parser.add_argument(
        "--model", type=Path, help="where to write the model file, one .safetensors"
    )
    force_option(parser)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--variant", choices=["simd", "scalar"], default="simd")


def train(asked: argparse.Namespace) -> Answer:
    if asked.model is not None:
        check_target(asked.model, asked, asked.data, *([asked.config] if asked.config else []))
    table = read_csv(asked.data)
    shape = DataShape.table(len(table.features), len(table.classes))
    settings = read_config(asked.config, shape)
    limits = Limits(memory_bytes=MEMORY_BYTES)
    module = build.module(asked.variant)
    data = table.training_data()
    training = Trainer(settings, data, seed=asked.seed, module=module, limits=limits)
    points = list(followed(training, sys.stderr if asked.json else sys.stdout))
    if asked.model is not None:
        signature = signature_of(settings, table)
        write(asked.model, training.export(signature, {"data": asked.data.name}))
    answer = {
        "points": [asdict(point) for point in points],
        "steps": training.step,
        "weights_sha256": training.weights_sha256(),
        "kernel_hash": training.module.kernel_hash,
    }
    return answer, [f"weights {answer['weights_sha256']}"]


def followed(training: Trainer, stream: TextIO) -> Iterator[EpochMetrics]:
    """Each epoch, told as it ends. Who stops it is told how far it came."""
    try:
        for point in training.run():
            say(in_words(point), stream)
            yield point
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(
            f"stopped at step {training.step:,} of {training.steps_total:,}; no model was written"
        ) from stop


def signature_of(settings: NetworkConfig, table: Table) -> Signature:
    """Names for what the network takes and answers: what makes rows up from nothing takes no
    features, and what makes rows answers no class.
    """
    unit = objective_of(settings).answer(1)
    return Signature(
        table.features if "input" in unit.inputs else (),
        table.classes if "probabilities" in unit.outputs else (),
    )


def in_words(point: EpochMetrics) -> str:
    return (
        f"epoch {point.epoch}: loss {point.train_loss:.4f}, {point.metric} "
        f"{point.train_metric:.4f}; validation loss {point.validation_loss:.4f}, {point.metric} "
        f"{point.validation_metric:.4f}"
    )


def prune_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a model trained on these data")
    parser.add_argument("data", type=Path, help="CSV whose last column is the class")
    parser.add_argument("--output", type=Path, required=True)
    force_option(parser)
    parser.add_argument("--fraction", type=float, default=0.5, help="of each weight matrix")
    parser.add_argument("--epochs", type=int, default=5, help="of training on")
    parser.add_argument("--seed", type=int, default=7)


def prune_model(asked: argparse.Namespace) -> Answer:
    check_target(asked.output, asked, asked.file, asked.data)
    blob = read_blob(asked.file)
    table = read_csv(asked.data).fitted(modelfile.load(blob).signature)
    found, report = prune.prune(
        blob,
        table.training_data(),
        fraction=asked.fraction,
        epochs=asked.epochs,
        seed=asked.seed,
        module=build.module(),
        limits=Limits(memory_bytes=MEMORY_BYTES),
    )
    answer = {**write(asked.output, found), **asdict(report)}
    return answer, pairs(answer)


# ------------------------------------------------------------------------------ what would be done


def inspect_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", help="a model or a configuration in JSON")
    parser.add_argument("--seed", type=int, default=7)
    data_options(parser)


def inspect(asked: argparse.Namespace) -> Answer:
    if asked.file is not None and is_model(asked.file):
        return inspect_model(read_model(asked.file))
    settings = read_config(asked.file, data_shape(asked))
    check_range("seed", asked.seed, 0, 2**64 - 1)
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
    lines = pairs({key: value for key, value in answer.items() if key != "programs"})
    return answer, [*lines, *tape.describe(plan.tape)]


def inspect_model(model: Model) -> Answer:
    unit = model.forward(1)
    answer: dict[str, Any] = {
        "inputs": {name: [node.dtype, *(node.shape or ())] for name, node in unit.inputs.items()},
        "outputs": {name: list(node.shape or ()) for name, node in unit.outputs.items()},
        "parameters": sum(array.size for array in model.weights.values()),
        "bytes": sum(array.nbytes for array in model.arrays.values()),
        "arrays": {name: [str(a.dtype), *a.shape] for name, a in sorted(model.arrays.items())},
        "ops": [entry["op"] for entry in model.graph["nodes"]],
        "signature": model.signature.to_json(),
        "provenance": dict(model.provenance),
        "config": None if model.config is None else model.config.to_json(),
    }
    return answer, pairs(answer)


def profile_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", help="a model or a configuration in JSON")
    parser.add_argument("--batch", type=int, default=32, help="rows of a prediction")
    data_options(parser)


def show_profile(asked: argparse.Namespace) -> Answer:
    check_range("batch", asked.batch, 1, BATCH_LIMIT)
    if asked.file is not None and is_model(asked.file):
        found = profile_of_prediction(asked.file, asked.batch)
    else:
        found = profile_of_training(read_config(asked.file, data_shape(asked)), asked.rows)
    return found.to_json(), profile_lines(found)


def profile_of_prediction(path: Path, rows: int) -> profile.Profile:
    """Of a model answering so many random rows at once, at most as many as a call takes."""
    limits = Limits(memory_bytes=MEMORY_BYTES)
    predictor = Predictor(read_blob(path), module=build.module(), limits=limits)
    predictor.outputs(predictor.example_rows(min(rows, predictor.capacity)))
    return predictor.profile(rows)


def profile_of_training(settings: NetworkConfig, rows: int) -> profile.Profile:
    """Of a step on so many random rows, after a few that warm it up; batches are not cut into
    shards.
    """
    each = max(settings.data.features, settings.data.size)
    if rows * each > NUMBERS_LIMIT:
        raise DataError(
            f"--rows: {rows:,} rows of {each:,} numbers are too many to make up; at most "
            f"{NUMBERS_LIMIT // each:,}"
        )
    whole = replace(settings, training=replace(settings.training, shards=1))
    limits, module = Limits(memory_bytes=MEMORY_BYTES), build.module()
    trainer = Trainer(whole, random_data(whole.data, rows), seed=1, module=module, limits=limits)
    list(trainer.run(steps=WARMING_STEPS))
    return profile.measure(trainer.sandbox, "train", module=module, step=trainer.step)


def profile_lines(found: profile.Profile) -> list[str]:
    lines = [
        f"{found.program}: {1e6 * found.step_seconds:.1f} µs a step; its instructions one by one "
        f"{1e6 * found.seconds:.1f} µs"
    ]
    for title, rows in (("op", found.by_op()), ("layer", found.by_layer())):
        lines += ["", f"{title:<28} times         µs   share  GFLOP/s        bytes"]
        lines += [
            f"{row[title]:<28} {row['instructions']:5d} {row['us']:10.1f}  {row['share']:6.1%} "
            f"{row['gflops']:8.1f} {row['bytes']:12,d}"
            for row in rows
        ]
    return lines


COMMANDS = {
    "train": Command("train on a CSV file", train, train_options),
    "prune": Command("drop the smallest weights and train on", prune_model, prune_options),
    "inspect": Command("what a model or a configuration is", inspect, inspect_options),
    "profile": Command("where the time of a step goes", show_profile, profile_options),
}
