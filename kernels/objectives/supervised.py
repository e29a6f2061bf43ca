"""One network that answers with a class, a class for each step, or the next token."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kernels import ops
from kernels.data import Target
from kernels.forward import Forward
from kernels.graph import Node
from kernels.layers import Chance
from kernels.network import Network
from kernels.objectives.objective import Batch, Objective, Phase, Weights, flat, leaves, softmax


@dataclass(frozen=True)
class Classification(Objective):
    """Cross-entropy of the classes, one for each row or for each step; it counts right answers."""

    metric: str = field(init=False, default="accuracy")

    @property
    def network(self) -> Network:
        return self.config.architecture.networks["network"]

    @property
    def measured_per_row(self) -> int:
        return 1 if self.config.data.target is Target.CLASSES else self.config.data.input[0]

    def phases(self, batch: Batch, weights: Weights, chance: Chance) -> Sequence[Phase]:
        return [Phase(self._loss(self.network.build(batch.rows, weights, chance), batch.targets))]

    def measure(self, batch: Batch, weights: Weights, chance: Chance) -> Node:
        return self._loss(self.network.build(batch.rows, weights), batch.targets)

    def answer(self, rows: int) -> Forward:
        x, standardised, columns = self.given(rows)
        trained = leaves(self.parameters)
        found = softmax(self.network.build(standardised, trained))
        return Forward({"input": x}, trained | dict(columns), {"probabilities": found})

    def _loss(self, logits: Node, targets: Node) -> Node:
        width = (logits.shape or ())[-1]
        return ops.apply("cross_entropy", flat(logits, width), flat(targets, 1))
