"""Dense layers, and what stands between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kernels import ops
from kernels.fields import Choice, Real, Whole
from kernels.graph import Node, Shape, reshape
from kernels.layers.layer import Chance, Layer, Misfit, Parameter, Word, glorot, he
from kernels.ops import Attributes
from kernels.ops.products import ACTIVATION_NUMBERS, WANT_THE_SUM

RECTIFIERS = ("relu", "leaky_relu", "elu", "gelu", "silu")
ACTIVATIONS = (*RECTIFIERS, "sigmoid", "tanh", "linear")
UNITS = Whole(1, 65_536)
RATE = Real(0.0, 0.95)


@dataclass(frozen=True)
class Dense(Layer):
    """y = activation(x W + b), along the last axis. The softmax of a last layer belongs to its loss
    and to its use: what is built are its logits.
    """

    word: ClassVar[str] = "dense"
    units: int
    activation: str

    def output(self, shape: Shape) -> Shape:
        if len(shape) > 2:
            raise Misfit(f"takes rows or sequences; put 'flatten' before it ({shape} came)")
        return (*shape[:-1], self.units)

    def parameters(self, shape: Shape) -> Sequence[Parameter]:
        """Weights start after He et al. before a rectifier, after Glorot and Bengio elsewhere."""
        width = shape[-1]
        bound = he(width) if self.activation in RECTIFIERS else glorot((width, self.units))
        return (
            Parameter("weight", (width, self.units), bound),
            Parameter("bias", (self.units,)),
        )

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        return dense(x, weights["weight"], weights["bias"], self.activation, chance)


@dataclass(frozen=True)
class Dropout(Layer):
    """Each value is dropped with probability `rate` while training, and the others scaled by
    1 / (1 - rate).
    """

    word: ClassVar[str] = "dropout"
    rate: float

    def output(self, shape: Shape) -> Shape:
        return shape

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        return drop(x, self.rate, chance)


@dataclass(frozen=True)
class Activation(Layer):
    """A function of each number, where no dense layer brings one."""

    word: ClassVar[str] = "activation"
    function: str

    def output(self, shape: Shape) -> Shape:
        return shape

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        return activate(x, self.function)


def dense(
    x: Node, weight: Node, bias: Node, activation: str = "linear", chance: Chance | None = None
) -> Node:
    """activation(x W + b) along the last axis, as other layers use it too."""
    shape = x.shape or ()
    flat = reshape(x, (x.elements // shape[-1], shape[-1]))
    y = ended("dense", (flat, weight, bias), activation, chance)
    return reshape(y, (*shape[:-1], y.elements // (x.elements // shape[-1])))


def ended(
    op: str,
    sources: Sequence[Node],
    activation: str,
    chance: Chance | None,
    sizes: Mapping[str, int] | None = None,
    attributes: Attributes | None = None,
) -> Node:
    """An op whose last step is its activation, unless the gradient of that wants the sums too."""
    is_apart = activation == "softmax" or (chance is not None and activation in WANT_THE_SUM)
    last = ACTIVATION_NUMBERS["linear" if is_apart else activation]
    end = dict(attributes or {}) | {"activation": last}
    y = ops.apply(op, *sources, sizes=sizes, attributes=end)
    return activate(y, activation) if is_apart else y


def activate(x: Node, function: str) -> Node:
    return x if function in ("linear", "softmax") else ops.apply(function, x)


def drop(x: Node, rate: float, chance: Chance | None) -> Node:
    """Dropout, as other layers use it too."""
    if chance is None or rate == 0:
        return x
    attributes = {"drop_below": round(rate * 2**24), "scale": 1 / (1 - rate)} | chance.stream()
    return ops.apply("dropout", x, attributes=attributes)


HIDDEN = Choice((*ACTIVATIONS, "softmax"))
WORDS: dict[str, Word] = {
    "dense": Word(
        {"units": UNITS, "activation": HIDDEN},
        lambda units, activation: [Dense(units, activation)],
        {"activation": "relu"},
    ),
    "hidden": Word(
        {"size": UNITS, "activation": HIDDEN},
        lambda size, activation: [Dense(size, activation)],
        {"activation": "relu"},
    ),
    "output": Word(
        {"size": UNITS, "activation": HIDDEN},
        lambda size, activation: [Dense(size, activation)],
        {"activation": ""},  # what the objective wants
    ),
    "dropout": Word({"rate": RATE}, lambda rate: [Dropout(rate)]),
    "activation": Word({"function": Choice(ACTIVATIONS)}, lambda function: [Activation(function)]),
}
