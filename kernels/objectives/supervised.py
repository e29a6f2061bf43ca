"""One network that answers with a class, a class for each step, or the next token."""

from dataclasses import dataclass, field

from kernels import ops
from kernels.data import Target
from kernels.forward import Forward
from kernels.graph import Node, reshape
from kernels.objectives.objective import Batch, flat, leaves, softmax
from kernels.objectives.single import Single


@dataclass(frozen=True)
class Classification(Single):
    """Cross-entropy of the classes, one for each row or for each step; it counts right answers."""

    metric: str = field(init=False, default="accuracy")

    @property
    def measured_per_row(self) -> int:
        return 1 if self.config.data.target is Target.CLASSES else self.config.data.input[0]

    def answer(self, rows: int) -> Forward:
        x, standardised, columns = self.given(rows)
        trained = leaves(self.parameters)
        found = softmax(self.network.build(standardised, trained))
        return Forward({"input": x}, trained | dict(columns), {"probabilities": found})

    def loss(self, found: Node, batch: Batch) -> Node:
        width = (found.shape or ())[-1]
        if batch.shares is not None:
            shares = self._smoothed(batch.shares, width)
            return ops.apply("soft_cross_entropy", flat(found, width), shares)
        sources, training = (flat(found, width), flat(batch.targets, 1)), self.config.training
        if not training.label_smoothing and not training.class_weights:
            return ops.apply("cross_entropy", *sources)
        smoothing = {"smoothing": training.label_smoothing}
        return ops.apply(
            "weighted_cross_entropy", *sources, self._class_weights(width), attributes=smoothing
        )

    def _smoothed(self, shares: Node, classes: int) -> Node:
        """(1 - smoothing) * shares + smoothing / classes."""
        smoothing = self.config.training.label_smoothing
        if not smoothing:
            return shares
        kept = ops.apply("scale", shares, attributes={"value": 1 - smoothing})
        spread = reshape(constant(smoothing / classes, shares.elements), shares.shape or ())
        return ops.apply("sum", kept, spread)

    def _class_weights(self, classes: int) -> Node:
        """As a row of numbers, put together from as many constants."""
        weights = self.config.training.class_weights
        if not weights:
            return constant(1.0, classes)
        parts = [reshape(constant(weight, 1), (1, 1)) for weight in weights]
        while len(parts) > 1:  # in pairs, so that a thousand classes make a shallow graph
            pairs = [join(*parts[i : i + 2]) for i in range(0, len(parts) - 1, 2)]
            parts = [*pairs, *parts[len(pairs) * 2 :]]
        return reshape(parts[0], (classes,))


def constant(value: float, size: int) -> Node:
    return ops.apply("constant", sizes={"count": size}, attributes={"value": value})


def join(left: Node, right: Node) -> Node:
    size = {"n": (left.shape or (0, 0))[1] + (right.shape or (0, 0))[1]}
    return ops.apply("join", left, right, sizes=size)
