"""Layers for pictures: the same numbers as PyTorch, their shapes, and that they learn.

Where PyTorch is installed it is asked; everywhere the figures that it gave are read from
figures/pictures.json, which it writes anew by

    python -m tests.kernels.test_pictures
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kernels.config import ConfigError, parse
from kernels.data import DataShape, Target, TrainingData
from kernels.layers.dense import Dense
from kernels.layers.shapes import Flatten
from kernels.layers.vision import Conv2d, GlobalAveragePooling, MaxPool2d
from kernels.network import Network
from kernels.trainer import Trainer
from tests.kernels import adam

FIGURES = Path(__file__).parent / "figures" / "pictures.json"
ROWS, CLASSES = 6, 3
NETWORKS = {
    "classic": Network(
        (9, 8, 1),
        (
            Conv2d(4, 3, 1, "same", "relu"),
            MaxPool2d(2, 2),
            Conv2d(5, 2, 1, "valid", "gelu"),
            Flatten(),
            Dense(CLASSES, "softmax"),
        ),
    ),
    "strided": Network(
        (10, 11, 3),
        (
            Conv2d(6, 4, 2, "same", "silu"),
            MaxPool2d(3, 1),
            Conv2d(7, 1, 1, "valid", "tanh"),
            GlobalAveragePooling(),
            Dense(CLASSES, "softmax"),
        ),
    ),
}


def examples(name):
    rng = np.random.default_rng(6)
    rows = rng.standard_normal((ROWS, *NETWORKS[name].input)).astype(np.float32)
    return rows, rng.integers(0, CLASSES, (ROWS, 1))


# ------------------------------------------------------------------------------------------ PyTorch


def torch_forward(torch, name, w, x):
    """The same network as people write it in PyTorch, channels first."""
    functional = torch.nn.functional
    activations = {
        "relu": torch.relu,
        "gelu": lambda y: functional.gelu(y, approximate="tanh"),
        "silu": functional.silu,
        "tanh": torch.tanh,
    }
    x = x.permute(0, 3, 1, 2)
    for number, layer in enumerate(NETWORKS[name].layers):
        match layer:
            case Conv2d():
                if layer.padding == "same":
                    x = functional.pad(x, same_edges(layer, x.shape[2:]))
                weight = w[f"conv2d{number}.weight"].permute(3, 2, 0, 1)
                x = functional.conv2d(x, weight, w[f"conv2d{number}.bias"], stride=layer.stride)
                x = activations[layer.activation](x)
            case MaxPool2d():
                x = functional.max_pool2d(x, layer.pool_size, layer.stride)
            case Flatten():
                x = x.permute(0, 2, 3, 1).flatten(1)
            case GlobalAveragePooling():
                x = x.mean(dim=(2, 3))
            case Dense():
                x = x @ w[f"dense{number}.weight"] + w[f"dense{number}.bias"]
    return x


def same_edges(layer, sizes):
    """What TensorFlow's padding "same" adds: left, right, top, bottom."""
    edges = []
    for size in sizes[::-1]:
        missing = max((-(-size // layer.stride) - 1) * layer.stride + layer.kernel_size - size, 0)
        edges += [missing // 2, missing - missing // 2]
    return edges


def torch_steps(torch, name):
    weights = adam.torch_weights(torch, NETWORKS[name])
    forward = partial(torch_forward, torch, name, weights)
    return adam.torch_steps(torch, forward, weights, *examples(name))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_gradients_and_ten_steps_are_those_of_pytorch(name, module):
    expected = torch_steps(pytest.importorskip("torch"), name)
    found = adam.take_steps(NETWORKS[name], module, *examples(name))
    adam.compare(found, expected, output_off=1e-5, slope_off=5e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_figures_that_pytorch_gave_come_out(name, module):
    found = adam.take_steps(NETWORKS[name], module, *examples(name))
    adam.compare_figures(found, json.loads(FIGURES.read_text())[name], output_off=1e-5)


def write_figures():
    import torch  # noqa: PLC0415  # an optional peer, and only where the figures are made

    adam.write_figures(FIGURES, {name: torch_steps(torch, name) for name in NETWORKS})


# ------------------------------------------------------------------------------ shapes and learning


def settings(*layers, epochs=1):
    return {
        "architecture": {"type": "feedforward", "layers": list(layers)},
        "training": {
            "epochs": epochs,
            "batch_size": 32,
            "learning_rate": 0.003,
            "optimizer": "adam",
        },
    }


def pictures(*shape):
    return DataShape(shape, Target.CLASSES, 10)


def conv2d(**values):
    return {"type": "conv2d", "filters": 8, "kernel_size": 3} | values


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (conv2d(), (26, 18, 8)),
        (conv2d(padding="same"), (28, 20, 8)),
        (conv2d(padding="same", stride=3), (10, 7, 8)),
        (conv2d(stride=2), (13, 9, 8)),
        ({"type": "maxpool2d", "pool_size": 3}, (9, 6, 2)),
        ({"type": "maxpool2d", "pool_size": 3, "stride": 1}, (26, 18, 2)),
        ({"type": "global_average_pooling"}, (2,)),
    ],
)
def test_shapes_are_those_that_keras_gives(layer, shape):
    found = parse(settings(layer), pictures(28, 20, 2))
    assert found.architecture.networks["network"].shapes[1] == shape


def test_a_network_reads_as_it_was_written():
    layers = [conv2d(padding="same"), {"type": "maxpool2d", "pool_size": 2}, conv2d(stride=2)]
    found = parse(settings(*layers), pictures(12, 12, 3))
    assert parse(found.to_json(), pictures(12, 12, 3)) == found


@pytest.mark.parametrize(
    ("layer", "data", "message"),
    [
        (conv2d(), pictures(64), "layers[0].type: 'conv2d' takes pictures (height, width, channel"),
        (conv2d(kernel_size=5), pictures(4, 9, 1), "window of 5 by 5, larger than what comes"),
        ({"type": "maxpool2d", "pool_size": 5}, pictures(9, 4, 1), "take a smaller pool_size"),
        (conv2d(padding="full"), pictures(9, 9, 1), "layers[0].padding: 'full' is not known"),
        (conv2d(kernel_size=0), pictures(9, 9, 1), "layers[0].kernel_size: must be from 1 to 31"),
        ({"type": "global_average_pooling"}, pictures(9), "takes sequences or pictures; 9 values"),
    ],
)
def test_what_cannot_see_a_picture_is_refused(layer, data, message):
    with pytest.raises(ConfigError) as caught:
        parse(settings(layer), data)
    assert message in str(caught.value)


def test_digits_are_read_as_pictures_with_97_of_100_right(digits, simd):
    """1,170 steps."""
    data = TrainingData(
        digits.train_rows.reshape(-1, 8, 8, 1),
        digits.train_targets,
        digits.validation_rows.reshape(-1, 8, 8, 1),
        digits.validation_targets,
    )
    layers = (
        conv2d(filters=16, padding="same"),
        {"type": "maxpool2d", "pool_size": 2},
        conv2d(filters=32),
    )
    trainer = Trainer(
        parse(settings(*layers, epochs=30), pictures(8, 8, 1)), data, seed=7, module=simd
    )
    assert list(trainer.run())[-1].validation_metric > 0.97


if __name__ == "__main__":
    write_figures()
