"""LSTM layers: the same numbers as PyTorch, and that they learn.

Where PyTorch is installed it is asked; everywhere the figures that it gave are read from
figures/lstm.json, which it writes anew by

    python -m tests.kernels.test_lstm
"""

import json
import textwrap
from pathlib import Path

import numpy as np
import pytest

from kernels import config
from kernels.data import DataShape, Target, TrainingData
from kernels.layers.dense import Dense
from kernels.layers.recurrent import Lstm
from kernels.network import Network
from kernels.trainer import Trainer
from tests.kernels import adam
from tests.kernels.adam import first_weights, take_steps

FIGURES = Path(__file__).parent / "figures" / "lstm.json"
ROWS, CLASSES = 5, 3
# sequence to one; sequence to sequence; both walks, and one layer above the other
NETWORKS = {
    "one": Network((7, 3), (Lstm(5), Dense(CLASSES, "softmax"))),
    "each": Network((7, 3), (Lstm(5, return_sequences=True), Dense(CLASSES, "softmax"))),
    "both": Network(
        (7, 3),
        (
            Lstm(4, return_sequences=True, bidirectional=True),
            Lstm(3, bidirectional=True),
            Dense(CLASSES, "softmax"),
        ),
    ),
}


def examples(name):
    rng = np.random.default_rng(6)
    rows = rng.standard_normal((ROWS, 7, 3)).astype(np.float32)
    return rows, rng.integers(0, CLASSES, (ROWS, 7) if name == "each" else (ROWS, 1))


# ------------------------------------------------------------------------------------------ PyTorch


def torch_lstm(torch, layer, label, weights):
    """The layer as nn.LSTM, its gradients by our names. PyTorch has two biases, of which one is
    left at zero.
    """
    prefixes = ("", "reverse_") if layer.bidirectional else ("",)
    width = len(weights[f"{label}.weight"])
    module = torch.nn.LSTM(width, layer.units, batch_first=True, bidirectional=layer.bidirectional)
    ours = {}
    for prefix in prefixes:
        ending = "_l0_reverse" if prefix else "_l0"
        for key, theirs in (
            ("weight", "weight_ih"),
            ("recurrent", "weight_hh"),
            ("bias", "bias_ih"),
        ):
            place = getattr(module, theirs + ending)
            place.data = torch.tensor(weights[f"{label}.{prefix}{key}"].T.copy())
            ours[f"{label}.{prefix}{key}"] = place
        rest = getattr(module, "bias_hh" + ending)
        rest.data.zero_()
        rest.requires_grad_(False)
    return module, ours


def torch_network(torch, name):
    """A function from rows to logits, and what it trains by our names."""
    weights, places, parts = first_weights(NETWORKS[name]), {}, []
    *lstms, _ = NETWORKS[name].layers
    for number, layer in enumerate(lstms):
        module, ours = torch_lstm(torch, layer, f"lstm{number}", weights)
        places |= ours
        parts.append((layer, module))
    end = torch.nn.Linear(*weights[f"dense{len(lstms)}.weight"].shape)
    end.weight.data = torch.tensor(weights[f"dense{len(lstms)}.weight"].T.copy())
    end.bias.data = torch.tensor(weights[f"dense{len(lstms)}.bias"])
    places |= {f"dense{len(lstms)}.weight": end.weight, f"dense{len(lstms)}.bias": end.bias}

    def forward(x):
        for layer, module in parts:
            states, (last, _) = module(x)  # last: (walks, rows, units)
            x = states if layer.return_sequences else torch.cat(list(last), dim=1)
        return end(x)

    return forward, places


def torch_steps(torch, name):
    """As of tests.kernels.adam; PyTorch has weights the other way round."""
    found = adam.torch_steps(torch, *torch_network(torch, name), *examples(name))
    slopes, moved = (
        {key: values.T.copy() for key, values in part.items()}
        for part in (found.slopes, found.moved)
    )
    return {"outputs": found.outputs, "losses": found.losses, "slopes": slopes, "moved": moved}


def check(name, module, expected):
    """Single precision on both sides: a few units of the last place of numbers about 1, more after
    ten steps of Adam, which divides small gradients by themselves.
    """
    found = take_steps(NETWORKS[name], module, *examples(name))
    np.testing.assert_allclose(found.outputs, expected["outputs"], rtol=0, atol=2e-6)
    np.testing.assert_allclose(found.losses, expected["losses"], rtol=0, atol=1e-5)
    assert set(found.slopes) == set(expected["slopes"])
    for key, values in expected["slopes"].items():
        np.testing.assert_allclose(found.slopes[key], values, rtol=0, atol=1e-6, err_msg=key)
    for key, values in expected["moved"].items():
        np.testing.assert_allclose(found.moved[key], values, rtol=0, atol=1e-4, err_msg=key)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_gradients_and_ten_steps_are_those_of_pytorch(name, module):
    check(name, module, torch_steps(pytest.importorskip("torch"), name))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_figures_that_pytorch_gave_come_out(name, module):
    check(name, module, json.loads(FIGURES.read_text())[name])


