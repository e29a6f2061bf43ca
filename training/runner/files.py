"""The files that there are of a model, and what was found in each."""

from dataclasses import dataclass
from typing import Any

from training.models import Export, Model, Validation

SAFETENSORS = "safetensors"


@dataclass(frozen=True)
class ModelFile:
    """One file of a model: its kind is its suffix. `export` is the worker's row where one makes
    it, `scan` what was found in it, or nothing before anybody looked.
    """

    kind: str
    label: str
    sha256: str
    size_bytes: int
    scan: dict[str, Any]
    export: Export | None = None

    @property
    def is_ready(self) -> bool:
        return bool(self.sha256)

    @property
    def scan_state(self) -> str:
        return str(self.scan.get("state", "")) or "not scanned"


def files_of(model: Model, measured: Validation | None = None) -> list[ModelFile]:
    """The model's own file, then each format of others, made or not. What a validation found in
    the first is in `measured`, if the caller has it.
    """
    if measured is None or "scan" not in measured.report:
        measured = model.validations.done().filter(report__has_key="scan").first()
    scan = measured.report["scan"] if measured else {}
    made = {export.kind: export for export in model.exports.all()}
    own = ModelFile(SAFETENSORS, "safetensors", model.sha256, model.size_bytes, scan)
    return [own, *(export_file(kind, made.get(kind.value)) for kind in Export.Kind)]


def export_file(kind: Export.Kind, export: Export | None) -> ModelFile:
    if export is None:
        return ModelFile(kind.value, kind.label, "", 0, {})
    return ModelFile(kind.value, kind.label, export.sha256, export.size_bytes, export.scan, export)
