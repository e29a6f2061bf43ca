"""The graph of a computation: nodes, and the order in which they run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Shape = tuple[int, ...]
Number = int | float
ITEM_BYTES = {"f4": 4, "u4": 4, "i1": 1}


@dataclass(frozen=True, eq=False)
class Node:
    """One value, or one effect on memory if its shape is None.

    A leaf is memory with a name; a view is a part of a leaf, `offset` elements in; a reshape is the
    same memory under another shape; a part is one of several values of its source. Everything else
    is a row of the table in kernels.ops. Nodes are compared by identity: to hash them by content
    would walk the whole graph below.
    """

    op: str
    sources: tuple["Node", ...] = ()
    shape: Shape | None = None
    dtype: str = "f4"
    sizes: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, Number] = field(default_factory=dict)
    name: str = ""

    @property
    def elements(self) -> int:
        return count(self.shape or ())

    @property
    def size_bytes(self) -> int:
        return self.elements * ITEM_BYTES[self.dtype]


def count(shape: Shape) -> int:
    """How many elements an array of this shape has."""
    product = 1
    for size in shape:
        product *= size
    return product


def leaf(name: str, shape: Shape, dtype: str = "f4") -> Node:
    return Node("leaf", shape=shape, dtype=dtype, name=name)


def view(of: Node, offset: int, shape: Shape, name: str) -> Node:
    """`count(shape)` elements of a leaf, from element `offset` on."""
    assert of.op == "leaf", "only memory with a name can be looked into"
    assert offset + count(shape) <= of.elements, f"{name} reaches past the end of {of.name}"
    attributes = {"offset": offset}
    return Node("view", (of,), shape, of.dtype, attributes=attributes, name=name)


def reshape(x: Node, shape: Shape) -> Node:
    """The same elements under another shape; nothing is copied."""
    assert count(shape) == x.elements, f"{x.shape} has not as many elements as {shape}"
    return x if shape == x.shape else Node("reshape", (x,), shape, x.dtype)


def in_order(roots: Iterable[Node]) -> Sequence[Node]:
    """Every node the roots need, sources first, roots in the order given.

    Iterative, since a deep network is deeper than Python's stack.
    """
    done: dict[Node, None] = {}
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, is_ready = stack.pop()
        if node in done:
            continue
        if is_ready:
            done[node] = None
            continue
        stack.append((node, True))
        stack.extend((source, False) for source in reversed(node.sources))
    return list(done)
