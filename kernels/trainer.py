"""Training: a configuration, data and a seed become weights, the same ones wherever and however.

What has to survive is the parameters, the optimiser's moments and the step number: the order of
rows, dropped units and first weights are functions of the seed and the step. So a run may be cut
into any pieces, stopped and restored, and ends in the same bits.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import modelfile, programs, runtime
from kernels.build import Module
from kernels.config import ConfigError, NetworkConfig
from kernels.fields import Problem
from kernels.graph import Node
from kernels.limits import Limits
from kernels.network import parameter_count
from kernels.runtime import Sandbox
from kernels.tape import work

CHECKPOINT_FORMAT = "neural-marketplace-checkpoint/1"
Progress = Callable[[int], bool]


class NonFinite(ArithmeticError):
    """Training diverged: at `step` the loss, or a weight, was not a finite number."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"{what} is not a finite number at step {step}; lower the learning rate")
        self.step = step


class DataError(ValueError):
    """Training data that does not fit its description; the text names the array and the row."""


class CheckpointRefused(ValueError):
    """A checkpoint of another run: its configuration, seed, data or kernels differ."""


@dataclass(frozen=True)
class TrainingData:
    """Rows are float32 (n, features), labels integers (n,) from 0; validation may be empty."""

    train_rows: NDArray[np.float32]
    train_labels: NDArray[np.int32]
    validation_rows: NDArray[np.float32]
    validation_labels: NDArray[np.int32]


@dataclass(frozen=True)
class EpochMetrics:
    """Means over the epoch's batches (while the weights moved) and over all validation rows."""

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float


@dataclass(frozen=True)
class Estimate:
    """What a run will take, from its tape. `step_work` is what `Limits.step_work` bounds."""

    parameters: int
    steps: int
    steps_per_epoch: int
    flops_per_step: int
    step_work: int
    memory_bytes: int
    model_bytes: int


def estimate(config: NetworkConfig, *, rows: int, validation_rows: int = 0) -> Estimate:
    """What training on this many rows will take; nothing is computed.

    Raises ConfigError where one step would do more than `Limits` allow by default.
    """
    plan = programs.training_plan(config, rows=rows, validation_rows=validation_rows, seed=0).plan
    per_epoch = programs.steps_per_epoch(config, rows)
    parameters = parameter_count(config)
    step_work, allowed = max(map(work, plan.tape.programs)), Limits().step_work
    if step_work > allowed:
        reason = f"makes a step of {step_work:,} operations, at most {allowed:,}; take fewer rows"
        raise ConfigError([Problem("training.batch_size", reason)])
    return Estimate(
        parameters=parameters,
        steps=per_epoch * config.epochs,
        steps_per_epoch=per_epoch,
        flops_per_step=plan.flops["train"],
        step_work=step_work,
        memory_bytes=runtime.memory_bytes(plan.tape),
        model_bytes=4 * (parameters + 2 * config.features),
    )


