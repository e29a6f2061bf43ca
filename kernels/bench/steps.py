"""Training steps against PyTorch: picking a batch, forward, loss, backward and the optimiser."""

import importlib.util
from typing import Any

from kernels import build, config
from kernels.bench import torch_steps
from kernels.bench.turns import Turn, in_turns, repeated
from kernels.bench.workloads import WORKLOADS, Workload
from kernels.data import TrainingData
from kernels.limits import Limits
from kernels.trainer import Trainer

ROUNDS = 7
TURN_SECONDS = 0.1
LIMITS = Limits(memory_bytes=2**31)


def measure() -> dict[str, Any]:
    """Microseconds of a step; `ratio` is how many times as long PyTorch's takes."""
    has_torch = importlib.util.find_spec("torch") is not None
    rows = [measure_workload(workload, has_torch) for workload in WORKLOADS]
    return {"peer": "PyTorch eager" if has_torch else None, "rows": rows}


def measure_workload(workload: Workload, has_torch: bool) -> dict[str, Any]:
    data = workload.data()
    contestants: dict[str, Turn] = {"here": our_turn(workload, data)}
    if has_torch:
        contestants["peer"] = torch_turn(workload, data)
    seconds = in_turns(contestants, ROUNDS)
    peer = seconds.get("peer")
    return {
        "name": workload.name,
        "here_us": seconds["here"] * 1e6,
        "peer_us": None if peer is None else peer * 1e6,
        "ratio": None if peer is None else peer / seconds["here"],
        "floor": workload.floor,
        "goal": workload.goal,
    }


def lines(found: dict[str, Any]) -> list[str]:
    text = [f"one training step against {found['peer'] or 'PyTorch, which is not installed here'}"]
    for row in found["rows"]:
        peer = "" if row["ratio"] is None else (
            f"  PyTorch {row['peer_us']:10.1f} µs: {row['ratio']:5.2f} times as long"
            f" (floor {row['floor']:g}, goal {row['goal']:g})"
        )  # fmt: skip
        text.append(f"  {row['name']:<56} {row['here_us']:10.1f} µs{peer}")
    return text


def our_turn(workload: Workload, data: TrainingData) -> Turn:
    settings = config.parse(workload.raw, workload.shape)
    trainer = Trainer(settings, data, seed=1, module=build.module(), limits=LIMITS)

    def work(steps: int) -> None:
        list(trainer.run(steps=steps))

    return repeated(work, TURN_SECONDS)


def torch_turn(workload: Workload, data: TrainingData) -> Turn:
    step = torch_steps.step(workload.network, workload.batch_rows, data)

    def work(steps: int) -> None:
        for _ in range(steps):
            step()

    return repeated(work, TURN_SECONDS)
