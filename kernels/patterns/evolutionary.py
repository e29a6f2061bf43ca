"""The pattern "evolutionary": a population of weights and learning rates, one of which is trained.

After every epoch (population-based training, Jaderberg and others, 2017, with one worker):

    selection   the trained member, with its validation loss, joins the population of 4; when that
                is full the worst leaves it
    crossover   the child's weights are best + s · (mate - best): s uniform from 0 to factor / 2,
                the mate the better of two other members drawn at random
    mutation    + 0.02 · factor · T · rms(weights) · noise, with warmth T = 1 - e / E; and the rate:
                the best's, times or over 1 + factor / 4, or as it is, a third each, kept between
                1/8 and 8 times the schedule's
    survival    where the child's loss is above the best's, the best's weights are trained on
                instead, with the child's rate

The child is trained for the next epoch with the best's optimiser memory. After the last epoch the
best member is the result. It costs one measurement of the validation rows an epoch, and they are
looked at to choose: a test of the network needs rows that are neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernels.graph import Shape
from kernels.patterns import draws
from kernels.patterns.epoch import EpochState, Floats
from kernels.philox import Purpose

MUTATION = 0.02
RATE_CHANGE = 0.25
RATE_BOUND = 8.0


@dataclass(frozen=True)
class Evolutionary:
    """Strength from 0 to 1, and how many members are kept."""

    factor: float
    population: int = 4

    @property
    def measurements(self) -> int:
        return 2

    def memory(self, weights: Floats, moments: Sequence[Floats]) -> dict[str, Shape]:
        kept = {"weights": weights, **named(moments)}
        shapes = {name: (self.population, *array.shape) for name, array in kept.items()}
        one_each = dict.fromkeys(("losses", "rate_factors"), (self.population,))
        return {**shapes, **one_each, "members": (1,)}

    def __call__(self, state: EpochState) -> None:
        self._enrol(state, np.float32(state.loss))
        losses = state.saved["losses"][: int(state.saved["members"][0])]
        best = int(losses.argmin())
        adopt(state, best)
        if state.epoch < state.epochs:
            self._breed(state, best, losses)

    def _enrol(self, state: EpochState, loss: np.float32) -> None:
        """The trained member joins, in the place of the worst where there is no other."""
        saved = state.saved
        place = int(saved["members"][0])
        if place < self.population:
            saved["members"][0] += 1
        else:
            place = int(saved["losses"].argmax())
            if not loss <= saved["losses"][place]:
                return
        saved["losses"][place] = loss
        saved["rate_factors"][place] = state.rate_factor[0]
        saved["weights"][place] = state.weights
        for name, moment in named(state.moments).items():
            saved[name][place] = moment

    def _breed(self, state: EpochState, best: int, losses: Floats) -> None:
        share, first, second, turn = draws.uniform(
            state.seed, Purpose.EVOLUTIONARY, 2 * state.epoch, 4
        )
        child = state.weights.copy()
        others = [member for member in range(len(losses)) if member != best]
        if others:
            drawn = [others[int(number * len(others))] for number in (first, second)]
            mate = state.saved["weights"][min(drawn, key=lambda member: losses[member])]
            child += np.float32(share * self.factor / 2) * (mate - child)
        size = MUTATION * self.factor * state.warmth * draws.root_mean_square(child)
        draws.disturb(child, size, state.seed, Purpose.EVOLUTIONARY, 2 * state.epoch + 1)
        if state.validation_loss(child) <= losses[best]:
            state.weights[:] = child
        change = 1 + RATE_CHANGE * self.factor
        factor = float(state.rate_factor[0]) * (1 / change, 1.0, change)[int(3 * turn)]
        state.rate_factor[0] = min(max(factor, 1 / RATE_BOUND), RATE_BOUND)


def adopt(state: EpochState, member: int) -> None:
    """The run becomes a member of the population, in weights, memory and rate."""
    saved = state.saved
    state.weights[:] = saved["weights"][member]
    state.rate_factor[0] = saved["rate_factors"][member]
    for name, moment in named(state.moments).items():
        moment[...] = saved[name][member]


def named(moments: Sequence[Floats]) -> dict[str, Floats]:
    return {f"moments{number}": moment for number, moment in enumerate(moments)}
