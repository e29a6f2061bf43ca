"""Checkpoints: what a run must remember, as one safetensors file, and the refusal of all others.

Everything is checked before anything is taken over, so a checkpoint that is refused leaves the run
as it was.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import tensors
from kernels.graph import Shape

FORMAT = "neural-marketplace-checkpoint/2"
BEST = "best"  # the weights of the best epoch, where training is to stop early
Arrays = Mapping[str, NDArray[Any]]


class CheckpointRefused(ValueError):
    """A checkpoint of another run: its configuration, seed, data or kernels differ."""


@dataclass(frozen=True)
class Checkpoint:
    """`arrays` by name, `step` done, and the state of what happens between `epochs`."""

    arrays: Arrays
    step: int
    epochs: Mapping[str, Any]

    @property
    def best(self) -> NDArray[np.float32] | None:
        return self.arrays.get(BEST)


def write(checkpoint: Checkpoint, identity: Mapping[str, Any]) -> bytes:
    """The file; `identity` names the run. The same state gives the same bytes."""
    stated = {**identity, "step": checkpoint.step, "epochs": checkpoint.epochs}
    return tensors.write(checkpoint.arrays, {"checkpoint": json.dumps(stated)})


def read(
    blob: bytes,
    identity: Mapping[str, Any],
    shapes: Mapping[str, Shape],
    *,
    steps: int,
    best: Shape,
) -> Checkpoint:
    """The checkpoint of the run of this identity, whose arrays have these shapes.

    Raises CheckpointRefused, or ModelRefused where the bytes are no safetensors.
    """
    arrays, metadata = tensors.read(blob)
    stated = tensors.parse_json(metadata.get("checkpoint", "{}"), "checkpoint")
    if not isinstance(stated, dict):
        raise CheckpointRefused("checkpoint: must be an object")
    for key, value in identity.items():
        if stated.get(key) != value:
            raise CheckpointRefused(f"{key}: the checkpoint has {stated.get(key)}, not {value}")
    step, epochs = stated.get("step"), stated.get("epochs")
    if type(step) is not int or not 0 <= step <= steps:
        raise CheckpointRefused(f"step: must be from 0 to {steps}, not {step}")
    check_epochs(epochs)
    wanted = dict(shapes)
    if BEST in arrays or epochs["stopping"][0] is not None:  # type: ignore[index]
        wanted[BEST] = best
    for name, shape in wanted.items():
        found = arrays.get(name)
        if found is None or found.shape != shape or found.dtype != np.float32:
            raise CheckpointRefused(f"{name}: must be there, float32 of shape {shape}")
    return Checkpoint(arrays, step, epochs)  # type: ignore[arg-type]


def check_epochs(epochs: object) -> None:
    if not isinstance(epochs, dict) or type(epochs.get("is_stopped")) is not bool:
        raise CheckpointRefused("epochs: must be an object that says whether it is_stopped")
    if not is_number(epochs.get("factor")):
        raise CheckpointRefused("epochs.factor: must be a finite number")
    for name in ("plateau", "stopping"):
        pair = epochs.get(name)
        is_pair = isinstance(pair, list) and len(pair) == 2
        if not is_pair or not is_number(pair[1]) or not (pair[0] is None or is_number(pair[0])):  # type: ignore[index]
            raise CheckpointRefused(f"epochs.{name}: must be a loss, or null, and a count")


def is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
