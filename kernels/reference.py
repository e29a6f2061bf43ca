"""The graph, run by NumPy: the living definition of what a tape computes."""

from collections.abc import Iterable, MutableMapping

from kernels.graph import Node, in_order
from kernels.ops import TABLE, Array


def run(roots: Iterable[Node], memory: MutableMapping[Node, Array], step: int = 0) -> None:
    """Evaluate the roots in order. `memory` holds an array for each leaf, and afterwards one for
    every value.

    Effects change the leaves' arrays in place; whatever precision the leaves have is the precision
    of the run.
    """
    further: dict[Node, tuple[Array, ...]] = {}
    for node in in_order(roots):
        if node.op == "leaf":
            continue
        sources = [memory[source] for source in node.sources]
        if node.op == "view":
            offset = int(node.attributes["offset"])
            memory[node] = (
                sources[0].reshape(-1)[offset : offset + node.elements].reshape(node.shape or ())
            )
            continue
        if node.op == "reshape":
            memory[node] = sources[0].reshape(node.shape or ())
            continue
        if node.op == "part":
            memory[node] = further[node.sources[0]][int(node.attributes["number"])]
            continue
        value = TABLE[node.op].reference(node, step, *sources)
        if isinstance(value, tuple):
            further[node] = value
            value = value[0]
        if value is not None:
            memory[node] = value
