"""What a pattern that acts between epochs is given, and what it has to bring."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kernels.graph import Shape

Floats = NDArray[np.float32]


@dataclass
class EpochState:
    """A training between two epochs.

    `weights` (n,), `moments` (whatever the optimiser remembers, its count of steps too) and
    `rate_factor` (1,), by which the schedule's learning rate is multiplied, are the memory of the
    run itself: what a pattern writes there is trained on. `loss` is the validation loss of
    `weights`; `validation_loss` measures that of any weights (n,) and leaves those of the run
    alone. Both are infinite where the loss is not a finite number.
    `saved` holds the pattern's own arrays by name, in the shapes of `EpochEnd.memory`, zeros to
    begin with; a checkpoint must hold them.
    """

    epoch: int  # whole epochs done, from 1
    epochs: int
    seed: int
    weights: Floats
    loss: float
    moments: Sequence[Floats]
    rate_factor: Floats
    validation_loss: Callable[[Floats], float]
    saved: Mapping[str, Floats]

    @property
    def warmth(self) -> float:
        """How much is left of the training: from 1 down to 0 at the end of the last epoch."""
        return 1 - self.epoch / self.epochs


class EpochEnd(Protocol):
    """A pattern that acts when an epoch has ended."""

    @property
    def measurements(self) -> int:
        """How often it measures the validation rows at the end of an epoch, at most."""

    def memory(self, weights: Floats, moments: Sequence[Floats]) -> dict[str, Shape]:
        """The shapes of the arrays that it keeps from epoch to epoch, by name."""

    def __call__(self, state: EpochState) -> None:
        """Look at the state, and change weights, moments, rate factor and saved arrays in place."""
