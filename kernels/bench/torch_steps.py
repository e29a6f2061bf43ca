"""The same training steps in PyTorch, eager and on one thread, as its own tutorials write them.

PyTorch is a yardstick and never needed to run: it is imported when a step is asked for.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.data import TrainingData


def step(network: str, batch_rows: int, data: TrainingData) -> Callable[[], None]:
    """A function that takes one training step of the network on the next batch."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rows = torch.from_numpy(data.train_rows)
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


def pictures(torch: Any) -> Any:
    """From (rows, 28, 28, 1), which is also (rows, 1, 28, 28)."""
    nn = torch.nn
    return nn.Sequential(
        nn.Flatten(),
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 32, 10),
    )


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "narrow": lambda torch: dense(torch, 64, 128, 10),
    "wide": lambda torch: dense(torch, 784, 512, 256, 10),
    "pictures": pictures,
}
