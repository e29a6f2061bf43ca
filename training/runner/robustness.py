"""What is left of a model's first figure when its rows are not as they should be.

    noise       to each number is added a Gaussian as wide as a share of its deviation in training;
                of tokens the share is replaced by others
    missing     a share of the numbers is replaced by what stands for a missing one: the column's
                fill value, else its training mean; of tokens, by the unknown one
    shift       all numbers are moved up by so many of their deviations, as of a sensor gone wrong
    adversarial each number is moved by a share of its deviation to where the loss rises
                (fast gradient sign method, Goodfellow et al., 2015), by our own gradients
    refusals    what is no number must be refused, and not answered

At most 512 test rows, always the same. The first point of every curve is of rows as they are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.data import Target
from kernels.explain import NotExplained
from kernels.predictor import RowsRefused
from training.runner import quality
from training.runner.rows import Rows
from training.runner.subjects import Judged, Subject

ROWS_MAX = 512
ATTACKED_MAX = 256
OUTPUTS_ATTACKED_MAX = 64
UNKNOWN_TOKEN = 1
NOISES = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)
SHARES_MISSING = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)
SHIFTS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0)
ATTACKS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
BAD = {"not a number": np.nan, "infinity": np.inf, "−infinity": -np.inf, "1e39": 1e39}

Curve = list[list[float]]  # level, first figure


def measure(subject: Subject) -> dict[str, Any]:
    """The curves, by name, and what was refused; why something was not tried."""
    if not quality.takes_rows(subject):
        return {"curves": {}, "refusals": [], "not_tried": {"all": NO_ROWS}}
    primary = quality.PRIMARIES[subject.judged]
    if why := quality.undefined(subject):
        nothing = f"Nothing is told of {primary}, which has no value: {why}."
        return {"curves": {}, "refusals": refusals(subject), "not_tried": {"all": nothing}}
    rows = subject.some(ROWS_MAX)
    rng = np.random.default_rng(subject.seed)
    curves: dict[str, Curve] = {}
    not_tried: dict[str, str] = {}
    for name, levels, disturbed in (
        ("noise", NOISES, with_noise),
        ("missing", SHARES_MISSING, with_gaps),
        ("shift", SHIFTS, shifted),
    ):
        if subject.is_of_tokens and disturbed is shifted:
            not_tried[name] = "Tokens have no range to be out of."
            continue
        curves[name] = curve(subject, rows, levels, disturbed, rng)
    try:
        curves["adversarial"] = attack(subject, subject.some(ATTACKED_MAX))
    except NotExplained as error:
        not_tried["adversarial"] = str(error)
    return {
        "figure": primary,
        "lower_is_better": subject.judged in quality.LOWER_IS_BETTER,
        "rows": len(rows),
        "curves": curves,
        "retained": {name: points[-1][1] for name, points in curves.items()},
        "refusals": refusals(subject),
        "not_tried": not_tried,
    }


NO_ROWS = "It is given noise or an environment, not rows, so there is nothing to disturb."
Disturb = Callable[[Subject, NDArray[Any], float, np.random.Generator], NDArray[Any]]


def curve(
    subject: Subject,
    rows: Rows,
    levels: tuple[float, ...],
    disturbed: Disturb,
    rng: np.random.Generator,
) -> Curve:
    found = []
    for level in levels:
        given = disturbed(subject, rows.features, level, rng) if level else rows.features
        found.append([level, quality.score_of(subject, given, rows)])
    return found


def with_noise(
    subject: Subject, features: NDArray[Any], level: float, rng: np.random.Generator
) -> NDArray[Any]:
    if subject.is_of_tokens:
        others = rng.integers(UNKNOWN_TOKEN, subject.shape.vocabulary, features.shape)
        return np.where(chosen(features, level, rng), others, features).astype(np.uint32)
    noise = rng.standard_normal(features.shape) * level * subject.deviations
    return np.asarray(features + noise, np.float32)


def with_gaps(
    subject: Subject, features: NDArray[Any], level: float, rng: np.random.Generator
) -> NDArray[Any]:
    filled = UNKNOWN_TOKEN if subject.is_of_tokens else fill_values(subject)
    return np.where(chosen(features, level, rng), filled, features).astype(features.dtype)


def chosen(features: NDArray[Any], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which numbers are hit; padding is no token and stays."""
    is_hit = rng.random(features.shape) < share
    return is_hit & (features > 0) if features.dtype.kind in "iu" else is_hit


