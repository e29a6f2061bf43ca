"""What an objective is: losses to train by, a measurement, and what the network answers in use."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kernels import ops
from kernels.config import NetworkConfig
from kernels.forward import Forward
from kernels.graph import Node, Shape, leaf, reshape
from kernels.layers import Chance, Parameter

Weights = Mapping[str, Node]


@dataclass(frozen=True)
class Batch:
    """Standardised rows (rows, *input) or tokens, and what belongs to them (rows, …): classes or
    tokens as whole numbers, standardised values; `rewards` (rows, 1) of actions. Where examples are
    mixed, `shares` (n, classes) say what the targets say otherwise.
    """

    rows: Node
    targets: Node
    rewards: Node | None = None
    shares: Node | None = None


@dataclass(frozen=True)
class Phase:
    """One part of a training step: a loss (2), with what it measures, and the parameters that move
    against it: those whose names begin with `trains`.
    """

    loss: Node
    trains: str = ""


@dataclass(frozen=True)
class Objective(ABC):
    """`metric` names what stands beside the loss, as a sum over `measured_per_row` each row."""

    config: NetworkConfig
    metric: str = field(init=False, default="")

    @property
    def measured_per_row(self) -> int:
        return 1

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.config.parameters

    @abstractmethod
    def phases(self, batch: Batch, weights: Weights, chance: Chance) -> Sequence[Phase]:
        """The losses of a training step, in the order in which parameters move."""

    @abstractmethod
    def measure(self, batch: Batch, weights: Weights, chance: Chance) -> Node:
        """The loss (2) of rows that are not trained on."""

    @abstractmethod
    def answer(self, rows: int) -> Forward:
        """The network in use."""

    # ------------------------------------------------------------------- what several answers share

    def given(self, rows: int) -> tuple[Node, Node, Weights]:
        """The input leaf of so many rows, the same standardised, and the leaves it takes."""
        data = self.config.data
        x = leaf("input", (rows, *data.input), data.dtype)
        if data.vocabulary:
            return x, x, {}
        columns = {f"input.{name}": leaf(f"input.{name}", (data.columns,)) for name in SCALING}
        return x, standardised(x, *columns.values()), columns


SCALING = ("mean", "scale")


def standardised(x: Node, mean: Node, scale: Node) -> Node:
    """(x - mean) / scale along the last axis."""
    return by_columns("standardise", x, mean, scale)


def unstandardised(x: Node, mean: Node, scale: Node) -> Node:
    """x * scale + mean along the last axis."""
    return by_columns("unstandardise", x, mean, scale)


def by_columns(op: str, x: Node, mean: Node, scale: Node) -> Node:
    shape, columns = x.shape or (), mean.elements
    return reshape(ops.apply(op, flat(x, columns), mean, scale), shape)


def flat(x: Node, columns: int) -> Node:
    """As a matrix of so many columns."""
    return reshape(x, (x.elements // columns, columns))


def leaves(parameters: Sequence[Parameter]) -> dict[str, Node]:
    return {parameter.name: leaf(parameter.name, parameter.shape) for parameter in parameters}


def softmax(x: Node) -> Node:
    """Along the last axis."""
    shape: Shape = x.shape or ()
    return reshape(ops.apply("softmax", flat(x, shape[-1])), shape)
