"""The networks whose training steps are timed, as a person writes them, and what is asked of each.

`floor` and `goal` say how many times as long PyTorch's step should take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels.data import DataShape, Target


@dataclass(frozen=True)
class Workload:
    """`network` names the same one in torch_steps."""

    name: str
    network: str
    data: DataShape
    batch_rows: int
    layers: Sequence[Mapping[str, Any]]
    floor: float
    goal: float
    architecture: str = "feedforward"

    @property
    def rows(self) -> int:
        """Enough for forty batches, so that the batch is not in the cache already."""
        return 40 * self.batch_rows

    @property
    def raw(self) -> dict[str, Any]:
        return {
            "architecture": {"type": self.architecture, "layers": list(self.layers)},
            "training": {
                "epochs": 10_000,
                "batch_size": self.batch_rows,
                "learning_rate": 0.001,
                "optimizer": "adam",
            },
        }


def ten_classes(*shape: int) -> DataShape:
    return DataShape(shape, Target.CLASSES, 10)


def dense(units: int) -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": "relu"}


def convolved(filters: int) -> list[dict[str, Any]]:
    """A window of 3 by 3, and half as high and wide a picture."""
    window = {"kernel_size": 3, "padding": "same", "activation": "relu"}
    return [
        {"type": "conv2d", "filters": filters, **window},
        {"type": "maxpool2d", "pool_size": 2},
    ]


CONVOLVED = [*convolved(16), *convolved(32), {"type": "flatten"}]
WORKLOADS = (
    Workload("MLP 64-128-10, batch 32", "narrow", ten_classes(64), 32, [dense(128)], 1.5, 2),
    Workload(
        "MLP 784-512-256-10, batch 64",
        "wide",
        ten_classes(784),
        64,
        [dense(512), dense(256)],
        0.6,
        1,
    ),
    Workload(
        "CNN 28x28, 16 and 32 filters, batch 32",
        "pictures",
        ten_classes(28, 28, 1),
        32,
        CONVOLVED,
        0.6,
        1,
    ),
)
