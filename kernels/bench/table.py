"""Every op of the table, vector module against scalar module: the same sources, the same bits.

An op's case is made from its signature: a size for each letter, numbers for each source. CASES
holds what cannot be guessed: attributes that must fit the sizes, whole numbers that must be below
one of them. An op for which neither gives a case is named in the report.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kernels import build, ops
from kernels.bench.products import require
from kernels.bench.turns import Turn, in_turns, repeated
from kernels.compiler import Program, compile_programs
from kernels.graph import Node, Number, leaf
from kernels.limits import Limits
from kernels.ops import TABLE, Array
from kernels.runtime import Sandbox
from kernels.signature import ShapeError

FLOOR, GOAL = 4.0, 5.0  # of the geometric mean
FLOOR_EACH, GOAL_EACH = 1.5, 2.0
ROUNDS = 7
TURN_SECONDS = 0.004
MEMORY_BYTES = 512 * 2**20

# sizes by letter: a batch of 32 rows, some hundred floats wide, as it comes from the op before: in
# the first cache
SIZES = {"count": 4_096, "m": 64, "k": 96, "n": 128, "b": 32, "t": 16, "h": 32, "c": 32, "d": 64}
OTHER_SIZE = 16
FEW = 8  # elements


@dataclass(frozen=True)
class Case:
    """What an op is timed on, where that is not the rule. `whole` names the size that numbers in
    its whole-number sources stay below; `steps` is how often it may run before it leaves its data.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, Number] = field(default_factory=dict)
    whole: str | None = None
    is_positive: bool = False
    steps: int | None = None


HEADS = {"b": 4, "t": 64, "d": 128, "h": 4}
JOINED = {"m": 256, "p": 48, "q": 80, "n": 128}
IMAGES = {"b": 8, "h": 14, "w": 14, "c": 16, "p": 3, "q": 3, "f": 32, "i": 14, "j": 14}
POOLED = {"b": 8, "h": 28, "w": 28, "c": 16, "i": 14, "j": 14}
BATCH = 256  # the largest of the usual ones, where a row is but a few numbers
HALVES = {"window": 2, "stride": 2, "top": 0, "left": 0}
CASES = {
    "matmul_nn": Case({"m": 64, "k": 256, "n": 128}),
    "matmul_nt": Case({"m": 64, "k": 128, "n": 256}),
    "matmul_tn": Case({"m": 256, "k": 64, "n": 128}),
    "gather": Case({"n": 1_024, "c": 64}, whole="n"),
    "take_rows": Case({"n": 64 * 64, "b": 64, "c": 64}, {"first": 0}, steps=64),
    "put_rows": Case({"n": 64 * 64, "b": 64, "c": 64}, {"first": 0}, steps=64),
    "shuffle": Case({"n": 4_096}),
    "record": Case({"p": 8}),
    "cross_entropy": Case({"n": 16}, whole="n"),
    "cross_entropy_gradient": Case({"n": 16}, whole="n"),
    "uniform": Case({"count": 4_096}),
    "dropout": Case({"count": 4_096}, {"drop_below": 2**23}),
    "adam": Case({"n": 4_096}, is_positive=True),
    "adamw": Case({"n": 4_096}, is_positive=True),
    "rmsprop": Case({"n": 4_096}, is_positive=True),
    "adagrad": Case({"n": 4_096}, is_positive=True),
    "sgd": Case({"n": 4_096}),
    "clip_norm": Case({"n": 16_384}),
    "clip_value": Case({"n": 16_384}),
    "regularise": Case({"n": 16_384}),
    "accumulate": Case({"n": 16_384}),
    "measure_noise": Case({"n": 16_384}),
    "mixup": Case({"n": 784}),
    "mixup_gradient": Case({"n": 784}),
    "lateral": Case({"n": 4_096}),
    "log": Case(is_positive=True),
    "attention": Case(HEADS),
    "attention_gradient": Case(HEADS),
    "attention_weights": Case(HEADS),
    "embedding": Case({"v": 1_000}, whole="v"),
    "embedding_gradient": Case({"v": 1_000}, whole="v"),
    "one_hot": Case({"m": BATCH, "n": 16}, whole="n"),
    "weighted_cross_entropy": Case(whole="n"),
    "weighted_cross_entropy_gradient": Case(whole="n"),
    "policy_gradient": Case({"n": 16}, whole="n"),
    "policy_gradient_gradient": Case({"n": 16}, whole="n"),
    "action_value": Case({"m": BATCH, "n": 16}, whole="n"),
    "action_value_gradient": Case({"m": BATCH, "n": 16}, whole="n"),
    "expected_return": Case({"m": BATCH, "n": 16}),
    "take_step": Case({"t": 24, "h": 128}, {"at": 23}),
    "place_step": Case({"t": 24, "h": 128}, {"at": 23}),
    "join": Case(JOINED),
    "take_columns": Case({"m": 256, "n": 128, "p": 48}, {"first": 32}),
    "place_columns": Case({"m": 256, "n": 128, "p": 48}, {"first": 32}),
    "mask": Case({"n": 4_096}),
    "conv2d": Case(IMAGES),
    "conv2d_weights_gradient": Case(IMAGES),
    "conv2d_input_gradient": Case(IMAGES),
    "maxpool2d": Case(POOLED, HALVES),
    "maxpool2d_gradient": Case(POOLED, HALVES),
    "embedding_int8": Case({"v": 1_000}, whole="v"),
    "dense_int8": Case({"m": 64, "k": 256, "n": 128}),
}


