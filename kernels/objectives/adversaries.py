"""Generative adversarial networks (Goodfellow et al., 2014): a generator makes examples of noise, a
discriminator tells them from real ones, and each step moves first the one and then the other.

The discriminator's loss is the mean of two cross-entropies, real as yes and made as no; the
generator's is the non-saturating one: what it made as yes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kernels import ops
from kernels.forward import Forward
from kernels.graph import Node, leaf, reshape
from kernels.layers import Chance
from kernels.objectives.objective import (
    SCALING,
    Batch,
    Objective,
    Phase,
    Weights,
    leaves,
    unstandardised,
)


@dataclass(frozen=True)
class Adversaries(Objective):
    """It measures how many real examples the discriminator takes for real: a half where it cannot
    tell."""

    metric: str = field(init=False, default="real_taken_for_real")

    def phases(self, batch: Batch, weights: Weights, chance: Chance) -> Sequence[Phase]:
        made = self._made(batch, weights, chance)
        judged = Phase(self._judged(batch, made, weights, chance), "discriminator.")
        # the discriminator has moved by then, so it judges anew
        again = self._yes(self._judge(made, weights, chance), 1.0)
        return [judged, Phase(again, "generator.")]

    def measure(self, batch: Batch, weights: Weights, chance: Chance) -> Node:
        made = self._made(batch, weights, chance, trains=False)
        return self._judged(batch, made, weights, None)

    def answer(self, rows: int) -> Forward:
        generator = self.config.architecture.networks["generator"]
        noise = leaf("latent", (rows, *generator.input))
        trained = {
            n: node for n, node in leaves(self.parameters).items() if n.startswith(generator.name)
        }
        columns = {
            f"input.{name}": leaf(f"input.{name}", (self.config.data.columns,)) for name in SCALING
        }
        made = unstandardised(generator.build(noise, trained), *columns.values())
        return Forward({"latent": noise}, trained | columns, {"examples": made})

    def _made(self, batch: Batch, weights: Weights, chance: Chance, trains: bool = True) -> Node:
        generator = self.config.architecture.networks["generator"]
        rows = (batch.rows.shape or (0,))[0]
        shape = (rows, *generator.input)
        attributes = {"deviation": 1.0} | chance.stream()
        drawn = ops.apply("normal", sizes={"count": rows * shape[1]}, attributes=attributes)
        return generator.build(reshape(drawn, shape), weights, chance if trains else None)

    def _judge(self, x: Node, weights: Weights, chance: Chance | None) -> Node:
        return self.config.architecture.networks["discriminator"].build(x, weights, chance)

    def _judged(self, batch: Batch, made: Node, weights: Weights, chance: Chance | None) -> Node:
        real = self._yes(self._judge(batch.rows, weights, chance), 1.0)
        false = self._yes(self._judge(made, weights, chance), 0.0)
        half = {"first_weight": 0.5, "second_weight": 0.5}
        return ops.apply("add_losses", real, false, attributes=half)

    def _yes(self, verdict: Node, share: float) -> Node:
        wanted = ops.apply(
            "constant", sizes={"count": verdict.elements}, attributes={"value": share}
        )
        return ops.apply("binary_cross_entropy", verdict, reshape(wanted, verdict.shape or ()))
