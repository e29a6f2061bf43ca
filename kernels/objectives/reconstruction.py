"""Autoencoders: an encoder makes a short code of an example, a decoder makes the example of it.

Plain; denoising, where the encoder sees the example with noise; variational (Kingma and Welling,
2014), where the code is drawn from a Gaussian that is kept near the standard one: its divergence is
added to the loss, times `beta` (Higgins et al., 2017), as a mean over the numbers of an example.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kernels import ops
from kernels.forward import Forward
from kernels.graph import Node, count
from kernels.layers import Chance
from kernels.objectives.objective import (
    Batch,
    Objective,
    Phase,
    Weights,
    flat,
    leaves,
    unstandardised,
)
from kernels.objectives.regression import distance
from kernels.ops.noise import disturbed, reparameterised


@dataclass(frozen=True)
class Reconstruction(Objective):
    """The distance of what is decoded from what was encoded, in deviations of each column."""

    metric: str = field(init=False, default="mean_absolute_error")

    def phases(self, batch: Batch, weights: Weights, chance: Chance) -> Sequence[Phase]:
        return [Phase(self._loss(batch.rows, weights, chance))]

    def measure(self, batch: Batch, weights: Weights, chance: Chance) -> Node:
        return self._loss(batch.rows, weights, None)

    def answer(self, rows: int) -> Forward:
        x, standardised, columns = self.given(rows)
        trained = leaves(self.parameters)
        code, _ = self._code(standardised, trained, None)
        decoded = self.config.architecture.networks["decoder"].build(code, trained)
        found = unstandardised(decoded, *columns.values())
        outputs = {"reconstruction": found, "code": code}
        return Forward({"input": x}, trained | dict(columns), outputs)

    @property
    def _is_variational(self) -> bool:
        return bool(self.config.architecture.options["variational"])

    def _code(self, x: Node, weights: Weights, chance: Chance | None) -> tuple[Node, Node | None]:
        """The code, or its mean, and the logarithm of its variance."""
        found = self.config.architecture.networks["encoder"].build(x, weights, chance)
        if not self._is_variational:
            return found, None
        half = {"p": (found.shape or (0, 0))[1] // 2}
        mean, spread = (
            ops.apply("take_columns", found, sizes=half, attributes={"first": first})
            for first in (0, half["p"])
        )
        return mean, spread

    def _loss(self, x: Node, weights: Weights, chance: Chance | None) -> Node:
        options = self.config.architecture.options
        seen = x
        if chance is not None and options["noise"]:
            seen = disturbed(x, options["noise"], chance.stream())
        code, spread = self._code(seen, weights, chance)
        drawn = code
        if chance is not None and spread is not None:
            drawn = reparameterised(code, spread, chance.stream())
        found = self.config.architecture.networks["decoder"].build(drawn, weights, chance)
        size = count(self.config.data.input)
        loss = distance(self.config.training, flat(found, size), flat(x, size))
        if spread is None:
            return loss
        shares = {"first_weight": 1.0, "second_weight": options["beta"] / size}
        divergence = ops.apply("divergence", code, spread)
        return ops.apply("add_losses", loss, divergence, attributes=shares)
