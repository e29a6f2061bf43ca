"""Models trained on little data and measured as a worker does, for tests of what was measured."""

from training import services as training
from training.models import Tier, Validation
from training.runner import chunks, datasets, validations

TINY = {
    "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 8}]},
    "training": {"epochs": 15, "batch_size": 16, "learning_rate": 0.01, "optimizer": "adam"},
}


def measured(actor, model, **asked) -> Validation:
    """What the worker does of what was asked."""
    validation = training.validate_model(actor=actor, model=model, **asked)
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    return validation


def trained(owner, slug, config=TINY, **asked):
    """A model on bundled data, not measured yet."""
    dataset = training.add_bundled_dataset(slug=slug)
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    return trained_on(owner, dataset, config, **asked)


def trained_on(owner, dataset, config=TINY, **asked):
    job = training.submit_job(owner=owner, dataset=dataset, config=config, tier=Tier.NANO, **asked)
    while not job.is_over:
        chunks.run_turn()
        job.refresh_from_db()
    return job.model


def faults(model) -> str:
    return " ".join(map(str, training.publication_faults(model=model)))
