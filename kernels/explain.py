"""Why an answer: what each part of an input contributes to one output of a model.

    gradient        ∂f/∂x, how fast the score moves with each number of the input
                    (Simonyan et al. 2013)
    contributions   integrated gradients (Sundararajan et al. 2017):
                    (x - x') · mean over m points of ∂f/∂x at x' + (i - ½)/m · (x - x')
                    Their sum is f(x) - f(x') but for the m points standing for an integral; what is
                    missing is reported, and more points make it smaller.
    attention       for each attention op of the model what every step attends to, (heads, t, t)

The score f is the output itself; where outputs are probabilities it is the number below the
softmax, since the probability's slope vanishes just where the model is sure. Tokens have no slopes:
for them x is their embedding, x' zero, and a token's contribution the sum over its embedding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import forward, ops
from kernels.autodiff import gradients
from kernels.build import Module
from kernels.compiler import Program, compile_programs
from kernels.forward import Forward
from kernels.graph import Node, count, in_order, leaf, reshape
from kernels.limits import Limits
from kernels.modelfile import Model
from kernels.runtime import Sandbox
from kernels.signature import ShapeError

POINTS = 64
POINTS_AT_ONCE = 16
Float = NDArray[np.float32]


class NotExplained(ValueError):
    """An explanation that cannot be given; the text says why."""


@dataclass(frozen=True)
class Contributions:
    """What each number of the input, or each token, contributes to `score`, beginning at
    `baseline_score`; `missing` is what they do not add up to.
    """

    values: Float
    score: float
    baseline_score: float

    @property
    def missing(self) -> float:
        return self.score - self.baseline_score - float(self.values.sum(dtype=np.float64))


class Explainer:
    """A model, ready to be asked. Raises ModelRefused, NotExplained for a graph with ops that have
    no gradient, SandboxError where it exceeds the limits.
    """

    def __init__(self, model: Model, *, module: Module, limits: Limits | None = None) -> None:
        unit = model.forward(1)
        if [(node.shape or (0,))[0] for node in unit.inputs.values()] != [1]:
            raise NotExplained("graph: must have one input, of one row")
        self.points = max(1, min(POINTS_AT_ONCE, forward.capacity(unit) // 2))
        slopes = _Slopes(model.forward(self.points))
        (given,) = unit.inputs.values()
        self._vocabulary = forward.vocabulary(unit, given)  # where it takes tokens
        self.outputs = slopes.score.elements // self.points
        self._slopes = slopes
        self._sandbox = Sandbox(module, compile_programs(slopes.programs), limits or Limits())
        for name, node in slopes.graph.parameters.items():
            if node in self._sandbox.plan.addresses:
                self._sandbox.array(node)[...] = model.arrays[name]
        self._attention = _Attention(model, module, limits or Limits())

    def gradient(self, example: NDArray[Any], output: int) -> Float:
        """∂ score of the output / ∂ example, of the example's shape; (steps, width) for tokens.

        Raises NotExplained where there is no such output or the example has another shape.
        """
        point = self._begin(example)
        return np.array(self._run(point[None], output)[0][0], np.float32)

    def slope(self, example: NDArray[Any], weights: NDArray[Any]) -> Float:
        """∂ (scores · weights) / ∂ example, of the example's shape: that of a loss, where `weights`
        (outputs,) are its slope in the scores.

        Raises NotExplained as `gradient` does, and for weights that are not one for each output.
        """
        given = np.asarray(weights, np.float32).reshape(-1)
        if len(given) != self.outputs:
            raise NotExplained(f"weights: must be {self.outputs}, not {len(given)}")
        return np.array(self._weighted(self._begin(example)[None], given)[0][0], np.float32)

    def contributions(
        self,
        example: NDArray[Any],
        output: int,
        *,
        baseline: NDArray[Any] | None = None,
        points: int = POINTS,
    ) -> Contributions:
        """Integrated gradients along the straight way from the baseline: zeros unless one is given
        (of numbers; tokens begin at an embedding of zeros). Values have the example's shape.

        Raises NotExplained as `gradient` does, and for fewer points than one.
        """
        if points < 1:
            raise NotExplained(f"points: must be at least 1, not {points}")
        end = self._begin(example).astype(np.float64)
        begin = np.zeros_like(end) if baseline is None else self._begin(baseline).astype(np.float64)
        ways = (np.arange(points) + 0.5) / points
        total = np.zeros_like(end)
        for first in range(0, points, self.points):
            part = ways[first : first + self.points].reshape(-1, *[1] * end.ndim)
            slopes, _ = self._run(begin + part * (end - begin), output)
            total += slopes.sum(axis=0, dtype=np.float64)
        values = (end - begin) * total / points
        _, scores = self._run(np.stack([begin, end])[: self.points], output)
        if self.points == 1:
            scores = np.append(scores, self._run(end[None], output)[1])
        if self._slopes.is_of_tokens:
            values = values.sum(axis=-1)
        return Contributions(values.astype(np.float32), float(scores[1]), float(scores[0]))

    def attention(self, example: NDArray[Any]) -> list[Float]:
        """For each attention op, in order, what each step attends to: (heads, steps, steps), rows
        adding up to one. An empty list for a model without.
        """
        return self._attention.maps(self._checked(example))

    def _begin(self, example: NDArray[Any]) -> Float:
        """Where slopes begin: the example, or its embedding."""
        given = self._checked(example)
        if not self._slopes.is_of_tokens:
            return np.asarray(given, np.float32)
        tokens = self._sandbox.array(self._slopes.input)
        tokens[...] = given
        self._sandbox.run("embed", 0, 1)
        return np.array(self._sandbox.array(self._slopes.embedded)[0], np.float32)

    def _checked(self, example: NDArray[Any]) -> NDArray[Any]:
        """The example without its row, of the input's shape."""
        node = self._slopes.input
        shape = (node.shape or ())[1:]
        if np.size(example) != count(shape):
            raise NotExplained(f"example: must be of shape {shape}, not {np.shape(example)}")
        found = np.asarray(example).reshape(shape)
        if node.dtype == "u4":
            if found.dtype.kind not in "iu":
                raise NotExplained(f"example: tokens must be whole numbers, not {found.dtype}")
            if not ((found >= 0) & (found < self._vocabulary)).all():
                raise NotExplained(f"example: tokens must be from 0 to {self._vocabulary - 1}")
            return found
        if found.dtype.kind not in "iuf":
            raise NotExplained(f"example: must be numbers, not {found.dtype}")
        with np.errstate(over="ignore"):  # too large becomes infinite, and is refused below
            found = found.astype(np.float32)
        if not np.isfinite(found).all():
            raise NotExplained("example: must be finite numbers")
        return found

    def _run(self, points: NDArray[Any], output: int) -> tuple[Float, Float]:
        """Slopes at so many points, and the score at each."""
        if not 0 <= output < self.outputs:
            raise NotExplained(f"output: must be from 0 to {self.outputs - 1}, not {output}")
        only = np.zeros(self.outputs, np.float32)
        only[output] = 1
        found, scores = self._weighted(points, only)
        return found, scores[:, output]

    def _weighted(self, points: NDArray[Any], given: Float) -> tuple[Float, Float]:
        """Slopes of the weighed sum of scores at so many points, and all scores at each."""
        slopes = self._slopes
        place, weights = (self._sandbox.array(n) for n in (slopes.begin, slopes.weights))
        place[: len(points)] = points
        weights.reshape(self.points, -1)[...] = given
        self._sandbox.run("slopes", 0, 1)
        scores = self._sandbox.array(slopes.scores).reshape(self.points, -1)
        found = self._sandbox.array(slopes.found)
        return found[: len(points)].copy(), scores[: len(points)].copy()


