"""Fewer weights: the smallest of a trained model become zero and stay so while the rest is trained
on.

Of each weight matrix the given fraction with the least magnitude is dropped (Han et al. 2015), of
equal magnitudes the earlier ones; vectors such as biases and gains are left whole. Fine-tuning is
ordinary training whose step ends with the op mask, so it is as repeatable as any. The file keeps
its size, since zeros are written out; `compressed_bytes` says what they are worth on the way.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.build import Module
from kernels.data import TrainingData
from kernels.limits import Limits
from kernels.modelfile import Model, load, weights_sha256
from kernels.tensors import ModelRefused
from kernels.trainer import Trainer

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Pruning:
    """What was dropped and what that cost. `sparsity` is the share of zeros by array; metrics are
    those of the training, on the validation rows: before, after dropping, after training on.
    """

    metric: str
    metric_before: float
    metric_dropped: float
    metric_after: float
    sparsity: Mapping[str, float]
    dropped: int
    weights: int
    compressed_bytes_before: int
    compressed_bytes_after: int


def masks(weights: Arrays, fraction: float | Mapping[str, float]) -> dict[str, NDArray[np.float32]]:
    """Ones and zeros for each weight matrix: zeros for `fraction` of it, rounded down. A mapping
    names arrays or beginnings of their names ("dense0"), what it does not name is left whole.

    Raises ModelRefused for a fraction that is none, and for a name that no matrix has.
    """
    matrices = {name: array for name, array in weights.items() if array.ndim > 1}
    asked = {name: fraction_of(name, fraction) for name in matrices}
    if isinstance(fraction, Mapping):
        strange = [n for n in fraction if not any(name.startswith(n) for name in matrices)]
        if strange:
            raise ModelRefused(f"fraction.{strange[0]}: no weight matrix; {', '.join(matrices)}")
    found = {}
    for name, array in matrices.items():
        if not 0 <= asked[name] < 1:
            raise ModelRefused(f"fraction: {asked[name]} for {name}; must be from 0 to below 1")
        if asked[name]:
            found[name] = mask(array, asked[name])
    return found


def fraction_of(name: str, fraction: float | Mapping[str, float]) -> float:
    if not isinstance(fraction, Mapping):
        return fraction
    fitting = [begin for begin in fraction if name.startswith(begin)]
    return fraction[max(fitting, key=len)] if fitting else 0.0


def mask(array: NDArray[Any], fraction: float) -> NDArray[np.float32]:
    kept = np.ones(array.size, np.float32)
    smallest = np.argsort(np.abs(array).reshape(-1), kind="stable")
    kept[smallest[: int(fraction * array.size)]] = 0
    return kept.reshape(array.shape)


def prune(
    blob: bytes,
    data: TrainingData,
    *,
    fraction: float | Mapping[str, float],
    epochs: int,
    seed: int,
    module: Module,
    limits: Limits | None = None,
) -> tuple[bytes, Pruning]:
    """The model file pruned and trained on for so many epochs on its own data, with what that cost.

    Raises ModelRefused for a model that was not trained here or cannot be pruned so, DataError
    where there are no validation rows, and whatever training raises.
    """
    model = trainable(load(blob), epochs)
    assert model.config is not None, "trainable() said so"
    zeros = masks(model.weights, fraction)
    plain = Trainer(model.config, data, seed=seed, module=module, limits=limits)
    plain.adopt(model)
    before = measured(plain)
    tuned = Trainer(model.config, data, seed=seed, module=module, limits=limits, mask=zeros)
    tuned.adopt(model)
    dropped = measured(tuned)
    points = list(tuned.run())
    shares = dict(fraction) if isinstance(fraction, Mapping) else fraction
    origin = {"pruned": shares, "pruned_from": weights_sha256(model.weights)}
    found = tuned.export(model.signature, origin)
    arrays = load(found).weights
    tuned.adopt(load(found))  # what is measured is what is written: the best epoch's weights
    return found, Pruning(
        metric=points[-1].metric,
        metric_before=before,
        metric_dropped=dropped,
        metric_after=measured(tuned),
        sparsity={name: float((array == 0).mean()) for name, array in arrays.items()},
        dropped=sum(int((array == 0).sum()) for array in zeros.values()),
        weights=sum(array.size for array in arrays.values()),
        compressed_bytes_before=len(zlib.compress(blob)),
        compressed_bytes_after=len(zlib.compress(found)),
    )


def trainable(model: Model, epochs: int) -> Model:
    """The model with a configuration of so many epochs."""
    if model.config is None:
        raise ModelRefused("config: the model has none, so it cannot be trained on")
    training = replace(model.config.training, epochs=epochs)
    return replace(model, config=replace(model.config, training=training))


def measured(trainer: Trainer) -> float:
    _, metric = trainer.validate()
    if metric is None:
        raise ModelRefused("validation_rows: there are none to measure on")
    return metric
