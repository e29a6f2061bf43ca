"""A preset trained on its bundled dataset as a person would: by services, a worker and a wallet.

What it reached stands beside the floor it must reach, which was set before, and beside what is had
without a network. Seed and split are fixed; the test rows took part in no choice.
"""

from dataclasses import asdict, dataclass
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
    def faults(self) -> list[str]:
        """Why it fell short: a floor, a bound of its tier, or other weights the second time."""
        found = [
            f"{each['metric']} is {each['value']:.4g}, and its floor {each['floor']:.4g}"
            for each in floors(self.preset, self.validation)
            if not each["is_reached"]
        ]
        found += [
            f"{name} is {use.used:,.12g}, and {self.job.tier} allows {use.most:,.12g}"
            for name, use in training.tier_use(job=self.job).items()
            if not use.is_within
        ]
        return found + (
            ["the weights differ the second time"] if self.is_identical is False else []
        )


def choose(*, category: str, only: str = "") -> list[Preset]:
    """The examples of a category, or the one of them with this name. Raises StepFailed for none."""
    of_category = [preset for preset in training.ALL_PRESETS if preset.category == category]
    found = [preset for preset in of_category if only in ("", preset.name)]
    if not found:
        known = ", ".join(preset.name for preset in of_category)
        raise StepFailed(f"--only: {category} has no example {only!r}; there are: {known}.")
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
            why = validation.report.get("undefined", {}).get(floor.metric)
            known += f"; it has no value: {why}" if why else ""
            raise StepFailed(
                f"{preset.name}: no figure {floor.metric!r} was measured, but {known}."
            )
        found.append(
            {
                "metric": floor.metric,
                "value": figure["value"],
                "floor": floor.asked(figure),
                "lower_is_better": floor.lower_is_better,
                "is_of_baseline": floor.is_of_baseline,
                "low": figure.get("low"),
                "high": figure.get("high"),
                "baseline": figure.get("baseline"),
                "baseline_name": figure.get("baseline_name", ""),
                "is_reached": floor.is_reached(figure),
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
        "seconds": job.compute_seconds,
        "tier_use": {name: asdict(use) for name, use in training.tier_use(job=job).items()},
        "cost_credits": float(billing.credits(job.cost_microcredits)),
        "floors": figures,
        "figures": {name: figure["value"] for name, figure in example.validation.metrics.items()},
        "words_baseline": example.validation.report.get("words_baseline"),
        "faults": example.faults,
        "model": model.get_absolute_url(),
    }
    if example.again is not None:
        found["again_weights_sha256"] = example.again.weights_sha256
        found["is_identical"] = example.is_identical
    return found
