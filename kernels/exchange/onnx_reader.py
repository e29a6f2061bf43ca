"""ONNX from anywhere as a graph of ours.

Nothing in the file is believed and nothing of it is executed: its operators are looked up in a
table (onnx_meanings, onnx_layers, onnx_shapes) and say which of our ops mean the same; an operator
that is not there is refused by name. Weights must be in the file. The graph that comes out is held
to all that forward.py holds any graph to.

Pictures are (rows, height, width, channels) here; a file that wants (rows, channels, height, width)
is read so that its model takes ours, `Imported.is_channels_last` says so. Operators that only a
network in training has are refused.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships none
from onnx import TensorProto

from kernels import forward
from kernels.exchange import onnx_constants, onnx_layers, onnx_meanings, onnx_shapes
from kernels.exchange.onnx_constants import WHOLE
from kernels.exchange.onnx_meanings import Operator
from kernels.exchange.onnx_values import (
    ELEMENTS_LIMIT,
    Array,
    OnnxRefused,
    Parameters,
    Scores,
    Value,
    arranged,
    moved,
    reshape,
    whole,
)
from kernels.forward import Forward
from kernels.graph import Node, in_order, leaf
from kernels.graphfields import GraphRefused

BYTES_LIMIT = 512 * 2**20
NODES_LIMIT = 10_000
OPSETS = range(7, 27)
HELD_LIMIT = 2**26  # elements of all tensors that are still read, half a GB
MADE_LIMIT = 2**31  # elements of all tensors together, some ten seconds


@dataclass(frozen=True)
class Imported:
    """A model: the graph of forward.py, its arrays, the texts of the file by name."""

    graph: Mapping[str, Any]
    arrays: Mapping[str, Array]
    texts: Mapping[str, str]
    is_channels_last: bool


def read(blob: bytes, sizes: Mapping[str, int] | None = None) -> Imported:
    """The model in a file. `sizes` says how large the axes are that the file leaves open under a
    name, such as the length of a sequence. Raises OnnxRefused.
    """
    graph = parsed(blob)
    texts = {prop.key[:200]: prop.value for prop in graph.metadata_props}
    try:
        return imported(_Reading(graph, sizes or {}, is_channels_last=False), texts)
    except OnnxRefused:
        if not any(len(given.type.tensor_type.shape.dim) == 4 for given in graph.graph.input):
            raise
    return imported(_Reading(graph, sizes or {}, is_channels_last=True), texts)


def parsed(blob: bytes) -> onnx.ModelProto:
    if len(blob) > BYTES_LIMIT:
        raise OnnxRefused(f"{len(blob):,} bytes, at most {BYTES_LIMIT:,}")
    try:
        model = onnx.load_model_from_string(blob)
    except DecodeError as error:
        raise OnnxRefused("this is no ONNX file") from error
    if not model.graph.node:
        raise OnnxRefused("this is no ONNX file, or one without operators")
    if model.functions or model.graph.sparse_initializer:
        raise OnnxRefused("has functions of its own or sparse weights; export it without")
    if len(model.graph.node) > NODES_LIMIT:
        raise OnnxRefused(f"{len(model.graph.node):,} operators, at most {NODES_LIMIT:,}")
    versions = {known.domain: known.version for known in model.opset_import}
    if versions.get("", 0) not in OPSETS:
        raise OnnxRefused(f"opset {versions.get('')}, known are {OPSETS[0]} to {OPSETS[-1]}")
    return model


def imported(reading: "_Reading", texts: Mapping[str, str]) -> Imported:
    found = reading.forward()
    try:
        graph = forward.to_json(found)
        forward.from_json(graph, 1)
    except GraphRefused as error:
        raise OnnxRefused(f"as a graph of ours it is refused: {error}") from error
    arrays = {name: reading.parameters.arrays[name] for name in found.parameters}
    return Imported(graph, arrays, texts, reading.is_channels_last)


class _Reading:
    """One walk through a graph, with what each name holds."""

    def __init__(
        self, model: onnx.ModelProto, sizes: Mapping[str, int], *, is_channels_last: bool
    ) -> None:
        self.sizes, self.is_channels_last = sizes, is_channels_last
        self.opset = next(known.version for known in model.opset_import if not known.domain)
        self.parameters = Parameters()
        self.values: dict[str, Any] = {"": None}
        self.inputs: dict[str, Node] = {}
        for initializer in model.graph.initializer:
            self._define(initializer.name, onnx_constants.array(initializer))
        for given in model.graph.input:
            if given.name not in self.values:
                self._define(given.name, self._input(given))
        self.unread = Counter(name for node in model.graph.node for name in node.input)
        self.unread.update(given.name for given in model.graph.output)
        self.held = self.made = 0  # elements
        self.computed: set[str] = set()
        for node in model.graph.node:
            self._walk(node)
            self._forget(node)
        self.outputs: dict[str, Node] = {}
        for given in model.graph.output:
            self.outputs[safe(given.name, self.outputs)] = self._output(given.name)

    def forward(self) -> Forward:
        used = set(in_order(self.outputs.values()))
        unread = [name for name, node in self.inputs.items() if node not in used]
        if unread:
            raise OnnxRefused(f"no output depends on the input {unread[0]!r}")
        nodes = self.parameters.nodes
        parameters = {name: node for name, node in nodes.items() if node in used}
        return Forward(self.inputs, parameters, self.outputs)

    def _define(self, name: str, value: Any) -> None:
        if not name or name in self.values:
            raise OnnxRefused(f"the name {name[:40]!r} is given twice or is empty")
        self.values[name] = value

    def _input(self, given: onnx.ValueInfoProto) -> Value:
        tensor = given.type.tensor_type
        shape = [self._size(given.name, at, size) for at, size in enumerate(tensor.shape.dim)]
        if len(shape) < 2 or tensor.elem_type not in (TensorProto.FLOAT, *WHOLE):
            raise OnnxRefused(f"input {given.name!r}: must be float or int (rows, …)")
        dtype = "f4" if tensor.elem_type == TensorProto.FLOAT else "u4"
        is_picture = len(shape) == 4 and self.is_channels_last
        own = [shape[0], *shape[2:], shape[1]] if is_picture else shape
        node = leaf(safe(given.name, self.inputs), tuple(own), dtype)
        self.inputs[node.name] = node
        value = whole(node)
        return moved(value, lambda i: i.transpose(0, 3, 1, 2), 0) if is_picture else value

    def _size(self, name: str, at: int, size: Any) -> int:
        """The size of an axis of an input; the first is the rows, one here."""
        stated = int(size.dim_value) or self.sizes.get(size.dim_param, 0)
        if at == 0:
            if size.dim_value > 1:
                raise OnnxRefused(
                    f"input {name!r} is for {size.dim_value} rows at once; export it with "
                    "dynamic rows"
                )
            return 1
        if not 1 <= stated <= ELEMENTS_LIMIT:
            raise OnnxRefused(
                f"input {name!r}, axis {at} ({size.dim_param or 'unnamed'}) has no size; say it in "
                "`sizes` or export it with one"
            )
        return stated

    def _walk(self, node: onnx.NodeProto) -> None:
        place = f"{(node.name or next(iter(node.output), ''))[:40]!r} ({node.op_type[:40]})"
        try:
            with np.errstate(all="ignore"):  # what is not finite is refused where it is used
                found = self._meaning(node)
            results = found if isinstance(found, list) else [found]
            for name, value in zip(node.output, results, strict=False):
                if name:
                    self._define(name, value)
                    self.computed.add(name)
                    self._weigh(elements(value))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # whatever a hostile operand leads to, it is this node that is refused, and why
            raise OnnxRefused(f"{place}: {str(error)[:400]}") from error

    def _weigh(self, size: int) -> None:
        self.held, self.made = self.held + size, self.made + size
        if self.held > HELD_LIMIT or self.made > MADE_LIMIT:
            raise OnnxRefused("one row takes more memory or work than is given to an import")

    def _forget(self, node: onnx.NodeProto) -> None:
        """Let go of what nothing reads any more; its name stays taken."""
        for name in {*node.input, *node.output} - {""}:
            self.unread[name] -= list(node.input).count(name)
            if self.unread[name] <= 0 and name in self.computed:
                self.held -= elements(self.values[name])
                self.computed.remove(name)
                self.values[name] = None

    def _meaning(self, node: onnx.NodeProto) -> Any:
        if node.domain not in ("", "ai.onnx"):
            raise OnnxRefused(f"belongs to {node.domain!r}, not to ONNX")
        inputs = [self._known(name) for name in node.input]
        attributes = {one.name: onnx_constants.attribute(one) for one in node.attribute}
        if node.op_type == "Constant":
            return onnx_constants.constant(attributes)
        is_known = all(isinstance(given, np.ndarray) for given in inputs)
        if is_known and node.op_type in onnx_constants.FOLDS:
            return onnx_constants.folded(node.op_type, inputs, attributes)
        is_move = node.op_type in onnx_shapes.MOVES and not is_lookup(node.op_type, inputs)
        if is_move or node.op_type == "Split":
            return rearranged(node, inputs, attributes)
        meaning = onnx_meanings.MEANINGS.get(node.op_type) or onnx_layers.LAYERS.get(node.op_type)
        if meaning is None:
            raise OnnxRefused("there is no op here that means this")
        name = node.name or node.output[0]
        outputs = len([name for name in node.output if name])
        operator = Operator(node.op_type, name, attributes, outputs, self.opset, self.parameters)
        return meaning(operator, inputs)

    def _known(self, name: str) -> Any:
        if name not in self.values:
            raise OnnxRefused(f"{name[:40]!r} is not computed before")
        return self.values[name]

    def _output(self, name: str) -> Node:
        value = self.values.get(name)
        if not isinstance(value, Value) or value.rows_at != (0, 1):
            raise OnnxRefused(f"output {name[:40]!r} is not computed row by row from an input")
        try:
            node = arranged(value.node, value.index.reshape(1, -1))
        except OnnxRefused as error:
            raise OnnxRefused(f"output {name[:40]!r}: {error}") from error
        return reshape(node, value.index.shape)


def rearranged(node: onnx.NodeProto, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    if not isinstance(inputs[0], np.ndarray | Value):
        raise OnnxRefused("operand 0 must be a tensor, and not the scores of an attention")
    if node.op_type == "Split":
        return onnx_shapes.op_split(inputs, attributes, len(node.output))
    return onnx_shapes.MOVES[node.op_type](inputs, attributes)


def elements(value: Any) -> int:
    """How much memory what a name holds takes, in elements."""
    if isinstance(value, Scores):
        return value.queries.index.size + value.keys.index.size
    return value.index.size if isinstance(value, Value) else int(value.size)


def is_lookup(kind: str, inputs: Sequence[Any]) -> bool:
    """Whether a Gather looks computed tokens up in a table, which is an embedding."""
    return kind == "Gather" and isinstance(inputs[1], Value)


def safe(name: str, taken: Iterable[str]) -> str:
    """A name of an input as forward.py allows it."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    plain = plain[:100] or "input"
    return plain if plain not in taken else f"{plain}.{len(list(taken))}"
