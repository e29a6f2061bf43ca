"""Attention as it falls out of ONNX: MatMul, scale, mask, Softmax, MatMul.

Our op does all of that without holding the scores, so the operators between are only remembered
until the last product says that it is attention.
"""

import math
from dataclasses import replace

import numpy as np

from kernels import ops
from kernels.exchange.onnx_values import (
    Array,
    OnnxRefused,
    Scores,
    Value,
    arranged,
    refuse_batch,
    refuse_large,
    reshape,
)
from kernels.graph import Node

HIDDEN = -1e4  # a score that leaves nothing of a step


def scores(queries: Value, keys: Value) -> Scores:
    """(…, steps, width) times (…, width, steps)."""
    axes = [*range(keys.index.ndim - 2), keys.index.ndim - 1, keys.index.ndim - 2]
    turned = replace(keys, index=keys.index.transpose(axes))
    for value in (queries, turned):
        refuse_batch(value, value.index.ndim - 1, "multiplies along")
        refuse_batch(value, value.index.ndim - 2, "multiplies along")
    if queries.index.shape != turned.index.shape or queries.rows_at != turned.rows_at:
        raise OnnxRefused(
            f"multiplies computed values {queries.index.shape} and {keys.index.shape}; "
            "only attention of a sequence to itself is known"
        )
    return Scores(queries, turned)


def scaled(found: Scores, by: Array) -> Scores:
    if found.is_softmax or found.is_causal or by.size != 1:
        raise OnnxRefused("scales attention by more than one number, or too late")
    return replace(found, scale=found.scale * float(by.ravel()[0]))


def masked(found: Scores, mask: Array) -> Scores:
    """A mask that hides nothing, or all steps that come later."""
    steps = found.queries.index.shape[-2]
    if found.is_softmax or mask.size not in (1, steps * steps):
        raise OnnxRefused(f"a mask {mask.shape} on the scores of {steps} steps")
    if mask.size == 1:  # small itself, and held against every pair of steps
        refuse_large((steps, steps))
    square = np.broadcast_to(mask.reshape(mask.shape[-2:] if mask.size > 1 else 1), (steps, steps))
    seen = np.tri(steps, dtype=bool)
    if (square[seen] != 0).any():
        raise OnnxRefused("a mask that hides or weighs earlier steps")
    is_causal = steps > 1 and bool((square[~seen] <= HIDDEN).all())
    if not is_causal and (square != 0).any():
        raise OnnxRefused("a mask that hides some of the later steps")
    return replace(found, is_causal=found.is_causal or is_causal)


def shared_out(found: Scores, axis: int) -> Scores:
    if axis not in (-1, found.queries.index.ndim - 1) or found.is_softmax:
        raise OnnxRefused(f"shares attention out along axis {axis}")
    return replace(found, is_softmax=True)


def attention(found: Scores, values: Value) -> Value:
    """The values that each step attends to, (…, steps, width)."""
    shape = found.queries.index.shape
    if (
        not found.is_softmax
        or values.index.shape != shape
        or values.rows_at != found.queries.rows_at
    ):
        raise OnnxRefused(f"attends with values {values.index.shape} for queries {shape}")
    steps, width = shape[-2:]
    heads = math.prod(shape[:-2])
    factor = found.scale * math.sqrt(width)
    queries = found.queries
    if not math.isclose(factor, 1, rel_tol=1e-5):  # ours is 1 / sqrt(width)
        factored = ops.apply("scale", queries.node, attributes={"value": factor})
        queries = replace(queries, node=factored)
    qkv = packed([queries, found.keys, values], heads, steps, width)
    causal = {"causal": int(found.is_causal)}
    node = ops.apply("attention", qkv, sizes={"h": heads}, attributes=causal)
    index = np.arange(node.elements).reshape(steps, heads, width).transpose(1, 0, 2)
    return replace(values, node=node, index=index.reshape(shape))


def packed(parts: list[Value], heads: int, steps: int, width: int) -> Node:
    """Queries, keys and values side by side, (1, steps, 3 · heads · width)."""
    indices = [
        part.index.reshape(heads, steps, width).transpose(1, 0, 2).reshape(steps, heads * width)
        for part in parts
    ]
    nodes = [part.node for part in parts]
    if nodes[0] is nodes[1] is nodes[2]:
        joined = arranged(nodes[0], np.concatenate(indices, axis=1))
    else:
        sides = [arranged(node, index) for node, index in zip(nodes, indices, strict=True)]
        two = ops.apply("join", *sides[:2], sizes={"n": 2 * heads * width})
        joined = ops.apply("join", two, sides[2], sizes={"n": 3 * heads * width})
    return reshape(joined, (1, steps, 3 * heads * width))
