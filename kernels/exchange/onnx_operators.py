"""For each op of ours the ONNX operators that say the same."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from kernels.exchange.wasm import ExportRefused
from kernels.graph import Node, Shape
from kernels.ops.products import ACTIVATIONS
from kernels.ops.sequences import sinusoids

Array = NDArray[Any]


class Writer:
    """The operators written so far, and what holds each node."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.operators: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.names: dict[Node, str] = {}

    def name(self, node: Node) -> str:
        return self.names[node]

    def array(self, node: Node) -> Array:
        """The numbers of a parameter. Raises ExportRefused where they are computed instead."""
        if node.op != "leaf" or node.name not in self.arrays:
            raise ExportRefused(f"weights that are computed by {node.op}; ONNX wants them known")
        return self.arrays[node.name]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """An operator with one output; answers the name of that."""
        out = f"v{len(self.operators)}"
        self.operators.append(helper.make_node(operator, inputs, [out], name=out, **attributes))
        return out

    def constant(self, values: Array) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(values)
        return name

    def whole(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def real(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))


Row = Callable[[Writer, Node, Sequence[str]], str]


def operator(name: str, **attributes: Any) -> Row:
    """One operator on the same sources."""
    return lambda w, n, sources: w.add(name, *sources, **attributes)


def same(w: Writer, node: Node, sources: Sequence[str]) -> str:
    return sources[0]


def reshaped(w: Writer, name: str, shape: Shape) -> str:
    """The leading size is whatever is left: it grows with the rows."""
    return w.add("Reshape", name, w.whole(-1, *shape[1:]))


def with_constant(name: str, attribute: str) -> Row:
    return lambda w, n, sources: w.add(name, sources[0], w.real(n.attributes[attribute]))


def silu(w: Writer, node: Node, sources: Sequence[str]) -> str:
    return w.add("Mul", sources[0], w.add("Sigmoid", sources[0]))


ACTIVATIONS_ROWS: dict[str, Row] = {
    "linear": same,
    "relu": operator("Relu"),
    "leaky_relu": operator("LeakyRelu", alpha=0.01),
    "elu": operator("Elu", alpha=1.0),
    "silu": silu,
    "gelu": operator("Gelu", approximate="tanh"),
    "sigmoid": operator("Sigmoid"),
    "tanh": operator("Tanh"),
}


def activated(w: Writer, node: Node, name: str) -> str:
    return ACTIVATIONS_ROWS[ACTIVATIONS[int(node.attributes["activation"])]](w, node, [name])


def dense(w: Writer, node: Node, sources: Sequence[str]) -> str:
    return activated(w, node, w.add("Gemm", *sources))


def dense_int8(w: Writer, node: Node, sources: Sequence[str]) -> str:
    """Whole numbers in floats: their products are exact, their sums up to 2^24."""
    x, weight, scales, bias = sources
    peak = w.add("ReduceMax", w.add("Abs", x), w.whole(1), keepdims=1)
    factor = w.add("Div", w.real(127), w.add("Max", peak, w.real(1e-30)))
    whole = w.add("Round", w.add("Mul", x, factor))
    sums = w.add("MatMul", whole, w.add("Cast", weight, to=TensorProto.FLOAT))
    scale = w.add("Mul", w.add("Div", peak, w.real(127)), scales)
    return w.add("Add", w.add("Mul", sums, scale), bias)


def standardise(w: Writer, node: Node, sources: Sequence[str]) -> str:
    x, mean, scale = sources
    return w.add("Div", w.add("Sub", x, mean), scale)


def unstandardise(w: Writer, node: Node, sources: Sequence[str]) -> str:
    x, mean, scale = sources
    return w.add("Add", w.add("Mul", x, scale), mean)


def constant(w: Writer, node: Node, sources: Sequence[str]) -> str:
    return w.constant(np.full(node.shape or (), node.attributes["value"], np.float32))


def one_hot(w: Writer, node: Node, sources: Sequence[str]) -> str:
    index = w.add("Squeeze", sources[0], w.whole(1))
    values = w.constant(np.array([0, 1], np.float32))
    return w.add("OneHot", index, w.whole(node.sizes["n"]), values)


