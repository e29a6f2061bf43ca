"""Memory that belongs together: all parameters side by side, the columns of the data, sums."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernels.data import DataShape, Target
from kernels.graph import Node, count, leaf, view
from kernels.layers import Parameter


@dataclass(frozen=True)
class Block:
    """All parameters side by side in one leaf, and each as a view of it: what optimisers and
    checkpoints want.
    """

    whole: Node
    parts: Mapping[str, Node]

    def span(self, prefix: str, of: Node) -> Node:
        """What belongs to the parameters whose names begin so, in this block or one like it."""
        if not prefix:
            return of
        inside = [part for name, part in self.parts.items() if name.startswith(prefix)]
        first = int(inside[0].attributes["offset"])
        return view(of, first, (sum(part.elements for part in inside),), prefix + of.name)


@dataclass(frozen=True)
class Columns:
    """Mean and scale of each column, measured on the training rows."""

    mean: Node
    scale: Node


@dataclass(frozen=True)
class Sums:
    """Where a program leaves its measurements: one mean loss and one sum of what is measured for
    each step it takes.
    """

    rows_per_step: int
    losses: Node
    corrects: Node

    @property
    def steps(self) -> int:
        return self.losses.elements


def block(name: str, specification: Sequence[Parameter]) -> Block:
    whole = leaf(name, (sum(count(parameter.shape) for parameter in specification),))
    parts, offset = {}, 0
    for parameter in specification:
        part = view(whole, offset, parameter.shape, parameter.name)
        parts[parameter.name] = part
        offset += part.elements
    return Block(whole, parts)


def sums(name: str, rows_per_step: int, steps: int) -> Sums:
    return Sums(rows_per_step, leaf(f"{name}.losses", (steps,)), leaf(f"{name}.corrects", (steps,)))


def columns_of(data: DataShape) -> Mapping[str, Columns]:
    """What is standardised: inputs that are numbers, targets that are values."""
    widths = {"input": data.columns}
    widths |= {"target": data.size} if data.target is Target.VALUES else {}
    return {
        name: Columns(leaf(f"{name}.mean", (width,)), leaf(f"{name}.scale", (width,)))
        for name, width in widths.items()
        if width
    }


def stored(data: DataShape, name: str, rows: int) -> dict[str, Node]:
    """The rows of one part of the data, an example in a row."""
    width, dtype = data.target_columns
    found = {
        f"{name}_rows": leaf(f"{name}_rows", (rows, data.features), data.dtype),
        f"{name}_targets": leaf(f"{name}_targets", (rows, width), dtype),
    }
    if data.target is Target.ACTIONS:
        found[f"{name}_rewards"] = leaf(f"{name}_rewards", (rows, 1))
    return found
