"""Layers for pictures: convolution, and two ways to make a picture smaller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kernels import ops
from kernels.fields import Choice, Whole
from kernels.graph import Node, Shape, count, reshape
from kernels.layers.dense import ACTIVATIONS, RECTIFIERS, ended
from kernels.layers.layer import Chance, Layer, Misfit, Parameter, Word, glorot, he, shown

PADDINGS = ("valid", "same")
KERNEL = Whole(1, 31)
STRIDE = Whole(1, 16)


@dataclass(frozen=True)
class Conv2d(Layer):
    """y = activation(the sum of a window of kernel_size by kernel_size pixels times weights + b).

    With padding "valid" the window stays inside the picture; with "same" zeros around it leave
    ceil(size / stride) places, and where their number is odd the last edge has one more.
    """

    word: ClassVar[str] = "conv2d"
    filters: int
    kernel_size: int
    stride: int
    padding: str
    activation: str

    def output(self, shape: Shape) -> Shape:
        height, width, _ = picture(shape)
        if self.padding == "valid" and min(height, width) < self.kernel_size:
            raise Misfit(
                f"has a window of {self.kernel_size} by {self.kernel_size}, larger than what comes "
                f"({shown(shape)}); take a smaller kernel_size, or padding 'same'"
            )
        return (self._places(height), self._places(width), self.filters)

    def parameters(self, shape: Shape) -> Sequence[Parameter]:
        """Weights start after He et al. before a rectifier, after Glorot and Bengio elsewhere."""
        window = (self.kernel_size, self.kernel_size)
        fan_in, fan_out = count((*window, shape[-1])), count((*window, self.filters))
        bound = he(fan_in) if self.activation in RECTIFIERS else glorot((fan_in, fan_out))
        return (
            Parameter("weight", (*window, shape[-1], self.filters), bound),
            Parameter("bias", (self.filters,)),
        )

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        _, height, width, _ = x.shape or ()
        sizes = {"i": self._places(height), "j": self._places(width)}
        window = {"stride": self.stride, "top": self._before(height), "left": self._before(width)}
        sources = x, weights["weight"], weights["bias"]
        return ended("conv2d", sources, self.activation, chance, sizes, window)

    def _places(self, size: int) -> int:
        if self.padding == "same":
            return -(-size // self.stride)
        return (size - self.kernel_size) // self.stride + 1

    def _before(self, size: int) -> int:
        """Zeros before the first pixel."""
        reach = (self._places(size) - 1) * self.stride + self.kernel_size
        return max(reach - size, 0) // 2 if self.padding == "same" else 0


@dataclass(frozen=True)
class MaxPool2d(Layer):
    """The largest number of each window of pool_size by pool_size pixels; what is left over at the
    last edges is not seen.
    """

    word: ClassVar[str] = "maxpool2d"
    pool_size: int
    stride: int

    def output(self, shape: Shape) -> Shape:
        height, width, channels = picture(shape)
        if min(height, width) < self.pool_size:
            raise Misfit(
                f"has a window of {self.pool_size} by {self.pool_size}, larger than what comes "
                f"({shown(shape)}); take a smaller pool_size"
            )
        return (self._places(height), self._places(width), channels)

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        _, height, width, _ = x.shape or ()
        sizes = {"i": self._places(height), "j": self._places(width)}
        attributes = {"window": self.pool_size, "stride": self.stride, "top": 0, "left": 0}
        return ops.apply("maxpool2d", x, sizes=sizes, attributes=attributes)

    def _places(self, size: int) -> int:
        return (size - self.pool_size) // self.stride + 1


@dataclass(frozen=True)
class GlobalAveragePooling(Layer):
    """The mean of each channel over all steps of a sequence, or all pixels of a picture."""

    word: ClassVar[str] = "global_average_pooling"

    def output(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise Misfit(f"takes sequences or pictures; {shown(shape)} came")
        return shape[-1:]

    def build(self, x: Node, weights: Mapping[str, Node], chance: Chance | None) -> Node:
        rows, *places, channels = x.shape or ()
        return ops.apply("mean_steps", reshape(x, (rows, count(tuple(places)), channels)))


def picture(shape: Shape) -> Shape:
    if len(shape) != 3:
        raise Misfit(
            f"takes pictures (height, width, channels), {shown(shape)} came; put 'reshape' before "
            "it where they hold the pixels of one"
        )
    return shape


def pooling(pool_size: int, stride: int | None) -> Sequence[Layer]:
    return [MaxPool2d(pool_size, pool_size if stride is None else stride)]


WORDS: dict[str, Word] = {
    "conv2d": Word(
        {
            "filters": Whole(1, 4_096),
            "kernel_size": KERNEL,
            "stride": STRIDE,
            "padding": Choice(PADDINGS),
            "activation": Choice(ACTIVATIONS),
        },
        lambda filters, kernel_size, stride, padding, activation: [
            Conv2d(filters, kernel_size, stride, padding, activation)
        ],
        {"stride": 1, "padding": "valid", "activation": "relu"},
    ),
    "maxpool2d": Word(
        {"pool_size": Whole(2, 16), "stride": STRIDE},
        pooling,
        {"stride": None},  # as far as the window is wide
    ),
    "global_average_pooling": Word({}, lambda: [GlobalAveragePooling()]),
}
