"""Training: a configuration, data and a seed become weights, the same ones wherever and however.

What has to survive is the parameters, the optimiser's moments and the step number: the order of
rows, dropped units and first weights are functions of the seed and the step. So a run may be cut
into any pieces, stopped and restored, and ends in the same bits.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import batching, checkpoints, forward, modelfile, programs
from kernels.build import Module
from kernels.checkpoints import CheckpointRefused
from kernels.config import NetworkConfig
from kernels.data import DataError, TrainingData, arrays, check_data, digest
from kernels.epochs import EpochEnds
from kernels.exploration import explored
from kernels.graph import Node
from kernels.limits import Limits
from kernels.machine import Machine
from kernels.network import parameter_count
from kernels.runtime import Sandbox

Progress = Callable[[int], bool]


class NonFinite(ArithmeticError):
    """Training diverged: at `step` the loss, or a weight, was not a finite number."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"{what} is not a finite number at step {step}; lower the learning rate")
        self.step = step


@dataclass(frozen=True)
class EpochMetrics:
    """Means over the epoch's batches (while the weights moved) and over all validation rows.
    `metric` says what is measured beside the loss: an accuracy, or a mean absolute error.
    """

    epoch: int
    step: int
    train_loss: float
    train_metric: float
    validation_loss: float | None
    validation_metric: float | None
    learning_rate: float
    metric: str


