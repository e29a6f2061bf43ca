"""One network that answers yes or no to several questions at once: each mark has its own logit."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kernels import ops
from kernels.forward import Forward
from kernels.graph import Node
from kernels.layers import Chance
from kernels.network import Network
from kernels.objectives.objective import Batch, Objective, Phase, Weights, flat, leaves


@dataclass(frozen=True)
class Marking(Objective):
    """Binary cross-entropy of each mark; it counts the share of marks that are right."""

    metric: str = field(init=False, default="accuracy")

    @property
    def network(self) -> Network:
        return self.config.architecture.networks["network"]

    def phases(self, batch: Batch, weights: Weights, chance: Chance) -> Sequence[Phase]:
        return [Phase(self._loss(self.network.build(batch.rows, weights, chance), batch.targets))]

    def measure(self, batch: Batch, weights: Weights, chance: Chance) -> Node:
        return self._loss(self.network.build(batch.rows, weights), batch.targets)

    def answer(self, rows: int) -> Forward:
        x, standardised, columns = self.given(rows)
        trained = leaves(self.parameters)
        found = ops.apply("sigmoid", self.network.build(standardised, trained))
        return Forward({"input": x}, trained | dict(columns), {"probabilities": found})

    def _loss(self, logits: Node, targets: Node) -> Node:
        size = self.config.data.size
        return ops.apply("binary_cross_entropy", flat(logits, size), flat(targets, size))
