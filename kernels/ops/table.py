"""What a row of the table is, and how a node is made from one.

The rows stand in the other modules of this package, one family each; `kernels.ops` puts them
together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from kernels.graph import Node, Number, count
from kernels.signature import ShapeError, Signature, Sizes

Array = NDArray[Any]
Attributes = Mapping[str, Number]
# the node, the step number, its sources → its value; a tuple where it has several, None for an
# effect on a source
Reference = Callable[..., Any]
# the node, the gradient of its value → the gradients of its sources
Gradient = Callable[[Node, Node], tuple[Node | None, ...]]


@dataclass(frozen=True)
class Op:
    """One row. `flops` counts the arithmetic: so much for each combination of sizes, or a function
    of them; `scratch` the floats it borrows. `holds` says for which sizes and attributes the kernel
    stays within its operands, where the signature does not; `below` which size its whole numbers
    must be below, since it looks something up by them.
    """

    signature: Signature
    reference: Reference
    gradient: Gradient | None = None
    attributes: Mapping[str, type] = field(default_factory=dict)
    flops: int | Callable[[Sizes], int] = 1
    repeats: Callable[[Attributes], int] | None = None  # how often attributes make it do its flops
    scratch: Callable[[Sizes], int] | None = None
    holds: Callable[[Sizes, Attributes], bool] | None = None
    below: str | None = None
    in_place: bool = False  # the output may lie where the first source lay
    counts_steps: bool = False  # the kernel is told the number of the step
    decides: bool = False  # the kernel answers whether the step goes on

    def work(self, sizes: Sizes, attributes: Attributes) -> int:
        times = 1 if self.repeats is None else self.repeats(attributes)
        if callable(self.flops):
            return times * self.flops(sizes)
        return times * self.flops * count(tuple(sizes.values()))


TABLE: dict[str, Op] = {}


def apply(
    name: str, *sources: Node, sizes: Sizes | None = None, attributes: Attributes | None = None
) -> Node:
    """A node of the graph. `sizes` names what no source shows, such as the rows of a batch. Raises
    ShapeError.
    """
    row = TABLE[name]
    attributes = attributes or {}
    wrong = set(row.attributes) ^ set(attributes)
    if wrong:
        raise ShapeError(f"{name} has attributes {list(row.attributes)}; wrong: {sorted(wrong)}")
    bound = row.signature.infer(name, [source.shape or () for source in sources], sizes or {})
    if row.holds is not None and not row.holds(bound, attributes):
        raise ShapeError(f"{name}: sizes {bound} and attributes {dict(attributes)} do not fit")
    free = "f4"  # what words of any type are in this node
    for term, source in zip(row.signature.inputs, sources, strict=True):
        if term.dtype == "*":
            free = source.dtype
        elif term.dtype != source.dtype:
            raise ShapeError(f"{name}: {source.name or source.op} holds {source.dtype}")
    if not row.signature.outputs:
        return Node(name, sources, None, "f4", bound, attributes)
    term = row.signature.outputs[0]
    shape = term.shape(bound)
    if term.is_any:  # the shape of the source that is any, too
        shapes = [s.shape for t, s in zip(row.signature.inputs, sources, strict=True) if t.is_any]
        shape = (shapes[0] if shapes else None) or shape
    return Node(name, sources, shape, free if term.dtype == "*" else term.dtype, bound, attributes)


def part(node: Node, number: int) -> Node:
    """One of the further values of a node that has several; number 0 is the node itself."""
    term = TABLE[node.op].signature.outputs[number]
    attributes = {"number": number}
    return Node("part", (node,), term.shape(node.sizes), term.dtype, attributes=attributes)


def flops(node: Node) -> int:
    """Arithmetic in one run of a node: a count for prices and limits, not for records."""
    return TABLE[node.op].work(node.sizes, node.attributes)


def from_output(name: str) -> Gradient:
    """The gradient is a kernel that wants the value."""
    return lambda node, g: (apply(name, node, g),)


def from_input(name: str) -> Gradient:
    """The gradient is a kernel that wants the source."""
    return lambda node, g: (apply(name, node.sources[0], g),)
