"""What PyTorch makes of given losses, and of ten steps of its optimisers on given gradients.

    python -m tests.kernels.torch_objectives > tests/kernels/figures/objectives.json

where PyTorch is installed; it imports nothing of ours, so that nothing of ours can be in it.
"""

import json
import sys

import numpy as np

ROWS, CLASSES, PARAMETERS, STEPS = 5, 7, 9, 10
SMOOTHING, DELTA, TAU, BONUS = 0.1, 0.7, 0.9, 0.05
RATE = 0.05
# by our names: PyTorch's optimiser, and what it is told; then what our steps are told
OPTIMIZERS = {
    "sgd": ("SGD", {}, {}),
    "momentum": ("SGD", {"momentum": 0.9}, {"momentum": 0.9}),
    "nesterov": (
        "SGD",
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True},
    ),
    "adam": ("Adam", {}, {}),
    "adamw": ("AdamW", {"weight_decay": 0.1}, {"weight_decay": 0.1}),
    "rmsprop": ("RMSprop", {}, {}),
    "rmsprop_momentum": ("RMSprop", {"momentum": 0.5}, {"momentum": 0.5}),
    "adagrad": ("Adagrad", {}, {}),
    "regularised": ("SGD", {"weight_decay": 0.1}, {"l2": 0.1}),
    "clipped": ("SGD", {}, {"clip_norm": 1.5}),
}


def numbers():
    """The same in every run: sources of losses, gradients of ten steps."""
    rng = np.random.default_rng(3)
    shares = np.exp(rng.standard_normal((ROWS, CLASSES)))
    found = {
        "x": rng.standard_normal((ROWS, CLASSES)),
        "labels": rng.integers(0, CLASSES, (ROWS, 1)),
        "weights": np.exp(rng.standard_normal(CLASSES)),
        "shares": shares / shares.sum(axis=1, keepdims=True),
        "targets": rng.standard_normal((ROWS, CLASSES)),
        "halves": rng.random((ROWS, CLASSES)),
        "advantages": rng.standard_normal((ROWS, 1)),
        "begin": rng.standard_normal(PARAMETERS),
        "gradients": rng.standard_normal((STEPS, PARAMETERS)),
    }
    return {
        name: array.astype(np.float32) if array.dtype.kind == "f" else array
        for name, array in found.items()
    }


def losses(torch, given):
    """By our names: functions of x."""
    f = torch.nn.functional
    labels = given["labels"]

    def quantile(x):
        away = given["targets"] - x
        return torch.maximum(TAU * away, (TAU - 1) * away).mean()

    def divergence(x):
        here = torch.distributions.Normal(x, (given["targets"] / 2).exp())
        return (
            torch.distributions.kl_divergence(here, torch.distributions.Normal(0.0, 1.0))
            .sum(dim=1)
            .mean()
        )

    def policy(x):
        acting = torch.distributions.Categorical(logits=x)
        own = acting.log_prob(labels[:, 0]) * given["advantages"][:, 0]
        return (-own - BONUS * acting.entropy()).mean()

    return {
        "cross_entropy": lambda x: f.cross_entropy(x, labels[:, 0]),
        "weighted_cross_entropy": lambda x: f.cross_entropy(
            x, labels[:, 0], weight=given["weights"], label_smoothing=SMOOTHING
        ),
        "soft_cross_entropy": lambda x: f.cross_entropy(x, given["shares"]),
        "binary_cross_entropy": lambda x: f.binary_cross_entropy_with_logits(x, given["halves"]),
        "squared_error": lambda x: f.mse_loss(x, given["targets"]),
        "absolute_error": lambda x: f.l1_loss(x, given["targets"]),
        "huber": lambda x: f.huber_loss(x, given["targets"], delta=DELTA),
        "quantile": quantile,
        "divergence": divergence,
        "policy_gradient": policy,
        "action_value": lambda x: f.huber_loss(
            x.gather(1, labels), given["advantages"], delta=DELTA
        ),
    }


def moved(torch, given, name):
    kind, options, ours = OPTIMIZERS[name]
    p = torch.nn.Parameter(given["begin"].clone())
    optimizer = getattr(torch.optim, kind)([p], lr=RATE, **options)
    for gradient in given["gradients"]:
        p.grad = gradient.clone()
        if "clip_norm" in ours:
            torch.nn.utils.clip_grad_norm_([p], ours["clip_norm"])
        optimizer.step()
    return p.detach().tolist()


def figures(torch):
    """{"losses": name → [value, gradient in x], "parameters": name → where ten steps lead}."""
    given = {name: torch.from_numpy(array) for name, array in numbers().items()}
    found = {}
    for name, loss in losses(torch, given).items():
        x = given["x"].clone().requires_grad_()
        value = loss(x)
        value.backward()
        found[name] = [value.item(), x.grad.tolist()]
    return {
        "losses": found,
        "parameters": {name: moved(torch, given, name) for name in OPTIMIZERS},
    }


if __name__ == "__main__":
    import torch

    json.dump(figures(torch), sys.stdout, indent=1)
    sys.stdout.write("\n")
