"""What is trained by one network whose answer has one loss: most that a network is trained for."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from kernels.graph import Node
from kernels.layers import Chance
from kernels.network import Network
from kernels.objectives.objective import Batch, Objective, Phase, Weights


@dataclass(frozen=True)
class Single(Objective):
    @property
    def network(self) -> Network:
        return self.config.architecture.networks["network"]

    def phases(self, batch: Batch, weights: Weights, chance: Chance) -> Sequence[Phase]:
        return [Phase(self.loss(self.network.build(batch.rows, weights, chance), batch))]

    def measure(self, batch: Batch, weights: Weights, chance: Chance) -> Node:
        return self.loss(self.network.build(batch.rows, weights), batch)

    @abstractmethod
    def loss(self, found: Node, batch: Batch) -> Node:
        """The loss (2) of what the network found in the rows of a batch."""
