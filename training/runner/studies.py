"""Measures what the divergent patterns do: each is trained beside the plain run, seed by seed.

Both runs have the same rows, configuration and seed, so they begin from the same weights and what
differs at the end is the pattern's. Loss (cross-entropy) and accuracy are those of the test rows:
two patterns choose by the validation rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models.functions import Now
from numpy.typing import NDArray

from kernels import build
from kernels import config as kernel_config
from kernels.data import TrainingData
from kernels.limits import Limits
from kernels.modelfile import Signature
from kernels.predictor import Predictor
from kernels.settings import PATTERNS
from kernels.trainer import Progress, Trainer
from training.models import PatternStudy, Tier, Work
from training.runner import blobs, leases, walls
from training.runner.chunks import FAULTS
from training.runner.rows import Part, Rows, unpack
from training.runner.subjects import answers_of
from training.runner.tiers import TIERS


@dataclass(frozen=True)
class Outcome:
    """On the test rows."""

    loss: float
    accuracy: float


def study_patterns(study_id: str) -> None:
    """Measure, if it is to be had; what was taken over meanwhile counts for nothing."""
    leases.do(PatternStudy, study_id, measure)


def measure(study: PatternStudy) -> None:
    if study.dataset.status != Work.Status.DONE:
        leases.write(study, lease_until=None)  # its turn comes again when the rows are there
        return
    leases.write(study, status=Work.Status.RUNNING)
    beat = leases.heartbeat(study)
    try:
        rows = unpack(blobs.get(study.dataset.sha256))
        figures: dict[str, list[dict[str, float]]] = {pattern: [] for pattern in PATTERNS}
        for seed in range(study.seeds):
            plain = outcome(study, rows, {"enabled": False}, seed=seed, on_progress=beat)
            for pattern in PATTERNS:
                divergent = {"enabled": True, "pattern": pattern, "factor": study.factor}
                found = outcome(study, rows, divergent, seed=seed, on_progress=beat)
                figures[pattern].append(pair(seed, plain, found))
    except FAULTS as error:
        leases.fail(study, code=leases.fault_code(error), message=str(error))
        return
    leases.write(
        study,
        status=Work.Status.DONE,
        lease_until=None,
        finished_at=Now(),
        kernel_hash=build.module().kernel_hash,
        figures=figures,
    )


def pair(seed: int, plain: Outcome, found: Outcome) -> dict[str, float]:
    return {
        "seed": seed,
        "plain_loss": plain.loss,
        "loss": found.loss,
        "plain_accuracy": plain.accuracy,
        "accuracy": found.accuracy,
    }


def outcome(
    study: PatternStudy,
    rows: Rows,
    divergent: Mapping[str, Any],
    *,
    seed: int,
    on_progress: Progress,
) -> Outcome:
    """Train with these settings to the end, and measure on the test rows."""
    train, validation, test = (rows.only(part) for part in Part)
    config = kernel_config.parse(study.config | {"divergent": divergent}, study.dataset.data_shape)
    data = TrainingData(train.features, train.targets, validation.features, validation.targets)
    limits = Limits(memory_bytes=TIERS[Tier.NANO].memory_bytes)
    run = Trainer(config, data, seed=seed, module=build.module(), limits=limits)
    for _ in run.run(on_progress=on_progress):
        pass
    content = run.export(Signature(features=(), classes=()), {})
    predictor = Predictor(content, module=build.module(), limits=walls.PREDICTION)
    answers = answers_of(predictor, test.features, beat=on_progress)
    return outcome_of(answers, test.targets)


def outcome_of(probabilities: NDArray[np.float32], classes: NDArray[Any]) -> Outcome:
    """Of probabilities [rows, classes] and the right classes [rows]."""
    right = probabilities[np.arange(len(classes)), classes].astype(np.float64)
    smallest = float(np.finfo(np.float32).tiny)
    return Outcome(
        loss=float(-np.log(np.maximum(right, smallest)).mean()),
        accuracy=float((probabilities.argmax(axis=1) == classes).mean()),
    )
