"""Datasets: look at their rows, at what was found in them, and at how far they are."""

from dataclasses import dataclass
from typing import Any

import structlog
from django.core.cache import cache
from numpy.typing import NDArray

from governance.models import User
from governance.services import Refusal
from kernels.fields import shown
from training.models import Dataset, Work
from training.runner import blobs
from training.runner.quotes import require_ready
from training.runner.rows import Part, Rows, unpack

log = structlog.get_logger()

PREVIEW_ROWS = 40
KEPT_SECONDS = 86_400


LEVELS = {"bad": "mend", "warn": "look", "ok": "fine"}  # of findings, the worst first
STEPS = ("Brought", "Waiting for a worker", "Read, split and counted", "Ready")


def dataset_steps(*, dataset: Dataset) -> list[dict[str, str]]:
    """How far a dataset is on its way to being trained on: done, current, failed or todo."""
    if dataset.status == Work.Status.DONE:
        return [{"label": name, "state": "done"} for name in STEPS]
    at = 1 if dataset.status == Work.Status.QUEUED else 2
    now = "failed" if dataset.is_over else "current"
    states = ["done"] * at + [now] + ["todo"] * (len(STEPS) - at - 1)
    return [{"label": name, "state": state} for name, state in zip(STEPS, states, strict=True)]


def dataset_health(*, dataset: Dataset) -> list[dict[str, str]]:
    """What was found in the rows, the worst first, and what to do about it in a word."""
    worst = list(LEVELS)
    found = sorted(dataset.report.get("health", []), key=lambda each: worst.index(each["level"]))
    return [
        {"level": each["level"], "word": LEVELS[each["level"]], "message": each["message"]}
        for each in found
    ]


@dataclass(frozen=True, kw_only=True)
class PreviewRow:
    number: int
    label: str
    values: list[float]

    @property
    def alt(self) -> str:
        return f"Row {self.number}, labelled {self.label}"


class UnknownDataset(Refusal):
    """Somebody names a dataset that is not there, or not theirs to see."""

    status = 404


def find_dataset(*, viewer: User, slug: str) -> Dataset:
    """The dataset that a request names."""
    rows = Dataset.objects.visible_to(viewer)
    found = rows.filter(slug=slug).first() if slug.isprintable() else None  # no NUL to the database
    if found is None:
        raise UnknownDataset(
            f"dataset: {shown(slug)} is no dataset that you can see; they are listed at "
            "/api/v1/datasets.",
            invalid_parameters=[{"field": "dataset", "reason": "is no dataset that you can see"}],
        )
    return found


def load_rows(dataset: Dataset) -> Rows:
    """All rows, read anew: a cache in memory counts its entries and not their bytes."""
    require_ready(dataset)
    return unpack(blobs.get(dataset.sha256))


def preview_rows(
    *, dataset: Dataset, count: int = PREVIEW_ROWS, part: Part | None = None
) -> list[PreviewRow]:
    """The first rows, of one part or of all, as a person would look at them."""
    rows = load_rows(dataset)
    numbers = range(len(rows)) if part is None else rows.numbers(part)
    return [
        PreviewRow(
            number=int(number),
            label=label_of(dataset, rows.targets[number]),
            values=rows.features[number].reshape(-1).tolist(),
        )
        for number in numbers[:count]
    ]


def label_of(dataset: Dataset, target: NDArray[Any]) -> str:
    """The class of a row, or the one value that is asked for; nothing where there are several."""
    if target.size != 1:
        return ""
    if target.dtype.kind in "iu" and dataset.classes:
        return dataset.classes[int(target)]
    return f"{target.item():.4g}"


def row_values(*, dataset: Dataset, number: int, viewer: User) -> list[float]:
    """The values of one row, for who may see it."""
    if not dataset.is_visible_to(viewer):
        raise Refusal("row: the rows of these data are not yours to see; send values of your own.")
    rows = load_rows(dataset)
    if not 0 <= number < len(rows):
        raise Refusal(f"row: {number} is not between 0 and {len(rows) - 1}.")
    values: list[float] = rows.features[number].reshape(-1).tolist()
    return values


def highest_value(dataset: Dataset) -> float:
    """The largest value of any row: full ink, where rows are pictures."""
    key = f"highest/{dataset.sha256}"
    highest: float | None = cache.get(key)
    if highest is None:
        highest = float(load_rows(dataset).features.max())
        cache.set(key, highest, timeout=KEPT_SECONDS)
    return highest
