"""What is validated: a model in its sandbox, the rows of its dataset, and how its answers are
judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import build
from kernels.data import DataShape, Target
from kernels.explain import Explainer
from kernels.predictor import Predictor
from training.models import Category, Job
from training.runner import blobs, walls
from training.runner.rows import Part, Rows, unpack

ROWS_AT_ONCE = 256


class Judged(StrEnum):
    """What decides which figures a model has."""

    CLASSES = "classes"
    VALUES = "values"
    FORECASTS = "forecasts"
    ANOMALIES = "anomalies"
    SAMPLES = "samples"
    TOKENS = "tokens"
    EPISODES = "episodes"


def judged_as(job: Job) -> Judged:
    """From what is asked of the data, what kind of network was trained, and for what."""
    shape = job.dataset.data_shape
    if job.dataset.recipe.get("kind") == "environment" or shape.target is Target.ACTIONS:
        return Judged.EPISODES
    if job.category == Category.GENERATIVE:
        return Judged.SAMPLES
    if job.category == Category.ANOMALY:
        return Judged.ANOMALIES
    if shape.target is Target.NEXT:
        return Judged.TOKENS
    if shape.target is Target.VALUES:
        is_series = job.dataset.recipe.get("kind") == "series"
        return Judged.FORECASTS if is_series else Judged.VALUES
    return Judged.CLASSES


@dataclass(frozen=True, eq=False)
class Subject:
    """`beat` is called between parts of the work that each take less than a lease; `seed` is that
    of every draw that a measurement makes.
    """

    judged: Judged
    content: bytes
    module: build.Module
    predictor: Predictor
    rows: Rows
    shape: DataShape
    classes: tuple[str, ...]
    features: tuple[str, ...]
    recipe: Mapping[str, Any]
    image_shape: tuple[int, ...] | None
    beat: Callable[[int], object]
    seed: int = 0

    @cached_property
    def train(self) -> Rows:
        return self.rows.only(Part.TRAIN)

    @cached_property
    def test(self) -> Rows:
        return self.rows.only(Part.TEST)

    @cached_property
    def deviations(self) -> NDArray[np.float32]:
        """The deviation of each number of a row over the training rows; 1 where it is constant."""
        spread = self.train.features.std(axis=0, dtype=np.float64)
        return np.asarray(np.where(spread > 0, spread, 1.0), np.float32)

    @cached_property
    def means(self) -> NDArray[np.float32]:
        """The mean of each number of a row over the training rows."""
        return np.asarray(self.train.features.mean(axis=0, dtype=np.float64), np.float32)

    @cached_property
    def explainer(self) -> Explainer:
        """Raises NotExplained for a network that no gradient leads through."""
        return Explainer(self.predictor.model, module=self.module, limits=walls.PREDICTION)

    @property
    def is_of_tokens(self) -> bool:
        return bool(self.shape.vocabulary)

    def answers(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """The first output of all rows, to the same bits in parts that take less than a lease."""
        found = []
        for begin in range(0, len(features), ROWS_AT_ONCE):
            found.append(self.predictor.predict(features[begin : begin + ROWS_AT_ONCE]))
            self.beat(begin)
        return np.concatenate(found)

    @cached_property
    def test_answers(self) -> NDArray[np.float32]:
        """Computed once for all that is measured on rows as they are."""
        return self.answers(self.test.features)

    def some(self, rows: int) -> Rows:
        """At most so many test rows, always the same."""
        if len(self.test) <= rows:
            return self.test
        chosen = np.random.default_rng(self.seed).permutation(len(self.test))[:rows]
        return self.test.take(np.sort(chosen))


def subject_of(
    job: Job, sha256: str, *, module: build.Module, beat: Callable[[int], object]
) -> Subject:
    """The model in a stored file that this job made. Raises BlobFault, ModelRefused, SandboxError.

    `module` is what it is computed with: the worker's own, or an older one to repeat old figures.
    """
    dataset, content = job.dataset, blobs.get(sha256)
    return Subject(
        judged=judged_as(job),
        content=content,
        module=module,
        predictor=Predictor(content, module=module, limits=walls.PREDICTION),
        rows=unpack(blobs.get(dataset.sha256)),
        shape=dataset.data_shape,
        classes=tuple(dataset.classes),
        features=tuple(dataset.features),
        recipe=dataset.recipe,
        image_shape=tuple(dataset.image_shape) if dataset.image_shape else None,
        beat=beat,
        seed=dataset.split_seed,
    )
