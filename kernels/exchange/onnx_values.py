"""What flows through an ONNX graph while it is read.

Our tensors lie rows first and are never transposed; ONNX graphs transpose, split and merge axes all
the time. So a value here is a node of ours (for one row) and an index: where in the node each
element of the ONNX tensor lies. Reshape, Transpose, Slice and their like only change the index.
When an op wants the elements, `matrix` finds them in order, as it is nearly always by then; what
would really have to be moved is refused.

The rows of the batch are a factor of one axis, `batch`: the outermost one, or where steps and rows
were merged the one inside `before`. The index is for one row; where a graph computes with its own
shape, the batch counts as ROWS, a prime that is no other size.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import graph, ops
from kernels.autodiff import root
from kernels.graph import Node, Shape, leaf

ROWS = 7_919
ELEMENTS_LIMIT = 2**24  # of one row of a value, and of what is computed while reading
WEIGHTS_LIMIT = 2**28  # as many as the largest file holds, of two bytes each
Array = NDArray[Any]


class OnnxRefused(ValueError):
    """A file that is no ONNX, or says what we cannot; the text names the node and the reason."""


def refuse_large(shape: Sequence[int]) -> None:
    """OnnxRefused for what would take more memory than is given to one value; before it is made."""
    if math.prod(shape) > ELEMENTS_LIMIT:
        raise OnnxRefused(f"{tuple(shape)} has more than {ELEMENTS_LIMIT:,} elements")


@dataclass(frozen=True)
class Value:
    """A computed tensor."""

    node: Node
    index: NDArray[np.int64]
    batch: int = 0
    before: int = 1

    @property
    def rows_at(self) -> tuple[int, int]:
        """Where the rows are; what computes with two values wants them at the same place."""
        return self.batch, self.before

    @property
    def shape(self) -> Shape:
        """As the graph sees it, with ROWS rows."""
        sizes = list(self.index.shape)
        sizes[self.batch] *= ROWS
        return tuple(sizes)

    @property
    def is_whole(self) -> bool:
        """Whether every element of the node is there once."""
        return self.index.size == self.node.elements and bool(
            (np.sort(self.index, axis=None) == np.arange(self.index.size)).all()
        )


@dataclass(frozen=True)
class Scores:
    """A product of queries and keys, (…, steps, width) each, on its way into attention."""

    queries: Value
    keys: Value
    scale: float = 1.0
    is_causal: bool = False
    is_softmax: bool = False


Known = Value | Scores | Array


@dataclass
class Parameters:
    """The leaves and arrays that the model will have."""

    nodes: dict[str, Node] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    elements: int = 0

    def add(self, values: Array, name: str) -> Node:
        """A leaf for these numbers, under a name like the one given."""
        self.elements += values.size
        if self.elements > WEIGHTS_LIMIT:  # a small file may use the same numbers again and again
            raise OnnxRefused(f"makes more than {WEIGHTS_LIMIT:,} weights")
        if not np.isfinite(values).all():
            raise OnnxRefused(f"weights {values.shape} hold numbers that are not finite")
        plain = re.sub(r"[^A-Za-z0-9._/-]+", "_", name)[:100].strip("_") or "constant"
        free, number = plain, 1
        while free in self.nodes:
            number += 1
            free = f"{plain}.{number}"
        self.nodes[free] = leaf(free, values.shape)
        self.arrays[free] = np.ascontiguousarray(values, np.float32)
        return self.nodes[free]


def reshape(node: Node, shape: Shape) -> Node:
    """The same elements under another shape, in one step whatever was between."""
    return graph.reshape(root(node), shape)


def whole(node: Node, shape: Sequence[int] | None = None, batch: int = 0) -> Value:
    """All elements of a node, in their order, under the shape of one row."""
    if node.elements > ELEMENTS_LIMIT:
        raise OnnxRefused(f"{node.elements:,} elements in a row, at most {ELEMENTS_LIMIT:,}")
    return Value(node, np.arange(node.elements).reshape(shape or node.shape or ()), batch)


def after(value: Value, node: Node, shape: Sequence[int]) -> Value:
    """All elements of a node that was computed from a value, the rows where they were."""
    return Value(node, whole(node, shape).index, value.batch, value.before)


def moved(value: Value, change: Callable[[Array], Array], batch: int) -> Value:
    """The same elements, arranged by what changes an index."""
    return replace(value, index=change(value.index), batch=batch)


def refuse_batch(value: Value, axis: int, what: str) -> None:
    if value.batch == axis:
        raise OnnxRefused(f"{what} the axis of the rows")


def matrix(value: Value) -> Node:
    """The elements in order as a matrix, the last axis its columns."""
    if value.index.ndim > 1:
        refuse_batch(value, value.index.ndim - 1, "takes columns from")
    return arranged(value.node, value.index.reshape(-1, value.index.shape[-1]))


def arranged(node: Node, index: Array) -> Node:
    """A node of these elements (m, n) of another: all of them in order, or some columns."""
    height, width = index.shape
    flat = index.ravel()
    if flat.size == node.elements and bool((flat == np.arange(flat.size)).all()):
        return reshape(node, (height, width))
    stride, first = node.elements // height, int(flat[0])
    columns = np.arange(height)[:, None] * stride + first + np.arange(width)
    fits = node.elements == height * stride and first + width <= stride
    if not fits or not bool((index == columns).all()):
        raise OnnxRefused("wants computed values in another order, and nothing here moves them")
    of = reshape(node, (height, stride))
    return ops.apply("take_columns", of, sizes={"p": width}, attributes={"first": first})


def channels_last(value: Value) -> Node:
    """A picture (rows, channels, height, width) as (1, height, width, channels)."""
    if value.index.ndim != 4 or value.batch != 0 or value.index.shape[0] != 1:
        raise OnnxRefused(f"wants (rows, channels, height, width), not {value.index.shape}")
    index = value.index.transpose(0, 2, 3, 1)
    return reshape(arranged(value.node, index.reshape(1, -1)), index.shape)


def channels_first(node: Node) -> Value:
    """What the graph takes for (rows, channels, height, width)."""
    return moved(whole(node), lambda index: index.transpose(0, 3, 1, 2), 0)


def spread(value: Value, constant: Array) -> Array:
    """A constant as large as one row of a value, element by element of the value's node."""
    sizes = (1,) * (value.index.ndim - constant.ndim) + constant.shape
    if len(sizes) != value.index.ndim or sizes[value.batch] != 1:
        raise OnnxRefused(f"a constant {constant.shape} beside {value.index.shape} of a row")
    if np.broadcast_shapes(sizes, value.index.shape) != value.index.shape:
        raise OnnxRefused(f"a constant {constant.shape} is wider than {value.index.shape}")
    found = np.empty(value.node.elements, np.float32)
    found[value.index.ravel()] = np.broadcast_to(constant, value.index.shape).ravel()
    return found


def lanes(node: Node, row: Array) -> tuple[Node, Array]:
    """A node as (m, n), and the n numbers that a row of constants repeats."""
    width = (node.shape or (1,))[-1]
    if not (row.reshape(-1, width) == row[:width]).all():
        width = row.size
    return reshape(node, (node.elements // width, width)), row[:width]
