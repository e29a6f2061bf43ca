"""How fast: matrix products against the limit, every op against the scalar module, training steps
against PyTorch, one row against ONNX Runtime, and WebAssembly against WebAssembly in Node.

One command, one run, one thread; all contestants of a comparison take turns (turns.py). Peers that
are not installed are left out, and the report says so.
"""

from collections.abc import Callable, Sequence
from typing import Any

from kernels import build
from kernels.bench import predictions, products, steps, table, web

PARTS: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[dict[str, Any]], list[str]]]] = {
    "products": (products.measure, products.lines),
    "ops": (table.measure, table.lines),
    "steps": (steps.measure, steps.lines),
    "predictions": (predictions.measure, predictions.lines),
    "web": (web.measure, web.lines),
}


def measure(parts: Sequence[str] = tuple(PARTS)) -> dict[str, Any]:
    """The report of these parts; each states its floors and goals beside what was measured."""
    found: dict[str, Any] = {"kernel_hash": build.module().kernel_hash}
    return found | {name: PARTS[name][0]() for name in parts}


def lines(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    text = [f"kernel {report['kernel_hash'][:16]}, one thread"]
    for name, (_, write) in PARTS.items():
        if name in report:
            text += ["", *write(report[name])]
    return text
