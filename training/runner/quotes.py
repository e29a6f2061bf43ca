"""What a job will be and cost at most, worked out from its tape before anything runs.

Under the services, since a worker that searches for settings asks the same as a person does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from billing import services as billing
from governance.services import Refusal
from kernels import config as kernel_config
from kernels import estimate as kernel_estimate
from kernels.data import Target
from kernels.limits import OutOfMemory
from kernels.objectives import objective_of
from training.models import Category, Dataset, Tier, Work
from training.runner import environments, tiers
from training.runner.rows import Part
from training.runner.usual import count_usual, usual_class

# What data without a kind of network of their own are for, by what is asked of each row.
BY_TARGET = {
    Target.CLASSES: Category.CLASSIFICATION,
    Target.STEP_CLASSES: Category.NLP,
    Target.NEXT: Category.NLP,
    Target.VALUES: Category.REGRESSION,
    Target.MARKS: Category.CLASSIFICATION,
    Target.ACTIONS: Category.REINFORCEMENT,
}


LOOK_AGAIN_SECONDS = 2  # most files are read in less


class NotReady(Refusal):
    """What was asked for is still being prepared."""


class InvalidConfig(Refusal):
    """The configuration makes no sense; each entry names the path and the reason."""

    status = 422


class TierTooSmall(Refusal):
    """The job does not fit its tier; says which it would fit."""

    status = 422

    def __init__(self, message: str, *, fits: Tier | None) -> None:
        super().__init__(message)
        self.fits = fits


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What a job will be and cost at most, before it runs."""

    config: dict[str, Any]
    tier: Tier
    parameters: int
    epochs: int
    steps: int
    flops: int
    memory_bytes: int
    microcredits: int
    category: Category
    metric: str  # what is measured beside the loss

    @property
    def credits(self) -> str:
        return billing.credits(self.microcredits)


@contextmanager
def faults_named() -> Iterator[None]:
    """Turns what the kernels say of a configuration into a refusal that names each path."""
    try:
        yield
    except kernel_config.ConfigError as error:
        raise InvalidConfig(
            str(error),
            invalid_parameters=[
                {"field": problem.path, "reason": problem.reason} for problem in error.problems
            ],
        ) from error


def require_ready(dataset: Dataset) -> None:
    """NotReady while a worker reads the rows, InvalidConfig where it could not."""
    if dataset.status == Work.Status.DONE:
        return
    if dataset.is_over:
        why = dataset.error_message or "no reason was left behind"
        reason = (
            f"“{dataset.name}” could not be read: {why} Correct its schema, or mend the rows and "
            "bring them anew"
        )
        raise InvalidConfig(
            f"dataset: {reason}.", invalid_parameters=[{"field": "dataset", "reason": reason}]
        )
    raise NotReady(
        f"The dataset “{dataset.name}” is still being prepared ({dataset.get_status_display()}); "
        f"ask the same again in {LOOK_AGAIN_SECONDS} seconds.",
        retry_seconds=LOOK_AGAIN_SECONDS,
        see=dataset.get_absolute_url(),
        members={
            "dataset": dataset.slug,
            "dataset_status": dataset.status,
            "dataset_url": f"/api/v1/datasets/{dataset.slug}",
        },
    )


def judge_config(raw: object) -> None:
    """InvalidConfig where it makes no sense whatever the data are, as can be said before any are
    kept or read.
    """
    with faults_named():
        kernel_config.judge(raw)


def parse_config(raw: object, dataset: Dataset) -> kernel_config.NetworkConfig:
    with faults_named():
        network = kernel_config.parse(raw, dataset.data_shape)
        if environments.is_environment(dataset):
            environments.refuse_unplayable(network, dataset)
    return network


def category_of(network: kernel_config.NetworkConfig, dataset: Dataset) -> Category:
    """What a job is for: what its dataset is, unless the kind of network says otherwise."""
    kind = network.architecture.kind
    if kind == "gan" or network.architecture.options.get("variational"):
        return Category.GENERATIVE
    if kind == "autoencoder":
        return Category.ANOMALY
    if dataset.category in (Category.ANOMALY, Category.GENERATIVE):
        return BY_TARGET[network.data.target]
    return Category(dataset.category)


