"""LSTM layers: sequences in, and a state for the whole of each or for each of its steps out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kernels import ops
from kernels.fields import Flag
from kernels.graph import Node, Shape, reshape
from kernels.layers.dense import RATE, UNITS, drop
from kernels.layers.layer import Chance, Layer, Misfit, Parameter, Word, glorot, shown


@dataclass(frozen=True)
class Lstm(Layer):
    """Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000), from a state of
    zeros. Its value is the last state, or with `return_sequences` all of them; `bidirectional` puts
    those of a second walk, from the last step to the first, beside them. Dropout is on its value.
    """

    word: ClassVar[str] = "lstm"
    units: int
    return_sequences: bool = False
    bidirectional: bool = False
    dropout: float = 0.0

    def output(self, shape: Shape) -> Shape:
        if len(shape) != 2:
            raise Misfit(f"takes sequences of (steps, width), not {shown(shape)}; {remedy(shape)}")
        width = self.units * len(self._walks)
        return (shape[0], width) if self.return_sequences else (width,)

    def parameters(self, shape: Shape) -> Sequence[Parameter]:
        """Of each walk: the gates in, forget, new and out side by side, as PyTorch has them.

        Weights of the inputs start after Glorot and Bengio, each gate for itself; those of the
        state within 1 / sqrt(units), which neither drowns nor inflates it. The bias of the forget
        gate starts at 1 (Gers et al. 2000; Jozefowicz et al. 2015), since a gate that starts half
        shut forgets what lies ten steps back before it can learn what to keep.
        """
        units, found = self.units, []
        for prefix in self._walks.values():
            found += [
                Parameter(f"{prefix}weight", (shape[1], 4 * units), glorot((shape[1], units))),
                Parameter(f"{prefix}recurrent", (units, 4 * units), 1 / math.sqrt(units)),
                Parameter(f"{prefix}bias", (4 * units,), center=(0.0, 1.0, 0.0, 0.0)),
            ]
        return found

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        rows, steps, width = x.shape or ()
        flat = reshape(x, (rows * steps, width))
        found = []
        for reverse, prefix in self._walks.items():
            bias = weights[f"{prefix}bias"]
            gates = ops.apply(
                "dense", flat, weights[f"{prefix}weight"], bias, attributes={"activation": 0}
            )
            gates = reshape(gates, (rows, steps, 4 * self.units))
            recurrent = weights[f"{prefix}recurrent"]
            states = ops.apply("lstm", gates, recurrent, attributes={"reverse": reverse})
            if self.return_sequences:
                found.append(reshape(states, (rows * steps, self.units)))
            else:
                at = 0 if reverse else steps - 1
                found.append(ops.apply("take_step", states, attributes={"at": at}))
        value = found[0]
        if self.bidirectional:
            value = ops.apply("join", *found, sizes={"n": 2 * self.units})
        return drop(reshape(value, (rows, *self.output((steps, width)))), self.dropout, chance)

    @property
    def _walks(self) -> dict[int, str]:
        """Whether a walk is in reverse, and how the names of its parameters begin."""
        return {0: "", 1: "reverse_"} if self.bidirectional else {0: ""}


def remedy(shape: Shape) -> str:
    if len(shape) == 1:
        return "put 'reshape' before it, or 'embedding' where they are tokens"
    return "put 'reshape' before it, to (steps, width)"


WORDS: dict[str, Word] = {
    "lstm": Word(
        {"units": UNITS, "return_sequences": Flag(), "bidirectional": Flag(), "dropout": RATE},
        lambda **values: [Lstm(**values)],
        {"return_sequences": False, "bidirectional": False, "dropout": 0.0},
    )
}
