"""The networks whose training steps are timed, as a person writes them, and what is asked of each.

`floor` and `goal` say how many times as long PyTorch's step should take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Workload:
    """`network` names the same one in torch_steps."""

    name: str
    network: str
    features: int
    classes: int
    batch_rows: int
    layers: Sequence[Mapping[str, Any]]
    floor: float
    goal: float

    @property
    def rows(self) -> int:
        """Enough for forty batches, so that the batch is not in the cache already."""
        return 40 * self.batch_rows

    @property
    def raw(self) -> dict[str, Any]:
        return {
            "architecture": {"type": "feedforward", "layers": list(self.layers)},
            "training": {
                "epochs": 10_000,
                "batch_size": self.batch_rows,
                "learning_rate": 0.001,
                "optimizer": "adam",
            },
        }


def dense(units: int) -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": "relu"}


WORKLOADS = (
    Workload("MLP 64-128-10, batch 32", "narrow", 64, 10, 32, [dense(128)], 1.5, 2),
    Workload("MLP 784-512-256-10, batch 64", "wide", 784, 10, 64, [dense(512), dense(256)], 0.6, 1),
)
