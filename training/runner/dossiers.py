"""Everything that was measured and recorded of a model, gathered once for its card and its bill of
materials. Each figure comes from a row that a worker wrote; only the card is its owner's word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from kernels.data import Target
from training.models import Card, Category, Dataset, Job, Model, Reproduction, Validation
from training.runner import augmentation, copies, files
from training.runner.descriptions import Description
from training.runner.files import ModelFile

# What others call our categories: the task of a Hugging Face page.
TASKS = {
    Category.CLASSIFICATION: "tabular-classification",
    Category.REGRESSION: "tabular-regression",
    Category.TIMESERIES: "time-series-forecasting",
    Category.NLP: "text-classification",
    Category.VISION: "image-classification",
    Category.ANOMALY: "other",
    Category.GENERATIVE: "unconditional-image-generation",
    Category.REINFORCEMENT: "reinforcement-learning",
    Category.CUSTOM: "other",
}
COLUMNS = ("accuracy", "precision", "recall", "f1")


@dataclass(frozen=True)
class Dossier:
    """`measured` is the newest complete validation, if there is one."""

    model: Model
    description: Description
    measured: Validation | None
    reproductions: Sequence[Reproduction]
    files: Sequence[ModelFile]
    card: Card

    @property
    def job(self) -> Job:
        return self.model.job

    @property
    def dataset(self) -> Dataset:
        return self.model.job.dataset

    @property
    def task(self) -> str:
        if self.dataset.data_shape.target is Target.NEXT:
            return "text-generation"
        return TASKS[Category(self.job.category)]

    @property
    def architecture(self) -> str:
        return str(self.job.config.get("architecture", {}).get("type", "network"))

    @property
    def address(self) -> str:
        return f"{settings.SITE_URL}{self.model.get_absolute_url()}"

    @property
    def command(self) -> str:
        return command_of(self.model)

    @property
    def split(self) -> str:
        return split_of(self.dataset)

    @property
    def augmentation(self) -> str:
        return augmentation.said(self.job.config)

    @property
    def figures(self) -> Mapping[str, Mapping[str, Any]]:
        """What was measured of quality, by name: value, low and high, baseline."""
        if self.measured is None:
            return {}
        if self.measured.metrics:
            return dict(self.measured.metrics)
        known = {name: getattr(self.measured, name) for name in COLUMNS}
        return {name: {"value": value} for name, value in known.items() if value is not None}

    @property
    def undefined(self) -> Mapping[str, str]:
        """Of figures that have no value on these data, why."""
        return self.measured.report.get("undefined", {}) if self.measured else {}

    @property
    def leaks(self) -> Sequence[str]:
        """Why the figures say too much, where rows that test had trained."""
        return copies.leaks(self.measured.report) if self.measured else []

    @property
    def uncertified(self) -> str:
        """Why nothing certifies figures that have a value, or nothing where something does."""
        return self.measured.report.get("uncertified", "") if self.measured else ""

    @property
    def latencies(self) -> Mapping[str, float]:
        """Milliseconds of one row."""
        marks = self.measured.latency_marks if self.measured else {}
        return {name: value for name, value in marks.items() if value is not None}


def command_of(model: Model) -> str:
    """What makes a model again."""
    return f"python manage.py reproduce {model.pk}"


def split_of(dataset: Dataset) -> str:
    """How the rows were divided, in words."""
    if not dataset.rows:
        return "none: there are no rows, a network plays its own"
    kind = dataset.split.get("kind", "stratified")
    seed = dataset.split.get("seed", dataset.split_seed)
    column = f" by {dataset.split['column']}" if dataset.split.get("column") else ""
    return (
        f"{kind}{column}, seed {seed}: {dataset.train_rows:,} rows to train, "
        f"{dataset.validation_rows:,} to validate, {dataset.test_rows:,} to test"
    )


def dossier_of(model: Model, description: Description) -> Dossier:
    over = model.reproductions.exclude(is_identical=None)
    return Dossier(
        model=model,
        description=description,
        measured=model.validations.done().first(),
        reproductions=list(over),
        files=files.files_of(model),
        card=Card.objects.about(model),
    )
