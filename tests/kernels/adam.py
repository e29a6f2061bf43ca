"""A network and ten steps of Adam, so that they can be held to another library's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
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
