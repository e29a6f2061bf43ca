"""Layers that only change how examples are laid out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from kernels.fields import Sides, Whole
from kernels.graph import Node, Shape, count, reshape
from kernels.layers.layer import Chance, Layer, Misfit, Word, shown


@dataclass(frozen=True)
class Flatten(Layer):
    """All values of an example in one row."""

    word: ClassVar[str] = "flatten"

    def output(self, shape: Shape) -> Shape:
        return (count(shape),)

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        rows, *rest = x.shape or ()
        return reshape(x, (rows, count(tuple(rest))))


@dataclass(frozen=True)
class Reshape(Layer):
    """The same values as a sequence or a picture."""

    word: ClassVar[str] = "reshape"
    shape: Shape

    def output(self, shape: Shape) -> Shape:
        if count(shape) != count(self.shape):
            raise Misfit(
                f"makes {count(self.shape):,} values of {shown(shape)}; the sizes must multiply to "
                f"{count(shape):,}"
            )
        return self.shape

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        return reshape(x, ((x.shape or (0,))[0], *self.shape))


WORDS: dict[str, Word] = {
    "flatten": Word({}, lambda: [Flatten()]),
    "reshape": Word(
        {"shape": Sides(1, 3, Whole(1, 65_536))}, lambda shape: [Reshape(tuple(shape))]
    ),
}
