"""A divergent pattern that acts between epochs, on the memory of a run."""

from collections.abc import Callable

import numpy as np

from kernels.machine import Machine
from kernels.patterns import EPOCH_ENDS, EpochState
from kernels.patterns.epoch import Floats
from kernels.programs import TrainingPlan
from kernels.settings import Divergent


def explored(
    divergent: Divergent | None, machine: Machine, plan: TrainingPlan
) -> "Exploration | None":
    """None where no pattern acts between epochs."""
    if divergent is None or divergent.pattern not in EPOCH_ENDS:
        return None
    return Exploration(divergent, machine, plan)


class Exploration:
    """What such a pattern remembers, and how it sees a run. `arrays` must survive a restart."""

    def __init__(self, divergent: Divergent, machine: Machine, plan: TrainingPlan) -> None:
        self._act = EPOCH_ENDS[divergent.pattern](divergent.factor)
        self._machine, self._weights = machine, plan.weights.whole
        self._moments = [*plan.moves.moments, *plan.moves.counted]
        self._moments = [node for node in self._moments if machine.uses(node)]
        self._rate_factor = np.ones(1, np.float32)
        shapes = self._act.memory(self._weights_now(), self._moments_now())
        self._saved = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

    @property
    def rate_factor(self) -> float:
        """What the pattern multiplies the schedule's learning rate by."""
        return float(self._rate_factor[0])

    @property
    def arrays(self) -> dict[str, Floats]:
        """By their names in a checkpoint; changed in place."""
        kept = {"rate_factor": self._rate_factor, **self._saved}
        return {f"pattern.{name}": array for name, array in kept.items()}

    def end(self, epoch: int, epochs: int, seed: int, measure: Callable[[], float]) -> None:
        """An epoch has ended; `measure` answers the validation loss of the weights in memory,
        infinite where it is not finite.
        """
        weights, moments = self._weights_now(), self._moments_now()

        def validation_loss(of: Floats) -> float:
            self._machine.write(self._weights, of)
            return measure()

        self._act(
            EpochState(
                epoch=epoch,
                epochs=epochs,
                seed=seed,
                weights=weights,
                loss=measure(),
                moments=moments,
                rate_factor=self._rate_factor,
                validation_loss=validation_loss,
                saved=self._saved,
            )
        )
        self._machine.write(self._weights, weights)
        for node, moment in zip(self._moments, moments, strict=True):
            self._machine.write(node, moment)

    def _weights_now(self) -> Floats:
        return self._machine.read(self._weights)

    def _moments_now(self) -> list[Floats]:
        return [self._machine.read(node) for node in self._moments]
