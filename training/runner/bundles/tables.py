"""Tables of numbers, by way of scikit-learn: three with a class, one with a value, and one whose
training rows hold nothing unusual.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn.datasets

from training.runner.bundles.bundle import Bundle, asked, numbers, split_of
from training.runner.bundles.parts import stratified
from training.runner.recipes import Form, Recipe
from training.runner.rows import Part

STRATA = 10  # a number to be foretold is stratified by its deciles


def classified(load: Callable[[], Any], target: str) -> Bundle:
    """One of scikit-learn's tables whose rows have a class."""
    data = load()
    classes = [str(name) for name in data.target_names]
    columns = (*numbers(data.feature_names), asked(target, classes))
    return Bundle(
        features=data.data.astype(np.float32),
        targets=data.target.astype(np.uint32),
        recipe=Recipe(Form.TABLE, columns),
        strata=data.target,
    )


def iris() -> Bundle:
    """150 flowers of three species, measured in centimetres."""
    return classified(sklearn.datasets.load_iris, "species")


def wine() -> Bundle:
    """178 wines of three growers, by 13 chemical measurements."""
    return classified(sklearn.datasets.load_wine, "cultivar")


def breast_cancer() -> Bundle:
    """569 tumours, by 30 measurements of the nuclei of their cells."""
    return classified(sklearn.datasets.load_breast_cancer, "diagnosis")


def diabetes() -> Bundle:
    """442 patients, and how far their illness got within a year.

    The measurements are those of the study, in their units.
    """
    data = sklearn.datasets.load_diabetes(scaled=False)
    edges = np.quantile(data.target, np.linspace(0, 1, STRATA + 1)[1:-1])
    columns = (*numbers(data.feature_names), asked("progression"))
    return Bundle(
        features=data.data.astype(np.float32),
        targets=data.target.astype(np.float32)[:, None],
        recipe=Recipe(Form.TABLE, columns),
        strata=np.digitize(data.target, edges),
    )


def breast_cancer_anomalies() -> Bundle:
    """The tumours again: a network that has seen benign ones alone is to notice the others.

    The rows are split as those of `breast_cancer`; then the malignant ones leave the training and
    the validation part. So the test part has both in their natural shares, and no malignant row
    took part in a choice.
    """
    whole = breast_cancer()
    benign = whole.classes.index("benign")
    parts = stratified(whole.targets, seed=0)
    kept = (parts == Part.TEST) | (whole.targets == benign)
    columns = (*whole.recipe.features, asked("diagnosis", ["benign", "malignant"]))
    return Bundle(
        features=np.ascontiguousarray(whole.features[kept]),
        targets=(whole.targets[kept] != benign).astype(np.uint32),
        recipe=Recipe(Form.TABLE, columns, usual="benign"),
        split=split_of("stratified", "diagnosis"),
        parts=parts[kept],
    )
