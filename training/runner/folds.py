"""How much of a figure is luck of the split: the same job, trained again on others.

The rows that are not for testing are cut into k parts, classes alike in each; every part is once
what is measured on, the next one what a training may look at between epochs, the rest what it
trains on (k-fold cross-validation; Stone, 1974). Seed and configuration are the job's own, so each
training repeats to the bit. The test rows take no part.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from kernels.modelfile import Signature
from kernels.predictor import Predictor
from training.models import Job
from training.runner import learners, quality, walls
from training.runner.rows import Part, Rows
from training.runner.subjects import Judged, Subject


def measure(subject: Subject, job: Job, *, folds: int) -> dict[str, Any]:
    """The first figure on each part, their mean and deviation."""
    known = subject.rows.take(np.flatnonzero(subject.rows.parts != Part.TEST))
    values = []
    for rows in split(subject, known, folds):
        values.append(score_of_fold(subject, job, rows))
        subject.beat(0)
    return {
        "figure": quality.PRIMARIES[subject.judged],
        "folds": folds,
        "rows": len(known),
        "values": values,
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)),
    }


def split(subject: Subject, rows: Rows, folds: int) -> list[Rows]:
    """The rows once for each fold: to be measured on as test rows, the next fold to look at."""
    labels = rows.targets.reshape(len(rows), -1)[:, 0]
    counts = np.unique(labels, return_counts=True)[1]
    is_of_classes = subject.judged is Judged.CLASSES and counts.min() >= folds
    cut = (StratifiedKFold if is_of_classes else KFold)(
        folds, shuffle=True, random_state=subject.seed
    )
    held = [test for _, test in cut.split(np.zeros(len(rows)), labels if is_of_classes else None)]
    return [
        Rows(rows.features, rows.targets, parts_of(len(rows), held[n], held[n - 1]), rows.groups)
        for n in range(folds)
    ]


def parts_of(count: int, test: NDArray[np.intp], validation: NDArray[np.intp]) -> NDArray[np.int8]:
    parts = np.full(count, Part.TRAIN, np.int8)
    parts[validation] = Part.VALIDATION
    parts[test] = Part.TEST
    return parts


def score_of_fold(subject: Subject, job: Job, rows: Rows) -> float:
    module = subject.module
    run = learners.make_trainer(job, rows.only(Part.TRAIN), rows, seed=job.seed, module=module)
    for _ in run.run(on_progress=lambda step: bool(subject.beat(step)) or True):
        subject.beat(0)
    content = run.export(Signature((), ()), {"fold_of": str(job.pk)})
    predictor = Predictor(content, module=module, limits=walls.PREDICTION)
    part = replace(subject, content=content, predictor=predictor, rows=rows)
    return quality.score_of(part, part.test.features, part.test)
