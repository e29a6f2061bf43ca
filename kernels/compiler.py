"""From graphs to a tape: the order, the memory plan, the instructions.

Memory is one arena. Leaves (data, parameters, moments, results) stand at its start and stay. Every
other value lives from the instruction that makes it to the last one that reads it, and its bytes
are then given to the next; programs of one tape share this scratch region, since only one runs at a
time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kernels import ops
from kernels.autodiff import root
from kernels.graph import Node, in_order
from kernels.placement import Placement, address_of, aligned, is_memory
from kernels.signature import ShapeError
from kernels.tape import Tape

Scaled = Mapping[Node, frozenset[str]]


@dataclass(frozen=True)
class Program:
    """What one run of a program does: `roots` in their order; `into` says which nodes must end up
    in which memory.
    """

    roots: Sequence[Node]
    into: Mapping[Node, Node] = field(default_factory=dict)


Programs = Mapping[str, Program]


@dataclass(frozen=True)
class Plan:
    """A tape, the programs it was made from, and where things are in its arena.

    `unshared_bytes` is what scratch would take without reuse. `instructions` names the node of
    every instruction, program by program.
    """

    source: Programs
    tape: Tape
    programs: Mapping[str, int]
    addresses: Mapping[Node, int]
    scratch_bytes: int
    unshared_bytes: int
    flops: Mapping[str, int]
    nodes: Mapping[str, Sequence[Node]] = field(default_factory=dict)


def compile_programs(programs: Programs) -> Plan:
    """One tape of all programs, over one set of leaves."""
    return place(programs, {}, rows=1)


def compile_rows(build: Callable[[int], Programs], capacity: int) -> Plan:
    """One tape whose calls say for how many rows, up to `capacity`.

    `build` makes the programs for a number of rows, with the same nodes in the same order for any
    number. A size that grows with the rows is found by building them twice.
    """
    programs, unit = build(capacity), build(1)
    scaled: dict[Node, frozenset[str]] = {}
    for name, program in programs.items():
        for node, single in zip(schedule(program), schedule(unit[name]), strict=True):
            scaled[node] = growing(node, single, capacity)
    return place(programs, scaled if capacity > 1 else {}, rows=capacity)


def growing(node: Node, single: Node, capacity: int) -> frozenset[str]:
    names = {name for name, size in node.sizes.items() if size != single.sizes[name]}
    if node.op != single.op or node.attributes != single.attributes:
        raise ShapeError(f"{node.op} becomes {single.op} where there is one row")
    for name in names:
        if node.sizes[name] != capacity * single.sizes[name]:
            raise ShapeError(f"{node.op}: {name} is {single.sizes[name]} for one row, and "
                             f"{node.sizes[name]} for {capacity}")  # fmt: skip
    return frozenset(names)


def place(programs: Programs, scaled: Scaled, rows: int) -> Plan:
    orders = {name: schedule(program) for name, program in programs.items()}
    leaves = {node: None for order in orders.values() for node in order if node.op == "leaf"}
    for program in programs.values():
        leaves |= {(t.sources[0] if t.op == "view" else t): None for t in program.into.values()}
    addresses, persistent_bytes = place_leaves(leaves)
    scratch_bytes, unshared_bytes, parts, nodes = 0, 0, [], {}
    for name, program in programs.items():
        into = {root(node): address_of(leaf, addresses) for node, leaf in program.into.items()}
        part = Placement(orders[name], into, addresses, persistent_bytes, scaled, rows)
        parts.append(tuple(part.instructions()))
        nodes[name] = part.order
        scratch_bytes = max(scratch_bytes, part.end_bytes - persistent_bytes)
        unshared_bytes = max(unshared_bytes, part.unshared_bytes)
    views = {n: address_of(n, addresses) for o in orders.values() for n in o if n.op == "view"}
    return Plan(
        source=programs,
        tape=Tape(persistent_bytes + scratch_bytes, persistent_bytes, tuple(parts), rows),
        programs={name: number for number, name in enumerate(programs)},
        addresses=addresses | views,
        scratch_bytes=scratch_bytes,
        unshared_bytes=unshared_bytes,
        flops={name: sum(map(flops, order)) for name, order in orders.items()},
        nodes=nodes,
    )


def schedule(program: Program) -> Sequence[Node]:
    return in_order(program.roots)


def flops(node: Node) -> int:
    return 0 if is_memory(node) else ops.flops(node)


def place_leaves(leaves: Iterable[Node]) -> tuple[dict[Node, int], int]:
    addresses, end = {}, 0
    for node in leaves:
        addresses[node] = end
        end += aligned(node.size_bytes)
    return addresses, end