def embedding(w: Writer, node: Node, sources: Sequence[str]) -> str:
    tokens, table = sources
    return w.add("Gather", table, tokens)


def embedding_int8(w: Writer, node: Node, sources: Sequence[str]) -> str:
    tokens, table, scales = sources
    rows = w.add("Cast", w.add("Gather", table, tokens), to=TensorProto.FLOAT)
    return w.add("Mul", rows, w.add("Unsqueeze", w.add("Gather", scales, tokens), w.whole(2)))


def positions(w: Writer, node: Node, sources: Sequence[str]) -> str:
    waves = sinusoids(node.sizes["t"], node.sizes["d"]).astype(np.float32)
    return w.add("Add", sources[0], w.constant(waves))


def mean_steps(w: Writer, node: Node, sources: Sequence[str]) -> str:
    return w.add("ReduceMean", sources[0], w.whole(1), keepdims=0)


def take_step(w: Writer, node: Node, sources: Sequence[str]) -> str:
    at = w.constant(np.array(node.attributes["at"], np.int64))
    return w.add("Gather", sources[0], at, axis=1)


def take_columns(w: Writer, node: Node, sources: Sequence[str]) -> str:
    first = int(node.attributes["first"])
    ends = w.whole(first), w.whole(first + node.sizes["p"]), w.whole(1)
    return w.add("Slice", sources[0], *ends)


def heads(w: Writer, node: Node, qkv: str) -> tuple[str, str, str]:
    """Queries, keys and values as (rows, heads, steps, width of a head)."""
    count, width = node.sizes["h"], node.sizes["d"] // node.sizes["h"]
    split = w.add("Reshape", qkv, w.whole(-1, node.sizes["t"], 3, count, width))
    moved = w.add("Transpose", split, perm=[2, 0, 3, 1, 4])
    q, k, v = (w.add("Gather", moved, w.constant(np.array(at, np.int64))) for at in range(3))
    return q, k, v


def weights_of(w: Writer, node: Node, q: str, k: str) -> str:
    width = node.sizes["d"] // node.sizes["h"]
    scores = w.add("MatMul", q, w.add("Transpose", k, perm=[0, 1, 3, 2]))
    scores = w.add("Mul", scores, w.real(1 / math.sqrt(width)))
    if node.attributes["causal"]:
        seen = np.tri(node.sizes["t"], dtype=bool)
        scores = w.add("Add", scores, w.constant(np.where(seen, 0, -np.inf).astype(np.float32)))
    return w.add("Softmax", scores, axis=-1)


def attention(w: Writer, node: Node, sources: Sequence[str]) -> str:
    q, k, v = heads(w, node, sources[0])
    found = w.add("MatMul", weights_of(w, node, q, k), v)
    return reshaped(w, w.add("Transpose", found, perm=[0, 2, 1, 3]), node.shape or ())


def attention_weights(w: Writer, node: Node, sources: Sequence[str]) -> str:
    q, k, _ = heads(w, node, sources[0])
    return weights_of(w, node, q, k)


def lstm(w: Writer, node: Node, sources: Sequence[str]) -> str:
    """Our op takes the projected inputs, ONNX's projects them itself: where the projection is a
    plain one it is taken in, else the weights are those that change nothing.
    """
    width = node.sizes["h"]
    found = projection(w, node.sources[0])
    x, weight, bias = found or (node.sources[0], np.eye(4 * width), np.zeros(4 * width))
    steps = (-1, node.sizes["t"], len(weight))
    by_step = w.add("Transpose", reshaped(w, w.name(x), steps), perm=[1, 0, 2])
    recurrent = w.array(node.sources[1])
    both = np.concatenate([reordered(bias), np.zeros(4 * width)])
    arrays = [reordered(weight).T, reordered(recurrent).T, both]
    operands = [w.constant(np.ascontiguousarray(array[None], np.float32)) for array in arrays]
    direction = "reverse" if node.attributes["reverse"] else "forward"
    found_states = w.add("LSTM", by_step, *operands, hidden_size=width, direction=direction)
    squeezed = w.add("Squeeze", found_states, w.whole(1))
    return w.add("Transpose", squeezed, perm=[1, 0, 2])


