"""What is validated: a model in its sandbox, the rows of its dataset, and how its answers are
judged.
"""

from collections.abc import Iterator, Mapping
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
from training.runner.figures import Beat
from training.runner.recipes import SplitKind
from training.runner.rows import Part, Rows, unpack
from training.runner.usual import learns_of


def answers_in_parts(
    predictor: Predictor, features: NDArray[Any], *, beat: Beat
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Which rows, and the first output for them, to the same bits as for all rows at once: so many
    as one call takes, which are some 50 ms and 16 MB.

    Calls `beat` after each part. Raises RowsRefused, SandboxError.
    """
    for begin in range(0, len(features), predictor.capacity):
        rows = slice(begin, min(begin + predictor.capacity, len(features)))
        yield rows, predictor.predict(features[rows])
        beat(begin)


def answers_of(predictor: Predictor, features: NDArray[Any], *, beat: Beat) -> NDArray[np.float32]:
    """The first output for all rows. Raises RowsRefused, SandboxError."""
    found = predictor.predict(features[:0])
    for rows, part in answers_in_parts(predictor, features, beat=beat):
        each = len(part) // (rows.stop - rows.start)  # lines of a row: one, or one for each step
        if not rows.start:
            found = np.empty((each * len(features), *part.shape[1:]), np.float32)
        found[each * rows.start : each * rows.stop] = part
    return found


class Judged(StrEnum):
    """What decides which figures a model has."""

    CLASSES = "classes"
    VALUES = "values"
    FORECASTS = "forecasts"
    ANOMALIES = "anomalies"
    RECONSTRUCTIONS = "reconstructions"
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
        return Judged.RECONSTRUCTIONS if learns_of(job) is None else Judged.ANOMALIES
    if shape.target is Target.NEXT:
        return Judged.TOKENS
    if shape.target is Target.VALUES:
        is_series = job.dataset.recipe.get("kind") == "series"
        return Judged.FORECASTS if is_series else Judged.VALUES
    return Judged.CLASSES


@dataclass(frozen=True, eq=False)
class Subject:
    """`seed` is that of every draw that a measurement makes; `usual` is the class that anomalies
    are told from; `groups` names the columns of `Rows.groups` and what their numbers stand for.
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
    beat: Beat
    seed: int = 0
    usual: int | None = None
    groups: tuple[Mapping[str, Any], ...] = ()
    is_split_by_group: bool = False

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
        """The first output of all rows."""
        return answers_of(self.predictor, features, beat=self.beat)

    @cached_property
    def test_answers(self) -> NDArray[np.float32]:
        """Computed once for all that is measured on rows as they are."""
        return self.answers(self.test.features)

    def units(self, answers: int) -> NDArray[Any] | None:
        """What is drawn together of so many answers to the test rows, by its number: a group that
        was split whole, and all that is asked of one row; None where each answer is for itself.
        """
        rows = np.arange(len(self.test))
        groups = self.test.split_by if self.is_split_by_group else None
        if groups is None and answers == len(rows):
            return None
        return np.repeat(rows if groups is None else groups, answers // len(rows))

    def some(self, rows: int) -> Rows:
        """At most so many test rows, always the same."""
        if len(self.test) <= rows:
            return self.test
        chosen = np.random.default_rng(self.seed).permutation(len(self.test))[:rows]
        return self.test.take(np.sort(chosen))


def subject_of(job: Job, sha256: str, *, module: build.Module, beat: Beat) -> Subject:
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
        usual=learns_of(job),
        groups=tuple(dataset.report.get("groups", ())),
        is_split_by_group=dataset.split.get("kind") == SplitKind.GROUP,
    )
