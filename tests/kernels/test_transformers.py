"""Transformers: the same numbers as PyTorch, and that they learn.

Where PyTorch is installed it is asked; everywhere the figures that it gave are read from
figures/transformers.json, which it writes anew by

    python -m tests.kernels.test_transformers
"""

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from kernels.config import parse
from kernels.data import DataShape, Target, TrainingData
from kernels.layers.attention import Attention, Feedforward, LayerNorm
from kernels.layers.dense import Dense
from kernels.layers.sequences import Embedding
from kernels.layers.vision import GlobalAveragePooling
from kernels.network import Network
from kernels.ops.sequences import sinusoids
from kernels.trainer import Trainer
from tests.kernels import adam

FIGURES = Path(__file__).parent / "figures" / "transformers.json"
STEPS, VOCABULARY, WIDTH, ROWS = 6, 11, 8, 5
NETWORKS = {
    "encoder": Network(
        (STEPS,),
        (
            Embedding(VOCABULARY, WIDTH),
            Attention(2),
            Feedforward(12),
            LayerNorm(),
            GlobalAveragePooling(),
            Dense(3, "softmax"),
        ),
    ),
    "decoder": Network(
        (STEPS,),
        (
            Embedding(VOCABULARY, WIDTH, "learned"),
            Attention(4, causal=True),
            Feedforward(9, activation="gelu"),
            Dense(VOCABULARY, "softmax"),
        ),
    ),
}
TARGETS = {"encoder": (ROWS, 1), "decoder": (ROWS, STEPS)}
CLASSES = {"encoder": 3, "decoder": VOCABULARY}


def examples(name):
    """Tokens, and what they should answer."""
    rng = np.random.default_rng(5)
    tokens = rng.integers(0, VOCABULARY, (ROWS, STEPS))
    return tokens, rng.integers(0, CLASSES[name], TARGETS[name])


