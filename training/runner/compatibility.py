"""Whether a model answers elsewhere as it does here: to the bit, or within a tolerance we state.

    where                 what runs there                                what is asked of it
    scalar module         the same C without vector instructions         the same bits
    wasmtime              the exported .wasm, without anything of ours   the same bits
    Node                  the exported .wasm with static/predict.mjs     the same bits
    a browser             the same two files                             not tried by a worker
    ONNX Runtime          the exported .onnx                             1e-5 of the largest answer

What is not installed is not tried, and said so: nobody is told that it passed.
"""

import base64
import importlib
import importlib.util
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import wasmtime
from django.conf import settings
from numpy.typing import NDArray

from kernels import build
from kernels.exchange import onnx_writer, wasm
from kernels.exchange.wasm import ExportRefused, Texts
from kernels.graphfields import GraphRefused
from kernels.limits import SandboxError
from kernels.modelfile import Model
from kernels.predictor import Predictor
from training.runner import walls
from training.runner.children import how_it_ended
from training.runner.figures import Beat, unheard

ROWS_MAX = 32
TOLERANCE = 1e-5  # as a share of the largest answer, or of 1 where all are smaller
NODE_SECONDS_MAX = 20  # less than a lease, which is not renewed meanwhile
Answers = Mapping[str, NDArray[np.float32]]
# What Node is asked to do: load the file, answer the rows, print the bytes of each output.
NODE_PROGRAM = """
const [loader, model] = process.argv.slice(1);
const rows = JSON.parse(require("fs").readFileSync(0));
const coded = ([name, values]) => [name, Buffer.from(values.buffer).toString("base64")];
import(loader)
  .then(({ load }) => load(model))
  .then((loaded) => Object.fromEntries(Object.entries(loaded.run(rows)).map(coded)))
  .then((found) => console.log(JSON.stringify(found)))
  .catch((error) => { console.error(`${error}`); process.exit(1); });
"""


class NotTried(Exception):
    """There is nothing here to try it with; the text says what is missing."""


class Failed(Exception):
    """It was tried and gave no answers; the text says why."""


# Why a file of this kind cannot be made, or does not load: told, and no fault of the worker.
FAULTS = (Failed, ExportRefused, GraphRefused, SandboxError, wasmtime.WasmtimeError)


@dataclass(frozen=True)
class Tried:
    """What one place answered. `state` is identical, close, different, failed or not tried."""

    where: str
    state: str
    detail: str
    largest_difference: float | None = None


@dataclass(frozen=True)
class Reference:
    """A model, the rows it is asked and what the site answers."""

    content: bytes
    model: Model
    rows: NDArray[Any]
    expected: Answers

    @property
    def texts(self) -> Texts:
        return Texts(self.model.signature.to_json(), dict(self.model.provenance))

    def wasm(self) -> bytes:
        return wasm.export(self.model.graph, self.model.arrays, self.texts, build.module())


def compatibility(model: bytes, rows: NDArray[Any], *, beat: Beat = unheard) -> dict[str, Any]:
    """How other runtimes answer the first rows (n, *input) of those given.

    {"state": "passed" | "failed", "rows", "tolerance", "runtimes": [{"where", "state", "detail",
    "largest_difference"}]}. Raises what `Predictor` raises where the site cannot answer itself.
    """
    asked = rows[:ROWS_MAX]
    predictor = Predictor(model, module=build.module(), limits=walls.PREDICTION)
    reference = Reference(model, predictor.model, asked, predictor.outputs(asked))
    tried = []
    for where, run in RUNTIMES.items():
        tried.append(attempt(where, run, reference))
        beat(len(tried))
    is_wrong = any(one.state in ("different", "failed") for one in tried)
    return {
        "state": "failed" if is_wrong else "passed",
        "rows": len(asked),
        "tolerance": TOLERANCE,
        "runtimes": [asdict(one) for one in tried],
    }


def attempt(
    where: str, run: Callable[[Reference], tuple[Answers, str]], reference: Reference
) -> Tried:
    try:
        found, detail = run(reference)
        return compared(where, detail, found, reference.expected)
    except NotTried as reason:
        return Tried(where, "not tried", str(reason))
    except FAULTS as error:
        return Tried(where, "failed", f"{error}"[:300])


