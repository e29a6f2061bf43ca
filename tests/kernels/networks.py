"""Small networks of every kind, as graphs and arrays, for the tests of what leaves the house.

Some are written by hand, to have every op; the others are what a configuration means, one for every
architecture.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import config, forward, ops, quantise
from kernels.build import Module
from kernels.data import DataShape, Target
from kernels.forward import PROGRAM, Forward
from kernels.graph import Node, leaf, reshape
from kernels.limits import Limits
from kernels.modelfile import Model, Signature
from kernels.objectives import objective_of
from kernels.runtime import Sandbox

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Network:
    """A graph, arrays for its parameters, and some rows for its only input."""

    graph: Mapping[str, Any]
    arrays: Arrays
    rows: NDArray[Any]


def network(made: Forward, rows: int = 5, seed: int = 0) -> Network:
    """With random numbers wherever numbers are wanted; tokens are below 7."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, node in made.parameters.items():
        values = (rng.standard_normal(node.shape) / 2).astype(np.float32)
        arrays[name] = np.abs(values) + np.float32(0.5) if name.endswith("scale") else values
    (given,) = made.inputs.values()
    shape = (rows * given.shape[0], *given.shape[1:])
    tokens, floats = rng.integers(0, 7, shape).astype("u4"), rng.standard_normal(shape)
    return Network(
        forward.to_json(made), arrays, tokens if given.dtype == "u4" else floats.astype("f4")
    )


def answers(network: Network, rows: NDArray[Any], module: Module) -> dict[str, NDArray[Any]]:
    """What our own sandbox says, as the server runs it."""
    capacity = forward.capacity(forward.from_json(network.graph, 1))
    plan = forward.prediction_plan(lambda n: forward.from_json(network.graph, n), capacity)
    sandbox = Sandbox(module, plan.plan, Limits())
    for name, node in plan.parameters.items():
        sandbox.array(node)[...] = network.arrays[name]
    (into,) = plan.inputs.values()
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in plan.outputs}
    for start in range(0, len(rows), capacity):
        block = rows[start : start + capacity]
        sandbox.array(into)[: len(block)] = block
        sandbox.call(PROGRAM, 0, 1, len(block))
        for name, node in plan.outputs.items():
            each = (node.shape or (0,))[0] // capacity
            parts[name].append(sandbox.array(node)[: each * len(block)].copy())
    return {name: np.concatenate(found) for name, found in parts.items()}


def parameter(known: dict[str, Node], name: str, *shape: int) -> Node:
    known[name] = leaf(name, shape)
    return known[name]


def dense() -> Network:
    """Standardised features, every activation, probabilities."""
    known: dict[str, Node] = {}
    x = leaf("input", (1, 64))
    columns = [parameter(known, f"input.{name}", 64) for name in ("mean", "scale")]
    h = ops.apply("standardise", x, *columns)
    activations = ("relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh")
    for number, activation in enumerate(activations):
        width = (h.shape or ())[1]
        h = ops.apply("matmul_nn", h, parameter(known, f"{number}.weight", width, 9 + number))
        h = ops.apply("bias", h, parameter(known, f"{number}.bias", 9 + number))
        h = ops.apply(activation, h)
    return network(Forward({"input": x}, known, {"probabilities": ops.apply("softmax", h)}), 600)


def tokens() -> Network:
    """Tokens, where they stand, a normalised mean of them, and two outputs."""
    known: dict[str, Node] = {}
    x = leaf("input", (1, 6), "u4")
    h = ops.apply("embedding", x, parameter(known, "table", 7, 8))
    h = ops.apply("positions", h)
    gain, bias = (parameter(known, f"norm.{name}", 8) for name in ("gain", "bias"))
    flat = ops.apply("layer_norm", reshape(h, (6, 8)), gain, bias, attributes={"epsilon": 1e-5})
    logits = ops.apply("matmul_nt", flat, known["table"])
    mean = ops.apply("mean_steps", reshape(flat, (1, 6, 8)))
    probabilities = reshape(ops.apply("softmax", logits), (1, 6, 7))
    outputs = {"probabilities": probabilities, "mean": mean}
    return network(Forward({"input": x}, known, outputs))


def encoder() -> Network:
    """Vectors, two heads of attention with and without a view of what comes, a mean."""
    known: dict[str, Node] = {}
    x = leaf("input", (1, 5, 3))
    steps = ops.apply("bias", product(known, "in", reshape(x, (5, 3)), 8), parameter(known, "b", 8))
    for name in ("first", "second"):
        sides = [parameter(known, f"{name}.{side}", 8) for side in ("gain", "bias")]
        normal = ops.apply("layer_norm", steps, *sides, attributes={"epsilon": 1e-5})
        qkv = reshape(product(known, f"{name}.qkv", normal, 24), (1, 5, 24))
        causal = {"causal": int(name == "second")}
        seen = ops.apply("attention", qkv, sizes={"h": 2}, attributes=causal)
        weights = ops.apply("attention_weights", qkv, sizes={"h": 2}, attributes=causal)
        steps = ops.apply("sum", steps, product(known, f"{name}.out", reshape(seen, (5, 8)), 8))
    mean = ops.apply("mean_steps", reshape(steps, (1, 5, 8)))
    return network(Forward({"input": x}, known, {"mean": mean, "weights": weights}))


