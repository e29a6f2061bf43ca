"""Ten steps of training as PyTorch takes them: dense and convolutional networks, autoencoders and
adversaries.

Each step is given to both: the same rows in the same order, the same weights to begin with, the
same noise, drawn by our own generator. Where PyTorch is not installed, what it gave is read from
figures/networks.json; `python -m tests.kernels.test_against_torch` writes that anew.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from kernels import config, ops
from kernels.build import module as built
from kernels.data import DataShape, Target, TrainingData
from kernels.graph import in_order
from kernels.trainer import Trainer

FIGURES = Path(__file__).parent / "figures" / "networks.json"
HAS_TORCH = importlib.util.find_spec("torch") is not None
ROWS, STEPS, RATE = 24, 10, 0.01
RNG = np.random.default_rng(8)
POINTS = RNG.standard_normal((ROWS, 6)).astype(np.float32) * 3 + 1
LABELS = (POINTS[:, 0] > POINTS[:, 1]).astype(np.int32)
SUMS = (POINTS @ RNG.standard_normal((6, 2))).astype(np.float32)
PICTURES = RNG.standard_normal((ROWS, 6, 5, 2)).astype(np.float32)
HIDDEN = [{"type": "dense", "units": 7, "activation": "tanh"}]
CODE = [*HIDDEN, {"type": "dense", "units": 3, "activation": "linear"}]

EYES = [
    {"type": "conv2d", "filters": 4, "kernel_size": 3, "padding": "same", "activation": "tanh"},
    {"type": "maxpool2d", "pool_size": 2},
    {"type": "conv2d", "filters": 5, "kernel_size": 2, "activation": "linear"},
]

# name → kind, layers, options, target, targets
CASES = {
    "feedforward": ("feedforward", HIDDEN, {}, Target.CLASSES, LABELS),
    "regression": ("feedforward", HIDDEN, {}, Target.VALUES, SUMS),
    "autoencoder": ("autoencoder", CODE, {"noise": 0.2}, Target.CLASSES, LABELS),
    "variational": ("autoencoder", CODE, {"variational": True}, Target.CLASSES, LABELS),
    "pictures": ("feedforward", EYES, {}, Target.CLASSES, LABELS),
    "gan": ("gan", HIDDEN, {"latent": 4}, Target.CLASSES, LABELS),
}


def rows_of(name):
    return PICTURES if name == "pictures" else POINTS


def trainer(name, variant="simd"):
    """One batch is all rows, so each epoch is one step."""
    kind, layers, options, target, targets = CASES[name]
    raw = {
        "architecture": {"type": kind, "layers": layers, **options},
        "training": {
            "epochs": STEPS, "batch_size": ROWS, "learning_rate": RATE, "optimizer": "adam",
        },
    }  # fmt: skip
    rows = rows_of(name)
    data = TrainingData(rows, targets, rows[:0], targets[:0])
    parsed = config.parse(raw, DataShape(rows.shape[1:], target, 2))
    return Trainer(parsed, data, seed=5, module=built(variant))


def ours(name, variant="simd"):
    """The loss of each step, and the weights after the last."""
    run = trainer(name, variant)
    losses = [point.train_loss for point in run.run()]
    return losses, {name: array.tolist() for name, array in run.weights().items()}


def given(run, step):
    """The order of the rows in a step, and the noise of its graph in the order it is drawn."""
    roots = run._plan.plan.source["train"].roots
    shuffle = next(node for node in roots if node.op == "shuffle")
    order, tag = np.zeros(ROWS, np.uint32), np.zeros(1, np.uint32)
    ops.TABLE["shuffle"].reference(shuffle, step, order, tag)
    drawn = [node for node in in_order(roots) if node.op == "normal"]
    return order.astype(np.int64), [ops.TABLE["normal"].reference(node, step) for node in drawn]


def theirs(name):
    """The same in PyTorch, written out as a textbook does."""
    import torch  # noqa: PLC0415  # a yardstick that need not be installed

    torch.set_num_threads(1)
    run = trainer(name)
    weights = {k: torch.tensor(v, requires_grad=True) for k, v in run.weights().items()}
    columns = {k: run._machine.read(node) for k, node in run._measured().items()}
    rows = torch.tensor((rows_of(name) - columns["input.mean"]) / columns["input.scale"])
    targets = torch.tensor(CASES[name][4])
    if "target.mean" in columns:
        targets = torch.tensor((SUMS - columns["target.mean"]) / columns["target.scale"])
    networks = {part: n.name for part, n in run.config.architecture.networks.items()}
    parts = {
        part: [p for k, p in weights.items() if k.startswith(prefix)]
        for part, prefix in networks.items()
    }
    moving = [parts[part] for part in ("discriminator", "generator")] if name == "gan" else None
    optimizers = [torch.optim.Adam(p, lr=RATE) for p in moving or [list(weights.values())]]
    losses = []
    for step in range(STEPS):
        order, noise = given(run, step)
        x, y, total = rows[order], targets[order], 0.0
        drawn = [torch.tensor(n) for n in noise]
        for phase, optimizer in enumerate(optimizers):
            loss = LOSSES[name](torch, run, weights, x, y, drawn, phase)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total)
    return losses, {k: v.tolist() for k, v in weights.items()}


def walk(torch, run, part, weights, x):
    """Layers by their names: activation(x W + b), over windows where they convolve."""
    network = run.config.architecture.networks[part]
    for number, layer in enumerate(network.layers):
        label = f"{network.name}{layer.word}{number}"
        if layer.word == "conv2d":
            window = weights[f"{label}.weight"].permute(3, 2, 0, 1)
            x = x.permute(0, 3, 1, 2)
            x = torch.nn.functional.conv2d(
                x, window, weights[f"{label}.bias"], padding=layer.padding
            ).permute(0, 2, 3, 1)
        elif layer.word == "maxpool2d":
            x = torch.nn.functional.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
            continue
        elif layer.word == "flatten":
            x = x.flatten(1)
            continue
        elif f"{label}.weight" in weights:
            x = x @ weights[f"{label}.weight"] + weights[f"{label}.bias"]
        else:
            continue
        if layer.activation == "tanh":
            x = torch.tanh(x)
        elif layer.activation == "leaky_relu":
            x = torch.nn.functional.leaky_relu(x, 0.01)
    return x


def of_classes(torch, run, weights, x, y, noise, phase):
    return torch.nn.functional.cross_entropy(walk(torch, run, "network", weights, x), y.long())


def of_values(torch, run, weights, x, y, noise, phase):
    return torch.nn.functional.mse_loss(walk(torch, run, "network", weights, x), y)


def of_denoised(torch, run, weights, x, y, noise, phase):
    code = walk(torch, run, "encoder", weights, x + noise[0].reshape(x.shape))
    return torch.nn.functional.mse_loss(walk(torch, run, "decoder", weights, code), x)


def of_drawn_codes(torch, run, weights, x, y, noise, phase):
    mean, spread = walk(torch, run, "encoder", weights, x).chunk(2, dim=1)
    code = mean + torch.exp(spread / 2) * noise[0].reshape(mean.shape)
    away = torch.nn.functional.mse_loss(walk(torch, run, "decoder", weights, code), x)
    divergence = 0.5 * (mean**2 + torch.exp(spread) - 1 - spread).sum(dim=1).mean()
    return away + divergence / x.shape[1]


def of_adversaries(torch, run, weights, x, y, noise, phase):
    made = walk(torch, run, "generator", weights, noise[0].reshape(ROWS, 4))
    judged = walk(torch, run, "discriminator", weights, made)
    says = torch.nn.functional.binary_cross_entropy_with_logits
    if phase == 1:
        return says(judged, torch.ones_like(judged))
    real = walk(torch, run, "discriminator", weights, x)
    return (says(real, torch.ones_like(real)) + says(judged, torch.zeros_like(judged))) / 2


LOSSES = {
    "feedforward": of_classes,
    "regression": of_values,
    "pictures": of_classes,
    "autoencoder": of_denoised,
    "variational": of_drawn_codes,
    "gan": of_adversaries,
}


def assert_alike(found, wanted):
    """Losses to five digits; weights after ten steps of Adam to a hundredth of one step."""
    np.testing.assert_allclose(found[0], wanted[0], rtol=2e-5)
    assert set(found[1]) == set(wanted[1])
    for name, array in wanted[1].items():
        np.testing.assert_allclose(found[1][name], array, atol=RATE / 100, err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_ten_steps_are_what_pytorch_gave(name, module):
    assert_alike(ours(name, module.variant), json.loads(FIGURES.read_text())[name])


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", CASES)
def test_pytorch_gives_it_again(name):
    assert_alike(theirs(name), json.loads(FIGURES.read_text())[name])


if __name__ == "__main__":
    FIGURES.write_text(json.dumps({name: theirs(name) for name in CASES}) + "\n")
