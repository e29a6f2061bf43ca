"""Datasets: add a bundled one, look at its rows."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import structlog
from django.core.cache import cache
from django.db import transaction
from PIL import Image

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from training.models import Dataset, Work
from training.runner import blobs
from training.runner.hints import hint
from training.runner.rows import Rows, unpack

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


class NotReady(Refusal):
    """What was asked for is still being prepared."""


@dataclass(frozen=True, kw_only=True)
class PreviewRow:
    number: int
    label: str
    values: list[float]
    picture: str  # data URI of a PNG, or nothing where rows are no pictures


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
        hint("prepare_dataset", dataset_id=str(dataset.pk))
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


def picture(values: np.ndarray, shape: list[int], *, highest: float) -> str:
    """A greyscale PNG as a data URI; dark ink on light paper."""
    grey = 255 - np.rint(values.reshape(shape) * (255 / highest)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def preview_rows(*, dataset: Dataset, start: int = 0, count: int = PREVIEW_ROWS) -> list[PreviewRow]:
    """Some rows as a person would look at them."""
    rows = load_rows(dataset)
    highest = float(rows.features.max()) or 1.0
    return [
        PreviewRow(
            number=number,
            label=dataset.classes[rows.labels[number]],
            values=[float(value) for value in rows.features[number]],
            picture=picture(rows.features[number], dataset.image_shape, highest=highest)
            if dataset.image_shape
            else "",
        )
        for number in range(start, min(start + count, len(rows)))
    ]
