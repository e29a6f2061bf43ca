"""What a layer is: a rule for shapes, the arrays it trains, and a piece of the graph."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kernels.fields import Field
from kernels.graph import Node, Number, Shape
from kernels.philox import stream


class Misfit(ValueError):
    """A layer that cannot stand where it stands: the text says what would be right."""


@dataclass(frozen=True)
class Parameter:
    """A trained array. It starts uniform between -bound and bound, around `center`; several of them
    are those of as many equal parts.
    """

    name: str
    shape: Shape
    bound: float = 0.0
    center: float | tuple[float, ...] = 0.0

    @property
    def centers(self) -> tuple[float, ...]:
        return self.center if isinstance(self.center, tuple) else (self.center,)


class Chance:
    """What is random while training: each layer that draws asks for a stream of its own, in order.

    Two purposes never share a number, and so two runs of a program over the same layers draw alike.
    """

    def __init__(self, seed: int, purpose: int) -> None:
        self._seed, self._next = seed, purpose

    def stream(self) -> dict[str, Number]:
        """The attributes by which an instruction names its stream."""
        self._next += 1
        return stream(self._seed, self._next - 1)


@dataclass(frozen=True)
class Layer(ABC):
    """One layer. Shapes are those of one example: (features,), (steps, width) of a sequence,
    (height, width, channels) of a picture, (steps,) of tokens.
    """

    word: ClassVar[str]

    def placed(self, shape: Shape) -> "Sequence[Layer]":
        """What it means where such examples come: most layers mean themselves."""
        return (self,)

    @abstractmethod
    def output(self, shape: Shape) -> Shape:
        """The shape after it. Raises Misfit."""

    def parameters(self, shape: Shape) -> Sequence[Parameter]:
        """What it trains, in the order in which it lies in memory; names are the layer's own."""
        return ()

    @abstractmethod
    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        """From (rows, *shape) to (rows, *output(shape)). Without chance nothing is random: so it is
        in use."""

    def to_json(self) -> dict[str, Any]:
        """As a person would write it."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        return {"type": self.word, **values}


@dataclass(frozen=True)
class Word:
    """One word of the vocabulary: the values it takes, and the layers it means. Those in `defaults`
    may be left out.
    """

    fields: Mapping[str, Field]
    means: Callable[..., Sequence[Layer]]
    defaults: Mapping[str, Any] = field(default_factory=dict)


def glorot(shape: Shape) -> float:
    """Glorot and Bengio (2010): the bound for weights (fan in, fan out)."""
    return math.sqrt(6 / (shape[0] + shape[1]))


def he(fan_in: int) -> float:
    """He et al. (2015): the bound for weights before a rectifier."""
    return math.sqrt(6 / fan_in)


def shown(shape: Shape) -> str:
    """A shape as people say it."""
    if len(shape) == 1:
        return f"{shape[0]} values"
    if len(shape) == 2:
        return f"{shape[0]} steps of {shape[1]} values"
    return " x ".join(map(str, shape))