def quote_job(*, dataset: Dataset, config: Mapping[str, Any], tier: Tier) -> Quote:
    """Price a job from the arithmetic of its tape, or refuse a config or tier that cannot be."""
    require_ready(dataset)
    network = parse_config(config, dataset)
    refuse_one_class(network, dataset)
    with faults_named():
        estimate = kernel_estimate.estimate(network, **rows_of(dataset, network))
    is_played = environments.is_environment(dataset)
    flops = estimate.flops + (environments.playing_flops(network) if is_played else 0)
    needs = {
        "parameters": estimate.parameters,
        "memory_bytes": estimate.memory_bytes,
        "flops": flops,
    }
    fits = tiers.smallest_tier(**needs)
    limits = tiers.TIERS[tier]
    beyond = [name for name, needed in needs.items() if needed > getattr(limits, name)]
    if beyond:
        wanted = f"choose {fits.value}" if fits else "no tier is large enough"
        if beyond == ["memory_bytes"]:
            wanted += smaller_batch(network, dataset, limits.memory_bytes)
        raise TierTooSmall(
            f"tier: {tier.value} allows {limits.parameters:,} parameters, "
            f"{limits.memory_bytes / 2**20:,.0f} MB of memory and {limits.flops / 1e9:,.0f} GFLOP; "
            f"this job has {estimate.parameters:,}, {estimate.memory_bytes / 2**20:,.1f} MB and "
            f"{flops / 1e9:,.1f}; {wanted}.",
            fits=fits,
        )
    return Quote(
        config=dict(config),
        tier=tier,
        parameters=estimate.parameters,
        epochs=network.training.epochs,
        steps=estimate.steps,
        flops=flops,
        memory_bytes=estimate.memory_bytes,
        microcredits=tiers.price_microcredits(tier, flops=flops),
        category=category_of(network, dataset),
        metric=environments.METRIC if is_played else objective_of(network).metric,
    )


def rows_of(dataset: Dataset, network: kernel_config.NetworkConfig) -> dict[str, int]:
    """How many rows an epoch trains on and measures; those of an environment are played."""
    usual = usual_class(dataset) if category_of(network, dataset) is Category.ANOMALY else None
    if usual is not None:
        found = count_usual(dataset, usual)
        if not found[Part.TRAIN]:
            raise usual_untrained(dataset, dataset.classes[usual])
        return {"rows": found[Part.TRAIN], "validation_rows": found[Part.VALIDATION]}
    if environments.is_environment(dataset):
        return {"rows": environments.ROWS, "validation_rows": environments.ROWS_ASKED}
    return {"rows": dataset.train_rows, "validation_rows": dataset.validation_rows}


def refuse_one_class(network: kernel_config.NetworkConfig, dataset: Dataset) -> None:
    """Refuse to tell one class apart from nothing, which costs and always ends at 100 %."""
    asks_for_classes = network.data.target is Target.CLASSES
    is_judged_otherwise = category_of(network, dataset) in (Category.ANOMALY, Category.GENERATIVE)
    if not asks_for_classes or is_judged_otherwise or len(dataset.classes) != 1:
        return
    reason = (
        f"every row of “{dataset.name}” is “{dataset.classes[0]}”, so there is nothing to tell "
        "apart; bring rows of other classes, correct which column is the target, or train an "
        "autoencoder or a GAN"
    )
    raise InvalidConfig(
        f"dataset: {reason}.", invalid_parameters=[{"field": "dataset", "reason": reason}]
    )


def usual_untrained(dataset: Dataset, name: str) -> InvalidConfig:
    reason = (
        f"no training row of “{dataset.name}” is of its usual class “{name}”, which an autoencoder "
        "learns from; correct recipe.usual on its schema page, or split the rows otherwise"
    )
    return InvalidConfig(
        f"dataset: {reason}.", invalid_parameters=[{"field": "dataset", "reason": reason}]
    )


def smaller_batch(network: kernel_config.NetworkConfig, dataset: Dataset, memory: int) -> str:
    """The batch that would fit, where any does."""
    try:
        fitted = kernel_estimate.fitted(network, **rows_of(dataset, network), memory_bytes=memory)
    except OutOfMemory:
        return ""
    return f", or take training.batch_size {fitted.training.batch_size}"
