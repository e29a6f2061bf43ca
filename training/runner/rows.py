"""A dataset's rows as arrays: how they are stored, and which of them train, validate and test.

The file is safetensors (no pickle) with `features` [rows, *input], float32 or tokens as uint32,
`targets` [rows, …] as `kernels.data` says for what is asked, `parts` int8 [rows], and where columns
were declared sensitive `groups` int32 [rows, columns]. `split_by` int32 [rows] is there where rows
hang together: the number of the group that each belongs to, or in a split by time its place.

The part of each row is chosen once, when the dataset is prepared, and is covered by its SHA-256:
all models of a dataset are tested on the same rows; none trains on them.
"""

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import IO, Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

# Rows that were stored when all targets were classes called them labels.
OLD_NAMES = {"targets": "labels"}
DTYPES = {"F32": "<f4", "U32": "<u4", "I32": "<i4", "I64": "<i8", "U8": "u1", "I8": "i1"}


class Part(IntEnum):
    """What a row is for."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


@dataclass(frozen=True, eq=False)
class Rows:
    """features [rows, *input], targets [rows, …], parts int8 [rows], groups int32 [rows, k],
    split_by int32 [rows].
    """

    features: NDArray[Any]
    targets: NDArray[Any]
    parts: NDArray[np.int8]
    groups: NDArray[np.int32] | None = None
    split_by: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.parts)

    def numbers(self, part: Part) -> NDArray[np.intp]:
        """The row numbers of a part, ascending."""
        return np.flatnonzero(self.parts == part)

    def only(self, part: Part) -> "Rows":
        return self.take(self.numbers(part))

    def take(self, index: NDArray[np.intp]) -> "Rows":
        groups = None if self.groups is None else self.groups[index]
        split_by = None if self.split_by is None else self.split_by[index]
        features = np.ascontiguousarray(self.features[index])
        return Rows(features, self.targets[index], self.parts[index], groups, split_by)


def pack(rows: Rows) -> bytes:
    arrays = {"features": rows.features, "targets": rows.targets, "parts": rows.parts}
    if rows.groups is not None:
        arrays["groups"] = rows.groups
    if rows.split_by is not None:
        arrays["split_by"] = rows.split_by
    return safetensors.numpy.save(arrays)


def unpack(content: bytes) -> Rows:
    tensors = safetensors.numpy.load(content)
    targets = tensors["targets" if "targets" in tensors else OLD_NAMES["targets"]]
    groups, split_by = tensors.get("groups"), tensors.get("split_by")
    return Rows(tensors["features"], targets, tensors["parts"], groups, split_by)


def read_arrays(file: IO[bytes], *names: str) -> dict[str, NDArray[Any]]:
    """Some arrays of a stored file, where the features may be too long to be read with them."""
    header_bytes = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(header_bytes))
    found = {}
    for name in names:
        told = header[OLD_NAMES[name] if name not in header else name]
        begin, end = told["data_offsets"]
        file.seek(8 + header_bytes + begin)
        numbers = np.frombuffer(file.read(end - begin), DTYPES[told["dtype"]])
        found[name] = numbers.reshape(told["shape"])
    return found
