"""Inference in WebAssembly against inference in WebAssembly: our one .wasm and onnxruntime-web, the
same models in the same Node process, each on one thread.

The peer is fetched by npm into a temporary folder; without npm, or where it cannot be had, the
report says so.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from kernels.bench.models import Exported, exported
from kernels.bench.workloads import WORKLOADS

PEER = "onnxruntime-web@1.30.0"
FLOOR, GOAL = 1.0, 1.5
ROUNDS = 7
SECONDS_LIMIT = 120
LOADER = Path(__file__).parents[2] / "static" / "predict.mjs"
CONTEST = Path(__file__).with_name("contest.mjs")


class NotHere(Exception):
    """The peer, or Node, cannot be had on this machine; the text says why."""


def measure() -> dict[str, Any]:
    """Microseconds of one row and of a batch; `ratio` is how many times as long the peer takes."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = contest(Path(folder))
    except NotHere as error:
        return {"peer": None, "reason": str(error), "floor": FLOOR, "goal": GOAL, "rows": []}
    return {"peer": PEER, "floor": FLOOR, "goal": GOAL, "rows": rows}


def lines(found: dict[str, Any]) -> list[str]:
    if found["peer"] is None:
        return [f"inference in Node: nothing to compare with: {found['reason']}"]
    text = [f"inference in Node, WebAssembly against WebAssembly: {found['peer']}"]
    return text + [
        f"  {row['name']:<58} {row['here_us']:9.1f} µs  peer"
        f" {row['peer_us']:9.1f} µs: {row['ratio']:5.2f} times as long"
        for row in found["rows"]
    ]


def contest(folder: Path) -> list[dict[str, Any]]:
    """Raises NotHere."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotHere("Node and npm are not installed here")
    fetched = ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(folder), PEER]
    run([npm, *fetched])
    cases = [
        {"rows": rows} | written(folder, number, exported(workload), rows)
        for number, workload in enumerate(WORKLOADS)
        for rows in (1, workload.batch_rows)
    ]
    (folder / "cases.json").write_text(json.dumps(cases))
    shutil.copy(CONTEST, folder)
    # the good machine code from the first call on: it would come later, made by other threads
    found = run([node, "--no-liftoff", str(folder / CONTEST.name), str(LOADER), str(ROUNDS)])
    return list(json.loads(found))


def written(folder: Path, number: int, model: Exported, rows: int) -> dict[str, Any]:
    """The files of a case, and how it is told apart."""
    stem = folder / f"{number}-{rows}"
    given = model.rows[:rows]
    stem.with_suffix(".wasm").write_bytes(model.wasm)
    stem.with_suffix(".onnx").write_bytes(model.onnx)
    stem.with_suffix(".rows").write_bytes(given.tobytes())
    return {
        "name": model.name,
        "stem": stem.name,
        "shape": list(given.shape),
        "is_of_tokens": given.dtype.kind in "iu",
    }


def run(command: list[str]) -> str:
    """What a program of ours says. Raises NotHere where it fails."""
    # every word of the command is ours, but for the places where node and npm are
    ran = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, timeout=SECONDS_LIMIT
    )
    if ran.returncode != 0:
        said = [line for line in ran.stderr.splitlines() if "rror" in line] or [ran.stderr[-200:]]
        raise NotHere(f"{Path(command[0]).name} failed: {said[0].strip()}")
    return ran.stdout
