"""One network that answers with numbers: a value, several, or the next values of a series."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kernels import ops
from kernels.forward import Forward
from kernels.graph import Node, Number, leaf
from kernels.layers import Chance
from kernels.network import Network
from kernels.objectives.objective import (
    SCALING,
    Batch,
    Objective,
    Phase,
    Weights,
    flat,
    leaves,
    unstandardised,
)
from kernels.settings import Settings

OPS = {"mse": "squared_error", "mae": "absolute_error", "huber": "huber", "quantile": "quantile"}


@dataclass(frozen=True)
class Regression(Objective):
    """The loss of standardised values; beside it the mean absolute error, in deviations of the
    target: multiplied by its scale it is in the target's own unit.
    """

    metric: str = field(init=False, default="mean_absolute_error")

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
        size = self.config.data.size
        back = {f"target.{name}": leaf(f"target.{name}", (size,)) for name in SCALING}
        found = unstandardised(self.network.build(standardised, trained), *back.values())
        return Forward({"input": x}, trained | dict(columns) | back, {"values": found})

    def _loss(self, values: Node, targets: Node) -> Node:
        size = self.config.data.size
        return distance(self.config.training, flat(values, size), flat(targets, size))


def distance(settings: Settings, values: Node, targets: Node) -> Node:
    """The loss (2) of values (m, n) that should be as the targets (m, n)."""
    attributes: dict[str, dict[str, Number]] = {
        "huber": {"delta": settings.delta},
        "quantile": {"tau": settings.quantile},
    }
    return ops.apply(
        OPS[settings.loss], values, targets, attributes=attributes.get(settings.loss, {})
    )
