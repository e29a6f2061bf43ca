"""The same training steps in PyTorch, eager and on one thread, as its own tutorials write them.

PyTorch is a yardstick and never needed to run: it is imported when a step is asked for.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.bench.workloads import CLASSES
from kernels.data import TrainingData


def step(network: str, batch_rows: int, data: TrainingData) -> Callable[[], None]:
    """A function that takes one training step of the network on the next batch."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    torch.manual_seed(1)
    is_of_tokens = data.train_rows.dtype.kind in "iu"
    rows = torch.from_numpy(data.train_rows.astype(np.int64) if is_of_tokens else data.train_rows)
    labels = torch.from_numpy(data.train_targets.astype(np.int64))
    model = NETWORKS[network](torch)
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    batches: list[Any] = []

    def take() -> None:
        if not batches:
            batches.extend(torch.randperm(len(rows)).split(batch_rows))
        batch = batches.pop()
        optimizer.zero_grad()
        criterion(model(rows[batch]), labels[batch]).backward()
        optimizer.step()

    return take


def dense(torch: Any, *widths: int) -> Any:
    layers: list[Any] = []
    for before, after in zip(widths, widths[1:], strict=False):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def lstm(torch: Any, width: int, units: int) -> Any:
    """The state after the last step, and a linear layer."""

    class Recurrent(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.walk = torch.nn.LSTM(width, units, batch_first=True)
            self.end = torch.nn.Linear(units, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.end(self.walk(x)[0][:, -1])

    return Recurrent()


def pictures(torch: Any) -> Any:
    """Channels come first here, so one channel is only another shape."""
    nn = torch.nn
    return nn.Sequential(
        nn.Flatten(),
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 16, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 32, CLASSES),
    )


def transformer(
    torch: Any, vocabulary: int, steps: int, width: int, heads: int, inner: int, blocks: int
) -> Any:
    """Pre-norm blocks without dropout, the mean over the steps, and a linear layer."""

    class Transformer(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(vocabulary, width)
            self.register_buffer("places", torch.from_numpy(places(steps, width)))
            self.blocks = torch.nn.Sequential(
                *(
                    torch.nn.TransformerEncoderLayer(
                        width, heads, inner, dropout=0.0, batch_first=True, norm_first=True
                    )
                    for _ in range(blocks)
                )
            )
            self.end = torch.nn.Linear(width, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.end(self.blocks(self.table(x) + self.places).mean(dim=1))

    return Transformer()


def places(steps: int, width: int) -> np.ndarray[Any, Any]:
    """Vaswani et al.'s sines and cosines."""
    angles = np.arange(steps)[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
    found = np.empty((steps, width), np.float32)
    found[:, 0::2], found[:, 1::2] = np.sin(angles), np.cos(angles)
    return found


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "narrow": lambda torch: dense(torch, 64, 128, 10),
    "wide": lambda torch: dense(torch, 784, 512, 256, 10),
    "short_lstm": lambda torch: lstm(torch, 8, 32),
    "long_lstm": lambda torch: lstm(torch, 8, 128),
    "pictures": pictures,
    "small_transformer": lambda torch: transformer(torch, 100, 32, 32, 4, 64, 1),
    "large_transformer": lambda torch: transformer(torch, 10_000, 64, 256, 8, 1_024, 2),
}
