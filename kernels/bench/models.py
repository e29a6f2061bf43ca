"""The workloads' networks as models, in each of the formats that a peer reads."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from numpy.typing import NDArray

from kernels import build, config, modelfile
from kernels.bench.steps import LIMITS
from kernels.bench.workloads import Workload
from kernels.exchange import onnx_writer, wasm
from kernels.exchange.wasm import Texts
from kernels.limits import Limits
from kernels.modelfile import Signature
from kernels.trainer import Trainer


@dataclass(frozen=True)
class Exported:
    """A model file, the same as ONNX and as one .wasm, and rows for it."""

    name: str
    file: bytes
    onnx: bytes
    wasm: bytes
    rows: NDArray[Any]
    limits: Limits


@lru_cache
def exported(workload: Workload) -> Exported:
    """The network of a workload after one step of training."""
    data = workload.data()
    settings = config.parse(workload.raw, workload.shape)
    trainer = Trainer(settings, data, seed=1, module=build.module(), limits=LIMITS)
    list(trainer.run(steps=1))
    blob = trainer.export(Signature((), ()), {})
    model = modelfile.load(blob)
    texts = Texts(model.signature.to_json(), {})
    return Exported(
        name=workload.name.rpartition(", batch")[0],
        file=blob,
        onnx=onnx_writer.export(model.graph, model.arrays, texts),
        wasm=wasm.export(model.graph, model.arrays, texts, build.module()),
        rows=data.train_rows[: workload.batch_rows],
        limits=LIMITS,
    )
