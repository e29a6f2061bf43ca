"""What transformers are made of: attention and the dense layers after it, each a branch beside the
sequence and added to it.

Both normalise what goes into the branch and not what comes out of it (Xiong et al., "On layer
normalization in the transformer architecture", 2020): so the sum itself is never squeezed, and deep
ones train without a warm-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kernels import ops
from kernels.fields import Choice, Flag, Whole
from kernels.graph import Node, Shape, reshape
from kernels.layers.dense import (
    ACTIVATIONS,
    RATE,
    RECTIFIERS,
    UNITS,
    Dense,
    Dropout,
    dense,
    drop,
)
from kernels.layers.layer import Chance, Layer, Misfit, Parameter, Word, glorot, he, shown

EPSILON = {"epsilon": 1e-5}
HEADS = Whole(1, 1_024)


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Each step, or each row, to mean 0 and variance 1, then a gain and a bias for each value."""

    word: ClassVar[str] = "layer_norm"

    def output(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape) -> Sequence[Parameter]:
        return norm_parameters(shape[-1])

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        return norm(x, weights["gain"], weights["bias"])


@dataclass(frozen=True)
class Attention(Layer):
    """x + dropout(W_out attention(W_qkv norm(x))): each step takes from all steps what answers to
    it, or where it is causal from itself and those before it.
    """

    word: ClassVar[str] = "attention"
    heads: int
    dropout: float = 0.0
    causal: bool = False

    def output(self, shape: Shape) -> Shape:
        width = width_of_steps(shape)
        if width % self.heads:
            fitting = [n for n in range(1, min(width, HEADS.high) + 1) if width % n == 0]
            nearest = min(fitting, key=lambda n: abs(n - self.heads))
            raise Misfit(
                f"has {self.heads} heads, which do not divide the width of its steps, {width}; "
                f"take {nearest} heads or another width"
            )
        return shape

    def parameters(self, shape: Shape) -> Sequence[Parameter]:
        """Queries, keys and values start as three layers of their own would."""
        width = shape[-1]
        bound = glorot((width, width))
        return (
            *norm_parameters(width, "norm."),
            Parameter("qkv.weight", (width, 3 * width), bound),
            Parameter("qkv.bias", (3 * width,)),
            Parameter("out.weight", (width, width), bound),
            Parameter("out.bias", (width,)),
        )

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        y = norm(x, weights["norm.gain"], weights["norm.bias"])
        y = dense(y, weights["qkv.weight"], weights["qkv.bias"])
        attributes = {"causal": int(self.causal)}
        y = ops.apply("attention", y, sizes={"h": self.heads}, attributes=attributes)
        y = dense(y, weights["out.weight"], weights["out.bias"])
        return ops.apply("sum", x, drop(y, self.dropout, chance))


@dataclass(frozen=True)
class Feedforward(Layer):
    """x + dropout(W_2 activation(W_1 norm(x))), step by step. Of rows it is a dense layer and its
    dropout.
    """

    word: ClassVar[str] = "feedforward"
    hidden_dim: int
    dropout: float = 0.0
    activation: str = "relu"

    def placed(self, shape: Shape) -> Sequence[Layer]:
        if len(shape) > 1:
            return (self,)
        dropped = [Dropout(self.dropout)] if self.dropout else []
        return (Dense(self.hidden_dim, self.activation), *dropped)

    def output(self, shape: Shape) -> Shape:
        width_of_steps(shape)
        return shape

    def parameters(self, shape: Shape) -> Sequence[Parameter]:
        width, hidden = shape[-1], self.hidden_dim
        rectifies = self.activation in RECTIFIERS
        return (
            *norm_parameters(width, "norm."),
            Parameter(
                "in.weight", (width, hidden), he(width) if rectifies else glorot((width, hidden))
            ),
            Parameter("in.bias", (hidden,)),
            Parameter("out.weight", (hidden, width), glorot((hidden, width))),
            Parameter("out.bias", (width,)),
        )

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        y = norm(x, weights["norm.gain"], weights["norm.bias"])
        y = dense(y, weights["in.weight"], weights["in.bias"], self.activation, chance)
        y = dense(y, weights["out.weight"], weights["out.bias"])
        return ops.apply("sum", x, drop(y, self.dropout, chance))


def norm_parameters(width: int, prefix: str = "") -> tuple[Parameter, Parameter]:
    gain = Parameter(f"{prefix}gain", (width,), center=1.0)
    return gain, Parameter(f"{prefix}bias", (width,))


def norm(x: Node, gain: Node, bias: Node) -> Node:
    """Along the last axis."""
    shape = x.shape or ()
    flat = reshape(x, (x.elements // shape[-1], shape[-1]))
    return reshape(ops.apply("layer_norm", flat, gain, bias, attributes=EPSILON), shape)


def width_of_steps(shape: Shape) -> int:
    if len(shape) != 2:
        way = "'embedding' before it for tokens, or 'reshape' for rows"
        raise Misfit(f"takes sequences of steps, and {shown(shape)} came; put {way}")
    return shape[1]


ACTIVATION = Choice(ACTIVATIONS)
WORDS: dict[str, Word] = {
    "layer_norm": Word({}, lambda: [LayerNorm()]),
    "attention": Word(
        {"heads": HEADS, "dropout": RATE, "causal": Flag()},
        lambda heads, dropout, causal: [Attention(heads, dropout, causal)],
        {"dropout": 0.0, "causal": False},
    ),
    "feedforward": Word(
        {"hidden_dim": UNITS, "dropout": RATE, "activation": ACTIVATION},
        lambda hidden_dim, dropout, activation: [Feedforward(hidden_dim, dropout, activation)],
        {"dropout": 0.0, "activation": "relu"},
    ),
    "transformer_block": Word(
        {"heads": HEADS, "ff_dim": UNITS, "dropout": RATE, "causal": Flag()},
        lambda heads, ff_dim, dropout, causal: [
            Attention(heads, dropout, causal),
            Feedforward(ff_dim, dropout),
        ],
        {"dropout": 0.0, "causal": False},
    ),
}
