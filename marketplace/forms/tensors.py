"""Tensors as the Open Inference Protocol (KServe v2) sends them: in JSON, or as bytes behind it.

    {"id": "1", "inputs": [{"name": "input", "shape": [2, 64], "datatype": "FP32", "data": […]}]}

`data` is flat or nested, in the order of rows. With the header Inference-Header-Content-Length, as
Triton has it, the JSON ends after so many bytes, and an input without `data` has the next
`parameters.binary_data_size` of the bytes behind: little endian; each text after its length in four
bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance.services import Refusal
from kernels.fields import shown

INPUTS_MAX = 1_000
OUTPUTS_MAX = 64
DIMENSIONS_MAX = 8
ID_LENGTH_MAX = 200
TEXT = "BYTES"
NUMBERS = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
SHARED = "shared_memory_region"


class InvalidTensors(Refusal):
    """A request of the Open Inference Protocol is not as the protocol has it; says where."""

    status = 400


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked. `wanted` says by name whether an output is wanted as bytes; without any, all
    are, `as_bytes` or not.
    """

    id: str
    inputs: dict[str, NDArray[Any]]
    wanted: dict[str, bool] = field(default_factory=dict)
    as_bytes: bool = False


def read(body: bytes, json_bytes: str | None) -> Question:
    """`json_bytes` is the header of that meaning. Raises InvalidTensors."""
    end = len(body) if json_bytes is None else whole(json_bytes, len(body))
    try:
        asked = json.loads(body[:end], parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidTensors(f"The body is no JSON: {str(error)[:200]}.") from error
    asked = mapping(asked, "The body")
    entries = listed(asked.get("inputs"), "inputs", INPUTS_MAX)
    rest = memoryview(body)[end:]
    inputs: dict[str, NDArray[Any]] = {}
    for number, entry in enumerate(entries):
        name, tensor, rest = read_input(mapping(entry, f"inputs[{number}]"), number, rest)
        if name in inputs:
            raise InvalidTensors(f"inputs[{number}].name: {name!r} is there twice.")
        inputs[name] = tensor
    if rest:
        raise InvalidTensors(f"The body ends with {len(rest):,} bytes that belong to no input.")
    as_bytes = parameters(asked, "").get("binary_data_output", False) is True
    return Question(
        id=identity(asked),
        inputs=inputs,
        wanted=wanted(asked, as_bytes),
        as_bytes=as_bytes,
    )


def whole(text: str, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 12 or int(text) > most:
        raise InvalidTensors(
            f"Inference-Header-Content-Length: must be the bytes of the JSON, at most {most:,}, "
            f"not {shown(text)}."
        )
    return int(text)


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def mapping(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidTensors(f"{place}: must be an object, not {shown(value)}.")
    return value


def listed(value: object, place: str, most: int) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise InvalidTensors(f"{place}: must be a list of 1 to {most:,}, not {shown(value)}.")
    return value


def parameters(value: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    return mapping(value.get("parameters", {}), f"{place}parameters")


def identity(asked: Mapping[str, Any]) -> str:
    given = asked.get("id", "")
    if not isinstance(given, str) or len(given) > ID_LENGTH_MAX:
        raise InvalidTensors(f"id: must be a text of at most {ID_LENGTH_MAX} letters.")
    return given


def wanted(asked: Mapping[str, Any], as_bytes: bool) -> dict[str, bool]:
    found: dict[str, bool] = {}
    entries = listed(asked["outputs"], "outputs", OUTPUTS_MAX) if asked.get("outputs") else []
    for number, entry in enumerate(entries):
        place = f"outputs[{number}]"
        output = mapping(entry, place)
        said = parameters(output, f"{place}.")
        if SHARED in said or said.get("classification"):
            raise InvalidTensors(
                f"{place}.parameters: shared memory and classification are not offered here; the "
                "output itself has the chances of all classes."
            )
        found[str(output.get("name", ""))] = said.get("binary_data", as_bytes) is True
    return found


def read_input(
    entry: Mapping[str, Any], number: int, rest: memoryview
) -> tuple[str, NDArray[Any], memoryview]:
    """An input's name and tensor, and the bytes behind those that are its own."""
    place = f"inputs[{number}]"
    name, datatype = entry.get("name"), entry.get("datatype")
    if not isinstance(name, str) or not name:
        raise InvalidTensors(f"{place}.name: must be a text, not {shown(name)}.")
    if datatype != TEXT and datatype not in NUMBERS:
        kinds = ", ".join([*NUMBERS, TEXT])
        raise InvalidTensors(f"{place}.datatype: must be one of {kinds}, not {shown(datatype)}.")
    shape = read_shape(entry.get("shape"), place)
    said = parameters(entry, f"{place}.")
    if SHARED in said:
        raise InvalidTensors(f"{place}.parameters: shared memory is not offered here; send bytes.")
    if "data" in entry:
        return name, from_json(entry["data"], datatype, shape, place), rest
    size = said.get("binary_data_size")
    if type(size) is not int or not 0 <= size <= len(rest):
        raise InvalidTensors(
            f"{place}: must have data, or parameters.binary_data_size and as many bytes behind "
            f"the JSON, where {len(rest):,} are left; it is {shown(size)}."
        )
    return name, from_bytes(rest[:size], datatype, shape, place), rest[size:]


def read_shape(value: object, place: str) -> tuple[int, ...]:
    sides = listed(value, f"{place}.shape", DIMENSIONS_MAX)
    if not all(type(side) is int and 0 <= side <= 2**31 for side in sides):
        raise InvalidTensors(f"{place}.shape: must be whole numbers from 0 on, not {shown(value)}.")
    return tuple(sides)


def shaped(flat: NDArray[Any], shape: tuple[int, ...], place: str) -> NDArray[Any]:
    if flat.size != prod(shape):
        raise InvalidTensors(
            f"{place}: has {flat.size:,} values; its shape {list(shape)} has {prod(shape):,}."
        )
    return flat.reshape(shape)


def from_json(data: object, datatype: str, shape: tuple[int, ...], place: str) -> NDArray[Any]:
    values = listed(data, f"{place}.data", 10**9)
    flat = flattened(values, place) if isinstance(values[0], list) else values
    allowed = kinds_of(datatype)
    if not set(map(type, flat)) <= allowed:
        wrong = next(value for value in flat if type(value) not in allowed)
        raise InvalidTensors(f"{place}.data: {shown(wrong)} is no {datatype}.")
    if datatype == TEXT:
        return shaped(np.array(flat, object), shape, place)
    try:
        with np.errstate(over="ignore"):  # becomes infinite, and is refused where it is used
            return shaped(np.array(flat, np.dtype(NUMBERS[datatype])), shape, place)
    except OverflowError as error:
        raise InvalidTensors(f"{place}.data: a value is no {datatype}: {error}.") from error


def kinds_of(datatype: str) -> set[type]:
    """What a value in JSON may be."""
    if datatype in (TEXT, "BOOL"):
        return {str} if datatype == TEXT else {bool}
    return {int, float} if datatype.startswith("FP") else {int}


def flattened(values: list[Any], place: str) -> list[Any]:
    """Nested lists of one depth, each level at a time, so that none is too deep for a reader."""
    for _ in range(DIMENSIONS_MAX):
        if not any(isinstance(value, list) for value in values):
            return values
        if not all(isinstance(value, list) for value in values):
            break
        values = [inner for value in values for inner in value]
    raise InvalidTensors(f"{place}.data: must be flat, or nested as its shape is.")


def from_bytes(raw: memoryview, datatype: str, shape: tuple[int, ...], place: str) -> NDArray[Any]:
    if datatype == TEXT:
        return shaped(np.array(read_texts(raw, place), object), shape, place)
    kind = np.dtype(NUMBERS[datatype])
    if len(raw) != kind.itemsize * prod(shape):
        raise InvalidTensors(
            f"{place}: {len(raw):,} bytes are not {prod(shape):,} values of {datatype}, as its "
            f"shape {list(shape)} says."
        )
    return np.frombuffer(raw, kind).reshape(shape)


def read_texts(raw: memoryview, place: str) -> list[str]:
    found, at = [], 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        if end > len(raw):
            raise InvalidTensors(f"{place}: a text ends behind the bytes of its input.")
        try:
            found.append(str(raw[at + 4 : end], "utf-8"))
        except UnicodeDecodeError as error:
            raise InvalidTensors(f"{place}: text {len(found)} is not UTF-8.") from error
        at = end
    return found
