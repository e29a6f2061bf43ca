"""Which rows are usual: those that an autoencoder learns from, so that it cannot give back others.

A dataset whose rows have classes may say which of them is usual (`Recipe.usual`). Where nobody said
it, it is the class of more than half of the rows, if there is one: what is usual is what comes most
often. Where no class is usual, an autoencoder learns from all rows and finds no anomalies.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.models import Category, Dataset, Job
from training.runner import blobs
from training.runner.recipes import majority
from training.runner.rows import Part, Rows, read_arrays


def usual_class(dataset: Dataset) -> int | None:
    """The number of the usual class; None where there is none."""
    name = dataset.recipe.get("usual")
    if name is None:
        name = majority(dataset.classes, dataset.class_balance)
    return dataset.classes.index(name) if name in dataset.classes else None


def learns_of(job: Job) -> int | None:
    """The class whose rows alone this job learns from; None where it is all of them."""
    return usual_class(job.dataset) if job.category == Category.ANOMALY else None


def usual_rows(rows: Rows, usual: int | None) -> Rows:
    """Those of the usual class; all where there is none."""
    if usual is None:
        return rows
    return rows.take(np.flatnonzero(is_usual(rows, usual)))


def is_usual(rows: Rows, usual: int) -> NDArray[np.bool_]:
    """Of each row [rows]."""
    return np.asarray(rows.targets.reshape(-1) == usual)


def count_usual(dataset: Dataset, usual: int) -> Mapping[Part, int]:
    """How many rows of each part are usual, without reading what they hold."""
    with blobs.open_blob(dataset.sha256) as file:
        found: dict[str, NDArray[Any]] = read_arrays(file, "targets", "parts")
    parts = found["parts"][found["targets"].reshape(-1) == usual]
    return {part: int((parts == part).sum()) for part in Part}
