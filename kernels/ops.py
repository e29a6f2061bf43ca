"""THE TABLE: one row per op.

A row is the op's shape rule, its plain version in NumPy, its gradient, and (by its place) its
opcode. The plain version is the law: the C kernel of the same name is held to it by the tests. All
of them work in the precision of their inputs, so that gradients can be checked by differences in
double precision.

The shape rule is a signature in NumPy's notation: "(m,k),(k,n)->(m,n)" takes two matrices and gives
a third; a number is a size that must be so; "..." is any shape, the same wherever it stands;
nothing after the arrow is an effect on a source. The signature is also the layout of an instruction
(output, inputs, scratch, sizes in order of appearance, attributes), and the verifier of a tape
reads the extent of each operand from it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import philox
from kernels.graph import Node, Number, count
from kernels.signature import ShapeError, Signature, Sizes

Array = NDArray[Any]
Attributes = Mapping[str, Number]
# the node, the step number, its sources → its value; None for an effect on a source
Reference = Callable[..., Array | None]
# the node, the gradient of its value → the gradients of its sources
Gradient = Callable[[Node, Node], tuple[Node | None, ...]]


@dataclass(frozen=True)
class Op:
    """One row. `flops` counts the arithmetic for each combination of sizes; `scratch` the floats it
    borrows.
    """

    signature: Signature
    reference: Reference
    gradient: Gradient | None = None
    attributes: Mapping[str, type] = field(default_factory=dict)
    flops: int = 1
    scratch: Callable[[Sizes], int] | None = None
    in_place: bool = False  # the output may lie where the first source lay
    dtype: str = "f4"


def apply(
    name: str, *sources: Node, sizes: Sizes | None = None, attributes: Attributes | None = None
) -> Node:
    """A node of the graph. `sizes` names what no source shows, such as the rows of a batch."""
    row = TABLE[name]
    attributes = attributes or {}
    wrong = set(row.attributes) ^ set(attributes)
    if wrong:
        raise ShapeError(f"{name} has attributes {list(row.attributes)}; wrong: {sorted(wrong)}")
    shapes = [source.shape or () for source in sources]
    shape, bound = row.signature.infer(name, shapes, sizes or {})
    # rows moved by gather and take_rows stay what they are, labels as well as numbers
    dtype = sources[0].dtype if row.dtype == "source" else row.dtype
    return Node(name, sources, shape, dtype, bound, attributes)


def flops(node: Node) -> int:
    """Arithmetic in one run of a node: a count for prices and limits, not for records."""
    return TABLE[node.op].flops * count(tuple(node.sizes.values()))


# ------------------------------------------------------------------------------ plain versions


def chain(a: Array, b: Array) -> Array:
    """a (m, k) times b (k, n): each element one sum over k, ascending, multiply and add rounded
    apart.
    """
    total = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for step in range(a.shape[1]):
        total = total + a[:, step : step + 1] * b[step : step + 1, :]
    return total


def column_sums(x: Array) -> Array:
    total = np.zeros(x.shape[1], x.dtype)
    for row in x:
        total = total + row
    return total


def sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))


def gelu_inner(x: Array) -> Array:
    return np.asarray(0.7978845608 * (x + 0.044715 * x * x * x))


def gelu_slope(x: Array) -> Array:
    t = np.tanh(gelu_inner(x))
    inner_slope = 0.7978845608 * (1 + 0.134145 * x * x)
    return np.asarray(0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner_slope)


def silu_slope(x: Array) -> Array:
    s = sigmoid(x)
    return np.asarray(s * (1 + x * (1 - s)))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def cross_entropy(node: Node, step: int, x: Array, labels: Array) -> Array:
    peak = x.max(axis=1)
    logs = np.log(np.exp(x - peak[:, None]).sum(axis=1)) + peak
    right = x[np.arange(len(x)), labels[:, 0]]
    return np.array([(logs - right).mean(), (x.argmax(axis=1) == labels[:, 0]).sum()], x.dtype)


def cross_entropy_slope(node: Node, step: int, x: Array, labels: Array) -> Array:
    out = softmax(x)
    out[np.arange(len(x)), labels[:, 0]] -= 1
    return np.asarray(out / x.dtype.type(len(x)))


def record(node: Node, step: int, statistics: Array, losses: Array, corrects: Array) -> None:
    losses[step % len(losses)], corrects[step % len(losses)] = statistics


def uniform(node: Node, step: int) -> Array:
    words = philox.words24(node.attributes, 0, node.sizes["count"]).astype(np.float32)
    return (words * np.float32(2.0**-23) - np.float32(1)) * np.float32(node.attributes["bound"])


def dropout(node: Node, step: int, x: Array) -> Array:
    words = philox.words24(node.attributes, step, x.size).reshape(x.shape)
    scaled = x * x.dtype.type(node.attributes["scale"])
    kept = words >= np.uint64(node.attributes["drop_below"])
    return np.asarray(np.where(kept, scaled, x.dtype.type(0)))


def shuffle(node: Node, step: int, order: Array, tag: Array) -> None:
    epoch = step // int(node.attributes["steps_per_epoch"])
    order[:] = np.arange(len(order))
    words = philox.draw(node.attributes, epoch, len(order))[:, 0]
    for i in range(len(order) - 1, 0, -1):
        j = (int(words[i]) * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]
    tag[0] = epoch + 1


def gather(node: Node, step: int, x: Array, order: Array) -> Array:
    rows = node.sizes["b"]
    first = step % int(node.attributes["steps_per_epoch"]) * rows
    return np.asarray(x[order[first : first + rows]])


def take_rows(node: Node, step: int, x: Array) -> Array:
    first = int(node.attributes["first"]) + step * node.sizes["b"]
    return np.asarray(x[first : first + node.sizes["b"]])


def put_rows(node: Node, step: int, x: Array, out: Array) -> None:
    first = int(node.attributes["first"]) + step * len(x)
    out[first : first + len(x)] = x


def measure_columns(node: Node, step: int, x: Array, mean: Array, scale: Array) -> None:
    exact = x.astype(np.float64)
    average = column_sums(exact) / len(x)
    deviation = np.sqrt(column_sums((exact - average) ** 2) / len(x)).astype(np.float32)
    mean[:], scale[:] = average, np.where(deviation > 0, deviation, 1)


def adam(node: Node, step: int, p: Array, g: Array, first: Array, second: Array) -> None:
    of = p.dtype.type
    beta1, beta2 = of(node.attributes["beta1"]), of(node.attributes["beta2"])
    rate = float(of(node.attributes["learning_rate"])) / (1 - float(beta1) ** (step + 1))
    root = 1 / math.sqrt(1 - float(beta2) ** (step + 1))
    first[:] = beta1 * first + (of(1) - beta1) * g
    second[:] = beta2 * second + (of(1) - beta2) * (g * g)
    p -= of(rate) * (first / (np.sqrt(second) * of(root) + of(node.attributes["epsilon"])))


def sgd(node: Node, step: int, p: Array, g: Array, velocity: Array) -> None:
    of = p.dtype.type
    velocity[:] = of(node.attributes["momentum"]) * velocity + g
    p -= of(node.attributes["learning_rate"]) * velocity


def lateral(node: Node, step: int, g: Array) -> None:
    words = philox.draw(node.attributes, step, len(g)) >> np.uint64(8)
    noise = (words.sum(axis=1).astype(np.float64) - 2**25) * 2.0**-24
    exact = g.astype(np.float64)
    squares = float(exact @ exact)
    if squares == 0:
        return
    noise -= float(noise @ exact) / squares * exact
    across = float(noise @ noise)
    if across == 0:
        return
    fade = 1 - step / int(node.attributes["steps_total"])
    g += float(node.attributes["factor"]) * fade * np.sqrt(squares / across) * noise


# ---------------------------------------------------------------------------------------- rows


def from_output(name: str) -> Gradient:
    return lambda node, g: (apply(name, node, g),)


def from_input(name: str) -> Gradient:
    return lambda node, g: (apply(name, node.sources[0], g),)


def elementwise(f: Callable[[Array], Array], gradient: Gradient, flops: int = 1) -> Op:
    return Op(Signature("(...)->(...)"), lambda n, s, x: f(x), gradient, flops=flops, in_place=True)


def slope(f: Callable[[Array], Array], flops: int = 1) -> Op:
    """g times a slope that is a function of the first source."""
    return Op(
        Signature("(...),(...)->(...)"), lambda n, s, x, g: g * f(x), flops=flops + 1, in_place=True
    )


def packed(sizes: Sizes) -> int:
    """One panel of 8 columns, and the rows of the left operand in the order they are read."""
    return 8 * sizes["k"] + sizes["m"] * sizes["k"]


STREAM: dict[str, type] = {"seed_low": int, "seed_high": int, "purpose": int}
RATES = ("learning_rate", "beta1", "beta2", "epsilon")

TABLE: dict[str, Op] = {
    "matmul_nn": Op(
        Signature("(m,k),(k,n)->(m,n)"),
        lambda n, s, a, b: chain(a, b),
        lambda n, g: (
            apply("matmul_nt", g, n.sources[1]),
            apply("matmul_tn", n.sources[0], g),
        ),
        flops=2,
        scratch=packed,
    ),
    "matmul_nt": Op(
        Signature("(m,k),(n,k)->(m,n)"),
        lambda n, s, a, b: chain(a, b.T),
        lambda n, g: (
            apply("matmul_nn", g, n.sources[1]),
            apply("matmul_tn", g, n.sources[0]),
        ),
        flops=2,
        scratch=packed,
    ),
    "matmul_tn": Op(
        Signature("(k,m),(k,n)->(m,n)"),
        lambda n, s, a, b: chain(a.T, b),
        lambda n, g: (
            apply("matmul_nt", n.sources[1], g),
            apply("matmul_nn", n.sources[0], g),
        ),
        flops=2,
        scratch=lambda sizes: 8 * sizes["k"],
    ),
    "bias": Op(
        Signature("(m,n),(n)->(m,n)"),
        lambda n, s, x, b: x + b,
        lambda n, g: (g, apply("sum_rows", g)),
        in_place=True,
    ),
    "sum_rows": Op(Signature("(m,n)->(n)"), lambda n, s, x: column_sums(x)),
    "sum": Op(
        Signature("(...),(...)->(...)"),
        lambda n, s, x, y: x + y,
        lambda n, g: (g, g),
        in_place=True,
    ),
    "relu": elementwise(
        lambda x: np.where(x < 0, x.dtype.type(0), x), from_output("relu_gradient")
    ),
    "leaky_relu": elementwise(
        lambda x: np.where(x < 0, x * x.dtype.type(0.01), x), from_output("leaky_relu_gradient")
    ),
    "elu": elementwise(
        lambda x: np.where(x < 0, np.exp(np.minimum(x, 0)) - 1, x), from_output("elu_gradient"), 20
    ),
    "silu": elementwise(lambda x: x * sigmoid(x), from_input("silu_gradient"), 25),
    "gelu": elementwise(
        lambda x: 0.5 * x * (1 + np.tanh(gelu_inner(x))), from_input("gelu_gradient"), 40
    ),
    "sigmoid": elementwise(sigmoid, from_output("sigmoid_gradient"), 25),
    "tanh": elementwise(np.tanh, from_output("tanh_gradient"), 35),
    "exp": elementwise(np.exp, lambda n, g: (apply("product", n, g),), 20),
    "log": elementwise(np.log, lambda n, g: (apply("quotient", g, n.sources[0]),), 25),
    "relu_gradient": slope(lambda y: np.where(y > 0, y.dtype.type(1), y.dtype.type(0))),
    "leaky_relu_gradient": slope(lambda y: np.where(y < 0, y.dtype.type(0.01), y.dtype.type(1))),
    "elu_gradient": slope(lambda y: np.where(y < 0, y + 1, 1 + 0 * y)),
    "silu_gradient": slope(silu_slope, 30),
    "gelu_gradient": slope(gelu_slope, 50),
    "sigmoid_gradient": slope(lambda y: y * (1 - y), 2),
    "tanh_gradient": slope(lambda y: 1 - y * y, 2),
    "product": Op(
        Signature("(...),(...)->(...)"),
        lambda n, s, x, y: x * y,
        lambda n, g: (apply("product", g, n.sources[1]), apply("product", g, n.sources[0])),
        in_place=True,
    ),
    "quotient": Op(Signature("(...),(...)->(...)"), lambda n, s, x, y: x / y, in_place=True),
    "standardise": Op(
        Signature("(m,n),(n),(n)->(m,n)"),
        lambda n, s, x, mean, scale: (x - mean) / scale,
        flops=2,
        in_place=True,
    ),
    "softmax": Op(Signature("(m,n)->(m,n)"), lambda n, s, x: softmax(x), flops=22),
    "cross_entropy": Op(
        Signature("(m,n),(m,1)->(2)"),
        cross_entropy,
        # the chain starts here: the gradient of the loss in itself is one
        lambda n, g: (apply("cross_entropy_gradient", *n.sources), None),
        flops=24,
        scratch=lambda sizes: sizes["n"],
    ),
    "cross_entropy_gradient": Op(Signature("(m,n),(m,1)->(m,n)"), cross_entropy_slope, flops=24),
    "record": Op(Signature("(2),(p),(p)->"), record, flops=0),
    "uniform": Op(Signature("->(...)"), uniform, attributes={"bound": float} | STREAM, flops=30),
    "dropout": Op(
        Signature("(...)->(...)"),
        dropout,
        lambda n, g: (apply("dropout", g, attributes=n.attributes),),
        attributes={"drop_below": int, "scale": float} | STREAM,
        flops=30,
        in_place=True,
    ),
    "shuffle": Op(
        Signature("(n),(1)->"), shuffle, attributes={"steps_per_epoch": int} | STREAM, flops=0
    ),
    "gather": Op(
        Signature("(n,c),(n)->(b,c)"),
        gather,
        attributes={"steps_per_epoch": int},
        flops=0,
        dtype="source",
    ),
    "take_rows": Op(
        Signature("(n,c)->(b,c)"), take_rows, attributes={"first": int}, flops=0, dtype="source"
    ),
    "put_rows": Op(Signature("(b,c),(n,c)->"), put_rows, attributes={"first": int}, flops=0),
    "measure_columns": Op(Signature("(n,c),(c),(c)->"), measure_columns, flops=5),
    "adam": Op(
        Signature("(n),(n),(n),(n)->"), adam, attributes=dict.fromkeys(RATES, float), flops=14
    ),
    "sgd": Op(
        Signature("(n),(n),(n)->"),
        sgd,
        attributes={"learning_rate": float, "momentum": float},
        flops=4,
    ),
    "lateral": Op(
        Signature("(n)->"),
        lateral,
        attributes={"factor": float, "steps_total": int} | STREAM,
        flops=50,
        scratch=lambda sizes: sizes["n"],
    ),
}

OPCODES: dict[str, int] = {name: number for number, name in enumerate(TABLE, start=1)}
