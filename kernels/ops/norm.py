"""Layer normalisation: each row to mean 0 and variance 1, then a trained gain and bias."""

import numpy as np

from kernels.graph import Node
from kernels.ops.elementwise import column_sums
from kernels.ops.table import Array, Op, apply, part
from kernels.signature import Signature


def layer_norm(node: Node, step: int, x: Array, gain: Array, bias: Array) -> tuple[Array, Array]:
    mean = x.mean(axis=1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt(variance + x.dtype.type(node.attributes["epsilon"]))
    return (x - mean) * scale * gain + bias, np.concatenate([mean, scale], axis=1)


def layer_norm_slopes(
    node: Node, step: int, x: Array, gain: Array, statistics: Array, g: Array
) -> tuple[Array, Array, Array]:
    mean, scale = statistics[:, :1], statistics[:, 1:]
    normal, scaled = (x - mean) * scale, g * gain
    along = (scaled * normal).mean(axis=1, keepdims=True)
    x_slope = scale * (scaled - scaled.mean(axis=1, keepdims=True) - normal * along)
    return x_slope, column_sums(g * normal), column_sums(g)


def layer_norm_gradient(node: Node, g: Node) -> tuple[Node, Node, Node]:
    x, gain, _ = node.sources
    slope = apply("layer_norm_gradient", x, gain, part(node, 1), g)
    return slope, part(slope, 1), part(slope, 2)


ROWS: dict[str, Op] = {
    "layer_norm": Op(
        Signature("(m,n),(n),(n)->(m,n),(m,2)"),
        layer_norm,
        layer_norm_gradient,
        attributes={"epsilon": float},
        flops=8,
        in_place=True,
    ),
    "layer_norm_gradient": Op(
        Signature("(m,n),(n),(m,2),(m,n)->(m,n),(n),(n)"), layer_norm_slopes, flops=16
    ),
}