def compared(where: str, detail: str, found: Answers, expected: Answers) -> Tried:
    """The worst of all outputs, as a share of the largest answer."""
    if set(found) != set(expected):
        return Tried(where, "different", f"{detail}; it has the outputs {sorted(found)}")
    differences, is_identical = [0.0], True
    for name, values in expected.items():
        other = np.asarray(found[name], np.float32).reshape(values.shape)
        is_identical &= bool((other.view(np.uint32) == values.view(np.uint32)).all())
        scale = max(1.0, float(np.abs(values).max(initial=0)))
        differences.append(float(np.abs(other - values).max(initial=0)) / scale)
    largest = max(differences)
    state = "identical" if is_identical else "close" if largest <= TOLERANCE else "different"
    if not is_identical and where in TO_THE_BIT:
        state = "different"
    return Tried(where, state, detail, largest)


def by_scalar(reference: Reference) -> tuple[Answers, str]:
    module = build.module("scalar")
    predictor = Predictor(reference.content, module=module, limits=walls.PREDICTION)
    return predictor.outputs(reference.rows), "the same sources without vector instructions"


def by_wasmtime(reference: Reference) -> tuple[Answers, str]:
    """As anyone would who has the file and a WebAssembly engine."""
    blob = reference.wasm()
    about = wasm.read(blob)
    store = wasmtime.Store()
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, blob), []).exports(store)
    memory, predict = exports["memory"], exports["predict"]
    assert isinstance(memory, wasmtime.Memory)
    assert isinstance(predict, wasmtime.Func)
    place, capacity = about["inputs"][0], about["capacity"]
    parts: dict[str, list[NDArray[np.float32]]] = {one["name"]: [] for one in about["outputs"]}
    for start in range(0, len(reference.rows), capacity):
        rows = np.ascontiguousarray(reference.rows[start : start + capacity])
        memory.write(store, rows.tobytes(), place["address"])
        predict(store, len(rows))
        for one in about["outputs"]:
            size_bytes = 4 * len(rows) * int(np.prod(one["shape"]))
            raw = bytes(memory.read(store, one["address"], one["address"] + size_bytes))
            parts[one["name"]].append(np.frombuffer(raw, np.float32))
    found = {name: np.concatenate(values) for name, values in parts.items()}
    return found, f"wasmtime {version('wasmtime')}, the exported file and nothing of ours"


def by_node(reference: Reference) -> tuple[Answers, str]:
    node = shutil.which("node")
    if node is None:
        raise NotTried("Node is not installed here")
    loader = Path(settings.BASE_DIR, "static", "predict.mjs").as_uri()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.wasm")
        path.write_bytes(reference.wasm())
        try:
            ran = subprocess.run(  # noqa: S603  # our own program, our own files
                [node, "-e", NODE_PROGRAM, loader, path.as_uri()],
                input=json.dumps(reference.rows.tolist()),
                capture_output=True,
                text=True,
                timeout=NODE_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"no answer within {NODE_SECONDS_MAX} s") from error
    if ran.returncode:
        how = how_it_ended("node", ran.returncode, ran.stderr)
        raise Failed(f"the file that Node loads ended it without answers ({how})")
    coded = json.loads(ran.stdout)
    found = {n: np.frombuffer(base64.b64decode(text), np.float32) for n, text in coded.items()}
    return found, "the exported file with the site's own predict.mjs"


def by_browser(reference: Reference) -> tuple[Answers, str]:
    raise NotTried("a worker has no browser; it would load the same two files as Node")


def by_onnx(reference: Reference) -> tuple[Answers, str]:
    """ONNX Runtime is a tool of development, so it is looked for and never demanded."""
    if importlib.util.find_spec("onnxruntime") is None:
        raise NotTried("ONNX Runtime is not installed here")
    onnxruntime = importlib.import_module("onnxruntime")
    blob = onnx_writer.export(reference.model.graph, reference.model.arrays, reference.texts)
    session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    kind = np.int64 if reference.rows.dtype.kind in "iu" else np.float32
    names = [output.name for output in session.get_outputs()]
    found = session.run(None, {given.name: reference.rows.astype(kind)})
    detail = f"ONNX Runtime {version('onnxruntime')}; other sums, so other last digits"
    return dict(zip(names, found, strict=True)), detail


RUNTIMES: dict[str, Callable[[Reference], tuple[Answers, str]]] = {
    "Scalar module": by_scalar,
    "wasmtime": by_wasmtime,
    "Node": by_node,
    "Browser": by_browser,
    "ONNX Runtime": by_onnx,
}
TO_THE_BIT = {"Scalar module", "wasmtime", "Node"}
