"""Layers one after the other: their shapes, their parameters, their graph."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from kernels.graph import Node, Shape, count
from kernels.layers import Chance, Layer, Parameter


@dataclass(frozen=True)
class Network:
    """Layers that begin at examples of shape `input`. `name` stands before the names of their
    parameters, where there are several networks.
    """

    input: Shape
    layers: tuple[Layer, ...]
    name: str = ""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of an example before each layer, and after the last."""
        shapes = [self.input]
        for layer in self.layers:
            shapes.append(layer.output(shapes[-1]))
        return tuple(shapes)

    @property
    def output(self) -> Shape:
        return self.shapes[-1]

    def parameters(self) -> tuple[Parameter, ...]:
        """The trained arrays, in the order in which they lie in memory."""
        return tuple(
            dataclasses.replace(parameter, name=f"{self._label(number)}.{parameter.name}")
            for number, (layer, shape) in enumerate(zip(self.layers, self.shapes, strict=False))
            for parameter in layer.parameters(shape)
        )

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None = None) -> Node:
        """The graph from x (rows, *input) to (rows, *output)."""
        for number, (layer, shape) in enumerate(zip(self.layers, self.shapes, strict=False)):
            label = self._label(number)
            own = {p.name: weights[f"{label}.{p.name}"] for p in layer.parameters(shape)}
            x = layer.build(x, own, chance)
        return x

    def _label(self, number: int) -> str:
        return f"{self.name}{self.layers[number].word}{number}"


def parameter_count(parameters: tuple[Parameter, ...]) -> int:
    return sum(count(parameter.shape) for parameter in parameters)
