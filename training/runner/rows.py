"""A dataset's rows as arrays: how they are stored, and which of them train, validate and test.

The file is safetensors (no pickle) with `features` float32 [rows, columns] and `labels` int32
[rows]. The split is scikit-learn's, stratified and seeded by the dataset, so every model of a
dataset is tested on the same rows, which no training of ours ever reads.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

Features = NDArray[np.float32]
Labels = NDArray[np.int32]

TRAIN_SHARE, VALIDATION_SHARE, TEST_SHARE = 0.70, 0.15, 0.15


@dataclass(frozen=True, eq=False)
class Rows:
    """features float32 [rows, columns], labels int32 [rows]."""

    features: Features
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[Any]) -> "Rows":
        return Rows(np.ascontiguousarray(self.features[index]), self.labels[index])


def pack(rows: Rows) -> bytes:
    return safetensors.numpy.save({"features": rows.features, "labels": rows.labels})


def unpack(content: bytes) -> Rows:
    tensors = safetensors.numpy.load(content)
    return Rows(tensors["features"], tensors["labels"])