def fill_values(subject: Subject) -> NDArray[np.float32]:
    """What stands for a missing number of a row, of its shape."""
    filled = subject.means.copy()
    known = {
        column["name"]: column["missing"]
        for column in subject.recipe.get("columns", [])
        if isinstance(column.get("missing"), int | float)
    }
    if filled.ndim == 1:
        for place, name in enumerate(subject.features):
            if name in known:
                filled[place] = known[name]
    return filled


def shifted(
    subject: Subject, features: NDArray[Any], level: float, rng: np.random.Generator
) -> NDArray[Any]:
    return np.asarray(features + level * subject.deviations, np.float32)


def attack(subject: Subject, rows: Rows) -> Curve:
    """Raises NotExplained where the loss has no slope in the input."""
    if subject.is_of_tokens:
        raise NotExplained("Tokens cannot be moved by a little.")
    signs = np.sign(loss_slopes(subject, rows))
    found = []
    for level in ATTACKS:
        moved = np.asarray(rows.features + level * subject.deviations * signs, np.float32)
        found.append([level, quality.score_of(subject, moved, rows)])
    return found


def loss_slopes(subject: Subject, rows: Rows) -> NDArray[np.float32]:
    """The direction in which the loss of each row rises, of the shape of the rows.

    Of cross-entropy the slope in the scores is p - y, of a squared error ŷ - y.
    """
    answers = subject.answers(rows.features)
    wants = wanted_change(subject, answers, rows)
    if wants.shape[1] > OUTPUTS_ATTACKED_MAX:
        raise NotExplained(f"More than {OUTPUTS_ATTACKED_MAX} outputs are not attacked.")
    slopes = []
    for number, (example, weights) in enumerate(zip(rows.features, wants, strict=True)):
        slopes.append(subject.explainer.slope(example, weights))
        subject.beat(number)
    return np.stack(slopes).reshape(rows.features.shape)


def wanted_change(subject: Subject, answers: NDArray[Any], rows: Rows) -> NDArray[np.float32]:
    """∂ loss / ∂ scores, (rows, outputs)."""
    count = len(rows)
    if subject.judged in (Judged.VALUES, Judged.FORECASTS):
        truth = rows.targets.reshape(count, -1)
        return np.asarray(answers.reshape(truth.shape) - truth, np.float32)
    if subject.judged is Judged.CLASSES and subject.shape.target is Target.CLASSES:
        told = np.eye(answers.shape[-1], dtype=np.float32)[rows.targets.astype(np.int64)]
        return np.asarray(answers - told, np.float32)
    raise NotExplained("Only classes and values are attacked.")


def refusals(subject: Subject) -> list[dict[str, Any]]:
    """What is not a number, put in the place of the first number of a row."""
    example = subject.test.features[:1].copy()
    if subject.is_of_tokens:
        example.flat[0] = subject.predictor.vocabulary
        bad = {"a token that it does not know": example}
    else:
        bad = {}
        for name, value in BAD.items():
            given = example.astype(np.float64)
            given.flat[0] = value
            bad[name] = given
    return [{"given": name, "is_refused": is_refused(subject, row)} for name, row in bad.items()]


def is_refused(subject: Subject, row: NDArray[Any]) -> bool:
    try:
        subject.predictor.predict(row)
    except RowsRefused:
        return True
    return False
