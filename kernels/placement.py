"""The memory plan of one program: which bytes each value has, and for how long."""

from collections.abc import Iterator, Mapping, Sequence

from kernels import ops
from kernels.autodiff import root
from kernels.graph import Node
from kernels.tape import Instruction

ALIGNMENT_BYTES = 64  # a cache line


def aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def is_memory(node: Node) -> bool:
    """Whether a node is only a name for memory, and no instruction."""
    return node.op in ("leaf", "view", "reshape", "part")


def address_of(node: Node, addresses: Mapping[Node, int]) -> int:
    node = root(node)
    if node.op == "view":
        return addresses[node.sources[0]] + int(node.attributes["offset"]) * (
            node.size_bytes // max(node.elements, 1)
        )
    return addresses[node]


class Placement:
    """Walks one program in order and gives each value its bytes: first hole that is large enough,
    else the end.
    """

    def __init__(
        self,
        order: Sequence[Node],
        fixed: Mapping[Node, int],
        leaves: Mapping[Node, int],
        begin_bytes: int,
        scaled: Mapping[Node, frozenset[str]],
        rows: int,
    ) -> None:
        self.order = [node for node in order if not is_memory(node)]
        self.addresses = dict(leaves)
        self.fixed, self.scaled, self.rows = fixed, scaled, rows
        self.end_bytes = begin_bytes
        self.unshared_bytes = 0
        self.holes: list[tuple[int, int]] = []  # (address, bytes), by address
        self.last_use: dict[Node, int] = {}
        for position, node in enumerate(self.order):
            for used in (node, *map(root, node.sources)):
                self.last_use[used] = position
        self.parts: dict[Node, dict[int, Node]] = {}
        for node in order:
            if node.op == "part":
                number = int(node.attributes["number"])
                self.parts.setdefault(node.sources[0], {})[number] = node

    def instructions(self) -> Iterator[Instruction]:
        for position, node in enumerate(self.order):
            sources = [*dict.fromkeys(map(root, node.sources))]
            dying = [s for s in sources if self.last_use[s] == position and self._is_scratch(s)]
            outputs = self._outputs(node)
            places = [self._place(node, output, dying) for output in outputs]
            row = ops.TABLE[node.op]
            scratch_bytes = 0 if row.scratch is None else aligned(4 * row.scratch(node.sizes))
            scratch = [self._take(scratch_bytes)] if scratch_bytes else []
            addresses = [address_of(source, self.addresses) for source in node.sources]
            scaled = self.scaled.get(node, frozenset())
            yield Instruction(
                node.op,
                (*places, *addresses, *scratch),
                # of one row, where they grow with the rows
                {n: size // (self.rows if n in scaled else 1) for n, size in node.sizes.items()},
                node.attributes,
                scaled,
            )
            for address in scratch:
                self._give_back(address, scratch_bytes)
            unread = [o for o in outputs if self.last_use.get(o, position) == position]
            for over in (*dying, *(output for output in unread if self._is_scratch(output))):
                if self.addresses[over] not in places or over in unread:
                    self._give_back(self.addresses[over], aligned(over.size_bytes))

    def _outputs(self, node: Node) -> list[Node]:
        """The node itself and its further values, those that nobody reads too."""
        several = len(ops.TABLE[node.op].signature.outputs)
        read = self.parts.get(node, {})
        further = [read.get(number) or ops.part(node, number) for number in range(1, several)]
        return [node, *further] if several else []

    def _is_scratch(self, node: Node) -> bool:
        return node.op not in ("leaf", "view") and node not in self.fixed

    def _place(self, node: Node, output: Node, dying: Sequence[Node]) -> int:
        if output in self.fixed:
            address = self.fixed[output]
        elif output is node and ops.TABLE[node.op].in_place and root(node.sources[0]) in dying:
            address = self.addresses[root(node.sources[0])]
        else:
            address = self._take(aligned(output.size_bytes))
        self.addresses[output] = address
        return address

    def _take(self, size_bytes: int) -> int:
        self.unshared_bytes += size_bytes
        for number, (address, free_bytes) in enumerate(self.holes):
            if free_bytes >= size_bytes:
                rest = (address + size_bytes, free_bytes - size_bytes)
                self.holes[number : number + 1] = [rest] if rest[1] else []
                return address
        if self.holes and sum(self.holes[-1]) == self.end_bytes:  # grow the hole at the end
            address = self.holes.pop()[0]
        else:
            address = self.end_bytes
        self.end_bytes = address + size_bytes
        return address

    def _give_back(self, address: int, size_bytes: int) -> None:
        merged: list[tuple[int, int]] = []
        for hole in sorted([*self.holes, (address, size_bytes)]):
            if merged and sum(merged[-1]) == hole[0]:
                merged[-1] = (merged[-1][0], merged[-1][1] + hole[1])
            else:
                merged.append(hole)
        self.holes = merged
