"""The networks whose training steps are timed, as a person writes them, and what is asked of each.

`floor` and `goal` say how many times as long PyTorch's step should take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels.data import DataShape, Target, TrainingData, random_data

CLASSES = 10


@dataclass(frozen=True, eq=False)
class Workload:
    """`network` names the same one in torch_steps; `input` is the shape of an example, of tokens
    where there is a vocabulary.
    """

    name: str
    network: str
    architecture: str
    input: tuple[int, ...]
    batch_rows: int
    layers: Sequence[Mapping[str, Any]]
    floor: float
    goal: float
    vocabulary: int = 0

    @property
    def shape(self) -> DataShape:
        return DataShape(self.input, Target.CLASSES, CLASSES, self.vocabulary)

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

    def data(self) -> TrainingData:
        """Enough for forty batches, so that a batch is not in the cache already."""
        return random_data(self.shape, 40 * self.batch_rows)


def dense(units: int) -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": "relu"}


def convolution(filters: int) -> list[dict[str, Any]]:
    window = {"kernel_size": 3, "padding": "same", "activation": "relu"}
    return [
        {"type": "conv2d", "filters": filters, **window},
        {"type": "maxpool2d", "pool_size": 2},
    ]


def transformer(vocabulary: int, width: int, heads: int, inner: int, blocks: int) -> list[Any]:
    block = {"type": "transformer_block", "heads": heads, "ff_dim": inner}
    embedding = {"type": "embedding", "vocab_size": vocabulary, "embed_dim": width}
    return [embedding, *[block] * blocks, {"type": "global_average_pooling"}]


MLP = "feedforward"
WORKLOADS = (
    Workload("MLP 64-128-10, batch 32", "narrow", MLP, (64,), 32, [dense(128)], 1.5, 2),
    Workload(
        "MLP 784-512-256-10, batch 64", "wide", MLP, (784,), 64, [dense(512), dense(256)], 0.6, 1
    ),
    Workload(
        "LSTM 8-32, 24 steps, batch 32",
        "short_lstm",
        "lstm",
        (24, 8),
        32,
        [{"type": "lstm", "units": 32}],
        0.8,
        2,
    ),
    Workload(
        "LSTM 8-128, 48 steps, batch 32",
        "long_lstm",
        "lstm",
        (48, 8),
        32,
        [{"type": "lstm", "units": 128}],
        0.6,
        1,
    ),
    Workload(
        "CNN 28x28, 16 and 32 filters, batch 32",
        "pictures",
        MLP,
        (28, 28, 1),
        32,
        [*convolution(16), *convolution(32), {"type": "flatten"}],
        0.6,
        1,
    ),
    Workload(
        "transformer d32 h4 ff64 L1, 32 steps, batch 32",
        "small_transformer",
        "transformer",
        (32,),
        32,
        transformer(100, 32, heads=4, inner=64, blocks=1),
        1.2,
        2,
        vocabulary=100,
    ),
    Workload(
        "transformer v10000 d256 h8 ff1024 L2, 64 steps, batch 32",
        "large_transformer",
        "transformer",
        (64,),
        32,
        transformer(10_000, 256, heads=8, inner=1_024, blocks=2),
        0.35,
        0.5,
        vocabulary=10_000,
    ),
)
