"""Which rows train, which validate, which test, as a Split says it.

scikit-learn draws, and freezes its generator, so that a seed is a split for good. Imported by
workers only.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from training.runner.recipes import Split, SplitKind, SplitRefused
from training.runner.rows import Part


def choose_parts(
    split: Split,
    rows: int,
    *,
    classes: NDArray[Any] | None = None,
    order: Sequence[Any] | NDArray[Any] | None = None,
    groups: Sequence[Any] | None = None,
) -> NDArray[np.int8]:
    """The part of each row, int8 [rows]. Raises SplitRefused.

    `classes` [rows] are the numbers of the classes, where rows have one: those that are spread
    evenly, and none of which may be missing from training. `order` [rows] is the time of each, and
    `groups` [rows] what it belongs to.
    """
    if split.kind is SplitKind.TIME:
        parts = by_time(split, rows, order)
    elif split.kind is SplitKind.GROUP:
        if groups is None:
            raise SplitRefused("split.column: a split by group needs a column; give one the role.")
        parts = by_group(split, np.asarray(groups))
    else:
        if split.kind is SplitKind.STRATIFIED and classes is None:
            raise SplitRefused(
                "split.kind: 'stratified' needs classes, and the target is no category; take "
                "'random' or 'time'."
            )
        parts = at_random(split, rows, classes if split.kind is SplitKind.STRATIFIED else None)
    check_parts(split, parts, classes)
    return parts


def share_of(split: Split, part: Part) -> float:
    return {
        Part.TRAIN: split.train,
        Part.VALIDATION: split.validation,
        Part.TEST: split.test,
    }[part]


def at_random(split: Split, rows: int, strata: NDArray[Any] | None) -> NDArray[np.int8]:
    """First the test rows, then of the rest those for validation."""
    parts = np.full(rows, Part.TRAIN, np.int8)
    rest = np.arange(rows)
    for part in (Part.TEST, Part.VALIDATION):
        share = share_of(split, part)
        if not share:
            continue
        try:
            rest, chosen = train_test_split(
                rest,
                test_size=round(rows * share),
                random_state=split.seed,
                stratify=None if strata is None else strata[rest],
            )
        except ValueError as error:
            raise SplitRefused(
                f"split: {rows:,} rows cannot be split so: {error} Bring more rows, or take "
                "another kind of split."
            ) from error
        parts[chosen] = part
    return parts


def by_time(
    split: Split, rows: int, order: Sequence[Any] | NDArray[Any] | None
) -> NDArray[np.int8]:
    """Equal times stay in the order of the file."""
    ranked = np.arange(rows) if order is None else np.argsort(np.asarray(order), kind="stable")
    train = round(rows * split.train)
    test = rows - round(rows * split.test)
    parts = np.full(rows, Part.VALIDATION, np.int8)
    parts[ranked[: train if split.validation else test]] = Part.TRAIN
    parts[ranked[test:]] = Part.TEST
    return parts


def by_group(split: Split, groups: NDArray[Any]) -> NDArray[np.int8]:
    """The shares are those of the groups, as near as they come."""
    parts = np.full(len(groups), Part.TRAIN, np.int8)
    rest = np.arange(len(groups))
    left = 1.0
    for part in (Part.TEST, Part.VALIDATION):
        share = share_of(split, part)
        if not share:
            continue
        drawn = GroupShuffleSplit(n_splits=1, test_size=share / left, random_state=split.seed)
        try:
            kept, chosen = next(drawn.split(rest, groups=groups[rest]))
        except ValueError as error:
            number = len(np.unique(groups))
            raise SplitRefused(
                f"split: {number} groups cannot be split so; there must be one for each part."
            ) from error
        parts[rest[chosen]] = part
        rest, left = rest[kept], left - share
    return parts


def check_parts(split: Split, parts: NDArray[np.int8], classes: NDArray[Any] | None) -> None:
    """SplitRefused where a part has no rows, or training has none of a class."""
    for part in Part:
        share = share_of(split, part)
        if share and not (parts == part).any():
            raise SplitRefused(
                f"split.{part.name.lower()}: {share:g} of {len(parts):,} rows is none. Bring more "
                "rows or give it a larger share."
            )
    if classes is None:
        return
    untrained = np.setdiff1d(classes, classes[parts == Part.TRAIN])
    if untrained.size:
        raise SplitRefused(
            f"split: class {int(untrained[0])} has rows and none of them trains. Take "
            "'stratified', or leave out classes that are so rare."
        )


def inferred_parts(
    split: Split, rows: int, classes: NDArray[Any] | None
) -> tuple[Split, NDArray[np.int8]]:
    """Stratified where every class has rows enough for it, else at random: what is taken where
    nobody said how to split.
    """
    try:
        return split, choose_parts(split, rows, classes=classes)
    except SplitRefused:
        if split.kind is not SplitKind.STRATIFIED:
            raise
    plain = replace(split, kind=SplitKind.RANDOM)
    return plain, choose_parts(plain, rows, classes=classes)
