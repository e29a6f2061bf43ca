"""How good a model's answers are, one module for each way of judging them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.runner.figures import Quality
from training.runner.quality import (
    anomalies,
    classification,
    episodic,
    forecasting,
    generation,
    language,
    reconstruction,
    regression,
)
from training.runner.rows import Rows
from training.runner.subjects import Judged, Subject

MEASURES = {
    Judged.CLASSES: classification.measure,
    Judged.VALUES: regression.measure,
    Judged.FORECASTS: forecasting.measure,
    Judged.ANOMALIES: anomalies.measure,
    Judged.RECONSTRUCTIONS: reconstruction.measure,
    Judged.SAMPLES: generation.measure,
    Judged.TOKENS: language.measure,
    Judged.EPISODES: episodic.measure,
}
SCORES = {
    Judged.CLASSES: classification.score,
    Judged.VALUES: regression.score,
    Judged.FORECASTS: forecasting.score,
    Judged.ANOMALIES: anomalies.score,
    Judged.RECONSTRUCTIONS: reconstruction.score,
    Judged.TOKENS: language.score,
}
PRIMARIES = {
    Judged.CLASSES: "accuracy",
    Judged.VALUES: "r2",
    Judged.FORECASTS: "mase",
    Judged.ANOMALIES: "pr_auc",
    Judged.RECONSTRUCTIONS: "reconstruction_error",
    Judged.TOKENS: "perplexity",
}
LOWER_IS_BETTER = {Judged.FORECASTS, Judged.TOKENS, Judged.RECONSTRUCTIONS}


def measure(subject: Subject) -> Quality:
    """All figures of quality, on the test rows."""
    found = MEASURES[subject.judged](subject)
    if subject.is_split_by_group and found.method.drawn.startswith("rows"):
        groups = subject.units(len(subject.test))
        if groups is not None:
            drawn = f"{len(np.unique(groups)):,} whole groups of rows"
            return replace(found, method=replace(found.method, drawn=drawn))
    return found


def undefined(subject: Subject) -> str:
    """Why the first figure has no value on these data; nothing where it has one."""
    return forecasting.undefined(subject) if subject.judged is Judged.FORECASTS else ""


def takes_rows(subject: Subject) -> bool:
    """Whether there are rows to disturb: a generator is given noise, a player makes its own way."""
    return subject.judged in SCORES


def score_of(subject: Subject, features: NDArray[Any], rows: Rows) -> float:
    """The first figure, where the network is given `features` in the place of those of `rows`.

    Raises Undefined.
    """
    return SCORES[subject.judged](subject, features, rows)
