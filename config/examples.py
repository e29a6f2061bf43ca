"""A preset trained on its bundled dataset as a person would: by services, a worker and a wallet.

What it reached stands beside the floor it must reach, which was set before, and beside what is had
without a network. Seed and split are fixed; the test rows took part in no choice.
"""

from dataclasses import dataclass
from typing import Any

from billing import services as billing
from config.demo import Progress, StepFailed, until_over
from governance.models import User
from training import services as training
from training.models import Dataset, Job, Model, Validation
from training.services import Preset


@dataclass(frozen=True, kw_only=True)
class Example:
    """What came of one preset; `again` is the same job a second time, where it was asked for."""

    preset: Preset
    dataset: Dataset
    job: Job
    model: Model
    validation: Validation
    again: Model | None = None

    @property
    def is_identical(self) -> bool | None:
        return (
            None if self.again is None else self.again.weights_sha256 == self.model.weights_sha256
        )

    @property
    def is_reached(self) -> bool:
        return all(found["is_reached"] for found in floors(self.preset, self.validation))


def choose(*, category: str, dataset: str, name: str) -> list[Preset]:
    """The presets of a category, narrowed by dataset or name. Raises StepFailed for none."""
    of_category = [p for p in training.ALL_PRESETS if p.category == category]
    found = [p for p in of_category if dataset in ("", p.dataset) and name in ("", p.name)]
    if not found:
        known = ", ".join(f"{p.name} (on {p.dataset})" for p in of_category)
        raise StepFailed(f"{category}: no preset is that; there are: {known}.")
    return found


def train(*, owner: User, preset: Preset, seed: int, is_twice: bool, progress: Progress) -> Example:
    data = training.add_bundled_dataset(slug=preset.dataset)
    until_over(data, f"Reading {data.name}", progress)
    model = trained(owner=owner, preset=preset, data=data, seed=seed, progress=progress)
    validation = model.validations.first() or training.validate_model(actor=owner, model=model)
    until_over(validation, f"Validating {preset.name}", progress)
    again = None
    if is_twice:
        again = trained(owner=owner, preset=preset, data=data, seed=seed, progress=progress)
    return Example(
        preset=preset,
        dataset=data,
        job=Job.objects.get(pk=model.job_id),
        model=model,
        validation=validation,
        again=again,
    )


def trained(*, owner: User, preset: Preset, data: Dataset, seed: int, progress: Progress) -> Model:
    job = training.submit_job(
        owner=owner,
        dataset=data,
        config=preset.config,
        tier=preset.tier,
        seed=seed,
        name=f"Example {preset.name}",
    )
    until_over(job, f"Training {preset.name}", progress)
    return Model.objects.get(job=job)


def floors(preset: Preset, validation: Validation) -> list[dict[str, Any]]:
    """Each floor with what was measured on the test rows."""
    found = []
    for floor in preset.floors:
        figure = validation.metrics.get(floor.metric)
        if figure is None:
            known = ", ".join(validation.metrics) or "none"
            raise StepFailed(
                f"{preset.name}: no figure {floor.metric!r} was measured, but {known}."
            )
        found.append(
            {
                "metric": floor.metric,
                "value": figure["value"],
                "floor": floor.value,
                "is_error": floor.is_error,
                "low": figure.get("low"),
                "high": figure.get("high"),
                "baseline": figure.get("baseline"),
                "baseline_name": figure.get("baseline_name", ""),
                "is_reached": floor.is_reached(figure["value"]),
            }
        )
    return found


def report(example: Example) -> dict[str, Any]:
    """All of it, as one object of JSON."""
    preset, job, model = example.preset, example.job, example.model
    figures = floors(preset, example.validation)
    found = {
        "example": preset.name,
        "category": preset.category.value,
        "dataset": example.dataset.slug,
        "dataset_sha256": example.dataset.sha256,
        "weights_sha256": model.weights_sha256,
        "kernel_hash": model.kernel_hash,
        "seed": job.seed,
        "tier": job.tier,
        "parameters": job.parameters,
        "seconds": job.compute_seconds,
        "cost_credits": float(billing.credits(job.cost_microcredits)),
        **(figures[0] if figures else {}),
        "floors": figures,
        "figures": {name: figure["value"] for name, figure in example.validation.metrics.items()},
        "words_baseline": example.validation.report.get("words_baseline"),
        "is_reached": example.is_reached,
        "model": model.get_absolute_url(),
    }
    if example.again is not None:
        found["again_weights_sha256"] = example.again.weights_sha256
        found["is_identical"] = example.is_identical
    return found