class _Slopes:
    """The graph of the score's slope in the input, or in its embedding, for some points at once."""

    def __init__(self, graph: Forward) -> None:
        self.graph = graph
        (self.input,) = graph.inputs.values()
        answer = next(iter(graph.outputs.values()))
        self.is_of_tokens = self.input.dtype == "u4"
        below = below_softmax(answer)
        first = embedding_of(below, self.input) if self.is_of_tokens else self.input
        self.begin = leaf("begin", first.shape or ())
        self.score = replaced(below, {first: self.begin})
        self.weights = leaf("weights", self.score.shape or ())
        self.scores = leaf("scores", self.score.shape or ())
        self.found = leaf("found", first.shape or ())
        self.embedded = leaf("embedded", first.shape or ())
        self.first = first

    @property
    def programs(self) -> Mapping[str, Program]:
        try:
            slope = gradients(self.score, [self.begin], self.weights)[self.begin]
        except ShapeError as error:
            raise NotExplained(f"graph: {error}") from error
        score = ops.apply("copy", self.score)
        into = {score: self.scores, slope: self.found}
        programs = {"slopes": Program([score, slope], into)}
        if self.is_of_tokens:
            programs["embed"] = Program([self.first], {self.first: self.embedded})
        return programs


class _Attention:
    """What every step of every attention op attends to, for one example."""

    def __init__(self, model: Model, module: Module, limits: Limits) -> None:
        unit = model.forward(1)
        (self.input,) = unit.inputs.values()
        self.places: list[Node] = []
        into = {}
        for node in in_order(unit.outputs.values()):
            if node.op == "attention":
                heads = {"h": node.sizes["h"]}
                found = ops.apply(
                    "attention_weights", node.sources[0], sizes=heads, attributes=node.attributes
                )
                into[found] = leaf(f"attention{len(self.places)}", found.shape or ())
                self.places.append(into[found])
        if not into:
            return
        plan = compile_programs({"attention": Program(list(into), into)})
        self.sandbox = Sandbox(module, plan, limits)
        for name, node in unit.parameters.items():
            if node in plan.addresses:
                self.sandbox.array(node)[...] = model.arrays[name]

    def maps(self, example: NDArray[Any]) -> list[Float]:
        if self.places:
            self.sandbox.array(self.input)[...] = example
            self.sandbox.run("attention", 0, 1)
        return [self.sandbox.array(place)[0].copy() for place in self.places]


def below_softmax(answer: Node) -> Node:
    """The numbers that an output's probabilities are made from, or the output itself."""
    if answer.op == "reshape":
        return reshape(below_softmax(answer.sources[0]), answer.shape or ())
    return answer.sources[0] if answer.op == "softmax" else answer


def embedding_of(score: Node, tokens: Node) -> Node:
    readers = [node for node in in_order([score]) if tokens in node.sources]
    if len(readers) != 1 or readers[0].op != "embedding":
        raise NotExplained("tokens are read by something other than one embedding")
    return readers[0]


def replaced(node: Node, known: Mapping[Node, Node]) -> Node:
    """The same graph, with other nodes in the place of some."""
    made = dict(known)
    for old in in_order([node]):
        if old not in made:
            sources = tuple(made[source] for source in old.sources)
            made[old] = old if sources == old.sources else forward.rebuilt(old, sources)
    return made[node]
