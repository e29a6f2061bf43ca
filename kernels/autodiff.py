"""Gradients, by reverse accumulation over the rules that stand beside each op."""

from collections.abc import Iterable

from kernels import ops
from kernels.graph import Node, in_order, reshape
from kernels.ops.table import Gradient
from kernels.signature import ShapeError


def gradients(loss: Node, of: Iterable[Node], weights: Node | None = None) -> dict[Node, Node]:
    """The gradient of a loss in each of the given leaves or views: for each a node of its own.

    With `weights`, of the loss's shape, it is that of the sum of weights · loss: so anything can be
    differentiated that is not a loss.
    """
    wanted = list(of)
    path = [node for node in in_order([loss]) if node.op not in ("leaf", "view")]
    leads_to_wanted = dict.fromkeys(wanted)
    for node in path:  # only what depends on a wanted node needs a gradient
        if any(source in leads_to_wanted for source in node.sources):
            leads_to_wanted[node] = None
    found = {loss: weights or loss}
    for node in reversed(path):
        if node not in found or node not in leads_to_wanted:
            continue
        for source, slope in zip(node.sources, rule(node)(node, found[node]), strict=True):
            if slope is not None and source in leads_to_wanted:
                found[source] = ops.apply("sum", found[source], slope) if source in found else slope
    missing = [node.name for node in wanted if node not in found]
    if missing:
        raise ShapeError(f"the loss does not depend on {', '.join(missing)}")
    return separate({node: found[node] for node in wanted})


def rule(node: Node) -> Gradient:
    if node.op == "reshape":
        return lambda n, g: (reshape(g, n.sources[0].shape or ()),)
    found = None if node.op == "part" else ops.TABLE[node.op].gradient
    if found is None:
        raise ShapeError(f"{node.op} has no gradient")
    return found


def separate(found: dict[Node, Node]) -> dict[Node, Node]:
    """Each in memory of its own: two parameters that are added have one gradient between them."""
    taken: set[Node] = set()
    for node, slope in found.items():
        if root(slope) in taken or root(slope).op in ("leaf", "view", "part"):
            found[node] = ops.apply("copy", slope)
        taken.add(root(found[node]))
    return found


def root(node: Node) -> Node:
    """The node whose memory this one shows under another shape."""
    while node.op == "reshape":
        node = node.sources[0]
    return node
