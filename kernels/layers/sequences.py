"""Sequences: tokens become vectors, and vectors learn where they stand."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kernels import ops
from kernels.fields import Choice, Whole
from kernels.graph import Node, Shape, reshape
from kernels.layers.attention import width_of_steps
from kernels.layers.dense import UNITS
from kernels.layers.layer import Chance, Layer, Misfit, Parameter, Word, shown

KINDS = ("sinusoidal", "learned")
VOCABULARY_LIMIT = 1_000_000


@dataclass(frozen=True)
class Embedding(Layer):
    """A trained vector for each token, and to each step what tells it from the others: the waves of
    the op `positions`, or a trained vector.
    """

    word: ClassVar[str] = "embedding"
    vocab_size: int
    embed_dim: int
    positions: str = "sinusoidal"

    def output(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise Misfit(f"takes a row of tokens, and {shown(shape)} came; put it first")
        return (*shape, self.embed_dim)

    def parameters(self, shape: Shape) -> Sequence[Parameter]:
        """Vectors start uniform, of variance 1: as large as the waves that are added to them."""
        table = Parameter("table", (self.vocab_size, self.embed_dim), math.sqrt(3))
        after = (*shape, self.embed_dim)
        return (table, *position_parameters(self.positions, after))

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        return placed(ops.apply("embedding", x, weights["table"]), self.positions, weights)


@dataclass(frozen=True)
class PositionalEncoding(Layer):
    """Tells the steps of a sequence of numbers apart, as `embedding` does those of tokens."""

    word: ClassVar[str] = "positional_encoding"
    kind: str = "sinusoidal"

    def output(self, shape: Shape) -> Shape:
        width_of_steps(shape)
        return shape

    def parameters(self, shape: Shape) -> Sequence[Parameter]:
        return position_parameters(self.kind, shape)

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        return placed(x, self.kind, weights)


def position_parameters(kind: str, shape: Shape) -> Sequence[Parameter]:
    """Trained vectors start small, so that the tokens are seen first."""
    return (Parameter("positions", shape, 0.02 * math.sqrt(3)),) if kind == "learned" else ()


def placed(x: Node, kind: str, weights: Mapping[str, Node]) -> Node:
    if kind == "none":
        return x
    if kind == "sinusoidal":
        return ops.apply("positions", x)
    shape = x.shape or ()
    learned = weights["positions"]
    flat = reshape(x, (shape[0], learned.elements))
    return reshape(ops.apply("bias", flat, reshape(learned, (learned.elements,))), shape)


WORDS: dict[str, Word] = {
    "embedding": Word(
        {
            "vocab_size": Whole(1, VOCABULARY_LIMIT),
            "embed_dim": UNITS,
            "positions": Choice((*KINDS, "none")),
        },
        lambda vocab_size, embed_dim, positions: [Embedding(vocab_size, embed_dim, positions)],
        {"positions": "sinusoidal"},
    ),
    "positional_encoding": Word(
        {"kind": Choice(KINDS)}, lambda kind: [PositionalEncoding(kind)], {"kind": "sinusoidal"}
    ),
}
