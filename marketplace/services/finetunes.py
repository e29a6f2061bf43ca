"""Fine-tuning before deploying: a job trains the version's weights further, and what comes out of
it answers (`runner.preparing`).

Who may train a model further is its owner, as training has it: what a buyer has is the right to be
answered, or to take files home, and not to have another model of the author's weights made here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.models import User
from marketplace.models import Template, TemplateVersion
from marketplace.services.configurations import PATH, Config, FineTune, InvalidDeployment
from training import services as training
from training.models import Job, Tier


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """A job that is about to be placed, as it was quoted."""

    quote: training.Quote
    dataset_slug: str
    seed: int


def planned_job(owner: User, version: TemplateVersion, asked: FineTune) -> PlannedJob:
    """The job that trained the version, with other data and what else is asked. Raises NotOwner,
    InvalidDeployment, InvalidConfig and what else hinders a job.
    """
    if version.template.owner_id != owner.pk:
        raise training.NotOwner(
            f"{PATH}.fine_tune: only the owner of “{version.template}” may train its weights "
            "further; leave it out to deploy the template as it is."
        )
    dataset = training.find_dataset(viewer=owner, slug=asked.dataset)
    config = further_config(version.model.job.config, asked)
    tier = Tier(version.model.job.tier)
    try:
        quote = training.quote_job(dataset=dataset, config=config, tier=tier)
    except training.TierTooSmall as error:
        if error.fits is None:
            raise
        quote = training.quote_job(dataset=dataset, config=config, tier=error.fits)
    return PlannedJob(quote=quote, dataset_slug=dataset.slug, seed=asked.seed)


def further_config(config: Mapping[str, Any], asked: FineTune) -> dict[str, Any]:
    changes = {"epochs": asked.epochs, "learning_rate": asked.learning_rate}
    stated = {name: value for name, value in changes.items() if value is not None}
    return dict(config) | {"training": dict(config["training"]) | stated}


def begin_job(owner: User, template: Template, version: TemplateVersion, asked: FineTune) -> Job:
    """Hold what the training may cost at most, and queue it."""
    plan = planned_job(owner, version, asked)
    return training.submit_job(
        owner=owner,
        dataset=training.find_dataset(viewer=owner, slug=plan.dataset_slug),
        config=plan.quote.config,
        tier=plan.quote.tier,
        seed=plan.seed,
        name=f"{template.name[:80]}, fine-tuned",
        parent=version.model,
    )


def require_alone(config: Config) -> None:
    """One version is trained further, so only one can answer. Raises InvalidDeployment."""
    beside = [name for name in ("routes", "aggregation") if told(config, name)]
    if config.settings.get("follows") == "current":
        beside.append("follows")
    if config.fine_tune is not None and beside:
        reason = "leave it out: what fine_tune makes answers alone, and follows no version"
        raise InvalidDeployment(
            f"{PATH}.{beside[0]}: {reason}.",
            invalid_parameters=[{"field": f"{PATH}.{beside[0]}", "reason": reason}],
        )


def told(config: Config, name: str) -> bool:
    return bool(config.routes if name == "routes" else config.settings.get(name))
