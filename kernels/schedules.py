"""How the learning rate moves: with the step, inside the sandbox, and with what an epoch brought,
between epochs.

In step s of S, with base rate b, W steps of warm-up and a factor f that the host sets:

    rate = b · f · min(1, (s + 1) / W) · shape
    constant, plateau   shape = 1
    step                shape = decay^⌊s / every⌋
    cosine              shape = (1 + cos(π · (s - W) / (S - W))) / 2, from the end of the warm-up on

So the rate is a function of the step and of f, and a restored run finds the same. What is to be
remembered from epoch to epoch, the state of `Patience`, is three numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kernels import ops
from kernels.graph import Node, Number


def schedule(
    kind: str,
    rate: Node,
    factor: Node,
    *,
    learning_rate: float,
    steps_total: int,
    warmup_steps: int = 0,
    every_steps: int = 0,
    decay: float = 0.1,
) -> Node:
    """The instruction that leaves a step's rate in `rate` (1). `factor` (1) is the host's: 1 until
    something speaks against it.
    """
    attributes: dict[str, Number] = {
        "base": learning_rate,
        "decay": decay,
        "warmup_steps": warmup_steps,
        "every_steps": every_steps if kind == "step" else 0,
        "cosine_steps": steps_total if kind == "cosine" else 0,
    }
    return ops.apply("schedule", rate, factor, attributes=attributes)


@dataclass
class Patience:
    """Counts epochs without a better validation loss: for a rate that falls on a plateau, and for
    stopping early.
    """

    epochs: int
    best: float = float("inf")
    waited: int = 0

    def is_over(self, loss: float) -> bool:
        """Whether this epoch's loss is the last of `epochs` in a row that were no better; then the
        count begins anew.
        """
        if loss < self.best:
            self.best, self.waited = loss, 0
            return False
        self.waited += 1
        if self.waited < self.epochs:
            return False
        self.waited = 0
        return True

    def state(self) -> tuple[float, float]:
        """What a checkpoint must hold. Losses are float32 numbers where they come from one."""
        return self.best, float(self.waited)

    def restore(self, state: Sequence[float]) -> None:
        self.best, self.waited = float(state[0]), int(state[1])
