"""ONNX operators that are layers: convolution, pooling, normalisation, LSTM."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kernels import ops
from kernels.exchange.onnx_meanings import (
    FUSED,
    Meaning,
    Operator,
    columns,
    computed,
    expect,
    known,
    last_axis,
    mean,
    rebuilt,
)
from kernels.exchange.onnx_values import (
    Array,
    Known,
    OnnxRefused,
    Value,
    after,
    channels_first,
    channels_last,
    matrix,
    moved,
    reshape,
    whole,
)
from kernels.graph import Node, Number

PAIR = (1, 1)


def places(
    operator: Operator, node: Node, window: Sequence[int]
) -> tuple[dict[str, int], dict[str, Number]]:
    """How many places a window stops at, and the attributes that say where."""
    strides = [int(stride) for stride in operator.get("strides", PAIR)]
    if list(operator.get("dilations", PAIR)) != [1, 1] or len({*strides}) != 1 or len(window) != 2:
        raise OnnxRefused("only windows of two sides, one stride and no dilation are known")
    sides = (node.shape or ())[1:3]
    pads = padding(operator, sides, window, strides[0])
    round_up = (strides[0] - 1) * int(bool(operator.get("ceil_mode", 0)))
    reach = [side + pads[at] + pads[at + 2] for at, side in enumerate(sides)]
    found = []
    for at, side in enumerate(sides):
        count = (reach[at] - window[at] + round_up) // strides[0] + 1
        if (count - 1) * strides[0] >= side + pads[at]:
            count -= 1  # a window that would begin beyond the picture
        found.append(count)
    if min(found) < 1:
        raise OnnxRefused(f"a window {tuple(window)} on a picture {sides}")
    where: dict[str, Number] = {"stride": strides[0], "top": pads[0], "left": pads[1]}
    return dict(zip("ij", found, strict=True)), where


def padding(
    operator: Operator, sides: Sequence[int], window: Sequence[int], stride: int
) -> list[int]:
    """top, left, bottom, right."""
    mode = operator.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return [int(pad) for pad in operator.get("pads", (0, 0, 0, 0))]
    if mode == "VALID":
        return [0, 0, 0, 0]
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise OnnxRefused(f"auto_pad is {mode!r}")
    whole_pads = [
        max(0, (-(-side // stride) - 1) * stride + window[at] - side)
        for at, side in enumerate(sides)
    ]
    less = [pad // 2 for pad in whole_pads]
    more = [pad - half for pad, half in zip(whole_pads, less, strict=True)]
    return less + more if mode == "SAME_UPPER" else more + less


def conv(operator: Operator, inputs: Sequence[Any]) -> Value:
    x = channels_last(computed(inputs, 0))
    weight = known(inputs, 1)
    expect(operator, "group", 1, 1)
    if weight.ndim != 4:
        raise OnnxRefused(f"a convolution with weights {weight.shape}; four axes are known")
    bias = known(inputs, 2, np.zeros(len(weight)))
    sizes, where = places(operator, x, weight.shape[2:])
    node = ops.apply(
        "conv2d",
        x,
        operator.parameter(weight.transpose(2, 3, 1, 0), "weight"),
        operator.parameter(bias, "bias"),
        sizes=sizes,
        attributes=where | {"activation": 0},
    )
    return channels_first(node)


def max_pool(operator: Operator, inputs: Sequence[Any]) -> Value:
    x = channels_last(computed(inputs, 0))
    window = [int(side) for side in operator.get("kernel_shape", ())]
    if len({*window}) != 1 or operator.outputs > 1:
        raise OnnxRefused(f"only square windows are known, and no indices: {window}")
    sizes, where = places(operator, x, window)
    attributes = where | {"window": window[0]}
    return channels_first(ops.apply("maxpool2d", x, sizes=sizes, attributes=attributes))


def global_average_pool(operator: Operator, inputs: Sequence[Any]) -> Value:
    rank = computed(inputs, 0).index.ndim
    found = mean(operator, [inputs[0], np.arange(2, rank)])
    assert isinstance(found, Value)
    return found


def lstm(operator: Operator, inputs: Sequence[Any]) -> list[Any]:
    """Y (steps, directions, rows, width), and the last states Y_h."""
    value, directions = sequence(operator, inputs), check_lstm(operator, inputs)
    weights, recurrent = known(inputs, 1), known(inputs, 2)
    width = recurrent.shape[-1]
    steps, wide = value.index.shape[0], value.index.shape[-1]
    expected = (directions, 4 * width, wide), (directions, 4 * width, width)
    if (weights.shape, recurrent.shape) != expected:
        raise OnnxRefused(f"weights {weights.shape} and {recurrent.shape}, expected {expected}")
    biases = known(inputs, 3, np.zeros((directions, 8 * width)))
    x, states, ends = matrix(value), [], []
    for at in range(directions):
        is_back = at == 1 or operator.get("direction", "forward") == "reverse"
        sides = {
            "weight": ordered(weights[at].T),
            "bias": ordered(biases[at, : 4 * width] + biases[at, 4 * width :]),
            "recurrent": ordered(recurrent[at].T),
        }
        leaves = [operator.parameter(array, f"{at}.{name}") for name, array in sides.items()]
        gates = ops.apply("dense", x, *leaves[:2], attributes={"activation": 0})
        gates = reshape(gates, (1, steps, 4 * width))
        found = ops.apply("lstm", gates, leaves[2], attributes={"reverse": int(is_back)})
        last = {"at": 0 if is_back else steps - 1}
        states.append(reshape(found, (steps, width)))
        ends.append(ops.apply("take_step", found, attributes=last))
    return [
        beside(states, (steps, 1, directions, width), operator),
        beside(ends, (1, 1, directions, width), operator, is_end=True),
    ]


def sequence(operator: Operator, inputs: Sequence[Any]) -> Value:
    """The input of a recurrence as (steps, 1, width), the rows on axis 1."""
    value = computed(inputs, 0)
    if operator.get("layout", 0):
        value = moved(value, lambda index: index.swapaxes(0, 1), {0: 1, 1: 0}.get(value.batch, 2))
    if value.index.ndim != 3 or value.batch != 1 or value.index.shape[1] != 1:
        raise OnnxRefused(f"a sequence {value.index.shape} whose rows are on axis {value.batch}")
    return value


def check_lstm(operator: Operator, inputs: Sequence[Any]) -> int:
    """How many directions; refuses what our cell does not do."""
    for name, wanted in {"input_forget": 0, "clip": None}.items():
        expect(operator, name, wanted, wanted)
    usual = ["Sigmoid", "Tanh", "Tanh"]
    direction = operator.get("direction", "forward")
    directions = 2 if direction == "bidirectional" else 1
    expect(operator, "activations", usual * directions, usual * directions)
    if len(inputs) > 4 and inputs[4] is not None:
        raise OnnxRefused("lengths of sequences; only whole ones are known")
    for at in (5, 6, 7):
        if len(inputs) > at and inputs[at] is not None and known(inputs, at).any():
            raise OnnxRefused("first states or peepholes that are not zero")
    return directions


def ordered(gates: Array) -> Array:
    """Along the last axis, from ONNX's in, out, forget, new to in, forget, new, out."""
    i, o, f, g = np.split(gates, 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)


