"""A model as ONNX.

The rows stay symbolic. Tokens become int64, which other runtimes index with. Pictures stay (rows,
height, width, channels), so the file takes what the site takes; convolutions are transposed inside.
Opset 21 and IR 10: the first with what we need (Gelu, LayerNormalization) that all runtimes of the
last two years read.
"""

import json
from collections.abc import Mapping
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from kernels import forward
from kernels.exchange.onnx_operators import ROWS, Array, Writer
from kernels.exchange.wasm import ExportRefused, Texts
from kernels.forward import Forward
from kernels.graph import Node, in_order

OPSET, IR_VERSION = 21, 10
BYTES_LIMIT = 2**31 - 2**20  # protobuf's own
TYPES = {"f4": TensorProto.FLOAT, "u4": TensorProto.INT64, "i1": TensorProto.INT8}


def export(graph: Mapping[str, Any], arrays: Mapping[str, Array], texts: Texts) -> bytes:
    """The file. Raises GraphRefused, and ExportRefused for an op that ONNX cannot say."""
    unit = forward.from_json(graph, 1)
    if set(arrays) != set(unit.parameters):
        wrong = sorted(set(arrays) ^ set(unit.parameters))[:5]
        raise ExportRefused(f"arrays missing or not of this network: {', '.join(wrong)}")
    size_bytes = sum(array.nbytes for array in arrays.values())
    if size_bytes > BYTES_LIMIT:
        raise ExportRefused(f"{size_bytes:,} bytes of weights; ONNX takes {BYTES_LIMIT:,}")
    writer = Writer(arrays)
    for name, node in (*unit.inputs.items(), *unit.parameters.items()):
        writer.names[node] = name
    for node in in_order(unit.outputs.values()):
        if node not in writer.names:
            writer.names[node] = written(writer, node)
    for name, node in unit.outputs.items():
        made = helper.make_node("Identity", [writer.name(node)], [name], name=f"to {name}")
        writer.operators.append(made)
    made = model(writer, unit, texts)
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True))


def written(writer: Writer, node: Node) -> str:
    sources = [writer.name(source) for source in node.sources]
    row = ROWS.get(node.op)
    if row is None:
        raise ExportRefused(f"{node.op} cannot be written as ONNX")
    return row(writer, node, sources)


def model(writer: Writer, unit: Forward, texts: Texts) -> onnx.ModelProto:
    """All of it, without what no output needs: projections that an LSTM took in."""
    needed = set(unit.outputs)
    kept: list[onnx.NodeProto] = []
    for operator in reversed(writer.operators):
        if needed.intersection(operator.output):
            needed.update(operator.input)
            kept.append(operator)
    known = {name: writer.arrays[name] for name in unit.parameters} | writer.constants
    made = helper.make_model(
        helper.make_graph(
            kept[::-1],
            "model",
            [information(name, node) for name, node in unit.inputs.items()],
            [information(name, node) for name, node in unit.outputs.items()],
            [numpy_helper.from_array(known[name], name) for name in known if name in needed],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="neural-marketplace",
    )
    said = {"signature": texts.signature, "provenance": texts.provenance}
    helper.set_model_props(made, {k: json.dumps(v, sort_keys=True) for k, v in said.items()})
    return made


def information(name: str, node: Node) -> onnx.ValueInfoProto:
    """The rows of an input or output are named "rows", several for each "rows*…"."""
    leading, *rest = node.shape or (1,)
    rows = "rows" if leading == 1 else f"rows*{leading}"
    return helper.make_tensor_value_info(name, TYPES[node.dtype], [rows, *rest])
