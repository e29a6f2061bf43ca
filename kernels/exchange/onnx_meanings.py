"""ONNX operators that compute, in our ops: layers, activations, arithmetic."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kernels import ops
from kernels.exchange import onnx_attention
from kernels.exchange.onnx_shapes import axis_of, numbers
from kernels.exchange.onnx_values import (
    Array,
    Known,
    OnnxRefused,
    Parameters,
    Scores,
    Value,
    after,
    lanes,
    matrix,
    moved,
    refuse_batch,
    refuse_large,
    reshape,
    spread,
    whole,
)
from kernels.graph import Node
from kernels.ops.products import ACTIVATIONS

FUSED = ("dense", "conv2d")  # ops that end with an activation of their own


@dataclass(frozen=True)
class Operator:
    """One node of an ONNX graph."""

    kind: str
    name: str
    attributes: Mapping[str, Any]
    outputs: int
    opset: int
    parameters: Parameters

    def get(self, name: str, fallback: Any) -> Any:
        return self.attributes.get(name, fallback)

    def parameter(self, values: Array, name: str) -> Node:
        return self.parameters.add(values, f"{self.name}.{name}")


Meaning = Callable[[Operator, Sequence[Any]], Known]


def computed(inputs: Sequence[Any], at: int) -> Value:
    if at >= len(inputs) or not isinstance(inputs[at], Value):
        raise OnnxRefused(f"operand {at} must be computed from the input")
    found: Value = inputs[at]
    return found


def known(inputs: Sequence[Any], at: int, fallback: Array | None = None) -> Array:
    """A constant operand, as float32."""
    given = inputs[at] if at < len(inputs) and inputs[at] is not None else fallback
    if not isinstance(given, np.ndarray):
        raise OnnxRefused(f"operand {at} must be a constant")
    return given.astype(np.float32)


def expect(operator: Operator, name: str, wanted: Any, fallback: Any) -> None:
    """Refuses an attribute with another value than the one our op has."""
    found = operator.get(name, fallback)
    if found != wanted and not (isinstance(wanted, float) and np.isclose(found, wanted, 1e-6)):
        raise OnnxRefused(f"{name} is {found!r}, only {wanted!r} is known here")


def last_axis(operator: Operator, value: Value, fallback: int) -> None:
    axis = axis_of(value, int(operator.get("axis", fallback)))
    if axis != value.index.ndim - 1:
        raise OnnxRefused(f"axis {axis} is not the last of {value.index.ndim}")


# ------------------------------------------------------------------------------- element by element


def rebuilt(node: Node, sources: Sequence[Node], activation: int) -> Node:
    """A layer of FUSED with other weights or another activation."""
    sizes = {key: node.sizes[key] for key in ("i", "j") if key in node.sizes}
    attributes = dict(node.attributes) | {"activation": activation}
    return ops.apply(node.op, *sources, sizes=sizes, attributes=attributes)


def activation(name: str) -> Meaning:
    def meaning(operator: Operator, inputs: Sequence[Any]) -> Known:
        value = computed(inputs, 0)
        node = value.node
        if node.op in FUSED and not node.attributes["activation"] and name in ACTIVATIONS:
            return replace(value, node=rebuilt(node, node.sources, ACTIVATIONS.index(name)))
        return replace(value, node=ops.apply(name, node))

    return meaning


def leaky_relu(operator: Operator, inputs: Sequence[Any]) -> Known:
    expect(operator, "alpha", 0.01, 0.01)
    return activation("leaky_relu")(operator, inputs)


def elu(operator: Operator, inputs: Sequence[Any]) -> Known:
    expect(operator, "alpha", 1.0, 1.0)
    return activation("elu")(operator, inputs)


def gelu(operator: Operator, inputs: Sequence[Any]) -> Known:
    """Ours is the one by tanh; the one by erf, x/2 · (1 + erf(x / sqrt(2))), is put together."""
    if operator.get("approximate", "none") == "tanh":
        return activation("gelu")(operator, inputs)
    value = computed(inputs, 0)
    half = ops.apply("scale", value.node, attributes={"value": 0.5})
    inner = ops.apply("scale", value.node, attributes={"value": math.sqrt(0.5)})
    bent = ops.apply("product", half, ops.apply("erf", inner))
    return replace(value, node=ops.apply("sum", half, bent))


def clip(operator: Operator, inputs: Sequence[Any]) -> Known:
    low = known(inputs, 1, np.array(operator.get("min", -np.inf)))
    high = known(inputs, 2, np.array(operator.get("max", np.inf)))
    if low != 0 or np.isfinite(high):
        raise OnnxRefused(f"clips to {low} … {high}; only from 0 on is known here")
    return activation("relu")(operator, inputs)


def scaled(value: Value, by: float) -> Value:
    return replace(value, node=ops.apply("scale", value.node, attributes={"value": by}))


def negative(operator: Operator, inputs: Sequence[Any]) -> Known:
    return scaled(computed(inputs, 0), -1.0)


def columns(operator: Operator, value: Value, constant: Array, op: str) -> Value:
    """An op on each row of a value and a row of constants."""
    if not value.is_whole:
        value = after(value, matrix(value), value.index.shape)
    node, row = lanes(value.node, spread(value, constant))
    row_node = operator.parameter(row, {"bias": "bias"}.get(op, "scale"))
    if op == "bias" and node.op == "matmul_nn":
        made = ops.apply("dense", *node.sources, row_node, attributes={"activation": 0})
    else:
        made = ops.apply(op, node, row_node)
    return replace(value, node=reshape(made, value.node.shape or ()))


def pair(op: str, left: Value, right: Value) -> Value:
    """An op on two values element by element."""
    if left.shape != right.shape or left.rows_at != right.rows_at:
        raise OnnxRefused(f"computed values of {left.index.shape} and {right.index.shape}")
    sides = [left.node, right.node]
    if not (left.index == right.index).all() or sides[0].elements != sides[1].elements:
        sides = [matrix(left), matrix(right)]
        left = after(left, sides[0], left.index.shape)
    return replace(left, node=ops.apply(op, sides[0], reshape(sides[1], sides[0].shape or ())))


def add(operator: Operator, inputs: Sequence[Any]) -> Known:
    left, right = inputs
    if isinstance(left, np.ndarray):
        left, right = right, left
    if isinstance(left, Scores):
        return onnx_attention.masked(left, known([left, right], 1))
    if isinstance(right, np.ndarray):
        return columns(operator, computed([left], 0), right, "bias")
    return pair("sum", computed([left], 0), computed([right], 0))


def subtract(operator: Operator, inputs: Sequence[Any]) -> Known:
    left, right = inputs
    if isinstance(right, np.ndarray):
        return columns(operator, computed(inputs, 0), -right, "bias")
    other = scaled(computed(inputs, 1), -1.0)
    return add(operator, [left, other])


def multiply(operator: Operator, inputs: Sequence[Any]) -> Known:
    left, right = inputs
    if isinstance(left, np.ndarray):
        left, right = right, left
    if not isinstance(right, np.ndarray):
        sides = computed([left], 0), computed([right], 0)
        for x, gate in (sides, sides[::-1]):
            if is_gate(x, gate):
                return activation("silu")(operator, [x])
        return pair("product", *sides)
    if isinstance(left, Scores):
        return onnx_attention.scaled(left, right)
    if right.size == 1:
        return scaled(computed([left], 0), float(right.ravel()[0]))
    return columns(operator, computed([left], 0), right, "column_product")


def is_gate(x: Value, gate: Value) -> bool:
    """Whether one is the sigmoid of the other: their product is a SiLU."""
    if x.rows_at != gate.rows_at or not np.array_equal(x.index, gate.index):
        return False
    if x.node.op == gate.node.op and x.node.op in FUSED and x.node.sources == gate.node.sources:
        sigmoid = {"activation": ACTIVATIONS.index("sigmoid")}
        linear = not x.node.attributes["activation"]
        return linear and gate.node.attributes == dict(x.node.attributes) | sigmoid
    return gate.node.op == "sigmoid" and gate.node.sources[0] is x.node


def divide(operator: Operator, inputs: Sequence[Any]) -> Known:
    left, right = inputs
    if isinstance(left, Scores):
        return onnx_attention.scaled(left, 1 / known(inputs, 1))
    if isinstance(right, np.ndarray):
        return columns(operator, computed(inputs, 0), right, "column_quotient")
    return pair("quotient", computed([left], 0), computed([right], 0))


# ------------------------------------------------------------------------------------------- layers


def product(operator: Operator, value: Value, weight: Array) -> Value:
    """A matrix product with a weight (k, n), for each row of the last axis."""
    refuse_batch(value, value.index.ndim - 1, "multiplies along")
    deep = value.index.shape[-1]
    if weight.ndim != 2 or weight.shape[0] != deep:
        raise OnnxRefused(f"multiplies {value.index.shape} by a weight {weight.shape}")
    index = value.index.reshape(-1, deep)
    order = index[0]
    if value.is_whole and bool((index == np.arange(len(index))[:, None] * deep + order).all()):
        # the columns lie in another order, a flattened picture's say: the weight's rows follow
        x = reshape(value.node, index.shape)
        weight = weight[np.argsort(order)]
    else:
        x = matrix(value)
    node = ops.apply("matmul_nn", x, operator.parameter(weight, "weight"))
    return after(value, node, (*value.index.shape[:-1], weight.shape[1]))


def matmul(operator: Operator, inputs: Sequence[Any]) -> Known:
    left, right = inputs
    if isinstance(right, np.ndarray):
        return product(operator, computed(inputs, 0), known(inputs, 1))
    if isinstance(left, Scores):
        return onnx_attention.attention(left, computed(inputs, 1))
    return onnx_attention.scores(computed(inputs, 0), computed(inputs, 1))


def gemm(operator: Operator, inputs: Sequence[Any]) -> Known:
    expect(operator, "transA", 0, 0)
    weight = known(inputs, 1) * np.float32(operator.get("alpha", 1.0))
    weight = weight.T if operator.get("transB", 0) else weight
    found = product(operator, computed(inputs, 0), weight)
    if len(inputs) < 3 or inputs[2] is None:
        return found
    bias = known(inputs, 2) * np.float32(operator.get("beta", 1.0))
    return columns(operator, found, bias, "bias")


def softmax(operator: Operator, inputs: Sequence[Any]) -> Known:
    if isinstance(inputs[0], Scores):
        return onnx_attention.shared_out(inputs[0], int(operator.get("axis", -1)))
    value = computed(inputs, 0)
    last_axis(operator, value, -1 if operator.opset >= 13 else 1)
    return after(value, ops.apply("softmax", matrix(value)), value.index.shape)


def log_softmax(operator: Operator, inputs: Sequence[Any]) -> Known:
    value = computed([softmax(operator, inputs)], 0)
    return replace(value, node=ops.apply("log", value.node))


def embedding(operator: Operator, inputs: Sequence[Any]) -> Known:
    """Gather of rows of a constant table by computed tokens."""
    table, tokens = known(inputs, 0), computed(inputs, 1)
    expect(operator, "axis", 0, 0)
    if table.ndim != 2 or tokens.node.dtype != "u4":
        raise OnnxRefused("picks from other than a table by tokens")
    at = reshape(matrix(tokens), (1, tokens.index.size))
    node = ops.apply("embedding", at, operator.parameter(table, "table"))
    return after(tokens, node, (*tokens.index.shape, table.shape[1]))


def mean(operator: Operator, inputs: Sequence[Any]) -> Known:
    """Over axes before the last: steps of a sequence, places of a picture. No axes mean all of
    them, or none where `noop_with_empty_axes` is 1.
    """
    value = computed(inputs, 0)
    axes = numbers(inputs, 1, operator.get("axes", ()))
    if not axes and operator.get("noop_with_empty_axes", 0):
        return value
    axes = axes or range(value.index.ndim)
    reduced = sorted(axis_of(value, int(axis)) for axis in axes)
    if value.batch in reduced or value.index.shape[value.batch] != 1:
        raise OnnxRefused("takes a mean over the rows")
    if reduced == [value.index.ndim - 1]:
        raise OnnxRefused(
            "takes a mean along the last axis; if this is a normalisation, export it with opset 17 "
            "or later, which has LayerNormalization"
        )
    kept = [at for at in range(value.index.ndim) if at not in (*reduced, value.batch)]
    index = value.index.transpose(value.batch, *reduced, *kept)
    shape = [size for at, size in enumerate(value.index.shape) if at not in reduced]
    if operator.get("keepdims", 1):
        shape = [1 if at in reduced else size for at, size in enumerate(value.index.shape)]
    steps = int(np.prod([value.index.shape[at] for at in reduced]))
    ordered = matrix(moved(value, lambda _: index.reshape(1, steps, -1), 0))
    node = ops.apply("mean_steps", reshape(ordered, (1, steps, index.size // steps)))
    before = 0 if operator.get("keepdims", 1) else sum(at < value.batch for at in reduced)
    return whole(node, shape, value.batch - before)


def concat(operator: Operator, inputs: Sequence[Any]) -> Known:
    """Side by side: the axis is moved to the end, where our op joins columns."""
    values = [computed(inputs, at) for at in range(len(inputs))]
    refuse_large([sum(value.index.size for value in values)])
    first = values[0]
    axis = axis_of(first, int(operator.get("axis", 0)))
    refuse_batch(first, axis, "joins along")
    joined, width = matrix(moved(first, lambda i: np.moveaxis(i, axis, -1), 0)), 0
    for value in values[1:]:
        if value.rows_at != first.rows_at:
            raise OnnxRefused("joins values whose rows are on different axes")
        other = matrix(moved(value, lambda i: np.moveaxis(i, axis, -1), 0))
        width = (joined.shape or (0, 0))[1] + (other.shape or (0, 0))[1]
        joined = ops.apply("join", joined, other, sizes={"n": width})
    shape = [size for at, size in enumerate(first.index.shape) if at != axis]
    found = after(first, joined, (*shape, (joined.shape or (0, 0))[1]))
    return moved(found, lambda i: np.moveaxis(i, -1, axis), first.batch)


def where(operator: Operator, inputs: Sequence[Any]) -> Known:
    """A mask on the scores of an attention: a number where they do not count."""
    is_first, left, right = inputs
    if isinstance(right, Scores):
        return onnx_attention.masked(
            right, np.where(known([is_first], 0) != 0, known([left], 0), 0)
        )
    if isinstance(left, Scores):
        return onnx_attention.masked(
            left, np.where(known([is_first], 0) != 0, 0, known([right], 0))
        )
    raise OnnxRefused("chooses between computed values")


MEANINGS: dict[str, Meaning] = {
    "Add": add,
    "Clip": clip,
    "Concat": concat,
    "Div": divide,
    "Elu": elu,
    "Erf": activation("erf"),
    "Exp": activation("exp"),
    "Gather": embedding,
    "Gelu": gelu,
    "Gemm": gemm,
    "LeakyRelu": leaky_relu,
    "Log": activation("log"),
    "LogSoftmax": log_softmax,
    "MatMul": matmul,
    "Mul": multiply,
    "Neg": negative,
    "ReduceMean": mean,
    "Relu": activation("relu"),
    "Sigmoid": activation("sigmoid"),
    "Softmax": softmax,
    "Sub": subtract,
    "Tanh": activation("tanh"),
    "Where": where,
}