class Trainer:
    """One training run in one sandbox. With a `mask` weights stay zero where it is zero: arrays by
    the names of the weights, ones where one is missing.

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
        mask: Mapping[str, NDArray[np.float32]] | None = None,
        threads: int = 1,
    ) -> None:
        check_data(config.data, data)
        if not 0 <= seed < 2**64:
            raise DataError(f"seed: must be from 0 to 2^64 - 1, not {seed}")
        self.config, self.seed, self.module = config, seed, module
        rows, validation_rows = len(data.train_rows), len(data.validation_rows)
        self._plan = programs.training_plan(
            config,
            rows=rows,
            validation_rows=validation_rows,
            seed=seed,
            is_masked=mask is not None,
        )
        self._machine = Machine(module, self._plan, limits or Limits(), threads)
        self._write_rows(data)
        if self._plan.columns:
            self._machine.run_alike("measure")
        self._machine.run_alike("initialise")
        self._mask = mask
        self._parent_sha256: str | None = None
        self._hold_zeros()
        for node in (self._plan.moves.factor, self._plan.moves.every):
            if self._machine.uses(node):
                self._machine.write(node, 1)
        self._ends = EpochEnds(config.training)
        self._exploration = explored(config.divergent, self._machine, self._plan)
        if self._ends.wants_validation or self._exploration is not None:
            check_validation(data)
        self.data_sha256 = digest(data)
        self._progress: Progress | None = None
        self._is_asked_to_stop = False
        self.step = 0
        self.steps_per_epoch = programs.steps_per_epoch(config, rows)
        self.steps_total = self.steps_per_epoch * config.training.epochs
        self.parameters = parameter_count(config.parameters)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.step // self.steps_per_epoch

    @property
    def is_over(self) -> bool:
        return self.step == self.steps_total or self._ends.is_stopped

    @property
    def sandbox(self) -> Sandbox:
        """Where it is computed, the first of several shards, for those who measure."""
        return self._machine.first

    @property
    def memory_bytes(self) -> int:
        return self._machine.memory_bytes

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
        self._progress, self._is_asked_to_stop = on_progress, False
        stop_at = None if seconds is None else time.monotonic() + seconds
        last = self.steps_total if steps is None else min(self.step + steps, self.steps_total)
        while self.step < last and not self._ends.is_stopped:
            epoch_end = (self.epoch + 1) * self.steps_per_epoch
            self._advance(min(epoch_end, last) - self.step)
            if self.step == epoch_end:
                yield self._end_epoch()
            self._tell()
            if self._is_asked_to_stop:
                return
            if stop_at is not None and time.monotonic() >= stop_at:
                return

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Copies of the trained arrays, by name, in the order of the network: of the best epoch,
        where training is to stop early, else as they are."""
        block = self._plan.weights
        flat = self._machine.read(block.whole) if self._ends.best is None else self._ends.best
        ends = np.cumsum([part.elements for part in block.parts.values()])[:-1]
        split = zip(block.parts.items(), np.split(flat, ends), strict=True)
        return {name: array.reshape(part.shape or ()).copy() for (name, part), array in split}

    def weights_sha256(self) -> str:
        """SHA-256 of names, shapes and bits of the weights: equal if and only if the runs are."""
        return modelfile.weights_sha256(self.weights())

    def checkpoint(self) -> bytes:
        """All that must survive, as safetensors. The same state gives the same bytes."""
        kept = {node.name: self._machine.read(node) for node in self._state()}
        kept |= self._explored()
        if self._ends.best is not None:
            kept[checkpoints.BEST] = self._ends.best
        state = checkpoints.Checkpoint(kept, self.step, self._ends.state())
        return checkpoints.write(state, self._identity())

    def restore(self, blob: bytes) -> None:
        """Continue where a checkpoint of the same run stood; one that is refused changes nothing.

        Raises CheckpointRefused, or ModelRefused where the bytes are no safetensors.
        """
        shapes = {node.name: node.shape or () for node in self._state()}
        shapes |= {name: array.shape for name, array in self._explored().items()}
        best = self._plan.weights.whole.shape or ()
        found = checkpoints.read(blob, self._identity(), shapes, steps=self.steps_total, best=best)
        for node in self._state():
            self._machine.write(node, found.arrays[node.name])
        for name, array in self._explored().items():
            array[...] = found.arrays[name]
        self.step = found.step
        self._ends.restore(found.epochs, found.best)

    def replace_rows(self, data: TrainingData) -> None:
        """Go on with as many other rows, at the end of an epoch: where rows are played, not given.

        Weights, moments and standardisation stay, and so does `data_sha256`: it names the rows that
        the run began with. A checkpoint holds no rows; who restores one gives them again. Raises
        DataError for rows that do not fit, and within an epoch.
        """
        check_data(self.config.data, data)
        for name, node in self._plan.data.items():
            found, wanted = len(getattr(data, name)), (node.shape or (0,))[0]
            if found != wanted:
                raise DataError(f"{name}: must be {wanted:,} rows as before, not {found:,}")
        if self.step % self.steps_per_epoch:
            reason = f"rows can be replaced where an epoch ends, not at step {self.step:,}"
            raise DataError(f"train_rows: {reason}")
        self._write_rows(data)

    def adopt(self, model: modelfile.Model) -> None:
        """Begin at a model's weights and standardisation instead of drawn and measured ones.

        The optimiser's moments and the step are left alone: in a fresh run they are zero. Raises
        CheckpointRefused where the model has another configuration.
        """
        if model.config is None or model.config.digest() != self.config.digest():
            raise CheckpointRefused("config: the model to begin at has another configuration")
        self._take(model)

    def begin_from(self, model: modelfile.Model) -> list[str]:
        """Begin at what fits of another model, by name and shape, its standardisation too; answer
        the names of the weights that nothing fits: they stay as drawn.

        The parent becomes part of what a checkpoint belongs to, and of the provenance. Raises
        DataError where no weight fits.
        """
        missing = self._plan.weights.parts.keys() - self._take(model)
        if len(missing) == len(self._plan.weights.parts):
            raise DataError("parent: none of its weights has the name and shape of one to train")
        self._parent_sha256 = modelfile.weights_sha256(model.weights)
        return [name for name in self._plan.weights.parts if name in missing]

    def _take(self, model: modelfile.Model) -> set[str]:
        """The names of the arrays that fit, and were taken over."""
        places = {**self._plan.weights.parts, **self._measured()}
        fits = modelfile.fitting(model, {name: node.shape or () for name, node in places.items()})
        for name in fits:
            self._machine.write(places[name], model.arrays[name])
        self._hold_zeros()
        return fits

    def validate(self) -> tuple[float | None, float | None]:
        """Loss and metric on all validation rows, None where there are none."""
        loss, correct, rows = 0.0, 0.0, 0
        for name, measured in self._plan.evaluations.items():
            self._measure(name, measured.steps)
            losses, corrects = (self._machine.read(n) for n in (measured.losses, measured.corrects))
            loss += exact_sum(losses) * measured.rows_per_step
            correct += exact_sum(corrects)
            rows += measured.rows_per_step * measured.steps
        times = rows * self._plan.objective.measured_per_row
        return (loss / rows, correct / times) if rows else (None, None)

    def _measure(self, program: str, steps: int) -> None:
        """Steps of a program that measures, in calls between which progress is told."""
        done, box = 0, self._machine.first
        while done < steps:
            asked = box.call_steps(program, steps - done)
            if box.call(program, done, asked) < asked:
                raise NonFinite(self.step, "the validation loss")
            done += asked
            self._tell()

    def _tell(self) -> None:
        """Where the run is; who answers False is heard when the epoch is measured to its end."""
        if self._progress is not None and not self._progress(self.step):
            self._is_asked_to_stop = True

    def export(self, signature: modelfile.Signature, provenance: dict[str, Any]) -> bytes:
        """The model file: weights, standardisation, configuration, signature, provenance.

        Raises NonFinite where a weight is not finite.
        """
        weights = self.weights()
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise NonFinite(self.step, "a weight")
        unit = self._plan.objective.answer(1)
        measured = {name: self._machine.read(node) for name, node in self._measured().items()}
        model = modelfile.Model(
            graph=forward.to_json(unit),
            signature=signature,
            arrays={n: array for n, array in (weights | measured).items() if n in unit.parameters},
            provenance=self.provenance() | provenance,
            config=self.config,
        )
        return modelfile.dump(model)

    def provenance(self) -> dict[str, Any]:
        """What the weights came from; with the data and the same kernels they come again."""
        origin = {key: value for key, value in self._identity().items() if value is not None}
        return origin | {"step": self.step, "weights_sha256": self.weights_sha256()}

    def _advance(self, steps: int) -> None:
        asked, done = self._machine.advance(self.step, steps)
        self.step += done
        if done < asked:
            raise NonFinite(self.step, "the loss")

    def _end_epoch(self) -> EpochMetrics:
        if self._exploration is not None:
            epochs = self.config.training.epochs
            self._exploration.end(self.epoch, epochs, self.seed, self._finite_loss)
        point = self._metrics()
        self._ends.end(point.validation_loss, self._machine.read(self._plan.weights.whole))
        factor = 1.0 if self._exploration is None else self._exploration.rate_factor
        self._machine.write(self._plan.moves.factor, self._ends.factor * factor)
        self._gather()
        return point

    def _finite_loss(self) -> float:
        """On all validation rows; infinite where it is not a finite number."""
        try:
            return self.validate()[0] or 0.0
        except NonFinite:
            return math.inf

    def _gather(self) -> None:
        """As many batches a step, from now on, as the noise of this epoch's gradients asks for."""
        moves = self._plan.moves
        if not moves.is_gathering:
            return
        most, gathered = self.config.training.dynamic_batch, int(self._machine.read(moves.every)[0])
        rows = self._plan.training[0].rows_per_step * self._plan.shards
        sums = self._machine.read(moves.noise).tolist()
        self._machine.write(moves.every, batching.choose(sums, rows, gathered, most))
        self._machine.write(moves.noise, 0)

    def _explored(self) -> dict[str, NDArray[np.float32]]:
        return {} if self._exploration is None else self._exploration.arrays

    def _metrics(self) -> EpochMetrics:
        first = self._plan.training[0]
        losses = [exact_sum(self._machine.read(of.losses)) for of in self._plan.training]
        measured = first.rows_per_step * first.steps * self._plan.objective.measured_per_row
        loss, metric = self.validate()
        return EpochMetrics(
            epoch=self.epoch,
            step=self.step,
            train_loss=sum(losses) / first.steps,
            train_metric=exact_sum(self._machine.read(first.corrects)) / measured,
            validation_loss=loss,
            validation_metric=metric,
            learning_rate=float(self._machine.read(self._plan.moves.rate)[0]),
            metric=self._plan.objective.metric,
        )

    def _state(self) -> list[Node]:
        """What a step changes, what `adopt` may have set, and the measurements of the epoch that
        is under way."""
        plan = self._plan
        measured = [node for of in plan.training for node in (of.losses, of.corrects)]
        kept = [plan.weights.whole, *plan.moves.state, *self._measured().values(), *measured]
        return [node for node in kept if self._machine.uses(node)]

    def _write_rows(self, data: TrainingData) -> None:
        given = arrays(data)
        for name, node in self._plan.data.items():
            if self._machine.uses(node):
                self._machine.write(node, given[name].reshape(node.shape or ()))

    def _measured(self) -> dict[str, Node]:
        """Mean and scale of inputs and targets, by the names they have in the model."""
        found = self._plan.columns.values()
        return {node.name: node for columns in found for node in (columns.mean, columns.scale)}

    def _hold_zeros(self) -> None:
        """The mask into memory, and the weights zero where it is."""
        if self._mask is None:
            return
        held = np.ones_like(self._machine.read(self._plan.moves.mask))
        for name, values in self._mask.items():
            part = self._plan.weights.parts[name]
            begin = int(part.attributes["offset"])
            held[begin : begin + part.elements] = values.reshape(-1)
        self._machine.write(self._plan.moves.mask, held)
        weights = self._machine.read(self._plan.weights.whole)
        self._machine.write(self._plan.weights.whole, np.where(held == 0, 0, weights))

    def _identity(self) -> dict[str, Any]:
        return {
            "format": checkpoints.FORMAT,
            "config_sha256": self.config.digest(),
            "data_sha256": self.data_sha256,
            "seed": self.seed,
            "kernel_hash": self.module.kernel_hash,
            "parent_sha256": self._parent_sha256,
            "mask_sha256": None if self._mask is None else modelfile.weights_sha256(self._mask),
        }


def check_validation(data: TrainingData) -> None:
    if not len(data.validation_rows):
        raise DataError("validation_rows: there are none, and the training wants to look at them")


def exact_sum(values: NDArray[np.float32]) -> float:
    """The sum in double precision, rounded once: no order of summation shows in it."""
    return math.fsum(values.tolist())
