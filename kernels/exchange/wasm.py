"""A model as one `.wasm`: kernels, tape and weights, with nothing to import.

It is the kernels' own module with three things added: the tape and the weights as data segments, a
function `predict(rows)`, and a custom section "model" that says in JSON what to do with it:

    inputs, outputs   [{name, shape, dtype, address}]   the shape for one row, and where the rows
                                                        begin in `memory`, one after the other;
                                                        tokens are numbers `below` another
    parameters        [{name, shape, dtype, address}]   the weights, and what standardises the input
    capacity          how many rows fit at most
    signature         names of features, classes, …
    provenance        where the model comes from
    kernel_hash       which arithmetic it was trained and measured with

So a caller fills `memory` at the address of each input, calls `predict(rows)`, and reads the
outputs. The instructions of the kernels are those of the module that trains and serves here, hence
so are the bits. static/predict.mjs does all this in a browser or Node.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import forward
from kernels.build import Module
from kernels.exchange import binary
from kernels.exchange.binary import Binary, NoModule
from kernels.forward import ForwardPlan
from kernels.graph import Node
from kernels.limits import Limits
from kernels.runtime import DTYPES, PAGE_BYTES, aligned
from kernels.tape import verify

FORMAT = "neural-marketplace-wasm/1"
SECTION = "model"
PAGES_LIMIT = 65_535
# (i32) -> (), and the start of its body: no locals
PREDICT_TYPE = bytes([0x60, 1, binary.I32, 0])
NO_LOCALS, LOCAL_GET, CALL, DROP = 0x00, 0x20, 0x10, 0x1A


class ExportRefused(ValueError):
    """A model that does not fit a `.wasm`, or arrays that are not its parameters."""


@dataclass(frozen=True)
class Texts:
    """What the file says about the model: both are JSON values."""

    signature: Mapping[str, Any]
    provenance: Mapping[str, Any]


def export(
    graph: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], texts: Texts, module: Module
) -> bytes:
    """The file. `graph` is that of forward.py, `arrays` its parameters by name.

    Raises GraphRefused, TapeRefused for more work or memory than a sandbox gives, ExportRefused.
    """
    unit = forward.from_json(graph, 1)
    plan = forward.prediction_plan(
        lambda rows: forward.from_json(graph, rows), forward.capacity(unit)
    )
    verify(plan.plan.tape, Limits().step_work)
    wasm = Binary.parse(module.path.read_bytes())
    exports = {name: index for name, _, index in wasm.exports()}
    encoded = plan.plan.tape.encode()
    tape_at = aligned(wasm.global_value(exports["__heap_base"]))
    arena_at = aligned(tape_at + len(encoded))
    pages = -(-(arena_at + plan.plan.tape.arena_bytes) // PAGE_BYTES)
    if pages > PAGES_LIMIT:
        raise ExportRefused(f"needs {pages:,} pages of memory, at most {PAGES_LIMIT:,}")
    wasm.lists[binary.MEMORY] = (1, b"\1" + 2 * binary.unsigned(pages))  # minimum and maximum
    predict = add_predict(wasm, exports["run"], tape_at, arena_at)
    wasm.lists[binary.EXPORTS] = (0, b"")
    wasm.add(
        binary.EXPORTS,
        binary.export("memory", binary.MEMORY_EXPORT, exports["memory"]),
        binary.export("predict", binary.FUNCTION_EXPORT, predict),
    )
    segments = [binary.segment(tape_at, encoded), *weights(plan, arrays, arena_at)]
    wasm.add(binary.DATA, *segments)
    if binary.DATA_COUNT in wasm.plain:
        wasm.plain[binary.DATA_COUNT] = binary.unsigned(wasm.lists[binary.DATA][0])
    described = description(plan, unit, arena_at) | {
        "format": FORMAT,
        "kernel_hash": module.kernel_hash,
        "signature": dict(texts.signature),
        "provenance": dict(texts.provenance),
    }
    wasm.custom[SECTION] = json.dumps(described, sort_keys=True, separators=(",", ":")).encode()
    return wasm.encode()


def read(blob: bytes) -> dict[str, Any]:
    """What an exported model says of itself. Raises NoModule."""
    custom = Binary.parse(blob).custom
    if SECTION not in custom:
        raise NoModule(f"has no section {SECTION!r}, so it is no exported model")
    try:
        found = json.loads(custom[SECTION])
    except (ValueError, RecursionError) as error:
        raise NoModule(f"section {SECTION!r}: must be JSON") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise NoModule(f"format: must be {FORMAT!r}")
    return found


def add_predict(wasm: Binary, run: int, tape_at: int, arena_at: int) -> int:
    """The function predict(rows): run(tape, program 0, arena, step 0, one step, rows).

    Answers its number; nothing is imported, so functions count from zero.
    """
    kind = wasm.add(binary.TYPES, PREDICT_TYPE)
    words = (tape_at, 0, arena_at, 0, 1)
    body = bytes([NO_LOCALS]) + b"".join(map(binary.constant, words))
    body += bytes([LOCAL_GET, 0, CALL]) + binary.unsigned(run) + bytes([DROP, binary.END])
    wasm.add(binary.CODE, binary.unsigned(len(body)) + body)
    return wasm.add(binary.FUNCTIONS, binary.unsigned(kind))


def weights(plan: ForwardPlan, arrays: Mapping[str, NDArray[Any]], arena_at: int) -> list[bytes]:
    """A data segment for each parameter."""
    if set(arrays) != set(plan.parameters):
        wrong = sorted(set(arrays) ^ set(plan.parameters))[:5]
        raise ExportRefused(f"arrays missing or not of this network: {', '.join(wrong)}")
    segments = []
    for name, node in plan.parameters.items():
        array = np.ascontiguousarray(arrays[name], DTYPES[node.dtype])
        if array.shape != node.shape:
            raise ExportRefused(f"{name}: must be {node.shape}, not {array.shape}")
        segments.append(binary.segment(arena_at + plan.plan.addresses[node], array.tobytes()))
    return segments


def description(plan: ForwardPlan, unit: forward.Forward, arena_at: int) -> dict[str, Any]:
    def listed(places: Mapping[str, Node], single: Mapping[str, Node]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "shape": list(single[name].shape or ()),
                "dtype": place.dtype,
                "address": arena_at + plan.plan.addresses[place],
            }
            | ({"below": forward.vocabulary(unit, single[name])} if place.dtype == "u4" else {})
            for name, place in places.items()
        ]

    return {
        "capacity": plan.capacity,
        "inputs": listed(plan.inputs, unit.inputs),
        "outputs": listed(plan.outputs, unit.outputs),
        "parameters": listed(plan.parameters, unit.parameters),
    }
