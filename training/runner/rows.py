"""A dataset's rows as arrays: how they are stored, and which of them train, validate and test.

The file is safetensors (no pickle) with `features` float32 [rows, columns], `labels` int32 [rows]
and `parts` int8 [rows]. The part of each row is chosen once, when the dataset is prepared, and is
covered by its SHA-256: all models of a dataset are tested on the same rows; none trains on them.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray


class Part(IntEnum):
    """What a row is for."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


@dataclass(frozen=True, eq=False)
class Rows:
    """features float32 [rows, columns], labels int32 [rows], parts int8 [rows]."""

    features: NDArray[np.float32]
    labels: NDArray[np.int32]
    parts: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.labels)

    def numbers(self, part: Part) -> NDArray[np.intp]:
        """The row numbers of a part, ascending."""
        return np.flatnonzero(self.parts == part)

    def only(self, part: Part) -> "Rows":
        index = self.numbers(part)
        return Rows(
            np.ascontiguousarray(self.features[index]), self.labels[index], self.parts[index]
        )


def pack(rows: Rows) -> bytes:
    return safetensors.numpy.save(
        {"features": rows.features, "labels": rows.labels, "parts": rows.parts}
    )


def unpack(content: bytes) -> Rows:
    tensors = safetensors.numpy.load(content)
    return Rows(tensors["features"], tensors["labels"], tensors["parts"])
