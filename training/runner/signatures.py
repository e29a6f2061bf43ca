"""What the file of a job's model says beside its weights: the names of what goes in and comes out,
and of what it was made.
"""

from typing import Any

from kernels.modelfile import Signature
from training.models import Category, Dataset, Job


def signature_of(job: Job) -> Signature:
    """The names of what goes in and comes out; what makes examples takes noise, which has none."""
    dataset = job.dataset
    makes = job.category == Category.GENERATIVE
    answers = not makes and job.category != Category.ANOMALY
    height_width = None if makes else dataset.image_shape
    return Signature(
        features=() if makes else tuple(dataset.features),
        classes=tuple(dataset.classes) if answers else (),
        image_shape=(height_width[0], height_width[1]) if height_width else None,
        vocabulary=tuple(dataset.recipe.get("vocabulary", ())),
        recipe=dataset.recipe,
    )


def origin_of(dataset: Dataset) -> dict[str, Any]:
    """Provenance: which rows, split how."""
    return {"dataset_sha256": dataset.sha256, "split_seed": dataset.split_seed}