def measure() -> dict[str, Any]:
    """How many times as long the scalar module takes: each op, their geometric mean, the least.
    What works on a number or two has nothing to do side by side, and does not count.
    """
    rows: list[dict[str, Any]] = []
    unmeasured: dict[str, str] = {}
    for name in TABLE:
        try:
            node, memory = case(name)
        except ShapeError as error:
            unmeasured[name] = str(error)
            continue
        counts = max(place.elements for place in (*memory, node)) > FEW
        rows.append({"name": name, "counts": counts} | compare(name, node, memory))
    counted = [row for row in rows if row["counts"]]
    ratios = [row["ratio"] for row in counted]
    return {
        "floor": FLOOR,
        "goal": GOAL,
        "floor_each": FLOOR_EACH,
        "goal_each": GOAL_EACH,
        "geometric_mean": math.exp(sum(map(math.log, ratios)) / len(ratios)),
        "least": min(ratios),
        "unmeasured": unmeasured,
        "rows": sorted(rows, key=lambda row: float(row["ratio"])),
    }


def lines(found: dict[str, Any]) -> list[str]:
    counted = sum(row["counts"] for row in found["rows"])
    text = [f"{counted} ops against the scalar module: geometric mean "
            f"{found['geometric_mean']:.2f} times as fast, least {found['least']:.2f}"]  # fmt: skip
    text += [
        f"  {row['name']:<24} {row['simd_us']:8.2f} µs  scalar {row['scalar_us']:9.2f} µs"
        f"  {row['ratio']:6.2f} times{'' if row['counts'] else ', on a number or two'}"
        for row in found["rows"]
    ]
    return text + [f"  {name}: has no case: {why}" for name, why in found["unmeasured"].items()]


def case(name: str) -> tuple[Node, dict[Node, Array]]:
    """A node of the op on leaves, and numbers for them. Raises ShapeError where the rule does not
    fit and CASES has nothing.
    """
    row, special = TABLE[name], CASES.get(name, Case())
    sizes = {s: SIZES.get(s, OTHER_SIZE) for s in row.signature.sizes} | dict(special.sizes)
    rng = np.random.default_rng(1)
    memory: dict[Node, Array] = {}
    for number, term in enumerate(row.signature.inputs):
        shape = (sizes["count"],) if term.is_any else term.shape(sizes)
        dtype = "f4" if term.dtype == "*" else term.dtype
        place = leaf(f"source{number}", shape, dtype)
        memory[place] = numbers(rng, place, special, sizes)
    shown = {at for term in row.signature.inputs for _, at in term.sizes}
    unseen = {s: n for s, n in sizes.items() if (s if s != "count" else "...") not in shown}
    attributes = {key: 1 if of is int else 0.5 for key, of in row.attributes.items()}
    attributes |= special.attributes
    return ops.apply(name, *memory, sizes=unseen, attributes=attributes), memory


def numbers(
    rng: np.random.Generator, place: Node, special: Case, sizes: Mapping[str, int]
) -> Array:
    shape = place.shape or ()
    if place.dtype == "u4":
        high = 1 if special.whole is None else sizes[special.whole]
        return rng.integers(0, high, shape).astype(np.uint32)
    if place.dtype == "i1":
        return rng.integers(-127, 128, shape).astype(np.int8)
    values = rng.standard_normal(shape).astype(np.float32)
    return np.abs(values) if special.is_positive else values


def compare(name: str, node: Node, memory: Mapping[Node, Array]) -> dict[str, float]:
    most_steps = CASES.get(name, Case()).steps
    seconds = in_turns(
        {variant: op_turn(variant, node, memory, most_steps) for variant in build.VARIANT_FLAGS},
        ROUNDS,
        pick=min,  # turns this short are as often disturbed as not
    )
    return {
        "simd_us": seconds["simd"] * 1e6,
        "scalar_us": seconds["scalar"] * 1e6,
        "ratio": seconds["scalar"] / seconds["simd"],
    }


def op_turn(
    variant: build.Variant, node: Node, memory: Mapping[Node, Array], most_steps: int | None
) -> Turn:
    into = {} if node.shape is None else {node: leaf("out", node.shape, node.dtype)}
    plan = compile_programs({"main": Program([node], into)})
    limits = Limits(memory_bytes=MEMORY_BYTES)
    sandbox = Sandbox(build.module(variant), plan, limits)
    for place, values in memory.items():
        sandbox.array(place)[...] = values

    def work(repeats: int) -> None:
        for first in range(0, repeats, most_steps or repeats):
            steps = min(repeats - first, most_steps or repeats)
            require(sandbox.call("main", 0, steps), steps)

    return repeated(work, TURN_SECONDS)
