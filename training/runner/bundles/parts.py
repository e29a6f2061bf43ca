"""Which rows train, validate and test: drawn with scikit-learn, which freezes its generator, so
that a seed fixes them for good.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from training.runner.bundles.bundle import SHARES
from training.runner.rows import Part

OF_THE_REST = SHARES["validation"] / (1 - SHARES["test"])


def stratified(strata: NDArray[Any], *, seed: int) -> NDArray[np.int8]:
    """The part of each row, each stratum spread evenly over the parts."""
    rest, test = train_test_split(
        np.arange(len(strata)), test_size=SHARES["test"], random_state=seed, stratify=strata
    )
    _, validation = train_test_split(
        rest, test_size=OF_THE_REST, random_state=seed, stratify=strata[rest]
    )
    return marked(len(strata), validation, test)


def numbered(groups: Sequence[str]) -> NDArray[np.int32]:
    """The number of the group of each row, int32 [rows]."""
    return np.unique(np.array(groups), return_inverse=True)[1].astype(np.int32)


def grouped(groups: Sequence[str], *, seed: int) -> NDArray[np.int8]:
    """The part of each row, whole groups in one."""
    numbers = numbered(groups)
    rows = np.arange(len(numbers))

    def drawn(size: float, of: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        splitter = GroupShuffleSplit(n_splits=1, test_size=size, random_state=seed)
        left, taken = next(splitter.split(of, groups=numbers[of]))
        return of[left], of[taken]

    rest, test = drawn(SHARES["test"], rows)
    _, validation = drawn(OF_THE_REST, rest)
    return marked(len(rows), validation, test)


def marked(rows: int, validation: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.int8]:
    parts = np.full(rows, Part.TRAIN, np.int8)
    parts[validation] = Part.VALIDATION
    parts[test] = Part.TEST
    return parts
