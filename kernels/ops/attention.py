"""Attention with several heads: each step takes from all steps what answers to it.

qkv (b, t, 3d) holds queries, keys and values side by side; each of h heads owns d / h columns of
each. Vaswani et al., "Attention is all you need" (2017), section 3.2.
"""

import numpy as np

from kernels.graph import Node
from kernels.ops.products import packed
from kernels.ops.table import Array, Attributes, Op, apply, part
from kernels.signature import Signature, Sizes

QUERIES = 32  # of c/attention.c


def by_head(x: Array, heads: int) -> Array:
    """(b, t, d) as (b, h, t, d / h)."""
    b, t, d = x.shape
    return x.reshape(b, t, heads, d // heads).transpose(0, 2, 1, 3)


def by_step(x: Array) -> Array:
    """(b, h, t, d / h) as (b, t, d)."""
    b, h, t, width = x.shape
    return x.transpose(0, 2, 1, 3).reshape(b, t, h * width)


def split(qkv: Array, heads: int) -> tuple[Array, Array, Array]:
    q, k, v = (by_head(x, heads) for x in np.split(qkv, 3, axis=2))
    return q, k, v


def scores(node: Node, q: Array, k: Array) -> Array:
    """(b, h, t, t); minus infinity where a step does not see another."""
    found = q @ k.transpose(0, 1, 3, 2) / q.dtype.type(np.sqrt(q.shape[-1]))
    if node.attributes["causal"]:
        found = np.where(np.tri(q.shape[2], dtype=bool), found, q.dtype.type(-np.inf))
    return np.asarray(found)


def logarithms(found: Array) -> Array:
    """The logarithm of the sum of exponentials of each row."""
    peak = found.max(axis=-1, keepdims=True)
    return np.asarray(peak + np.log(np.exp(found - peak).sum(axis=-1, keepdims=True)))


def attention(node: Node, step: int, qkv: Array) -> tuple[Array, Array]:
    q, k, v = split(qkv, node.sizes["h"])
    found = scores(node, q, k)
    logs = logarithms(found)
    return by_step(np.exp(found - logs) @ v), logs[..., 0]


def attention_weights(node: Node, step: int, qkv: Array) -> Array:
    q, k, _ = split(qkv, node.sizes["h"])
    found = scores(node, q, k)
    return np.asarray(np.exp(found - logarithms(found)))


def attention_slope(node: Node, step: int, qkv: Array, out: Array, logs: Array, g: Array) -> Array:
    heads = node.sizes["h"]
    q, k, v = split(qkv, heads)
    weights = np.exp(scores(node, q, k) - logs[..., None])
    slope, said = by_head(g, heads), by_head(out, heads)
    along = (slope * said).sum(axis=-1, keepdims=True)
    found = weights * (slope @ v.transpose(0, 1, 3, 2) - along) / q.dtype.type(np.sqrt(q.shape[-1]))
    parts = found @ k, found.transpose(0, 1, 3, 2) @ q, weights.transpose(0, 1, 3, 2) @ slope
    return np.concatenate([by_step(x) for x in parts], axis=2)


def attention_gradient(node: Node, g: Node) -> tuple[Node]:
    sources = node.sources[0], node, part(node, 1), g
    return (apply("attention_gradient", *sources, attributes=node.attributes),)


def divides(sizes: Sizes, attributes: Attributes) -> bool:
    return sizes["d"] % sizes["h"] == 0


def blocks(number: int, sizes: Sizes) -> int:
    """So many blocks of scores, and what a product of them packs."""
    t, width = sizes["t"], sizes["d"] // sizes["h"]
    queries = min(QUERIES, t)
    products = (width, t), (t, width), (queries, width)
    return number * queries * t + max(packed({"k": k, "n": n}) for k, n in products)


def work(products: int, others: int, sizes: Sizes) -> int:
    """Each product takes one multiplication and addition for every column of every score."""
    scored = sizes["b"] * sizes["t"] ** 2
    return scored * (2 * products * sizes["d"] + others * sizes["h"])


ROWS: dict[str, Op] = {
    "attention": Op(
        Signature("(b,t,3d)->(b,t,d),(b,h,t)"),
        attention,
        attention_gradient,
        attributes={"causal": int},
        flops=lambda sizes: work(2, 24, sizes),
        scratch=lambda sizes: blocks(1, sizes),
        holds=divides,
    ),
    "attention_gradient": Op(
        Signature("(b,t,3d),(b,t,d),(b,h,t),(b,t,d)->(b,t,3d)"),
        attention_slope,
        attributes={"causal": int},
        flops=lambda sizes: work(5, 28, sizes),
        scratch=lambda sizes: blocks(2, sizes),
        holds=divides,
    ),
    "attention_weights": Op(
        Signature("(b,t,3d)->(b,h,t,t)"),
        attention_weights,
        attributes={"causal": int},
        flops=lambda sizes: work(1, 24, sizes),
        scratch=lambda sizes: blocks(1, sizes),
        holds=divides,
    ),
}
