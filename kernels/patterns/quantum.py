"""The pattern "quantum": weights in superposition, collapsed when an epoch ends.

After epoch e of E, with warmth T = 1 - e / E, the weights w become k states

    w_j = w + 0.1 · factor · T · a_j · rms(w) · z_j

with z_j normal noise and amplitudes a_j drawn at random and normalised: Σ a_j² = 1. All are
measured on the validation rows, and the superposition collapses to the one with the smallest loss
L_j. Where no L_j is below the loss L of w, the best of them tunnels through: it is taken with the
probability exp(-(L_j - L) / (0.1 · factor · T · L)), else w stays. The name is an image; the
arithmetic is this.

It costs k measurements of the validation rows an epoch, and they are looked at to choose: a
test of the network needs rows that are neither.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kernels.graph import Shape
from kernels.patterns import draws
from kernels.patterns.epoch import EpochState, Floats
from kernels.philox import Purpose

SPREAD = 0.1
TUNNEL = 0.1
STEP_COPIES = 16  # the stream's steps of one epoch: one for each copy, and one for decisions


@dataclass(frozen=True)
class Quantum:
    """Strength from 0 to 1, and how many states are superposed, below STEP_COPIES."""

    factor: float
    copies: int = 4

    @property
    def measurements(self) -> int:
        return self.copies + 1

    def memory(self, weights: Floats, moments: Sequence[Floats]) -> dict[str, Shape]:
        return {}

    def __call__(self, state: EpochState) -> None:
        size = SPREAD * self.factor * state.warmth * draws.root_mean_square(state.weights)
        if size == 0:
            return
        *amplitudes, chance = self._drawn(state)
        best, least = state.weights, math.inf
        for number, amplitude in enumerate(amplitudes, start=1):
            moved = state.weights.copy()
            step = STEP_COPIES * state.epoch + number
            draws.disturb(moved, size * amplitude, state.seed, Purpose.QUANTUM, step)
            loss = state.validation_loss(moved)
            if loss < least:
                best, least = moved, loss
        if least < state.loss or chance < tunnelling(least, state.loss, self.factor * state.warmth):
            state.weights[:] = best

    def _drawn(self, state: EpochState) -> list[float]:
        """The amplitudes, and the number that decides on tunnelling."""
        step = STEP_COPIES * state.epoch
        *weights, chance = draws.uniform(state.seed, Purpose.QUANTUM, step, self.copies + 1)
        total = math.fsum(weights)
        return [*(math.sqrt(weight / total) for weight in weights), chance]


def tunnelling(loss: float, before: float, warmth: float) -> float:
    """The probability of going from the loss `before` to a larger one: e^-x, where x is the rise
    over 0.1 · warmth · before; 0 where there is nothing to compare.

    Exponentials of libraries differ in their last bit; (1 + x / 1024)^-1024, by ten squarings, does
    not, and is within x² / 2048 of it.
    """
    scale = TUNNEL * warmth * before
    if not (math.isfinite(loss) and scale > 0):
        return 0.0
    power = 1 + (loss - before) / scale / 1024
    for _ in range(10):
        power = min(power * power, 1e300)
    return 1 / power
