"""Real data from kept packages, whole: what it is, how it becomes numbers, how it is split.

Imported by workers only: scikit-learn takes a second and 150 MB.
"""

from collections.abc import Callable

from training.runner.bundles.bundle import Bundle
from training.runner.bundles.environments import cartpole
from training.runner.bundles.pictures import digit_pictures, digits
from training.runner.bundles.series import co2
from training.runner.bundles.tables import (
    breast_cancer,
    breast_cancer_anomalies,
    diabetes,
    iris,
    wine,
)
from training.runner.bundles.texts import languages, python_docs

__all__ = ["BUNDLES", "Bundle"]

BUNDLES: dict[str, Callable[[], Bundle]] = {
    "iris": iris,
    "wine": wine,
    "breast-cancer": breast_cancer,
    "digits": digits,
    "diabetes": diabetes,
    "co2": co2,
    "languages": languages,
    "python-docs": python_docs,
    "digit-pictures": digit_pictures,
    "breast-cancer-anomalies": breast_cancer_anomalies,
    "cartpole": cartpole,
}
