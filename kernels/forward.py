"""A network in use: the graph from its inputs to its outputs, as JSON, and as a plan for any number
of rows.

What a model file holds, what is exchanged with other formats, and what runs in a browser is this
graph, not the configuration it came from. JSON of a forward pass describes it for ONE row:

    inputs       [{name, shape, dtype}]   the leading size is what one row takes
    parameters   [{name, shape, dtype}]   weights, and what standardises the input
    nodes        [{op, sources}]          sources are numbers: inputs, then parameters, then nodes;
                                          sizes (those that no source shows) and attributes where
                                          the op has some; reshape has a shape, part a number
    outputs      [{name, node}]

Whatever depends on an input has a leading size that grows with the rows, and nothing else of it
does: so no row can see another. `from_json` believes nothing and infers every shape anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels import ops
from kernels.autodiff import separate
from kernels.compiler import Plan, Program, Programs, compile_rows
from kernels.graph import Node, count, in_order, leaf, reshape
from kernels.graphfields import (
    ELEMENTS_LIMIT,
    GraphRefused,
    items,
    mapping,
    name_in,
    numbers_in,
    shape_in,
)
from kernels.ops import Op
from kernels.ops.chance import STREAM
from kernels.placement import is_memory
from kernels.signature import ShapeError, name_of

PROGRAM = "predict"
NODES_LIMIT = 16_384
INPUTS, PARAMETERS = ("f4", "u4"), ("f4", "i1")  # what each may hold
LEAVES_LIMIT = 2_048
CALL_WORK = 500_000_000  # 50 ms at ten operations a nanosecond, a quarter of what products reach
TOUCH_WORK = 4  # a number that is written
ACTIVATION_BYTES = 2**24
ROWS_MOST = 512  # more rows in a call save no time, and leave the caches


@dataclass(frozen=True)
class Forward:
    """Inputs (rows · r, …) and parameters are leaves by name; outputs are nodes by name."""

    inputs: Mapping[str, Node]
    parameters: Mapping[str, Node]
    outputs: Mapping[str, Node]


@dataclass(frozen=True)
class ForwardPlan:
    """The tape of a forward pass; inputs and outputs are leaves of `capacity` rows. A call of its
    program PROGRAM says how many of them it is for: `Sandbox.call(PROGRAM, 0, 1, rows)`.
    """

    plan: Plan
    capacity: int
    inputs: Mapping[str, Node]
    parameters: Mapping[str, Node]
    outputs: Mapping[str, Node]


def prediction_plan(build: Callable[[int], Forward], capacity: int) -> ForwardPlan:
    """One tape for 1 to `capacity` rows of what `build` makes for a number of rows.

    Raises ShapeError where a size neither stays nor grows with the rows.
    """
    made: list[Forward] = []

    def programs(rows: int) -> Programs:
        forward = build(rows)
        made.append(forward)
        places = {name: leaf(name, node.shape or ()) for name, node in forward.outputs.items()}
        found = separate({places[name]: node for name, node in forward.outputs.items()})
        return {PROGRAM: Program(list(found.values()), {n: place for place, n in found.items()})}

    plan = compile_rows(programs, capacity)
    places = {place.name: place for place in plan.source[PROGRAM].into.values()}
    return ForwardPlan(plan, capacity, made[0].inputs, made[0].parameters, places)


def capacity(forward: Forward) -> int:
    """How many rows one call should take at most: about 50 ms of work, 16 MB of what is computed.

    `forward` is for one row.
    """
    work, size_bytes = 0, 0
    for node in dependent(forward):
        size_bytes += node.size_bytes
        work += TOUCH_WORK * node.elements
        if not is_memory(node):
            work += ops.TABLE[node.op].work(node.sizes, node.attributes)
            size_bytes += scratch_bytes_of_a_row(node)
    return max(1, min(ROWS_MOST, CALL_WORK // max(work, 1), ACTIVATION_BYTES // size_bytes))


def scratch_bytes_of_a_row(node: Node) -> int:
    """How much more one row more borrows; most scratch is as large for any number of rows."""
    row = ops.TABLE[node.op]
    if row.scratch is None:
        return 0
    leading = name_of(row.signature.outputs[0].sizes[0][1])
    more = dict(node.sizes) | {leading: 2 * node.sizes[leading]}
    return 4 * (row.scratch(more) - row.scratch(node.sizes))


def dependent(forward: Forward) -> Sequence[Node]:
    """The inputs and all that is computed from them, in order."""
    found = dict.fromkeys(forward.inputs.values())
    for node in in_order(forward.outputs.values()):
        if any(source in found for source in node.sources):
            found[node] = None
    return list(found)


def rebuilt(node: Node, sources: Sequence[Node]) -> Node:
    """The same node over other sources; its shape is inferred anew. Raises ShapeError."""
    if node.op == "reshape":
        return reshape(sources[0], node.shape or ())
    if node.op == "part":
        return ops.part(sources[0], int(node.attributes["number"]))
    hidden = {name: node.sizes[name] for name in unseen(ops.TABLE[node.op])}
    return ops.apply(node.op, *sources, sizes=hidden, attributes=node.attributes)


def vocabulary(forward: Forward, given: Node) -> int:
    """Tokens in this input must be below it: as many as the smallest table knows that it is looked
    up in.
    """
    known = []
    for node in dependent(forward):
        below = ops.TABLE[node.op].below if node.op in ops.TABLE else None
        if below is not None and any(origin(source) is given for source in node.sources):
            known.append(node.sizes[below])
    return min(known, default=2**32 - 1)


def origin(node: Node) -> Node:
    """The leaf that whole numbers come from: no op computes them, some hand them on."""
    while node.sources and node.dtype == "u4":
        node = node.sources[0]
    return node


# ------------------------------------------------------------------------------------ to JSON


def to_json(forward: Forward) -> dict[str, Any]:
    """The JSON value of a forward pass for one row. Raises GraphRefused for one that cannot be
    written: with leaves that are neither inputs nor parameters, or that nothing reads.
    """
    numbers: dict[Node, int] = {}
    for node in (*forward.inputs.values(), *forward.parameters.values()):
        numbers[node] = len(numbers)
    order = in_order(forward.outputs.values())
    unread = [node.name for node in numbers if node not in set(order)]
    if unread:
        raise GraphRefused(f"nothing reads {', '.join(unread[:5])}; leave it out")
    nodes = []
    for node in order:
        if node in numbers:
            continue
        if node.op in ("leaf", "view"):
            raise GraphRefused(f"{node.name}: a {node.op} that is neither input nor parameter")
        nodes.append(written(node, [numbers[source] for source in node.sources]))
        numbers[node] = len(numbers)
    return {
        "inputs": [written_leaf(name, node) for name, node in forward.inputs.items()],
        "parameters": [written_leaf(name, node) for name, node in forward.parameters.items()],
        "nodes": nodes,
        "outputs": [
            {"name": name, "node": numbers[node]} for name, node in forward.outputs.items()
        ],
    }


def written_leaf(name: str, node: Node) -> dict[str, Any]:
    return {"name": name, "shape": list(node.shape or ()), "dtype": node.dtype}


def written(node: Node, sources: Sequence[int]) -> dict[str, Any]:
    found: dict[str, Any] = {"op": node.op, "sources": list(sources)}
    if node.op == "reshape":
        return found | {"shape": list(node.shape or ())}
    if node.op == "part":
        return found | {"number": node.attributes["number"]}
    hidden = unseen(ops.TABLE[node.op])
    if hidden:
        found["sizes"] = {name: node.sizes[name] for name in hidden}
    if node.attributes:
        found["attributes"] = dict(node.attributes)
    return found


def unseen(row: Op) -> list[str]:
    """The sizes of an op that none of its sources shows."""
    seen = {name_of(at) for term in row.signature.inputs for _, at in term.sizes if at}
    return [name for name in row.signature.sizes if name not in seen]


# ---------------------------------------------------------------------------------- from JSON


def from_json(raw: object, rows: int) -> Forward:
    """The forward pass of `rows` rows that a JSON value from anywhere describes.

    Raises GraphRefused for what is none, for ops that count steps, draw random numbers or change
    memory, and for whatever would let one row see another.
    """
    unit = _Reading(raw, 1)
    other = _Reading(raw, rows if rows > 1 else 2)
    factor = other.rows
    for number, (node, many) in enumerate(zip(unit.nodes, other.nodes, strict=True)):
        shape = node.shape or (0,)
        grown = (shape[0] * factor, *shape[1:]) if number in unit.growing else shape
        if many.shape != grown:
            raise GraphRefused(
                f"{unit.place(number)}: {shape} for one row and {many.shape} for {factor}; "
                "the leading size must grow with the rows, and no other"
            )
    return unit.forward() if rows == 1 else other.forward()


class _Reading:
    """One pass over a JSON value, for one number of rows."""

    def __init__(self, raw: object, rows: int) -> None:
        self.rows = rows
        self.nodes: list[Node] = []
        self.growing: set[int] = set()  # numbers of the nodes that depend on an input
        fields = mapping(raw, "graph", {"inputs", "parameters", "nodes", "outputs"})
        inputs = items(fields, "inputs", LEAVES_LIMIT)
        parameters = items(fields, "parameters", LEAVES_LIMIT)
        self.leaves = len(inputs) + len(parameters)
        self.inputs = self._leaves(inputs, "inputs", INPUTS, scale=rows)
        self.growing |= set(range(len(inputs)))
        self.parameters = self._leaves(parameters, "parameters", PARAMETERS, scale=1)
        twice = set(self.inputs) & set(self.parameters)
        if twice or not inputs:
            raise GraphRefused(f"inputs: must be some, and no parameters: {sorted(twice)}")
        for entry in items(fields, "nodes", NODES_LIMIT):
            self._node(entry)
        self.outputs = self._outputs(items(fields, "outputs", LEAVES_LIMIT))

    def forward(self) -> Forward:
        read = set(in_order(self.outputs.values()))
        leaves = self.inputs | self.parameters
        unread = [name for name, node in leaves.items() if node not in read]
        if unread:
            raise GraphRefused(f"nothing reads {', '.join(unread[:5])}")
        return Forward(self.inputs, self.parameters, self.outputs)

    def place(self, number: int) -> str:
        if number < self.leaves:
            return self.nodes[number].name
        op = f" ({self.nodes[number].op})" if number < len(self.nodes) else ""
        return f"nodes[{number - self.leaves}]{op}"

    def _leaves(
        self, entries: Sequence[object], where: str, kinds: Sequence[str], scale: int
    ) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for number, entry in enumerate(entries):
            place = f"{where}[{number}]"
            fields = mapping(entry, place, {"name", "shape", "dtype"})
            name = name_in(fields, place, found)
            shape, dtype = shape_in(fields, f"{place} ({name})"), fields.get("dtype")
            if not isinstance(dtype, str) or dtype not in kinds:
                raise GraphRefused(f"{place}.dtype: must be one of {', '.join(kinds)}")
            found[name] = leaf(name, (shape[0] * scale, *shape[1:]), dtype)
            self.nodes.append(found[name])
        return found

    def _node(self, entry: object) -> None:
        place = self.place(len(self.nodes))
        known = {"op", "sources", "sizes", "attributes", "shape", "number"}
        fields = mapping(entry, place, known)
        place = f"{place} ({str(fields.get('op'))[:40]})"
        sources = [self._source(number, place) for number in items(fields, "sources", 32, place)]
        grows = [number in self.growing for number in sources]
        try:
            node = self._made(fields, [self.nodes[number] for number in sources], grows, place)
        except ShapeError as error:
            raise GraphRefused(f"{place}: {error}") from error
        if node.elements > ELEMENTS_LIMIT or node.elements < 1:
            raise GraphRefused(f"{place}: {node.shape} has {node.elements:,} elements")
        if any(grows):
            self.growing.add(len(self.nodes))
        self.nodes.append(node)

    def _made(
        self, fields: Mapping[str, Any], sources: Sequence[Node], grows: Sequence[bool], place: str
    ) -> Node:
        op, scale = fields.get("op"), self.rows if any(grows) else 1
        if op in ("reshape", "part"):
            if len(sources) != 1:
                raise GraphRefused(f"{place}: takes one source, not {len(sources)}")
            if op == "part":
                return parted(fields, sources[0], place)
            return reshaped(fields, sources[0], scale, place)
        if not isinstance(op, str) or op not in ops.TABLE:
            raise GraphRefused(f"{place}: no such op")
        row = ops.TABLE[op]
        refuse_unfit(op, row, place)
        refuse_mixing(row, grows, place)
        given = numbers_in(fields, "sizes", place, dict.fromkeys(unseen(row), int))
        sizes = {name: int(size) for name, size in given.items()}
        if not all(1 <= size <= ELEMENTS_LIMIT for size in sizes.values()):
            raise GraphRefused(f"{place}.sizes: must be from 1 to {ELEMENTS_LIMIT:,}")
        attributes = numbers_in(fields, "attributes", place, row.attributes)
        return ops.apply(op, *sources, sizes=sizes, attributes=attributes)

    def _source(self, number: object, place: str) -> int:
        if type(number) is not int or not 0 <= number < len(self.nodes):
            raise GraphRefused(f"{place}: source {number!r} is no node before it")
        return number

    def _outputs(self, entries: Sequence[object]) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for number, entry in enumerate(entries):
            place = f"outputs[{number}]"
            fields = mapping(entry, place, {"name", "node"})
            name = name_in(fields, place, found)
            at = self._source(fields.get("node"), place)
            if at not in self.growing or self.nodes[at].dtype != "f4":
                raise GraphRefused(f"{place}: must be numbers computed from an input")
            found[name] = self.nodes[at]
        if not found:
            raise GraphRefused("outputs: must be some")
        return found


def refuse_unfit(op: str, row: Op, place: str) -> None:
    """GraphRefused for what belongs to training alone."""
    if not row.signature.outputs or row.decides:
        raise GraphRefused(f"{place}: changes memory, which a network in use does not")
    if row.counts_steps or set(STREAM) & set(row.attributes):
        raise GraphRefused(f"{place}: counts steps or draws random numbers")
    if op.endswith("_gradient"):
        raise GraphRefused(f"{place}: belongs to training; its value depends on the other rows")


def refuse_mixing(row: Op, grows: Sequence[bool], place: str) -> None:
    """GraphRefused unless each source that grows with the rows does so as the output does."""
    leading = row.signature.outputs[0].sizes[0]
    for term, is_growing in zip(row.signature.inputs, grows, strict=False):
        if is_growing and term.sizes[0] != leading:
            raise GraphRefused(f"{place}: the leading size must grow with the rows, and no other")


def reshaped(fields: Mapping[str, Any], source: Node, scale: int, place: str) -> Node:
    shape = shape_in(fields, place)
    shape = (shape[0] * scale, *shape[1:])
    if count(shape) != source.elements:
        raise GraphRefused(f"{place}: {source.shape} has not as many elements as {shape}")
    return reshape(source, shape)


def parted(fields: Mapping[str, Any], source: Node, place: str) -> Node:
    number = fields.get("number")
    values = len(ops.TABLE[source.op].signature.outputs) if source.op in ops.TABLE else 0
    if type(number) is not int or not 1 <= number < values:
        raise GraphRefused(f"{place}: {source.op} has no further value {number!r}")
    return ops.part(source, number)