def beside(
    nodes: Sequence[Node], shape: Sequence[int], operator: Operator, *, is_end: bool = False
) -> Value:
    """(steps, directions, rows, width) of one or two directions, or (directions, rows, width)."""
    joined = nodes[0]
    if len(nodes) == 2:
        size = {"n": 2 * (nodes[0].shape or (0, 0))[1]}
        joined = ops.apply("join", *nodes, sizes=size)
    found = whole(joined, shape, 1)  # (steps, rows, directions, width)
    if operator.get("layout", 0):  # (rows, steps, directions, width)
        swapped = moved(found, lambda index: index.swapaxes(0, 1), 0)
        return moved(swapped, lambda index: index[:, 0], 0) if is_end else swapped
    turned = moved(found, lambda index: index.transpose(0, 2, 1, 3), 2)
    return moved(turned, lambda index: index[0], 1) if is_end else turned


def batch_normalization(operator: Operator, inputs: Sequence[Any]) -> Known:
    """As a network in use does it: with the measured mean and variance, on axis 1."""
    expect(operator, "training_mode", 0, 0)
    value = computed(inputs, 0)
    gain, bias, mean, variance = (known(inputs, at) for at in range(1, 5))
    factor = gain / np.sqrt(variance + np.float32(operator.get("epsilon", 1e-5)))
    taken_in = folded(operator, value, factor, bias - mean * factor)
    if taken_in is not None:
        return taken_in
    along = (-1, *[1] * (value.index.ndim - 2))
    found = columns(operator, value, factor.reshape(along), "column_product")
    return columns(operator, found, (bias - mean * factor).reshape(along), "bias")


def folded(operator: Operator, value: Value, factor: Array, shift: Array) -> Value | None:
    """The layer with weights and bias that do that to its outputs; None where none can."""
    node, arrays = value.node, operator.parameters.arrays
    if node.op not in FUSED or node.attributes["activation"] or not value.is_whole:
        return None
    column = np.moveaxis(value.index % (node.shape or (1,))[-1], 1, -1)
    if factor.shape != column.shape[-1:] or not (column == np.arange(factor.size)).all():
        return None  # the axis that is normalised is not that of the outputs
    x, weight, old = node.sources
    made = operator.parameter(arrays[weight.name] * factor, "weight")
    sides = x, made, operator.parameter(arrays[old.name] * factor + shift, "bias")
    return replace(value, node=rebuilt(node, sides, 0))


def layer_normalization(operator: Operator, inputs: Sequence[Any]) -> Known:
    value = computed(inputs, 0)
    last_axis(operator, value, -1)
    gain = known(inputs, 1)
    bias = known(inputs, 2, np.zeros_like(gain))
    sides = operator.parameter(gain, "gain"), operator.parameter(bias, "bias")
    epsilon = {"epsilon": float(operator.get("epsilon", 1e-5))}
    node = ops.apply("layer_norm", matrix(value), *sides, attributes=epsilon)
    return after(value, node, value.index.shape)


def same(operator: Operator, inputs: Sequence[Any]) -> Any:
    """Dropout in use, Identity, a Cast of what is a float anyway."""
    if operator.kind == "Dropout" and len(inputs) > 2 and np.any(inputs[2]):
        raise OnnxRefused("drops in use")
    if operator.kind == "Cast" and operator.get("to", 1) not in TOKEN_OR_FLOAT:
        raise OnnxRefused(f"casts to type {operator.get('to', 1)}")
    if isinstance(inputs[0], Value) and operator.kind == "Cast":
        is_float = operator.get("to", 1) == 1
        if is_float != (inputs[0].node.dtype == "f4"):
            raise OnnxRefused("casts between tokens and numbers")
    return inputs[0]


TOKEN_OR_FLOAT = (1, 6, 7)  # FLOAT, INT32, INT64

LAYERS: dict[str, Meaning | Callable[[Operator, Sequence[Any]], Any]] = {
    "BatchNormalization": batch_normalization,
    "Cast": same,
    "Conv": conv,
    "Dropout": same,
    "GlobalAveragePool": global_average_pool,
    "Identity": same,
    "LSTM": lstm,
    "LayerNormalization": layer_normalization,
    "MaxPool": max_pool,
}
