"""Prepares a dataset: one that was brought (`uploads`), or one of a package, which is read here,
split, stored and counted.

Imported by workers only: scikit-learn takes a second and 150 MB.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.data import Target
from training.models import Dataset
from training.runner import leases, readings, uploads
from training.runner.bundles import BUNDLES, Bundle
from training.runner.bundles.parts import stratified
from training.runner.completion import with_usual
from training.runner.figures import Beat, unheard
from training.runner.health import Evidence, report_of
from training.runner.recipes import decode_columns
from training.runner.rows import Part, Rows, pack


def run_turn() -> None:
    """Read the file that is next in line."""
    for dataset_id in readings.line():
        if prepare_dataset(str(dataset_id)):
            return


def prepare_dataset(dataset_id: str) -> bool:
    """Fill the row of a dataset; False where it is not to be had. Safe to repeat: the same bytes
    have the same name.
    """
    return leases.do(Dataset, dataset_id, prepare)


def prepare(dataset: Dataset) -> None:
    if dataset.upload_sha256:
        uploads.prepare_upload(dataset)
    else:
        prepare_bundle(dataset)


def prepare_bundle(dataset: Dataset) -> None:
    store(dataset, read_bundle(dataset.slug, dataset.split_seed, beat=leases.heartbeat(dataset)))


@dataclass(frozen=True)
class Read:
    """The rows as they are stored, and what they say of themselves: fields of the row."""

    content: bytes
    fields: dict[str, Any]


def read_bundle(slug: str, split_seed: int, *, beat: Beat = unheard) -> Read:
    """The same bytes and fields whenever it is asked."""
    bundle = BUNDLES[slug]()
    beat(0)
    parts = parts_of(bundle, seed=split_seed)
    beat(1)
    content = pack(Rows(bundle.features, bundle.targets, parts, split_by=bundle.split_by))
    fields = fields_of(bundle, parts)
    beat(2)
    return Read(content, fields)


def store(dataset: Dataset, read: Read) -> None:
    uploads.store(dataset, read.content, read.fields)


def fields_of(bundle: Bundle, parts: NDArray[np.int8]) -> dict[str, Any]:
    """Of the row, what its rows say."""
    return {
        "rows": len(parts),
        "columns": len(bundle.feature_names) or bundle.shape.features,
        "features": bundle.feature_names,
        "classes": bundle.classes,
        "class_balance": class_balance(bundle),
        "image_shape": bundle.image_shape,
        "shape": bundle.shape.to_json(),
        "recipe": with_usual(bundle.recipe, bundle.targets).to_json(),
        "split": bundle.split,
        "report": report_of_bundle(bundle, parts),
        "train_rows": int((parts == Part.TRAIN).sum()),
        "validation_rows": int((parts == Part.VALIDATION).sum()),
        "test_rows": int((parts == Part.TEST).sum()),
    }


def parts_of(bundle: Bundle, *, seed: int) -> NDArray[np.int8]:
    """The parts that a bundle gives, or those drawn for its strata."""
    if bundle.parts is not None:
        return bundle.parts
    assert bundle.strata is not None, "a bundle says its parts or its strata"
    return stratified(bundle.strata, seed=seed)


def report_of_bundle(bundle: Bundle, parts: NDArray[np.int8]) -> dict[str, Any]:
    """What is found in its rows; nothing where they are played and not stored."""
    if not len(parts):
        return {}
    raw = decode_columns(bundle.recipe, bundle.features, bundle.targets)
    return report_of(Evidence(bundle.recipe, raw, bundle.features, bundle.targets, parts, ()))


def class_balance(bundle: Bundle) -> list[int]:
    """How many rows each class has; nothing where rows have none."""
    if bundle.shape.target is not Target.CLASSES:
        return []
    counts: list[int] = np.bincount(bundle.targets, minlength=len(bundle.classes)).tolist()
    return counts
