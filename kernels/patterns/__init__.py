"""The divergent patterns: seeded exploration on top of gradient descent, of strength `factor` from
0 to 1, each comparable with the plain run.

Three act inside a step, as instructions of the tape: `lateral` on the gradient, `chaotic` on the
learning rate, `associative` on the batch. Two act at the end of an epoch, on the host: `quantum` on
the weights, `evolutionary` on a population of them. All of them repeat to the bit: random numbers
come from Philox, decisions hang on validation losses, which do so too, and what the host computes
is made of single additions, multiplications, divisions and square roots, which IEEE 754 rounds
alike everywhere. A factor of 0 is the plain run, save for `evolutionary`, which then still returns
to the best weights.
"""

from collections.abc import Callable, Mapping
from types import ModuleType

from kernels.patterns import associative, chaotic, evolutionary, lateral, quantum
from kernels.patterns.epoch import EpochEnd, EpochState
from kernels.patterns.evolutionary import Evolutionary
from kernels.patterns.quantum import Quantum

__all__ = ["EPOCH_ENDS", "MODULES", "EpochEnd", "EpochState"]

# Each opens by saying what it does and its formula.
MODULES: Mapping[str, ModuleType] = {
    "lateral": lateral,
    "quantum": quantum,
    "chaotic": chaotic,
    "associative": associative,
    "evolutionary": evolutionary,
}
# of the patterns that act between epochs: what a factor makes of them
EPOCH_ENDS: Mapping[str, Callable[[float], EpochEnd]] = {
    "quantum": Quantum,
    "evolutionary": Evolutionary,
}
