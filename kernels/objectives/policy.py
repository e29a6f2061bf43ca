"""Networks that act: a policy by REINFORCE (Williams, 1992), or the values of actions by Q-learning
with Huber's loss (Mnih et al., 2015).

Rewards are what an action earned beyond what was expected (an advantage), or the return it should
be worth; who collects them, from a simulation, computes them.
"""

from dataclasses import dataclass, field

from kernels import ops
from kernels.forward import Forward
from kernels.graph import Node
from kernels.objectives.objective import Batch, leaves, softmax
from kernels.objectives.single import Single

ENTROPY_BONUS = 0.01  # keeps a policy from being sure too early


@dataclass(frozen=True)
class Policy(Single):
    """It measures a policy's entropy, or how far values are from what they should be."""

    metric: str = field(init=False, default="entropy")

    def __post_init__(self) -> None:
        if not self._is_policy:
            object.__setattr__(self, "metric", "mean_absolute_error")

    @property
    def _is_policy(self) -> bool:
        return self.config.training.loss == "reinforce"

    def answer(self, rows: int) -> Forward:
        x, standardised, columns = self.given(rows)
        trained = leaves(self.parameters)
        found = self.network.build(standardised, trained)
        outputs = {"probabilities": softmax(found)} if self._is_policy else {"values": found}
        return Forward({"input": x}, trained | dict(columns), outputs)

    def loss(self, found: Node, batch: Batch) -> Node:
        assert batch.rewards is not None, "actions come with what they earned"
        sources = found, batch.targets, batch.rewards
        if self._is_policy:
            return ops.apply("policy_gradient", *sources, attributes={"bonus": ENTROPY_BONUS})
        delta = {"delta": self.config.training.delta}
        return ops.apply("action_value", *sources, attributes=delta)
