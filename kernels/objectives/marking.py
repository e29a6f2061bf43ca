"""One network that answers yes or no to several questions at once: each mark has its own logit."""

from dataclasses import dataclass, field

from kernels import ops
from kernels.forward import Forward
from kernels.graph import Node
from kernels.objectives.objective import Batch, flat, leaves
from kernels.objectives.single import Single


@dataclass(frozen=True)
class Marking(Single):
    """Binary cross-entropy of each mark; it counts the share of marks that are right."""

    metric: str = field(init=False, default="accuracy")

    def answer(self, rows: int) -> Forward:
        x, standardised, columns = self.given(rows)
        trained = leaves(self.parameters)
        found = ops.apply("sigmoid", self.network.build(standardised, trained))
        return Forward({"input": x}, trained | dict(columns), {"probabilities": found})

    def loss(self, found: Node, batch: Batch) -> Node:
        size = self.config.data.size
        return ops.apply("binary_cross_entropy", flat(found, size), flat(batch.targets, size))
