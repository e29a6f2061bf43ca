"""How much of a figure is luck of the split: the same job, trained again on others.

The rows that are not for testing are cut into k parts, each of which is once what is measured on
(k-fold cross-validation; Stone, 1974). They are cut as the dataset itself is split: classes alike
in each part, groups whole, and where time splits, each part is measured by what came before it.
Seed and configuration are the job's own, so each training repeats to the bit. The test rows take no
part.

A job that began from a model begins from it here, too, unless that model was shown these rows: then
each part would test what the parent had learned, and nothing is measured.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from kernels.modelfile import Signature
from kernels.predictor import Predictor
from training.models import Dataset, Job
from training.runner import ancestry, beginnings, learners, quality, walls
from training.runner.recipes import SplitKind
from training.runner.rows import Part, Rows
from training.runner.subjects import Judged, Subject

FOLDS_WITH_VALIDATION = 3  # of fewer none is left to train on beside one to look at


class NotFolded(Exception):
    """Why no figure of other splits would mean anything; what to do instead."""


def measure(subject: Subject, job: Job, *, folds: int) -> dict[str, Any]:
    """The first figure on each part, their mean and deviation; or why there are none."""
    known = subject.rows.take(np.flatnonzero(subject.rows.parts != Part.TEST))
    found = {"figure": quality.PRIMARIES[subject.judged], "folds": folds, "rows": len(known)}
    try:
        refuse_acquainted(subject, job, known)
        cut = list(split(subject, job.dataset, known, folds))
    except NotFolded as reason:
        return found | {"not_tried": str(reason)}
    values = []
    for rows in cut:
        values.append(score_of_fold(subject, job, rows))
        subject.beat(0)
    return found | {
        "values": values,
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)),
    }


def refuse_acquainted(subject: Subject, job: Job, known: Rows) -> None:
    """Raises NotFolded where what the job began from was shown these rows."""
    ancestor = ancestry.acquainted(job, known, beat=subject.beat)
    if ancestor is not None:
        raise NotFolded(
            f"It began from “{ancestor.name}”, which was shown these rows, so each part would test "
            "what that had learned. The test rows alone are new to both; to see what another split "
            "does, train from the beginning and have that model measured."
        )


def split(subject: Subject, dataset: Dataset, rows: Rows, folds: int) -> Iterator[Rows]:
    """The rows once for each fold: to be measured on as test rows, others to look at meanwhile.

    Raises NotFolded.
    """
    kind = dataset.split.get("kind")
    if rows.split_by is None and is_replaced(dataset):
        raise NotFolded(
            "A later version of this dataset took its place, and what belongs together among the "
            "rows of this one was not kept with them; train on the later one."
        )
    if rows.split_by is None and kind in (SplitKind.GROUP, SplitKind.TIME):
        raise NotFolded(
            f"The dataset is split by {kind}, and its rows were stored when that was not kept with "
            "them; correct its schema, which reads the file again, and train on that."
        )
    if kind == SplitKind.TIME:
        yield from by_time(dataset, rows, folds)
        return
    held = parts_held(subject, rows, folds)
    for number in range(folds):
        parts = np.full(len(rows), Part.TRAIN, np.int8)
        if folds >= FOLDS_WITH_VALIDATION:
            parts[held[number - 1]] = Part.VALIDATION
        parts[held[number]] = Part.TEST
        yield replace(rows, parts=parts)


def is_replaced(dataset: Dataset) -> bool:
    """Of data that come with the platform, which say by themselves when they are better cut."""
    later = Dataset.objects.filter(family=dataset.family, version__gt=dataset.version)
    return dataset.owner_id is None and later.exists()


def by_time(dataset: Dataset, rows: Rows, folds: int) -> Iterator[Rows]:
    """Of what came before a part the latest is looked at, in the share that the dataset says."""
    assert rows.split_by is not None
    shares = dataset.split
    share = shares["validation"] / (shares["train"] + shares["validation"])
    order = np.argsort(rows.split_by, kind="stable")
    if len(rows) <= folds:
        raise NotFolded(f"{len(rows)} rows make no {folds} parts after a first; ask for fewer.")
    for before, after in TimeSeriesSplit(folds).split(order):
        parts = np.full(len(before) + len(after), Part.TRAIN, np.int8)
        parts[len(before) - int(len(before) * share) :] = Part.VALIDATION
        parts[len(before) :] = Part.TEST
        yield replace(rows.take(order[np.concatenate([before, after])]), parts=parts)


def parts_held(subject: Subject, rows: Rows, folds: int) -> list[NDArray[np.intp]]:
    """The row numbers of each part: classes alike where there are enough of each, groups whole."""
    labels = rows.targets.reshape(len(rows), -1)[:, 0]
    counts = np.unique(labels, return_counts=True)[1]
    is_of_classes = subject.judged is Judged.CLASSES and counts.min() >= folds
    drawn = {"n_splits": folds, "shuffle": True, "random_state": subject.seed}
    if rows.split_by is None:
        cut = StratifiedKFold(**drawn) if is_of_classes else KFold(**drawn)
    else:
        groups = len(np.unique(rows.split_by))
        if groups < folds:
            raise NotFolded(
                f"There are {groups} groups to train and validate on, too few for {folds} parts "
                "with whole groups; ask for fewer folds."
            )
        cut = StratifiedGroupKFold(**drawn) if is_of_classes else GroupKFold(**drawn)
    asked = labels if is_of_classes else None
    found = [test for _, test in cut.split(np.zeros(len(rows)), asked, groups=rows.split_by)]
    if not all(map(len, found)):
        raise NotFolded(f"The groups are too unlike to make {folds} parts; ask for fewer folds.")
    return found


def score_of_fold(subject: Subject, job: Job, rows: Rows) -> float:
    module = subject.module
    run = learners.make_trainer(job, rows.only(Part.TRAIN), rows, seed=job.seed, module=module)
    model = beginnings.model_of(job)
    if model is not None:
        run.begin_from(model)
    for _ in run.run(on_progress=lambda step: bool(subject.beat(step)) or True):
        subject.beat(0)
    content = run.export(Signature((), ()), {"fold_of": str(job.pk)})
    predictor = Predictor(content, module=module, limits=walls.PREDICTION)
    part = replace(subject, content=content, predictor=predictor, rows=rows)
    return quality.score_of(part, part.test.features, part.test)
