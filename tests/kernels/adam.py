"""A network and ten steps of Adam, held to those of PyTorch: to what it says where it is installed,
and to the figures that it gave.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import blocks, ops, optimizers
from kernels.autodiff import gradients
from kernels.blocks import Block
from kernels.build import Module
from kernels.compiler import Program, compile_programs
from kernels.graph import count, leaf, reshape
from kernels.limits import Limits
from kernels.network import Network
from kernels.runtime import Sandbox

RATE, STEPS = 0.01, 10
Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Outcome:
    """Logits (…, classes) and gradients at the start; the loss before each of the steps, and the
    weights after the last.
    """

    outputs: NDArray[np.float32]
    slopes: Arrays
    losses: NDArray[np.float32]
    moved: Arrays


def first_weights(network: Network) -> Arrays:
    """Weights that no way of drawing them can change."""
    rng = np.random.default_rng(5)
    return {
        parameter.name: (0.4 * rng.standard_normal(parameter.shape)).astype(np.float32)
        for parameter in network.parameters()
    }


def take_steps(
    network: Network, module: Module, rows: NDArray[Any], targets: NDArray[np.int64]
) -> Outcome:
    """Cross-entropy of the classes `targets`, of as many as the network has outputs; rows are
    numbers or tokens."""
    held, slopes = (blocks.block(part, network.parameters()) for part in ("weights", "slopes"))
    x = leaf("x", rows.shape, "f4" if rows.dtype.kind == "f" else "u4")
    y = leaf("y", (targets.size, 1), "u4")
    logits = network.build(x, held.parts)
    flat = reshape(logits, (targets.size, logits.elements // targets.size))
    loss = ops.apply("cross_entropy", flat, y)
    found = gradients(loss, held.parts.values())
    into = {found[held.parts[key]]: place for key, place in slopes.parts.items()}
    losses, out = leaf("losses", (STEPS,)), leaf("out", flat.shape or ())
    record = ops.apply("record", loss, losses, leaf("corrects", (STEPS,)))
    first, second = (leaf(part, held.whole.shape or ()) for part in optimizers.MOMENTS["adam"])
    rate, counted = leaf("rate", (1,)), leaf("counted", (1,))
    move = optimizers.move("adam", held.whole, slopes.whole, (first, second), rate, counted)
    programs = {
        "look": Program([flat, *into], into | {flat: out}),
        "step": Program([record, *into, move], into),
    }
    sandbox = Sandbox(module, compile_programs(programs), Limits(memory_bytes=2**26))
    for key, values in first_weights(network).items():
        sandbox.array(held.parts[key])[...] = values
    sandbox.array(x)[...] = rows
    sandbox.array(y)[...] = targets.reshape(-1, 1)
    sandbox.array(rate)[...] = RATE
    sandbox.run("look", 0, 1)
    outputs, at_start = sandbox.array(out).copy(), taken_apart(sandbox, slopes)
    sandbox.run("step", 0, STEPS)
    moved = taken_apart(sandbox, held)
    return Outcome(outputs, at_start, sandbox.array(losses).copy(), moved)


def taken_apart(sandbox: Sandbox, block: Block) -> Arrays:
    whole, offset, found = sandbox.array(block.whole), 0, {}
    for key, part in block.parts.items():
        shape = part.shape or ()
        found[key] = whole[offset : offset + count(shape)].reshape(shape).copy()
        offset += count(shape)
    return found


# ------------------------------------------------------------------------------------------ PyTorch


def torch_weights(torch: Any, network: Network) -> dict[str, Any]:
    return {
        key: torch.tensor(values, requires_grad=True)
        for key, values in first_weights(network).items()
    }


def torch_steps(
    torch: Any,
    forward: Callable[[Any], Any],
    weights: Mapping[str, Any],
    rows: NDArray[Any],
    targets: NDArray[np.int64],
) -> Outcome:
    """The same of PyTorch: `forward` makes logits of rows, by these weights."""
    optimizer = torch.optim.Adam(weights.values(), lr=RATE)
    losses: list[float] = []
    for step in range(STEPS):
        optimizer.zero_grad()
        logits = forward(torch.from_numpy(rows))
        flat = logits.reshape(-1, logits.shape[-1])
        loss = torch.nn.functional.cross_entropy(flat, torch.from_numpy(targets.reshape(-1)))
        loss.backward()
        if step == 0:
            outputs = flat.detach().numpy().copy()
            slopes = {key: value.grad.numpy().copy() for key, value in weights.items()}
        optimizer.step()
        losses.append(loss.item())
    moved = {key: value.detach().numpy() for key, value in weights.items()}
    return Outcome(outputs, slopes, np.array(losses, np.float32), moved)


def compare(found: Outcome, expected: Outcome, output_off: float, slope_off: float) -> None:
    """Within so much: outputs, and slopes as a share of their largest where that is above 1. After
    ten steps more, since Adam divides small gradients by themselves.
    """
    np.testing.assert_allclose(found.outputs, expected.outputs, rtol=0, atol=output_off)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=0, atol=2e-5)
    assert set(found.slopes) == set(expected.slopes)
    for key, values in expected.slopes.items():
        limit = slope_off * max(1, np.abs(values).max())
        np.testing.assert_allclose(found.slopes[key], values, rtol=0, atol=limit, err_msg=key)
    for key, values in expected.moved.items():
        np.testing.assert_allclose(found.moved[key], values, rtol=0, atol=1e-3, err_msg=key)


def figures_of(outcome: Outcome) -> dict[str, Any]:
    """What is kept of PyTorch's: of gradients and weights their lengths."""
    return {
        "outputs": outcome.outputs.tolist(),
        "losses": outcome.losses.tolist(),
        "slopes": lengths(outcome.slopes),
        "moved": lengths(outcome.moved),
    }


def lengths(values: Arrays) -> dict[str, float]:
    return {key: float(np.linalg.norm(array)) for key, array in values.items()}


def compare_figures(found: Outcome, figures: Mapping[str, Any], output_off: float) -> None:
    np.testing.assert_allclose(found.outputs, figures["outputs"], rtol=0, atol=output_off)
    assert lengths(found.slopes) == pytest.approx(figures["slopes"], rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(found.losses, figures["losses"], rtol=0, atol=2e-5)
    assert lengths(found.moved) == pytest.approx(figures["moved"], rel=1e-3)


def write_figures(path: Path, outcomes: Mapping[str, Outcome]) -> None:
    found = {name: figures_of(outcome) for name, outcome in outcomes.items()}
    path.write_text(json.dumps(found, indent=1) + "\n")
