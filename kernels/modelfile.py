"""The model file: one `.safetensors` with weights, standardisation and everything needed to use it.

Reading believes nothing: our own checks run before the library parses a byte, since it accepts
duplicate keys, a million empty tensors and weights that are not numbers. Writing is our own too,
twenty lines, since a file is named by its hash: keys sorted, no choice left to a hash table.

    8 bytes   length of the header, little-endian
    header    JSON: name → {dtype, shape, data_offsets}, and "__metadata__": name → text
    buffer    the arrays, in the order of their names
"""

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from kernels import config as configuration
from kernels.config import ConfigError, NetworkConfig
from kernels.network import parameters

FORMAT = "neural-marketplace/1"
HEADER_LIMIT_BYTES = 256 * 1024
TENSORS_LIMIT = 2_048
DIMENSIONS_LIMIT = 8
NAME = re.compile(r"[A-Za-z0-9._/-]{1,200}")
Float = NDArray[np.float32]


class ModelRefused(ValueError):
    """Bytes that are no model of ours; the text names what is wrong."""


@dataclass(frozen=True)
class Signature:
    """What goes in and what comes out: names of features, names of classes, and for pictures
    (height, width)."""

    features: tuple[str, ...]
    classes: tuple[str, ...]
    image_shape: tuple[int, int] | None = None


@dataclass(frozen=True)
class Model:
    """A trained network. `mean` and `scale` (features,) standardise a row before it goes in."""

    config: NetworkConfig
    signature: Signature
    weights: Mapping[str, Float]
    mean: Float
    scale: Float
    provenance: Mapping[str, Any]


def dump(model: Model) -> bytes:
    """The file. Raises ModelRefused where the parts do not belong together."""
    check(model)
    arrays = dict(model.weights) | {"input.mean": model.mean, "input.scale": model.scale}
    texts = {
        "format": FORMAT,
        "config": canonical(model.config.to_json()),
        "signature": canonical(vars(model.signature)),
        "provenance": canonical(dict(model.provenance)),
    }
    return write(arrays, texts)


def load(blob: bytes) -> Model:
    """The model in a file from anywhere. Raises ModelRefused."""
    arrays, texts = read(blob)
    if texts.get("format") != FORMAT:
        raise ModelRefused(f"format: must be {FORMAT!r}, not {texts.get('format')!r}")
    signature = read_signature(parse_json(texts.get("signature", ""), "signature"))
    raw = parse_json(texts.get("config", ""), "config")
    try:
        config = configuration.parse(
            raw, features=len(signature.features), classes=len(signature.classes)
        )
    except ConfigError as error:
        raise ModelRefused(f"config: {error}") from error
    provenance = parse_json(texts.get("provenance", ""), "provenance")
    if not isinstance(provenance, dict):
        raise ModelRefused("provenance: must be an object")
    names = [parameter.name for parameter in parameters(config)]
    expected = {*names, "input.mean", "input.scale"}
    if set(arrays) != expected:
        wrong = sorted(set(arrays) ^ expected)[:5]
        raise ModelRefused(f"tensors: missing or not of this network: {', '.join(wrong)}")
    weights = {name: arrays[name] for name in names}
    model = Model(
        config, signature, weights, arrays["input.mean"], arrays["input.scale"], provenance
    )
    check(model)
    return model


def check(model: Model) -> None:
    """ModelRefused unless shapes match the architecture and every number is finite."""
    shapes = {parameter.name: parameter.shape for parameter in parameters(model.config)}
    columns = (model.config.features,)
    arrays = dict(model.weights) | {"input.mean": model.mean, "input.scale": model.scale}
    for name, array in arrays.items():
        expected = shapes.get(name, columns)
        if array.shape != expected or array.dtype != np.float32:
            raise ModelRefused(
                f"{name}: must be float32 {expected}, not {array.dtype} {array.shape}"
            )
        if not np.isfinite(array).all():
            raise ModelRefused(f"{name}: holds numbers that are not finite")
    if not (model.scale > 0).all():
        raise ModelRefused("input.scale: must be greater than zero")
    for part, names, size in (
        ("features", model.signature.features, model.config.features),
        ("classes", model.signature.classes, model.config.classes),
    ):
        if len(names) != size:
            raise ModelRefused(f"signature.{part}: must be {size} names, not {len(names)}")


def read_signature(raw: Any) -> Signature:
    if not isinstance(raw, dict):
        raise ModelRefused("signature: must be an object")
    names = {key: raw.get(key) for key in ("features", "classes")}
    for key, value in names.items():
        is_names = isinstance(value, list) and all(isinstance(name, str) for name in value)
        if not is_names or not 1 <= len(value or []) <= 65_536:
            raise ModelRefused(f"signature.{key}: must be a list of names")
    shape = raw.get("image_shape")
    if shape is not None and not (
        isinstance(shape, list) and len(shape) == 2 and all(type(side) is int for side in shape)
    ):
        raise ModelRefused("signature.image_shape: must be [height, width] or null")
    features, classes = tuple(names["features"] or ()), tuple(names["classes"] or ())
    if shape is not None and shape[0] * shape[1] != len(features):
        raise ModelRefused(f"signature.image_shape: {shape} has not {len(features)} pixels")
    return Signature(features, classes, None if shape is None else (shape[0], shape[1]))


def weights_sha256(weights: Mapping[str, Float]) -> str:
    """SHA-256 of names, shapes and little-endian bits of the arrays, in their order."""
    digest = hashlib.sha256()
    for name, array in weights.items():
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array, "<f4").tobytes())
    return digest.hexdigest()


# ---------------------------------------------------------------------------------- safetensors


def write(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """float32 arrays and texts as safetensors, the same bytes for the same content."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    parts, end = [], 0
    for name in sorted(arrays):
        data = np.ascontiguousarray(arrays[name], "<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(arrays[name].shape),
            "data_offsets": [end, end + len(data)],
        }
        parts.append(data)
        end += len(data)
    text = canonical(header).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_LIMIT_BYTES:
        raise ModelRefused(f"header: {len(text):,} bytes; at most {HEADER_LIMIT_BYTES:,}")
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def read(blob: bytes) -> tuple[dict[str, Float], dict[str, str]]:
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
        if entry.get("dtype") != "F32":
            raise ModelRefused(f"{name}: must be of dtype F32")
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
