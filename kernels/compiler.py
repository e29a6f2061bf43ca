"""From a graph to a tape: gradients, the memory plan, the instructions.

Memory is one arena. Leaves (data, parameters, moments, results) stand at its start and stay. Every
other value lives from the instruction that makes it to the last one that reads it, and its bytes
are then given to the next; programs of one tape share this scratch region, since only one runs at a
time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kernels import ops
from kernels.graph import Node, in_order
from kernels.signature import ShapeError
from kernels.tape import Instruction, Tape

ALIGNMENT_BYTES = 64  # a cache line


@dataclass(frozen=True)
class Program:
    """What one run of a program does: `roots` in their order; `into` says which nodes must end up
    in which memory.
    """

    roots: Sequence[Node]
    into: Mapping[Node, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A tape, the programs it was made from, and where things are in its arena.

    `unshared_bytes` is what scratch would take without reuse.
    """

    source: Mapping[str, Program]
    tape: Tape
    programs: Mapping[str, int]
    addresses: Mapping[Node, int]
    scratch_bytes: int
    unshared_bytes: int
    flops: Mapping[str, int]


def gradients(loss: Node, of: Iterable[Node]) -> dict[Node, Node]:
    """The gradient of a loss in each of the given leaves or views, by reverse accumulation."""
    wanted = list(of)
    path = [node for node in in_order([loss]) if node.op not in ("leaf", "view")]
    leads_to_wanted = dict.fromkeys(wanted)
    for node in path:  # only what depends on a wanted node needs a gradient
        if any(source in leads_to_wanted for source in node.sources):
            leads_to_wanted[node] = None
    found: dict[Node, Node] = {loss: loss}
    for node in reversed(path):
        if node not in found or node not in leads_to_wanted:
            continue
        rule = ops.TABLE[node.op].gradient
        if rule is None:
            raise ShapeError(f"{node.op} has no gradient")
        for source, part in zip(node.sources, rule(node, found[node]), strict=True):
            if part is not None and source in leads_to_wanted:
                found[source] = ops.apply("sum", found[source], part) if source in found else part
    return {node: found[node] for node in wanted}


def compile_programs(programs: Mapping[str, Program]) -> Plan:
    """One tape of all programs, over one set of leaves."""
    orders = {name: schedule(program) for name, program in programs.items()}
    leaves = {node: None for order in orders.values() for node in order if node.op == "leaf"}
    for program in programs.values():
        leaves |= {(t.sources[0] if t.op == "view" else t): None for t in program.into.values()}
    addresses, persistent_bytes = place_leaves(leaves)
    scratch_bytes, unshared_bytes, parts = 0, 0, []
    for name, program in programs.items():
        part = _Placement(orders[name], program.into, addresses, persistent_bytes)
        parts.append(tuple(part.instructions()))
        scratch_bytes = max(scratch_bytes, part.end_bytes - persistent_bytes)
        unshared_bytes = max(unshared_bytes, part.unshared_bytes)
    views = {n: address_of(n, addresses) for o in orders.values() for n in o if n.op == "view"}
    tape = Tape(persistent_bytes + scratch_bytes, persistent_bytes, tuple(parts))
    return Plan(
        source=programs,
        tape=tape,
        programs={name: number for number, name in enumerate(programs)},
        addresses=addresses | views,
        scratch_bytes=scratch_bytes,
        unshared_bytes=unshared_bytes,
        flops={name: sum(map(flops, order)) for name, order in orders.items()},
    )


def schedule(program: Program) -> Sequence[Node]:
    return in_order(program.roots)


def flops(node: Node) -> int:
    return 0 if node.op in ("leaf", "view") else ops.flops(node)


def aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def place_leaves(leaves: Iterable[Node]) -> tuple[dict[Node, int], int]:
    addresses, end = {}, 0
    for node in leaves:
        addresses[node] = end
        end += aligned(4 * node.elements)
    return addresses, end


def address_of(node: Node, addresses: Mapping[Node, int]) -> int:
    if node.op == "view":
        return addresses[node.sources[0]] + 4 * int(node.attributes["offset"])
    return addresses[node]


class _Placement:
    """Walks one program in order and gives each value its bytes: first hole that is large enough,
    else the end.
    """

    def __init__(
        self,
        order: Sequence[Node],
        into: Mapping[Node, Node],
        leaves: Mapping[Node, int],
        begin_bytes: int,
    ) -> None:
        self.order = [node for node in order if node.op not in ("leaf", "view")]
        self.addresses = dict(leaves)
        self.fixed = {node: address_of(place, leaves) for node, place in into.items()}
        self.end_bytes = begin_bytes
        self.unshared_bytes = 0
        self.holes: list[tuple[int, int]] = []  # (address, bytes), by address
        self.last_use: dict[Node, int] = {}
        for position, node in enumerate(self.order):
            for used in (node, *node.sources):
                self.last_use[used] = position

    def instructions(self) -> Iterable[Instruction]:
        for position, node in enumerate(self.order):
            dying = [
                source
                for source in dict.fromkeys(node.sources)
                if self.last_use[source] == position and self._is_scratch(source)
            ]
            output = self._place_output(node, dying)
            row = ops.TABLE[node.op]
            scratch_bytes = 0 if row.scratch is None else aligned(4 * row.scratch(node.sizes))
            scratch = [self._take(scratch_bytes)] if scratch_bytes else []
            sources = [address_of(source, self.addresses) for source in node.sources]
            yield Instruction(node.op, (*output, *sources, *scratch), node.sizes, node.attributes)
            for address in scratch:
                self._give_back(address, scratch_bytes)
            for source in dying:
                if [self.addresses[source]] != output:
                    self._give_back(self.addresses[source], aligned(4 * source.elements))

    def _is_scratch(self, node: Node) -> bool:
        return node.op not in ("leaf", "view") and node not in self.fixed

    def _place_output(self, node: Node, dying: Sequence[Node]) -> list[int]:
        if node.shape is None:
            return []
        if node in self.fixed:
            address = self.fixed[node]
        elif ops.TABLE[node.op].in_place and node.sources[0] in dying:
            address = self.addresses[node.sources[0]]
        else:
            address = self._take(aligned(4 * node.elements))
        self.addresses[node] = address
        return [address]

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
