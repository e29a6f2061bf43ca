"""A site of its own to measure on: a trained model of 64-128-10, a key, rows and right answers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from billing import services as billing
from config import demo, worker
from governance import services as governance
from governance.models import Scope
from kernels import build, modelfile
from kernels.exchange import onnx_writer
from kernels.exchange.wasm import Texts
from kernels.predictor import Predictor
from training import services as training

ROWS = 1_000
FILE = "ground.json"
ONNX = "model.onnx"
ARRAYS = "arrays.npz"
PURSE_MICROCREDITS = 10**12


@dataclass(frozen=True)
class Ground:
    """What a client needs. `expected` are the right answers to the rows."""

    key: str
    model: str
    onnx: Path
    rows: NDArray[np.float32]
    expected: NDArray[np.float32]


def lay(folder: Path) -> None:
    """Make it all on the database of this process, and leave in a folder what a client needs."""
    demo.prepare_database()
    with worker.at_work():
        owner = demo.person("alice")
        data = demo.dataset(quietly)
        model = demo.train(owner=owner, data=data, seed=0, progress=quietly)
    billing.issue(
        user=owner,
        amount_microcredits=PURSE_MICROCREDITS,
        reason="Calls of a measurement",
        key="bench",
        promotional=True,
    )
    _, secret = governance.create_api_key(owner=owner, name="bench", scopes=[Scope.PREDICT])
    with training.open_file(sha256=model.sha256) as file:
        content = file.read()
    loaded = modelfile.load(content)
    texts = Texts(loaded.signature.to_json(), {})
    (folder / ONNX).write_bytes(onnx_writer.export(loaded.graph, loaded.arrays, texts))
    rows = np.random.default_rng(1).integers(0, 17, (ROWS, 64)).astype(np.float32)
    expected = Predictor(content, module=build.module()).predict(rows)
    np.savez(folder / ARRAYS, rows=rows, expected=expected)
    (folder / FILE).write_text(json.dumps({"key": secret, "model": str(model.pk)}))


def quietly(step: str, share: float) -> None:
    """Nobody watches."""


def read(folder: Path) -> Ground:
    told: dict[str, Any] = json.loads((folder / FILE).read_text())
    with np.load(folder / ARRAYS) as arrays:
        return Ground(
            key=told["key"],
            model=told["model"],
            onnx=folder / ONNX,
            rows=arrays["rows"],
            expected=arrays["expected"],
        )
