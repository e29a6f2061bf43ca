"""Weights from elsewhere, with the configuration they belong to."""

import numpy as np
import pytest

from kernels import config, modelfile, tensors
from kernels.data import DataShape, Target
from kernels.exchange import plain
from kernels.modelfile import Signature
from kernels.predictor import Predictor
from kernels.tensors import ModelRefused

RAW = {
    "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 4}]},
    "training": {"epochs": 1, "batch_size": 2, "learning_rate": 0.1, "optimizer": "adam"},
}
VALUES = config.parse(RAW, DataShape((3,), Target.VALUES, 2))
GAN = config.parse(
    RAW | {"architecture": RAW["architecture"] | {"type": "gan", "latent": 3}},
    DataShape.table(5, 1),
)


@pytest.fixture
def weights():
    rng = np.random.default_rng(1)
    return {p.name: rng.standard_normal(p.shape).astype(np.float32) for p in VALUES.parameters}


def test_a_network_answers_with_weights_from_elsewhere(weights, simd):
    names = Signature(("a", "b", "c"), ("first", "second"))
    model = plain.read(tensors.write(weights, {}), VALUES, names)
    rows = np.random.default_rng(2).standard_normal((5, 3)).astype(np.float32)
    found = Predictor(modelfile.dump(model), module=simd).predict(rows)
    first, second, third, fourth = weights.values()
    expected = np.maximum(rows @ first + second, 0) @ third + fourth
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert model.signature == names


def test_what_standardises_is_taken_where_the_file_has_it(weights):
    measured = {"input.mean": np.ones(3, np.float32), "target.scale": np.full(2, 9, np.float32)}
    model = plain.read(tensors.write(weights | measured, {}), VALUES)
    assert model.arrays["input.mean"].tolist() == [1, 1, 1]
    assert model.arrays["input.scale"].tolist() == [1, 1, 1]
    assert model.arrays["target.scale"].tolist() == [9, 9]


def test_half_of_two_networks_is_enough_to_use_one():
    """A generator is used without the discriminator that trained it, but both may be there."""
    arrays = {p.name: np.ones(p.shape, np.float32) for p in GAN.parameters}
    model = plain.read(tensors.write(arrays, {}), GAN)
    assert set(model.weights) < set(arrays)
    assert all(name.startswith("generator") for name in model.weights)


def test_weights_of_another_network_are_refused(weights):
    name = next(iter(weights))
    fewer = {key: values for key, values in weights.items() if key != name}
    turned = weights | {name: np.ascontiguousarray(weights[name].T)}
    other = weights | {name: np.ones((2, 2), np.float32)}
    wrong = weights | {name: np.full((3, 4), np.nan, np.float32)}
    for arrays, reason in (
        (fewer, f"missing are {name}"),
        (weights | {"more": np.ones(1, np.float32)}, "not of this network are more"),
        (turned, r"must be \(3, 4\), not \(4, 3\); it looks like \(out, in\)"),
        (other, r"must be \(3, 4\), not \(2, 2\)$"),
        (wrong, "not finite"),
    ):
        with pytest.raises(ModelRefused, match=reason):
            plain.read(tensors.write(arrays, {}), VALUES)