def projection(w: Writer, node: Node) -> tuple[Node, Array, Array] | None:
    """What a linear layer projects, its weight (k, n) and its bias (n); None if node is none."""
    while node.op == "reshape":
        node = node.sources[0]
    if node.op == "dense" and not node.attributes["activation"]:
        x, weight, bias = node.sources
    elif node.op == "bias" and node.sources[0].op == "matmul_nn":
        (x, weight), bias = node.sources[0].sources, node.sources[1]
    else:
        return None
    return x, w.array(weight), w.array(bias)


def reordered(gates: Array) -> Array:
    """Along the last axis, from in, forget, new, out to ONNX's in, out, forget, new."""
    i, f, g, o = np.split(gates, 4, axis=-1)
    return np.concatenate([i, o, f, g], axis=-1)


def edges(node: Node, window: tuple[int, int]) -> dict[str, Any]:
    """Where windows stop; how far they reach out at the end follows from the number of places."""
    stride, sizes = int(node.attributes["stride"]), node.sizes
    top, left = int(node.attributes["top"]), int(node.attributes["left"])
    bottom = max(0, (sizes["i"] - 1) * stride - top + window[0] - sizes["h"])
    right = max(0, (sizes["j"] - 1) * stride - left + window[1] - sizes["w"])
    return {"strides": [stride, stride], "pads": [top, left, bottom, right]}


def channels_first(w: Writer, name: str) -> str:
    return w.add("Transpose", name, perm=[0, 3, 1, 2])


def cut(w: Writer, node: Node, name: str) -> str:
    """Channels last again; without places that ONNX adds where windows do not fill the picture."""
    places = w.whole(node.sizes["i"], node.sizes["j"])
    last = w.add("Transpose", name, perm=[0, 2, 3, 1])
    return w.add("Slice", last, w.whole(0, 0), places, w.whole(1, 2))


def conv2d(w: Writer, node: Node, sources: Sequence[str]) -> str:
    weight = np.ascontiguousarray(w.array(node.sources[1]).transpose(3, 2, 0, 1))
    placed = edges(node, (node.sizes["p"], node.sizes["q"]))
    x = channels_first(w, sources[0])
    found = w.add("Conv", x, w.constant(weight), sources[2], **placed)
    return activated(w, node, cut(w, node, found))


def maxpool2d(w: Writer, node: Node, sources: Sequence[str]) -> str:
    window = (int(node.attributes["window"]), int(node.attributes["window"]))
    placed = edges(node, window)
    found = w.add("MaxPool", channels_first(w, sources[0]), kernel_shape=window, **placed)
    return cut(w, node, found)


ROWS: dict[str, Row] = ACTIVATIONS_ROWS | {
    "reshape": lambda w, n, s: reshaped(w, s[0], n.shape or ()),
    "copy": same,
    "matmul_nn": operator("MatMul"),
    "matmul_nt": operator("Gemm", transB=1),
    "matmul_tn": operator("Gemm", transA=1),
    "dense": dense,
    "dense_int8": dense_int8,
    "bias": operator("Add"),
    "sum": operator("Add"),
    "product": operator("Mul"),
    "quotient": operator("Div"),
    "column_product": operator("Mul"),
    "column_quotient": operator("Div"),
    "erf": operator("Erf"),
    "exp": operator("Exp"),
    "log": operator("Log"),
    "scale": with_constant("Mul", "value"),
    "constant": constant,
    "one_hot": one_hot,
    "softmax": operator("Softmax", axis=-1),
    "standardise": standardise,
    "unstandardise": unstandardise,
    "layer_norm": lambda w, n, s: w.add(
        "LayerNormalization", *s, axis=-1, epsilon=n.attributes["epsilon"]
    ),
    "embedding": embedding,
    "embedding_int8": embedding_int8,
    "positions": positions,
    "mean_steps": mean_steps,
    "take_step": take_step,
    "take_columns": take_columns,
    "join": operator("Concat", axis=1),
    "attention": attention,
    "attention_weights": attention_weights,
    "lstm": lstm,
    "conv2d": conv2d,
    "maxpool2d": maxpool2d,
}