def recurrent() -> Network:
    """An LSTM in both directions, and one over it of which only the end counts."""
    known: dict[str, Node] = {}
    x = leaf("input", (1, 7, 3))
    sides = [cell(known, name, x, 4, reverse=name == "back") for name in ("forth", "back")]
    both = ops.apply("join", *(reshape(side, (7, 4)) for side in sides), sizes={"n": 8})
    last = cell(known, "over", reshape(both, (1, 7, 8)), 5, reverse=False)
    end = ops.apply("take_step", last, attributes={"at": 6})
    return network(Forward({"input": x}, known, {"values": end, "states": last}))


def cell(known: dict[str, Node], name: str, x: Node, units: int, *, reverse: bool) -> Node:
    _, steps, width = x.shape or ()
    weight = parameter(known, f"{name}.weight", width, 4 * units)
    bias = parameter(known, f"{name}.bias", 4 * units)
    flat = reshape(x, (steps, width))
    gates = ops.apply("dense", flat, weight, bias, attributes={"activation": 0})
    recurrent = parameter(known, f"{name}.recurrent", units, 4 * units)
    gates = reshape(gates, (1, steps, 4 * units))
    return ops.apply("lstm", gates, recurrent, attributes={"reverse": int(reverse)})


def product(known: dict[str, Node], name: str, x: Node, width: int) -> Node:
    return ops.apply("matmul_nn", x, parameter(known, name, (x.shape or ())[1], width))


# ----------------------------------------------------------------------- what configurations mean

DENSE = {"type": "dense", "units": 9, "activation": "silu"}
LSTM = {"type": "lstm", "units": 6}
CONV = {"type": "conv2d", "filters": 5, "kernel_size": 3}
EMBEDDING = {"type": "embedding", "vocab_size": 7, "embed_dim": 8}
BLOCK = {"type": "transformer_block", "heads": 2, "ff_dim": 12}
TABLE, SERIES = DataShape.table(6, 3), DataShape((8, 3), Target.VALUES, 2)
PICTURES, TEXT = DataShape((9, 8, 3), Target.CLASSES, 4), DataShape((6,), Target.NEXT, 7, 7)

ARCHITECTURES: dict[str, tuple[DataShape, str, list[dict[str, Any]], dict[str, Any]]] = {
    "feedforward": (TABLE, "feedforward", [DENSE, {"type": "dropout", "rate": 0.2}, DENSE], {}),
    "regression": (DataShape((6,), Target.VALUES, 2), "feedforward", [DENSE], {}),
    "policy": (DataShape((6,), Target.ACTIONS, 3), "feedforward", [DENSE], {"loss": "reinforce"}),
    "autoencoder": (TABLE, "autoencoder", [DENSE], {}),
    "variational autoencoder": (TABLE, "autoencoder", [DENSE], {"variational": True}),
    "gan": (TABLE, "gan", [DENSE], {"latent": 4}),
    "forecast by an lstm": (SERIES, "lstm", [LSTM | {"bidirectional": True}, DENSE], {}),
    "lstm of each step": (
        DataShape((8, 3), Target.STEP_CLASSES, 4),
        "lstm",
        [LSTM | {"return_sequences": True}, LSTM | {"return_sequences": True}],
        {},
    ),
    "pictures": (
        PICTURES,
        "feedforward",
        [
            CONV | {"padding": "same"},
            {"type": "maxpool2d", "pool_size": 2},
            CONV | {"stride": 2, "activation": "tanh"},
            {"type": "flatten"},
            DENSE,
        ],
        {},
    ),
    "pooled pictures": (PICTURES, "feedforward", [CONV, {"type": "global_average_pooling"}], {}),
    "encoder of text": (
        DataShape((6,), Target.CLASSES, 3, 7),
        "transformer",
        [EMBEDDING, BLOCK, {"type": "layer_norm"}],
        {},
    ),
    "decoder of text": (TEXT, "transformer", [EMBEDDING | {"positions": "learned"}, BLOCK], {}),
}


def configured(name: str) -> Network:
    """The network in use that a configuration means."""
    data, kind, layers, options = ARCHITECTURES[name]
    training = {"epochs": 1, "batch_size": 2, "learning_rate": 0.1, "optimizer": "adam"}
    training |= {key: options[key] for key in options if key == "loss"}
    rest = {key: value for key, value in options.items() if key != "loss"}
    raw = {"architecture": {"type": kind, "layers": layers} | rest, "training": training}
    return network(objective_of(config.parse(raw, data)).answer(1))


def quantised(name: str) -> Network:
    """What a configuration means, with weights of one byte."""
    whole = configured(name)
    small = quantise.quantise(Model(whole.graph, Signature((), ()), whole.arrays))
    return Network(small.graph, small.arrays, whole.rows)


NETWORKS: dict[str, Callable[[], Network]] = {
    "dense": dense,
    "tokens": tokens,
    "encoder": encoder,
    "recurrent": recurrent,
    "quantised": partial(quantised, "pictures"),
    "quantised decoder": partial(quantised, "decoder of text"),
    **{name: partial(configured, name) for name in ARCHITECTURES},
}
