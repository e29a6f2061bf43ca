"""One network that answers with numbers: a value, several, or the next values of a series."""

from dataclasses import dataclass, field

from kernels import ops
from kernels.forward import Forward
from kernels.graph import Node, Number, leaf
from kernels.objectives.objective import (
    SCALING,
    Batch,
    flat,
    leaves,
    unstandardised,
)
from kernels.objectives.single import Single
from kernels.settings import Settings

OPS = {"mse": "squared_error", "mae": "absolute_error", "huber": "huber", "quantile": "quantile"}


@dataclass(frozen=True)
class Regression(Single):
    """The loss of standardised values; beside it the mean absolute error, in deviations of the
    target: multiplied by its scale it is in the target's own unit.
    """

    metric: str = field(init=False, default="mean_absolute_error")

    def answer(self, rows: int) -> Forward:
        x, standardised, columns = self.given(rows)
        trained = leaves(self.parameters)
        size = self.config.data.size
        back = {f"target.{name}": leaf(f"target.{name}", (size,)) for name in SCALING}
        found = unstandardised(self.network.build(standardised, trained), *back.values())
        return Forward({"input": x}, trained | dict(columns) | back, {"values": found})

    def loss(self, found: Node, batch: Batch) -> Node:
        size = self.config.data.size
        return distance(self.config.training, flat(found, size), flat(batch.targets, size))


def distance(settings: Settings, values: Node, targets: Node) -> Node:
    """The loss (2) of values (m, n) that should be as the targets (m, n)."""
    attributes: dict[str, dict[str, Number]] = {
        "huber": {"delta": settings.delta},
        "quantile": {"tau": settings.quantile},
    }
    return ops.apply(
        OPS[settings.loss], values, targets, attributes=attributes.get(settings.loss, {})
    )
