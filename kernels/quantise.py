"""Weights of one byte: a model after training, a quarter as large, and what that costs.

Each product of a row with a weight matrix becomes the op dense_int8. A column j of the weights is
kept as whole numbers from -127 to 127 and one scale, max |w_j| / 127; a row of the input gets its
scale when it comes (there is nothing to calibrate), and products are summed as whole numbers. A
table of embeddings becomes bytes with one scale a row. All else stays as it was: normalisation,
convolutions, the recurrent part of an LSTM. `compare` measures both on the same rows, since the
loss is a property of the data.
"""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import forward, modelfile, ops
from kernels.build import Module
from kernels.forward import Forward
from kernels.graph import Node, in_order, leaf
from kernels.modelfile import Model
from kernels.ops.compression import BYTE_MOST, SUM_MOST
from kernels.ops.products import ACTIVATIONS
from kernels.predictor import Predictor
from kernels.tensors import ModelRefused

TIMED_ROUNDS = 5
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Comparison:
    """A model before and after. `metric` is the accuracy where targets are classes, else the mean
    absolute error; `largest_difference` is that of any output on any row.
    """

    metric: str
    metric_before: float
    metric_after: float
    bytes_before: int
    bytes_after: int
    row_us_before: float
    row_us_after: float
    largest_difference: float


def quantise(model: Model) -> Model:
    """The model with weights of one byte. It answers, but cannot be trained further, so it has no
    configuration any more. Raises ModelRefused where it has no product to make smaller.
    """
    unit = model.forward(1)
    rewriting = _Rewriting(unit, model.arrays)
    made = rewriting.forward()
    if not rewriting.replaced:
        raise ModelRefused("graph: has no product with a weight matrix that could be quantised")
    arrays = {name: rewriting.arrays[name] for name in made.parameters}
    origin = modelfile.weights_sha256(model.weights)
    provenance = dict(model.provenance) | {"quantised": "int8", "quantised_from": origin}
    return dataclasses.replace(
        model, graph=forward.to_json(made), arrays=arrays, provenance=provenance, config=None
    )


def compare(
    before: bytes, after: bytes, rows: NDArray[Any], targets: NDArray[Any], *, module: Module
) -> Comparison:
    """Two model files on the same rows (n, *input) and targets: whole numbers (n,) for classes, or
    values (n, outputs). Raises ModelRefused, RowsRefused and SandboxError.
    """
    predictors = [Predictor(blob, module=module) for blob in (before, after)]
    answers = [predictor.predict(rows) for predictor in predictors]
    metrics = [measure(answer, targets) for answer in answers]
    times: list[list[float]] = [[], []]
    for _ in range(TIMED_ROUNDS):  # in turns, since a machine may slow down for a while
        for predictor, found in zip(predictors, times, strict=True):
            begin = time.perf_counter()
            predictor.predict(rows)
            found.append((time.perf_counter() - begin) / len(rows))
    return Comparison(
        metric="accuracy" if targets.dtype.kind in "iu" else "mean absolute error",
        metric_before=metrics[0],
        metric_after=metrics[1],
        bytes_before=len(before),
        bytes_after=len(after),
        row_us_before=1e6 * min(times[0]),
        row_us_after=1e6 * min(times[1]),
        largest_difference=float(np.abs(answers[0] - answers[1]).max()),
    )


def measure(answers: NDArray[np.float32], targets: NDArray[Any]) -> float:
    if targets.dtype.kind in "iu":
        return float((answers.argmax(axis=-1) == targets.reshape(answers.shape[:-1])).mean())
    return float(np.abs(answers - targets.reshape(answers.shape)).mean())


def quantise_columns(weight: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers (k, n) and what one of them stands for in each column (n,)."""
    scales = (np.abs(weight).max(axis=0) / np.float32(BYTE_MOST)).astype(np.float32)
    whole = np.rint(weight / np.where(scales > 0, scales, np.float32(1)))
    return np.clip(whole, -BYTE_MOST, BYTE_MOST).astype(np.int8), scales


class _Rewriting:
    """A copy of a graph for one row, products with parameters replaced."""

    def __init__(self, unit: Forward, arrays: Arrays) -> None:
        self.unit, self.arrays = unit, dict(arrays)
        self.weights = {node: name for name, node in unit.parameters.items()}
        self.made: dict[Node, Node] = {}
        self.leaves: dict[str, Node] = {}
        self.replaced = 0

    def forward(self) -> Forward:
        for node in in_order(self.unit.outputs.values()):
            self.made[node] = self._copy(node)
        outputs = {name: self.made[node] for name, node in self.unit.outputs.items()}
        order = set(in_order(outputs.values()))
        known = {**self.unit.parameters, **self.leaves}
        parameters = {name: node for name, node in known.items() if node in order}
        return Forward(self.unit.inputs, parameters, outputs)

    def _copy(self, node: Node) -> Node:
        sources = [self.made[source] for source in node.sources]
        if node.op == "leaf":
            return node
        if node.op == "bias" and self._is_product(node.sources[0]):
            x, w = node.sources[0].sources
            return self._product(self.made[x], w, sources[1])
        if node.op == "dense" and self._fits(node.sources[1]):
            found = self._product(sources[0], node.sources[1], sources[2])
            activation = ACTIVATIONS[int(node.attributes["activation"])]
            return found if activation == "linear" else ops.apply(activation, found)
        if self._is_product(node):
            return self._product(sources[0], node.sources[1], None)
        if node.op == "embedding" and node.sources[1] in self.weights:
            return self._lookup(sources[0], node.sources[1])
        return forward.rebuilt(node, sources)

    def _is_product(self, node: Node) -> bool:
        return node.op == "matmul_nn" and self._fits(node.sources[1])

    def _fits(self, weight: Node) -> bool:
        return weight in self.weights and (weight.shape or (0,))[0] <= SUM_MOST

    def _product(self, x: Node, weight: Node, bias: Node | None) -> Node:
        name, (_, width) = self.weights[weight], weight.shape or (0, 0)
        whole, scales = quantise_columns(self.arrays[name])
        if bias is None:
            bias = self._leaf(f"{name}.zeros", np.zeros(width, np.float32), "f4")
        return ops.apply("dense_int8", x, *self._bytes(weight, "columns", whole, scales), bias)

    def _lookup(self, tokens: Node, table: Node) -> Node:
        turned, scales = quantise_columns(self.arrays[self.weights[table]].T)
        return ops.apply("embedding_int8", tokens, *self._bytes(table, "rows", turned.T, scales))

    def _bytes(
        self, weight: Node, kind: str, whole: NDArray[np.int8], scales: NDArray[np.float32]
    ) -> tuple[Node, Node]:
        """Leaves of the bytes and of what they stand for in each row or column. The first has the
        name that the weight had, if nobody else reads the weight.
        """
        name = self.weights[weight]
        readers = {n for n in in_order(self.unit.outputs.values()) if weight in n.sources}
        own = name if len(readers) == 1 else f"{name}.{kind}"
        self.replaced += 1
        return self._leaf(own, whole, "i1"), self._leaf(f"{own}.scales", scales, "f4")

    def _leaf(self, name: str, values: NDArray[Any], dtype: str) -> Node:
        if name not in self.leaves:
            self.arrays[name] = np.ascontiguousarray(values)
            self.leaves[name] = leaf(name, values.shape, dtype)
        return self.leaves[name]