def torch_forward(torch, name, w, tokens):
    """The same network as people write it in PyTorch."""
    functional = torch.nn.functional

    def norm(x, key):
        return functional.layer_norm(x, (WIDTH,), w[f"{key}gain"], w[f"{key}bias"])

    def dense(x, key):
        return x @ w[f"{key}.weight"] + w[f"{key}.bias"]

    is_encoder = name == "encoder"
    stand = torch.from_numpy(sinusoids(STEPS, WIDTH).astype(np.float32))
    x = w["embedding0.table"][tokens] + (stand if is_encoder else w["embedding0.positions"])
    heads = 2 if is_encoder else 4
    qkv = dense(norm(x, "attention1.norm."), "attention1.qkv")
    q, k, v = qkv.view(ROWS, STEPS, 3, heads, WIDTH // heads).permute(2, 0, 3, 1, 4)
    y = functional.scaled_dot_product_attention(q, k, v, is_causal=not is_encoder)
    x = x + dense(y.transpose(1, 2).reshape(ROWS, STEPS, WIDTH), "attention1.out")
    y = dense(norm(x, "feedforward2.norm."), "feedforward2.in")
    y = torch.relu(y) if is_encoder else functional.gelu(y, approximate="tanh")
    x = x + dense(y, "feedforward2.out")
    return dense(norm(x, "layer_norm3.").mean(1), "dense5") if is_encoder else dense(x, "dense3")


def torch_steps(torch, name):
    weights = adam.torch_weights(torch, NETWORKS[name])
    forward = partial(torch_forward, torch, name, weights)
    return adam.torch_steps(torch, forward, weights, *examples(name))


def without_key_bias(values):
    """A bias of all keys moves each row of scores as a whole, which softmax does not notice: its
    gradient is rounding, and Adam makes steps as large of it as of any other.
    """
    return {
        key: np.delete(array, slice(WIDTH, 2 * WIDTH)) if key.endswith("qkv.bias") else array
        for key, array in values.items()
    }


def settled(outcome):
    """All that is not rounding of it."""
    slopes, moved = (without_key_bias(values) for values in (outcome.slopes, outcome.moved))
    return dataclasses.replace(outcome, slopes=slopes, moved=moved)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_gradients_and_ten_steps_are_those_of_pytorch(name, module):
    expected = torch_steps(pytest.importorskip("torch"), name)
    found = adam.take_steps(NETWORKS[name], module, *examples(name))
    found, expected = (
        dataclasses.replace(outcome, moved=without_key_bias(outcome.moved))
        for outcome in (found, expected)
    )
    adam.compare(found, expected, output_off=5e-6, slope_off=2e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_figures_that_pytorch_gave_come_out(name, module):
    found = settled(adam.take_steps(NETWORKS[name], module, *examples(name)))
    adam.compare_figures(found, json.loads(FIGURES.read_text())[name], output_off=5e-6)


def write_figures():
    import torch  # noqa: PLC0415  # an optional peer, and only where the figures are made

    outcomes = {name: settled(torch_steps(torch, name)) for name in NETWORKS}
    adam.write_figures(FIGURES, outcomes)


# ---------------------------------------------------------------------------------- that they learn


def tokens_of(steps, vocabulary, classes=2):
    return DataShape((steps,), Target.CLASSES, classes, vocabulary)


def settings(*layers, kind="transformer", epochs=1):
    training = {"epochs": epochs, "batch_size": 32, "learning_rate": 0.003, "optimizer": "adam"}
    return {"architecture": {"type": kind, "layers": list(layers)}, "training": training}


DOCUMENTED = [
    {"type": "embedding", "params": {"vocab_size": 10_000, "embed_dim": 256}},
    {"type": "attention", "params": {"heads": 8, "dropout": 0.1}},
    {"type": "feedforward", "params": {"hidden_dim": 1_024, "dropout": 0.1}},
]


def orders(rows, steps, seed):
    """Sequences of tokens, and whether token 1 comes before token 2: nothing that a count shows."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(3, 12, (rows, steps)).astype(np.int32)
    places = np.sort(np.stack([rng.permutation(steps)[:2] for _ in range(rows)]), axis=1)
    labels = rng.integers(0, 2, rows)
    tokens[np.arange(rows), places[:, 0]] = np.where(labels, 1, 2)
    tokens[np.arange(rows), places[:, 1]] = np.where(labels, 2, 1)
    return tokens, labels.astype(np.int32)


def test_a_transformer_learns_which_token_comes_first(simd):
    rows, labels = orders(512, 8, seed=1)
    others, truth = orders(256, 8, seed=2)
    raw = settings(
        {"type": "embedding", "vocab_size": 12, "embed_dim": 16},
        {"type": "transformer_block", "heads": 4, "ff_dim": 32},
        {"type": "layer_norm"},
        epochs=40,
    )
    trainer = Trainer(
        parse(raw, tokens_of(8, 12)), TrainingData(rows, labels, others, truth), seed=3, module=simd
    )
    metrics = list(trainer.run())
    assert metrics[0].validation_metric < 0.7
    assert metrics[-1].validation_metric > 0.97


def test_the_documented_transformer_trains_as_it_is_written(simd):
    """2.6 million parameters, 20 steps: a second or two."""
    rng = np.random.default_rng(4)
    rows = rng.integers(0, 10_000, (64, 12)).astype(np.int32)
    data = TrainingData(rows, (rows[:, 0] % 2).astype(np.int32), rows[:0], rows[:0, 0])
    raw = settings(*DOCUMENTED, epochs=10)
    raw["training"]["learning_rate"] = 0.001
    trainer = Trainer(parse(raw, tokens_of(12, 10_000)), data, seed=3, module=simd)
    metrics = list(trainer.run())
    assert metrics[-1].train_loss < 0.5 * metrics[0].train_loss
    assert metrics[-1].train_metric > 0.9


if __name__ == "__main__":
    write_figures()
