"""Fine-tuning: a job that begins from the weights of a model, or of a checkpoint, instead of drawn
ones.
"""

from collections.abc import Mapping
from typing import Any

from governance.models import User
from training.models import Checkpoint, Dataset, Job, Model
from training.runner.ancestry import refuse_leak
from training.runner.lineage import Inheritance, inheritance, misreading
from training.runner.placing import suffixed
from training.runner.quotes import InvalidConfig, NotReady, parse_config
from training.services.validations import NotOwner

NAMES_SHOWN = 6


def refuse_stranger(owner: User, parent: Model | Checkpoint) -> None:
    job = parent.job
    if job.owner_id != owner.pk:
        raise NotOwner(f"Only the owner of “{job.name}” may train it further.")
    if isinstance(parent, Checkpoint):
        refuse_unfinished(job)


def refuse_unfinished(job: Job) -> None:
    """What still trains forgets its own checkpoints."""
    if not job.is_over:
        raise NotReady(f"“{job.name}” still trains; cancel it, or wait until it is over.")


def further_name(parent: Model | Checkpoint) -> str:
    """What a job is called that nobody named."""
    if isinstance(parent, Checkpoint):
        return suffixed(parent.job.name, f", from step {parent.step:,}")
    return suffixed(parent.name, ", fine-tuned")


def inherited(
    parent: Model | Checkpoint, dataset: Dataset, config: Mapping[str, Any]
) -> Inheritance:
    """What the job would take over. Raises InvalidConfig where the networks share nothing, or the
    data test on rows that the parent or what it began from was shown, or their names are others.
    """
    origin = parent.job
    refuse_leak(origin, dataset)
    if why := misreading(origin.dataset, dataset):
        raise refused("dataset", why)
    begun = parse_config(origin.config, origin.dataset)
    child = parse_config(config, dataset)
    kinds = begun.architecture.kind, child.architecture.kind
    if kinds[0] != kinds[1]:
        raise refused(
            "architecture.type", f"must be '{kinds[0]}', which “{origin.name}” is, not '{kinds[1]}'"
        )
    found = inheritance(begun, child)
    if not found.taken:
        layers = "make a layer as large as one of the parent's, or train from the beginning"
        raise refused(
            "architecture.layers",
            f"no weight has the name and shape of one of “{origin.name}”; {layers}",
        )
    return found


def refused(field: str, reason: str) -> InvalidConfig:
    return InvalidConfig(
        f"{field}: {reason}.", invalid_parameters=[{"field": field, "reason": reason}]
    )


def said(parent: Model | Checkpoint, found: Inheritance) -> str:
    """What a job's log says of where it begins."""
    share = f"{len(found.taken)} of {found.weights} weights"
    begins = f"Begins from “{parent}”: {share} are taken over"
    if not found.drawn:
        return f"{begins}."
    names = ", ".join(found.drawn[:NAMES_SHOWN])
    others = len(found.drawn) - NAMES_SHOWN
    more = f" and {others} more" if others > 0 else ""
    return f"{begins}; drawn anew, since they do not fit: {names}{more}."
