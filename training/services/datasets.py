"""Datasets: add a bundled one, look at its rows."""

from dataclasses import dataclass

import structlog
from django.core.cache import cache
from django.db import transaction

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from training.models import Dataset, Work
from training.runner import blobs
from training.runner.hints import hint
from training.runner.quotes import NotReady
from training.runner.rows import Part, Rows, unpack

PREVIEW_ROWS = 40
BUNDLED = {
    "digits": {
        "name": "Handwritten digits",
        "description": "Digits written by 43 people, scanned, and reduced to 8 × 8 pixels with "
        "17 grey levels. Small enough to train in a second, hard enough to be worth it.",
        "source": "UCI “Optical Recognition of Handwritten Digits”, by way of scikit-learn",
        "licence": "CC BY 4.0",
    },
}


@dataclass(frozen=True, kw_only=True)
class PreviewRow:
    number: int
    label: str
    values: list[float]

    @property
    def alt(self) -> str:
        return f"Row {self.number}, labelled {self.label}"


@transaction.atomic
def add_bundled_dataset(*, slug: str, actor: User | None = None) -> Dataset:
    """Make sure this dataset of a package is here; a worker reads and counts it."""
    if slug not in BUNDLED:
        known = ", ".join(sorted(BUNDLED))
        raise Refusal(f"dataset: {slug!r} is not bundled; these are: {known}.")
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    dataset, created = Dataset.objects.get_or_create(
        slug=slug, defaults=BUNDLED[slug] | {"request_id": request_id}
    )
    if created:
        governance.record(actor=actor, verb="add_dataset", subject=dataset)
    if not dataset.is_over:
        hint("training.tasks.prepare_dataset", dataset_id=str(dataset.pk))
    return dataset


def load_rows(dataset: Dataset) -> Rows:
    if dataset.status != Work.Status.DONE:
        raise NotReady(f"The dataset “{dataset.name}” is still being prepared; try again shortly.")
    key = f"rows/{dataset.sha256}"
    content = cache.get(key)
    if content is None:
        content = blobs.get(dataset.sha256)
        cache.set(key, content, timeout=3600)
    return unpack(content)


def preview_rows(
    *, dataset: Dataset, count: int = PREVIEW_ROWS, part: Part | None = None
) -> list[PreviewRow]:
    """The first rows, of one part or of all, as a person would look at them."""
    rows = load_rows(dataset)
    numbers = range(len(rows)) if part is None else rows.numbers(part)
    return [
        PreviewRow(
            number=int(number),
            label=dataset.classes[rows.targets[number]],
            values=rows.features[number].tolist(),
        )
        for number in numbers[:count]
    ]


def row_values(*, dataset: Dataset, number: int) -> list[float]:
    """The values of one row."""
    rows = load_rows(dataset)
    if not 0 <= number < len(rows):
        raise Refusal(f"row: {number} is not between 0 and {len(rows) - 1}.")
    values: list[float] = rows.features[number].tolist()
    return values


def highest_value(dataset: Dataset) -> float:
    """The largest value of any row: full ink, where rows are pictures."""
    return float(load_rows(dataset).features.max())
