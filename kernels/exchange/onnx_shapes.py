"""ONNX operators that only rearrange: they act on constants and on the index of a value alike."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kernels.exchange.onnx_values import (
    ROWS,
    Array,
    OnnxRefused,
    Value,
    moved,
    refuse_batch,
    refuse_large,
)

Attributes = Mapping[str, Any]
Shaped = Array | Value


def numbers(inputs: Sequence[Any], at: int, fallback: Any = None) -> Any:
    """A list of whole numbers that a graph gives as a constant."""
    if at >= len(inputs) or inputs[at] is None:
        return fallback
    if not isinstance(inputs[at], np.ndarray) or inputs[at].dtype.kind not in "iu":
        raise OnnxRefused(f"operand {at} must be known whole numbers")
    return [int(value) for value in inputs[at].ravel()]


def axis_of(x: Shaped, axis: int) -> int:
    rank = len(x.shape)
    if not -rank <= axis < rank:
        raise OnnxRefused(f"axis {axis} of {rank}")
    return axis % rank


def reshape(x: Shaped, target: Sequence[int]) -> Shaped:
    """To a shape in which -1 is what is left."""
    total = math.prod(x.shape)
    rest = math.prod(size for size in target if size != -1)
    if list(target).count(-1) > 1 or rest <= 0 or total % rest:
        raise OnnxRefused(f"cannot turn {x.shape} into {tuple(target)}")
    shape = tuple(total // rest if size == -1 else size for size in target)
    if math.prod(shape) != total:
        raise OnnxRefused(f"cannot turn {x.shape} into {shape}")
    if isinstance(x, np.ndarray):
        return x.reshape(shape)
    batch = next(at for at, size in enumerate(shape) if not size % ROWS)
    single = tuple(size // ROWS if at == batch else size for at, size in enumerate(shape))
    outer = math.prod(x.shape[: x.batch]) * x.before  # how much varies more slowly than the rows
    before, rest = divmod(outer, math.prod(shape[:batch]))
    if rest or single[batch] % before:
        raise OnnxRefused(f"mixes the rows with other axes, {x.shape} into {shape}")
    return Value(x.node, x.index.reshape(single), batch, before)


def op_reshape(inputs: Sequence[Any], attributes: Attributes) -> Shaped:
    x: Shaped = inputs[0]
    target = numbers(inputs, 1)
    if not attributes.get("allowzero", 0):
        target = [x.shape[at] if size == 0 else size for at, size in enumerate(target)]
    has_rows = isinstance(x, Value) and x.batch == 0
    if has_rows and target[0] == 1 and x.shape[0] == ROWS:
        target[0] = ROWS  # exported for one row: it is the rows all the same
    return reshape(x, target)


def op_flatten(inputs: Sequence[Any], attributes: Attributes) -> Shaped:
    x: Shaped = inputs[0]
    axis = int(attributes.get("axis", 1))
    axis = axis if axis == len(x.shape) else axis_of(x, axis)
    return reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def op_transpose(inputs: Sequence[Any], attributes: Attributes) -> Shaped:
    x: Shaped = inputs[0]
    order = [int(axis) for axis in attributes.get("perm", range(len(x.shape))[::-1])]
    if sorted(order) != list(range(len(x.shape))):
        raise OnnxRefused(f"perm {order} of {len(x.shape)} axes")
    if isinstance(x, np.ndarray):
        return x.transpose(order)
    return moved(x, lambda index: index.transpose(order), order.index(x.batch))


def op_squeeze(inputs: Sequence[Any], attributes: Attributes) -> Shaped:
    x: Shaped = inputs[0]
    axes = numbers(inputs, 1, attributes.get("axes"))
    if axes is None:
        axes = [at for at, size in enumerate(x.shape) if size == 1]
    axes = sorted({axis_of(x, int(axis)) for axis in axes})
    if any(x.shape[axis] != 1 for axis in axes):
        raise OnnxRefused(f"axes {axes} of {x.shape} are not 1")
    shape = [size for at, size in enumerate(x.shape) if at not in axes]
    return reshape(x, shape) if shape or isinstance(x, np.ndarray) else x


def op_unsqueeze(inputs: Sequence[Any], attributes: Attributes) -> Shaped:
    x: Shaped = inputs[0]
    axes = numbers(inputs, 1, attributes.get("axes"))
    rank = len(x.shape) + len(axes)
    places = {int(axis) % rank for axis in axes}
    if len(places) != len(axes):
        raise OnnxRefused(f"axes {list(axes)} name one of {rank} twice")
    sizes = iter(x.shape)
    return reshape(x, [1 if at in places else next(sizes) for at in range(rank)])


def taken(x: Shaped, axis: int, take: Callable[[Array], Array]) -> Shaped:
    """Part of an axis, by what takes it from an index or a constant."""
    if isinstance(x, np.ndarray):
        return np.asarray(take(x))
    refuse_batch(x, axis, "takes parts along")
    rank = x.index.ndim
    found = take(x.index)
    return moved(x, lambda _: found, x.batch - int(found.ndim < rank and axis < x.batch))


def op_gather(inputs: Sequence[Any], attributes: Attributes) -> Shaped:
    x: Shaped = inputs[0]
    places = inputs[1]
    if not isinstance(places, np.ndarray) or places.dtype.kind not in "iu" or places.ndim > 1:
        raise OnnxRefused("picks by computed places")
    axis = axis_of(x, int(attributes.get("axis", 0)))
    if places.size and not -x.shape[axis] <= places.min() <= places.max() < x.shape[axis]:
        raise OnnxRefused(f"picks {places.max()} of {x.shape[axis]}")
    held = x.shape if isinstance(x, np.ndarray) else x.index.shape
    refuse_large((*held[:axis], places.size, *held[axis + 1 :]))
    return taken(x, axis, lambda array: np.take(array, places, axis))


def op_slice(inputs: Sequence[Any], attributes: Attributes) -> Shaped:
    x: Shaped = inputs[0]
    starts = numbers(inputs, 1, attributes.get("starts"))
    ends = numbers(inputs, 2, attributes.get("ends"))
    axes = numbers(inputs, 3, attributes.get("axes", range(len(starts))))
    steps = numbers(inputs, 4, [1] * len(starts))
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        at = axis_of(x, int(axis))
        window = slice(int(start), int(end), int(step))
        if window.indices(x.shape[at]) == (0, x.shape[at], 1):
            continue  # all of it, which may be the rows
        place = (slice(None),) * at + (window,)
        x = taken(x, at, lambda array, place=place: array[place])  # type: ignore[misc]
    return x


def op_split(inputs: Sequence[Any], attributes: Attributes, outputs: int) -> list[Shaped]:
    x: Shaped = inputs[0]
    axis = axis_of(x, int(attributes.get("axis", 0)))
    sizes = numbers(inputs, 1, attributes.get("split"))
    if sizes is None:
        each = -(-x.shape[axis] // outputs)
        sizes = [min(each, x.shape[axis] - at * each) for at in range(outputs)]
    if sum(sizes) != x.shape[axis] or min(sizes) < 1:
        raise OnnxRefused(f"splits {x.shape[axis]} into {list(sizes)}")
    parts, first = [], 0
    for size in sizes:
        place = (slice(None),) * axis + (slice(first, first + int(size)),)
        parts.append(taken(x, axis, lambda array, place=place: array[place]))  # type: ignore[misc]
        first += int(size)
    return parts


def op_shape(inputs: Sequence[Any], attributes: Attributes) -> Array:
    sizes = inputs[0].shape[attributes.get("start", 0) : attributes.get("end")]
    return np.array(sizes, np.int64)


def op_constant_of_shape(inputs: Sequence[Any], attributes: Attributes) -> Array:
    shape = numbers(inputs, 0)
    value = attributes.get("value", np.zeros(1, np.float32))
    if min(shape, default=1) < 0:
        raise OnnxRefused(f"a constant of {shape}")
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise OnnxRefused("value must be a tensor of one number")
    refuse_large(shape)
    return np.full(shape, value.ravel()[0])


MOVES: dict[str, Callable[[Sequence[Any], Attributes], Shaped]] = {
    "Reshape": op_reshape,
    "Flatten": op_flatten,
    "Transpose": op_transpose,
    "Squeeze": op_squeeze,
    "Unsqueeze": op_unsqueeze,
    "Slice": op_slice,
    "Gather": op_gather,
    "Shape": op_shape,
    "ConstantOfShape": op_constant_of_shape,
}
