"""What is wrong with an ONNX file: it reads other files, brings code, or is broken.

ONNX may keep weights in files beside it, whose paths were a hole in its readers six times over; so
any such path is refused. Nothing is loaded but the file itself.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx import TensorProto, numpy_helper

BYTES_MAX = 2**31 - 1
DEPTH_MAX = 64
DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}  # whose operators every runtime has
FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16}


def faults(content: bytes) -> Iterator[tuple[str, str]]:
    """Pairs of a check and what it saw."""
    if len(content) > BYTES_MAX:
        yield "format", f"{len(content):,} bytes; at most {BYTES_MAX:,}"
        return
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        yield "format", "is no ONNX file"
        return
    if not model.graph.node:
        yield "format", "is no ONNX file, or one without operators"
    for domain in sorted({known.domain for known in model.opset_import} - DOMAINS):
        yield "format", f"has operators of {domain[:80]!r}, which bring code of their own"
    for tensor in tensors(model):
        name = tensor.name[:80]
        if tensor.external_data or tensor.data_location == TensorProto.EXTERNAL:
            where = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
            yield "external data", f"{name}: its numbers are in another file, {where[:80]!r}"
        else:
            yield from number_faults(tensor, name)


def number_faults(tensor: TensorProto, name: str) -> Iterator[tuple[str, str]]:
    if tensor.data_type not in FLOATS:
        return
    try:
        numbers = numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        yield "format", f"{name}: {error}"[:200]
        return
    if not np.isfinite(numbers).all():
        yield "weights", f"{name}: holds numbers that are not finite"


def tensors(message: Message, depth: int = 0) -> Iterator[Any]:
    """Every tensor of a message, in weights, attributes, functions and graphs within graphs."""
    if isinstance(message, TensorProto):
        yield message
        return
    if depth > DEPTH_MAX:
        raise RecursionError("its graphs are nested too deeply")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                yield from tensors(inner, depth + 1)
