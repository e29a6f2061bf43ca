"""Prepares a bundled dataset: reads it from its package, splits it, stores it, counts it.

Imported by workers only: scikit-learn takes a second and 150 MB.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sklearn.datasets
import structlog
from django.db.models.functions import Now
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from training.models import Dataset, Work
from training.runner import blobs, leases
from training.runner.rows import Part, Rows, pack

log = structlog.get_logger()
VALIDATION_SHARE, TEST_SHARE = 0.15, 0.15


@dataclass(frozen=True, kw_only=True)
class Bundle:
    features: NDArray[np.float32]  # [rows, columns]
    labels: NDArray[np.int32]  # [rows]
    feature_names: list[str]
    classes: list[str]
    image_shape: list[int] | None


def digits() -> Bundle:
    """1,797 handwritten digits of 8 × 8 pixels with 17 grey levels (UCI, test part)."""
    data = sklearn.datasets.load_digits()
    return Bundle(
        features=data.data.astype(np.float32),
        labels=data.target.astype(np.int32),
        feature_names=list(data.feature_names),
        classes=[str(name) for name in data.target_names],
        image_shape=[8, 8],
    )


BUNDLES: dict[str, Callable[[], Bundle]] = {"digits": digits}


def choose_parts(labels: NDArray[np.int32], *, seed: int) -> NDArray[np.int8]:
    """The stratified part of each row; a seed fixes it (scikit-learn freezes its generator)."""
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_SHARE, random_state=seed, stratify=labels
    )
    _, validation = train_test_split(
        rest,
        test_size=VALIDATION_SHARE / (1 - TEST_SHARE),
        random_state=seed,
        stratify=labels[rest],
    )
    parts = np.full(len(labels), Part.TRAIN, dtype=np.int8)
    parts[validation] = Part.VALIDATION
    parts[test] = Part.TEST
    return parts


def prepare_dataset(dataset_id: str) -> None:
    """Fill the row of a bundled dataset. Safe to repeat: the same bytes have the same name."""
    dataset = leases.claim(Dataset, dataset_id)
    if dataset is None:
        return
    try:
        with leases.noted(dataset):
            prepare(dataset)
    except leases.LeaseLost as lost:
        log.info("dataset_dropped", dataset=dataset_id, reason=str(lost))


def prepare(dataset: Dataset) -> None:
    beat = leases.heartbeat(dataset)
    bundle = BUNDLES[dataset.slug]()
    beat(0)
    parts = choose_parts(bundle.labels, seed=dataset.split_seed)
    beat(1)
    content = pack(Rows(bundle.features, bundle.labels, parts))
    leases.write(
        dataset,
        status=Work.Status.DONE,
        lease_until=None,
        finished_at=Now(),
        sha256=blobs.put(content),
        size_bytes=len(content),
        rows=len(bundle.labels),
        columns=bundle.features.shape[1],
        features=bundle.feature_names,
        classes=bundle.classes,
        class_balance=np.bincount(bundle.labels, minlength=len(bundle.classes)).tolist(),
        image_shape=bundle.image_shape,
        train_rows=int((parts == Part.TRAIN).sum()),
        validation_rows=int((parts == Part.VALIDATION).sum()),
        test_rows=int((parts == Part.TEST).sum()),
    )
