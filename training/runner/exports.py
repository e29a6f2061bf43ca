"""Makes a model's file in the format of others, and looks through it before anybody gets it."""

from contextlib import suppress
from functools import partial

from django.db import transaction
from django.db.models.functions import Now

from governance import services as governance
from kernels import build, generator, modelfile
from kernels.exchange import onnx_writer, wasm
from kernels.exchange.wasm import ExportRefused, Texts
from kernels.graphfields import GraphRefused
from kernels.limits import SandboxError
from kernels.tensors import ModelRefused
from training.models import Export, Work
from training.runner import blobs, leases, scans

# What a model is that has no such file: trying again would end the same way.
FAULTS = (ExportRefused, GraphRefused, SandboxError, ModelRefused, blobs.BlobFault)


def make_export(export_id: str) -> None:
    """Make the file, if this work is to be had."""
    leases.do(Export, export_id, write_file)


def write_file(export: Export) -> None:
    leases.renew(export)
    kind = Export.Kind(export.kind)
    try:
        content = converted(blobs.get(export.model.sha256), kind)
    except FAULTS as error:
        leases.fail(export, code=leases.fault_code(error), message=str(error))
        return
    leases.renew(export)
    found = scans.scan(f"model.{kind.value}", content)
    sha256 = blobs.put(content, beat=partial(leases.heartbeat_of_parts(export), 0))
    with transaction.atomic():
        blobs.keep(sha256, content)
        leases.write(
            export,
            status=Work.Status.DONE,
            lease_until=None,
            finished_at=Now(),
            sha256=sha256,
            size_bytes=len(content),
            scan=found,
        )
        governance.record(
            actor=None,
            verb="make_export",
            subject=export,
            details={"sha256": sha256, "scan": found["state"]},
        )


def converted(content: bytes, kind: Export.Kind) -> bytes:
    """A model file in another format. Raises FAULTS."""
    model = modelfile.load(content)
    texts = Texts(model.signature.to_json(), dict(model.provenance))
    if kind is Export.Kind.ONNX:
        return onnx_writer.export(model.graph, model.arrays, texts)
    with suppress(ModelRefused):  # of what makes examples the part that does, as it is asked here
        model = generator.generator(model)
    return wasm.export(model.graph, model.arrays, texts, build.module())
