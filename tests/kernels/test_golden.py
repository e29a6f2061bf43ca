"""The bits themselves: a small training of every kind ends in the weights that are written down.

A change of arithmetic shows here and nowhere else, since both modules and every engine would change
alike. Where it is meant, `python -m tests.kernels.test_golden` writes the hashes anew, and the
commit says why old models would come out otherwise.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from kernels import config, philox
from kernels.build import module as built
from kernels.data import DataShape, Target, TrainingData
from kernels.trainer import Trainer

FIGURES = Path(__file__).parent / "figures" / "golden.json"
ROWS, VALIDATION = 48, 16


def words(purpose, *shape):
    """Whole numbers below 2^24 that no library of random numbers can change."""
    count = int(np.prod(shape))
    return philox.words24(philox.stream(2026, purpose), 0, count).astype(np.int64).reshape(shape)


def floats(purpose, *shape):
    return (words(purpose, *shape) * 2.0**-23 - 1).astype(np.float32)


def data(rows, targets, rewards=None):
    parts = [rows[:ROWS], targets[:ROWS], rows[ROWS:], targets[ROWS:]]
    if rewards is None:
        return TrainingData(*parts)
    return TrainingData(*parts, rewards[:ROWS], rewards[ROWS:])


ALL = ROWS + VALIDATION
TABLE, WAVES, PICTURES = floats(1, ALL, 10), floats(2, ALL, 9, 3), floats(3, ALL, 8, 8, 1)
TEXTS, CLASSES = words(4, ALL, 12) % 17, (words(5, ALL) % 3).astype(np.int32)
TOKENS = {"type": "embedding", "vocab_size": 17, "embed_dim": 16}
BLOCK = {"type": "transformer_block", "heads": 4, "ff_dim": 24, "dropout": 0.1}
LSTM = {"type": "lstm", "units": 12}

# name → architecture, what the data are, the data, further settings, pattern
CASES = {
    "feedforward": (
        ("feedforward", [{"type": "dense", "units": 20, "activation": "gelu"}], {}),
        DataShape.table(10, 3),
        data(TABLE, CLASSES),
        {"schedule": {"kind": "cosine"}, "clip_norm": 1.0},
        "lateral",
    ),
    "convolution": (
        (
            "feedforward",
            [
                {"type": "conv2d", "filters": 6, "kernel_size": 3, "padding": "same"},
                {"type": "maxpool2d", "pool_size": 2},
                {"type": "conv2d", "filters": 8, "kernel_size": 3},
            ],
            {},
        ),
        DataShape((8, 8, 1), Target.CLASSES, 3),
        data(PICTURES, CLASSES),
        {},
        "chaotic",
    ),
    "augmentation": (
        ("feedforward", [{"type": "conv2d", "filters": 6, "kernel_size": 3}], {}),
        DataShape((8, 8, 1), Target.CLASSES, 3),
        data(PICTURES, CLASSES),
        {"augmentation": {"shift": 2, "flip": True, "contrast": 0.3, "brightness": 0.2}},
        None,
    ),
    "lstm": (
        ("lstm", [LSTM | {"return_sequences": True, "bidirectional": True}, LSTM], {}),
        DataShape((9, 3), Target.VALUES, 2),
        data(WAVES, floats(6, ALL, 2)),
        {"loss": "huber", "optimizer": "rmsprop"},
        "quantum",
    ),
    "transformer": (
        ("transformer", [TOKENS, BLOCK], {}),
        DataShape((12,), Target.CLASSES, 3, vocabulary=17),
        data(TEXTS, CLASSES),
        {"optimizer": "adamw", "weight_decay": 0.01},
        "evolutionary",
    ),
    "decoder": (
        ("transformer", [TOKENS, BLOCK], {}),
        DataShape((12,), Target.NEXT, 17, vocabulary=17),
        data(TEXTS, np.roll(TEXTS, -1, axis=1)),
        {"dynamic_batch": 4},
        None,
    ),
    "autoencoder": (
        ("autoencoder", [{"type": "dense", "units": 8}, {"type": "dense", "units": 3}], {
            "variational": True, "noise": 0.1,
        }),
        DataShape.table(10, 3),
        data(TABLE, CLASSES),
        {},
        "associative",
    ),
    "gan": (
        ("gan", [{"type": "dense", "units": 12}], {"latent": 5}),
        DataShape.table(10, 3),
        data(TABLE, CLASSES),
        {"optimizer": "sgd", "momentum": 0.5, "shards": 2},
        None,
    ),
    "policy": (
        ("feedforward", [{"type": "dense", "units": 12, "activation": "tanh"}], {}),
        DataShape((10,), Target.ACTIONS, 3),
        data(TABLE, CLASSES, floats(7, ALL)),
        {"optimizer": "adagrad"},
        None,
    ),
}  # fmt: skip


def written(name):
    """As a person writes it, and the data."""
    (kind, layers, options), shape, rows, further, pattern = CASES[name]
    raw = {
        "architecture": {"type": kind, "layers": layers, **options},
        "training": {"epochs": 4, "batch_size": 8, "learning_rate": 0.01, "optimizer": "adam"}
        | further,
    }
    if pattern is not None:
        raw["divergent"] = {"enabled": True, "pattern": pattern, "factor": 0.5}
    return raw, shape, rows


def trained(name, variant="simd"):
    raw, shape, rows = written(name)
    run = Trainer(config.parse(raw, shape), rows, seed=2026, module=built(variant))
    list(run.run())
    return run.weights_sha256()


@pytest.mark.parametrize("name", CASES)
def test_the_weights_are_those_that_were_written_down(name, module):
    assert trained(name, module.variant) == json.loads(FIGURES.read_text())[name]


if __name__ == "__main__":
    FIGURES.write_text(json.dumps({name: trained(name) for name in CASES}, indent=2) + "\n")
