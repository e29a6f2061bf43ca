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
    measured = {name: PARTS[name][0]() for name in parts}
    short = [text for name, part in measured.items() for text in shortfalls(name, part)]
    return found | measured | {"below_floor": short}


def shortfalls(name: str, part: dict[str, Any]) -> list[str]:
    """What is slower than its floor: a row's own, that of each row, or that of the part."""
    found = []
    mean = part.get("geometric_mean")
    if mean is not None and mean < part["floor"]:
        found.append(f"{name}: the geometric mean, {mean:.2f} of {part['floor']:g}")
    for row in part["rows"]:
        floor = row.get("floor", part.get("floor_each", part.get("floor")))
        if row.get("counts", True) and row["ratio"] is not None and row["ratio"] < floor:
            found.append(f"{name}: {row['name']}, {row['ratio']:.2f} of {floor:g}")
    return found


def lines(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    text = [f"kernel {report['kernel_hash'][:16]}, one thread"]
    for name, (_, write) in PARTS.items():
        if name in report:
            text += ["", *write(report[name])]
    short = report["below_floor"]
    return [*text, "", "below their floors:" if short else "nothing is below its floor"] + [
        f"  {line}" for line in short
    ]
