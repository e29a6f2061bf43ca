"""The seeded, stratified train/validation/test split of a dataset. Imported by workers only."""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from training.runner.rows import TEST_SHARE, VALIDATION_SHARE, Rows


@dataclass(frozen=True, eq=False)
class Split:
    train: Rows
    validation: Rows
    test: Rows


def split(rows: Rows, *, seed: int) -> Split:
    """The same rows for the same seed: scikit-learn freezes the generator behind `random_state`."""
    index = np.arange(len(rows))
    rest, test = train_test_split(
        index, test_size=TEST_SHARE, random_state=seed, stratify=rows.labels
    )
    train, validation = train_test_split(
        rest,
        test_size=VALIDATION_SHARE / (1 - TEST_SHARE),
        random_state=seed,
        stratify=rows.labels[rest],
    )
    return Split(
        rows.take(np.sort(train)), rows.take(np.sort(validation)), rows.take(np.sort(test))
    )
