"""safetensors: arrays and texts in one file, read without belief, written without choice.

Reading believes nothing: our own checks run before the library parses a byte, since it accepts
duplicate keys, a million empty tensors and numbers that are none. Writing is our own too, twenty
lines, since a file is named by its hash: keys sorted, no choice left to a hash table.

    8 bytes   length of the header, little-endian
    header    JSON: name → {dtype, shape, data_offsets}, and "__metadata__": name → text
    buffer    the arrays, in the order of their names
"""

import json
import re
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

HEADER_LIMIT_BYTES = 1024 * 1024
TENSORS_LIMIT = 2_048
DIMENSIONS_LIMIT = 8
NAME = re.compile(r"[A-Za-z0-9._/-]{1,200}")
DTYPES = {"F32": "<f4", "I8": "i1"}  # as the file says, as NumPy says
NAMES = {"f": "F32", "i": "I8"}


class ModelRefused(ValueError):
    """Bytes that are no model of ours; the text names what is wrong."""


def write(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """float32 and int8 arrays and texts as safetensors, the same bytes for the same content."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    parts: list[memoryview] = []
    end = 0
    for name in sorted(arrays):
        kind = NAMES[arrays[name].dtype.kind]
        data = np.ascontiguousarray(arrays[name], DTYPES[kind])
        header[name] = {
            "dtype": kind,
            "shape": list(arrays[name].shape),
            "data_offsets": [end, end + data.nbytes],
        }
        parts.append(data.data)
        end += data.nbytes
    text = canonical(header).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_LIMIT_BYTES:
        raise ModelRefused(f"header: {len(text):,} bytes; at most {HEADER_LIMIT_BYTES:,}")
    return b"".join([struct.pack("<Q", len(text)), text, *parts])  # copies the arrays once


def read(blob: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Arrays and texts of a safetensors file from anywhere. Raises ModelRefused."""
    header = read_header(blob)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise ModelRefused("__metadata__: must be an object")
    if len(header) > TENSORS_LIMIT:
        raise ModelRefused(f"header: {len(header):,} tensors; at most {TENSORS_LIMIT:,}")
    for name, entry in header.items():
        if not NAME.fullmatch(name):
            raise ModelRefused(f"tensor name {name[:40]!r}: letters, digits and ._/- only")
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if not isinstance(shape, list) or len(shape) > DIMENSIONS_LIMIT:
            raise ModelRefused(f"{name}: must have a shape of at most {DIMENSIONS_LIMIT} sizes")
        if entry.get("dtype") not in DTYPES:
            raise ModelRefused(f"{name}: must be of dtype {' or '.join(DTYPES)}")
    try:
        arrays = safetensors.numpy.load(blob)
    except safetensors.SafetensorError as error:
        raise ModelRefused(f"not safetensors: {error}") from error
    return arrays, metadata


def read_header(blob: bytes) -> dict[str, Any]:
    if len(blob) < 10:
        raise ModelRefused(f"{len(blob)} bytes are no safetensors file")
    length = struct.unpack("<Q", blob[:8])[0]
    if length > min(HEADER_LIMIT_BYTES, len(blob) - 8):
        raise ModelRefused(
            f"header: {length:,} bytes; at most {HEADER_LIMIT_BYTES:,}, and all there"
        )
    if blob[8:9] != b"{":
        raise ModelRefused("header: must begin with '{'")
    try:
        text = blob[8 : 8 + length].decode()
    except UnicodeDecodeError as error:
        raise ModelRefused("header: must be UTF-8") from error
    header = parse_json(text, "header")
    if not isinstance(header, dict):
        raise ModelRefused("header: must be an object")
    return header


def parse_json(text: str, where: str) -> Any:
    """JSON without duplicate keys. Raises ModelRefused."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ModelRefused(f"{where}: a key stands twice in one object")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except ModelRefused:
        raise
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise ModelRefused(f"{where}: must be JSON") from error


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