def write_figures():
    """All but the moved weights, on which the losses depend."""
    torch = pytest.importorskip("torch")
    found = {name: listed(torch_steps(torch, name) | {"moved": {}}) for name in NETWORKS}
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(textwrap.fill(json.dumps(found), 100, break_long_words=False) + "\n")


def listed(value):
    """As JSON has it, to eight digits, which is what single precision can tell."""
    if isinstance(value, dict):
        return {key: listed(part) for key, part in value.items()}
    return [listed(part) for part in value] if np.ndim(value) else float(f"{value:.8g}")


# ---------------------------------------------------------------------------------- that they learn


def lstm_config(*layers):
    training = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01, "optimizer": "adam"}
    return {"architecture": {"type": "lstm", "layers": list(layers)}, "training": training}


def sequences(rows, seed=1):
    """Is the sum of the first column positive? It is known after the last step alone."""
    values = np.random.default_rng(seed).standard_normal((rows, 12, 3)).astype(np.float32)
    return values, (values[:, :, 0].sum(axis=1) > 0).astype(np.int32)


@pytest.mark.parametrize(
    "layers",
    [
        [{"type": "lstm", "units": 8}],
        [{"type": "lstm", "params": {"units": 8, "bidirectional": True, "dropout": 0.1}}],
        [{"type": "lstm", "units": 8, "return_sequences": True}, {"type": "lstm", "units": 6}],
    ],
)
def test_an_lstm_learns_what_only_all_steps_together_tell(layers, simd):
    rows, targets = sequences(1_024)
    settings = config.parse(lstm_config(*layers), DataShape((12, 3), Target.CLASSES, 2))
    data = TrainingData(rows, targets, *sequences(256, seed=2))
    *_, last = Trainer(settings, data, seed=5, module=simd).run()
    assert last.validation_metric > 0.9


def test_each_step_of_a_sequence_may_be_asked_for_its_class(simd):
    """Has the sum up to this step, walked from either end, been positive?"""
    rows, _ = sequences(512)
    targets = (rows[:, :, 0].cumsum(axis=1) > 0).astype(np.int32)
    layer = {"type": "lstm", "units": 8, "return_sequences": True, "bidirectional": True}
    settings = config.parse(lstm_config(layer), DataShape((12, 3), Target.STEP_CLASSES, 2))
    data = TrainingData(rows, targets, rows[:0], targets[:0])
    first, *_, last = Trainer(settings, data, seed=5, module=simd).run()
    assert last.train_loss < 0.6 * first.train_loss


def test_the_forget_gate_starts_open(simd):
    settings = config.parse(
        lstm_config({"type": "lstm", "units": 5}), DataShape((12, 3), Target.CLASSES, 2)
    )
    rows, targets = sequences(64)
    trainer = Trainer(
        settings, TrainingData(rows, targets, rows[:0], targets[:0]), seed=1, module=simd
    )
    weights = trainer.weights()
    assert weights["lstm0.bias"].tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10
    assert 0 < np.abs(weights["lstm0.recurrent"]).max() <= 5**-0.5
    assert len(np.unique(weights["lstm0.recurrent"])) == 100


@pytest.mark.parametrize(
    ("shape", "vocabulary", "message"),
    [
        ((36,), 0, "not 36 values; put 'reshape' before it, or 'embedding'"),
        ((4, 3, 3), 0, r"put 'reshape' before it, to \(steps, width\)"),
    ],
)
def test_what_is_no_sequence_is_refused_with_the_way_out(shape, vocabulary, message):
    data = DataShape(shape, Target.CLASSES, 2, vocabulary)
    with pytest.raises(config.ConfigError, match=message):
        config.parse(lstm_config({"type": "lstm", "units": 5}), data)


def test_what_foretells_tokens_may_not_walk_from_their_end():
    embedding = {"type": "embedding", "vocab_size": 9, "embed_dim": 4}
    layer = {"type": "lstm", "params": {"units": 5, "return_sequences": True}}
    data = DataShape((12,), Target.NEXT, 9, vocabulary=9)
    config.parse(lstm_config(embedding, layer), data)
    layer["params"]["bidirectional"] = True
    message = r"layers\[1\].params.bidirectional: must be false, since each step is asked for what"
    with pytest.raises(config.ConfigError, match=message):
        config.parse(lstm_config(embedding, layer), data)


def test_an_lstm_is_written_as_it_was_read():
    layer = {"type": "lstm", "units": 5, "bidirectional": True, "dropout": 0.25}
    data = DataShape((12, 3), Target.CLASSES, 2)
    settings = config.parse(lstm_config(layer), data)
    assert config.parse(settings.to_json(), data) == settings


if __name__ == "__main__":
    write_figures()
