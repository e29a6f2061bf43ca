"""Has a file of rows read that models are to be asked, in a process of its own, for whatever work
asks them: that work's lease is kept alive meanwhile.
"""

import json
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.numpy
from numpy.typing import NDArray

from training.models import Dataset, Model, Work
from training.runner import blobs, leases
from training.runner.caps import bounds_of
from training.runner.children import run_reader
from training.runner.formats import FIRST_BYTES, UnknownFormat, format_of
from training.runner.networks import READY

ASKED_FORMATS = (
    Dataset.Format.CSV,
    Dataset.Format.TSV,
    Dataset.Format.PARQUET,
    Dataset.Format.JSONL,
    Dataset.Format.NPY,
)
ASKED_FORMATS_NAMED = "CSV, TSV, Parquet, JSON lines or NPY"


class RowsFault(leases.WorkFault):
    """Rows that the models do not take, each with its number and column."""

    def __init__(self, message: str, problems: list[dict[str, Any]]) -> None:
        super().__init__("file_refused", message)
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class AskedRows:
    """A file that was read: its rows as numbers, which are stored under this hash, to be kept by
    who names them; and the columns that nobody uses.
    """

    sha256: str
    content: bytes
    rows: int
    unused: list[str]


def asked_format(first: bytes, name: str) -> Dataset.Format:
    """The format of a file of rows to ask. Raises UnknownFormat."""
    found = format_of(first[:FIRST_BYTES], name)
    if found not in ASKED_FORMATS:
        raise UnknownFormat(f"is {found.label}; bring rows as {ASKED_FORMATS_NAMED}")
    return found


def read_asked(
    work: Work,
    *,
    upload_sha256: str,
    file_name: str,
    format: str,
    owner_id: uuid.UUID,
    models: Sequence[Model],
) -> AskedRows:
    """Raises WorkFault, which of rows is RowsFault, and LeaseLost."""
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            blobs.fetch(upload_sha256, folder / "upload")
            ask = {
                "format": format,
                "bounds": bounds_of(owner_id),
                "recipes": recipes_of(models),
            }
            (folder / "ask.json").write_text(json.dumps(ask))
            run_reader(folder, on_wait=partial(leases.wait, work))
            found = json.loads((folder / "answer.json").read_text())
            if "refused" in found:
                said = f"“{file_name}” {found['refused']}"
                raise RowsFault(said, found.get("problems", []))
            content = (folder / "rows.safetensors").read_bytes()
    except blobs.BlobFault as fault:
        raise leases.WorkFault("blob", f"{fault} Bring the file again.") from fault
    sha256 = blobs.put(content, beat=partial(leases.heartbeat_of_parts(work), 0))
    return AskedRows(sha256=sha256, content=content, **found["fields"])


def recipes_of(models: Sequence[Model]) -> list[dict[str, Any]]:
    """Those that differ, in the order in which the models have them."""
    found: list[dict[str, Any]] = []
    for model in models:
        recipe = recipe_of(model)
        if recipe not in found:
            found.append(recipe)
    return found


def recipe_of(model: Model) -> dict[str, Any]:
    recipe = READY.take(model.sha256).recipe
    if recipe is None:
        raise leases.WorkFault(
            "no_recipe", f"“{model.name}” says nothing of how a row becomes its numbers."
        )
    return recipe.to_json()


def rows_by_model(sheet_sha256: str, models: Sequence[Model]) -> list[NDArray[Any]]:
    """What each of these models takes of a file that was read for them. Raises BlobFault."""
    arrays, recipes = safetensors.numpy.load(blobs.get(sheet_sha256)), recipes_of(models)
    return [arrays[str(recipes.index(recipe_of(model)))] for model in models]