class Trainer:
    """One training run in one sandbox.

    Raises DataError for data that does not fit the configuration, and SandboxError where the run
    needs more than `limits` allow. After a SandboxError make a new Trainer and restore it.
    """

    def __init__(
        self,
        config: NetworkConfig,
        data: TrainingData,
        *,
        seed: int,
        module: Module,
        limits: Limits | None = None,
    ) -> None:
        check_data(config, data)
        if not 0 <= seed < 2**64:
            raise DataError(f"seed: must be from 0 to 2^64 - 1, not {seed}")
        self.config, self.seed, self.module = config, seed, module
        rows, validation_rows = len(data.train_rows), len(data.validation_rows)
        self._plan = programs.training_plan(
            config, rows=rows, validation_rows=validation_rows, seed=seed
        )
        self._sandbox = Sandbox(module, self._plan.plan, limits or Limits())
        for name, node in self._plan.data.items():
            values = getattr(data, name)
            self._sandbox.array(node)[...] = values.reshape(node.shape or ())
        self._sandbox.run("measure", 0, 1)
        self._sandbox.run("initialise", 0, 1)
        self.data_sha256 = digest_of_data(data)
        self.step = 0
        self.steps_per_epoch = programs.steps_per_epoch(config, rows)
        self.steps_total = self.steps_per_epoch * config.epochs
        self.parameters = parameter_count(config)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.step // self.steps_per_epoch

    @property
    def is_over(self) -> bool:
        return self.step == self.steps_total

    @property
    def memory_bytes(self) -> int:
        return self._sandbox.memory_bytes

    def run(
        self,
        *,
        steps: int | None = None,
        seconds: float | None = None,
        on_progress: Progress | None = None,
    ) -> Iterator[EpochMetrics]:
        """Train on, and yield the metrics of each epoch as it ends.

        Stops after `steps` steps, after about `seconds`, or when `on_progress(step)`, called every
        tenth of a second or so, answers False. It is a generator: it works while it is read.
        Raises NonFinite, and SandboxError when a limit is reached.
        """
        stop_at = None if seconds is None else time.monotonic() + seconds
        last = self.steps_total if steps is None else min(self.step + steps, self.steps_total)
        while self.step < last:
            epoch_end = (self.epoch + 1) * self.steps_per_epoch
            self._advance(min(epoch_end, last) - self.step)
            if self.step == epoch_end:
                yield self._metrics()
            if on_progress is not None and not on_progress(self.step):
                return
            if stop_at is not None and time.monotonic() >= stop_at:
                return

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Copies of the trained arrays, by name, in the order of the network."""
        parts = self._plan.weights.parts
        return {name: self._sandbox.array(node).copy() for name, node in parts.items()}

    def weights_sha256(self) -> str:
        """SHA-256 of names, shapes and bits of the weights: equal if and only if the runs are."""
        return modelfile.weights_sha256(self.weights())

    def checkpoint(self) -> bytes:
        """All that must survive, as safetensors. The same state gives the same bytes."""
        arrays = {node.name: self._sandbox.array(node) for node in self._state()}
        return modelfile.write(
            arrays, {"checkpoint": json.dumps(self._identity() | {"step": self.step})}
        )

    def restore(self, blob: bytes) -> None:
        """Continue where a checkpoint of the same run stood.

        Raises CheckpointRefused, or ModelRefused where the bytes are no safetensors.
        """
        arrays, metadata = modelfile.read(blob)
        stated = modelfile.parse_json(metadata.get("checkpoint", "{}"), "checkpoint")
        for key, value in self._identity().items():
            if stated.get(key) != value:
                raise CheckpointRefused(f"{key}: the checkpoint has {stated.get(key)}, not {value}")
        step = stated.get("step")
        if type(step) is not int or not 0 <= step <= self.steps_total:
            raise CheckpointRefused(f"step: must be from 0 to {self.steps_total}, not {step}")
        for node in self._state():
            found = arrays.get(node.name)
            if found is None or found.shape != node.shape:
                raise CheckpointRefused(f"{node.name}: must be there, of shape {node.shape}")
            self._sandbox.array(node)[...] = found
        self.step = step

    def adopt(self, model: modelfile.Model) -> None:
        """Begin at a model's weights and standardisation instead of drawn and measured ones.

        The optimiser's moments and the step are left alone: in a fresh run they are zero. Raises
        CheckpointRefused where the model has another configuration.
        """
        if model.config.digest() != self.config.digest():
            raise CheckpointRefused("config: the model to begin at has another configuration")
        for name, node in self._plan.weights.parts.items():
            self._sandbox.array(node)[...] = model.weights[name]
        self._sandbox.array(self._plan.columns.mean)[...] = model.mean
        self._sandbox.array(self._plan.columns.scale)[...] = model.scale

    def validate(self) -> tuple[float | None, float | None]:
        """Loss and accuracy on all validation rows, None where there are none."""
        loss, correct, rows = 0.0, 0.0, 0
        for name, measured in self._plan.evaluations.items():
            if self._sandbox.run(name, 0, measured.steps) < measured.steps:
                raise NonFinite(self.step, "the validation loss")
            losses, corrects = (
                self._sandbox.array(n) for n in (measured.losses, measured.corrects)
            )
            loss += exact_sum(losses) * measured.rows_per_step
            correct += exact_sum(corrects)
            rows += measured.rows_per_step * measured.steps
        return (loss / rows, correct / rows) if rows else (None, None)

    def export(self, signature: modelfile.Signature, provenance: dict[str, Any]) -> bytes:
        """The model file: weights, standardisation, configuration, signature, provenance.

        Raises NonFinite where a weight is not finite.
        """
        weights = self.weights()
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise NonFinite(self.step, "a weight")
        columns = self._plan.columns
        model = modelfile.Model(
            config=self.config,
            signature=signature,
            weights=weights,
            mean=self._sandbox.array(columns.mean).copy(),
            scale=self._sandbox.array(columns.scale).copy(),
            provenance=self.provenance() | provenance,
        )
        return modelfile.dump(model)

    def provenance(self) -> dict[str, Any]:
        """What the weights came from; with the data and the same kernels they come again."""
        return self._identity() | {"step": self.step, "weights_sha256": self.weights_sha256()}

    def _advance(self, steps: int) -> None:
        asked = self._sandbox.call_steps("train", steps)
        done = self._sandbox.call("train", self.step, asked)
        self.step += done
        if done < asked:
            raise NonFinite(self.step, "the loss")

    def _metrics(self) -> EpochMetrics:
        training = self._plan.training
        losses, corrects = (self._sandbox.array(n) for n in (training.losses, training.corrects))
        loss, accuracy = self.validate()
        return EpochMetrics(
            epoch=self.epoch,
            step=self.step,
            train_loss=exact_sum(losses) / training.steps,
            train_accuracy=exact_sum(corrects) / (training.rows_per_step * training.steps),
            validation_loss=loss,
            validation_accuracy=accuracy,
            learning_rate=self.config.learning_rate,
        )

    def _state(self) -> list[Node]:
        """What a step changes, what `adopt` may have set, and the measurements of the epoch that
        is under way."""
        plan = self._plan
        measured = [plan.training.losses, plan.training.corrects]
        return [plan.weights.whole, *plan.moments, plan.columns.mean, plan.columns.scale, *measured]

    def _identity(self) -> dict[str, Any]:
        return {
            "format": CHECKPOINT_FORMAT,
            "config_sha256": self.config.digest(),
            "data_sha256": self.data_sha256,
            "seed": self.seed,
            "kernel_hash": self.module.kernel_hash,
        }


def exact_sum(values: NDArray[np.float32]) -> float:
    """The sum in double precision, rounded once: no order of summation shows in it."""
    return math.fsum(values.tolist())


def digest_of_data(data: TrainingData) -> str:
    """SHA-256 of names, shapes and bits of the arrays as they are trained on."""
    digest = hashlib.sha256()
    for name in vars(data):
        array = np.ascontiguousarray(getattr(data, name), "<f4" if "rows" in name else "<i4")
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def check_data(config: NetworkConfig, data: TrainingData) -> None:
    if not len(data.train_rows):
        raise DataError("train_rows: there are none")
    for part in ("train", "validation"):
        rows, labels = getattr(data, f"{part}_rows"), getattr(data, f"{part}_labels")
        if rows.ndim != 2 or rows.shape[1] != config.features:
            raise DataError(f"{part}_rows: must be (n, {config.features}), not {rows.shape}")
        if labels.shape != (len(rows),):
            raise DataError(f"{part}_labels: must be ({len(rows)},), not {labels.shape}")
        if labels.dtype.kind not in "iu":
            raise DataError(f"{part}_labels: must be whole numbers, not {labels.dtype}")
        if not np.isfinite(rows).all():
            row = int(np.argwhere(~np.isfinite(rows))[0][0])
            raise DataError(f"{part}_rows: row {row} holds a number that is not finite")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < config.classes:
            raise DataError(f"{part}_labels: must be from 0 to {config.classes - 1}")
