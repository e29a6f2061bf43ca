"""Whether a model treats groups of people alike, for each column that its owner called sensitive.

The groups are those that the dataset was prepared with, by the names in its report.

Rates are fairlearn's: of each group the share that is answered with a class (selection rate), and
how the shares differ (demographic parity), how often right answers and false ones differ (equalised
odds). Groups are told to differ only where the 95 % interval of a difference lies above 0.1, and
only those of 50 rows are asked: were the others among them, one person would be the group that
differs most. Where no two have so many, their rates are shown and nothing was tested. That nothing
was found proves nothing: fairness is more than three rates on one set of rows. Where no column is
sensitive nothing is assessed, and nothing is said.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from fairlearn.metrics import (
    MetricFrame,
    count,
    demographic_parity_difference,
    demographic_parity_ratio,
    equalized_odds_difference,
)
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, mean_absolute_error

from kernels.data import Target
from training.runner.figures import Beat, Counts, Numbers, bootstrap, mean_interval, unheard
from training.runner.quality.shares import share_interval
from training.runner.subjects import Judged, Subject

THRESHOLD = 0.1
ROWS_LEAST = 50
CLASSES_MAX = 20
NO_GROUP = -1  # of a row whose value is missing, or was never heard of
GROUPS_LEAST = 2
NOT_DECLARED = "Not assessed: no column of the dataset was declared sensitive."
NOT_MEANT = "Not assessed: only classes and values are compared between groups."


def measure(subject: Subject) -> dict[str, Any]:
    groups = subject.test.groups
    if groups is None or not groups.size:
        return {"state": "not assessed", "reason": NOT_DECLARED}
    is_of_classes = subject.judged is Judged.CLASSES and subject.shape.target is Target.CLASSES
    if not is_of_classes and subject.judged is not Judged.VALUES:
        return {"state": "not assessed", "reason": NOT_MEANT}
    columns = []
    for named, codes in zip(subject.groups, groups.T, strict=True):
        columns.append(compared(subject, named, codes, is_of_classes=is_of_classes))
        subject.beat(len(columns))
    found = {"threshold": THRESHOLD, "rows_least": ROWS_LEAST, "columns": columns}
    if all("reason" in column for column in columns):
        return found | {"state": "not assessed"}
    if not any(column.get("compared") for column in columns):
        return found | {"state": "not tested"}
    is_flagged = any(column["flags"] for column in columns)
    return found | {"state": "differences found" if is_flagged else "assessed"}


def compared(
    subject: Subject, named: Mapping[str, Any], codes: NDArray[np.int32], *, is_of_classes: bool
) -> dict[str, Any]:
    """The groups of one column. Rows without a value are in none: they are counted, not compared,
    since what they have in common is only that nobody wrote it down.
    """
    is_known = codes != NO_GROUP
    labels = np.array(named["names"], object)[codes[is_known]].astype(str)
    column = {"column": named["column"], "rows_without": int((~is_known).sum())}
    there = sorted(set(labels))
    if len(there) < GROUPS_LEAST:
        only = f"only “{there[0]}” has" if there else "no group has"
        return column | {
            "reason": f"Not compared: {only} rows among those of the test.",
            "flags": [],
        }
    truth = subject.test.targets.reshape(len(codes), -1)[is_known, 0]
    answers = subject.test_answers.reshape(len(codes), -1)[is_known]
    units = subject.units(len(codes))
    drawn: dict[str, Any] = {
        "units": None if units is None else units[is_known],
        "beat": subject.beat,
    }
    if not is_of_classes:
        column |= first_target(subject)
        return column | of_values(truth, answers[:, 0], labels, subject.seed, **drawn)
    guesses = answers.argmax(axis=1)
    asked = (truth.astype(np.int64), guesses, labels, subject.classes, subject.seed)
    return column | of_classes(*asked, **drawn)


def first_target(subject: Subject) -> dict[str, Any]:
    """Which of several numbers is compared."""
    if subject.shape.size < 2:
        return {}
    columns = subject.recipe.get("columns", ())
    named = [each["name"] for each in columns if each.get("role") == "target"]
    return {"target": named[0] if named else "the first number", "targets": subject.shape.size}


def of_size(names: NDArray[Any], sizes: NDArray[np.int64]) -> list[str]:
    """The groups that are compared; none where no two have rows enough."""
    large = [str(name) for name, size in zip(names, sizes, strict=True) if size >= ROWS_LEAST]
    return large if len(large) >= GROUPS_LEAST else []


def of_classes(
    truth: NDArray[np.int64],
    guesses: NDArray[np.int64],
    labels: NDArray[Any],
    classes: tuple[str, ...],
    seed: int,
    *,
    units: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> dict[str, Any]:
    frame = MetricFrame(
        metrics={"rows": count, "accuracy": accuracy_score},
        y_true=truth,
        y_pred=guesses,
        sensitive_features=labels,
    )
    drawn: dict[str, Any] = {"units": units, "beat": beat}
    large = of_size(*np.unique(labels, return_counts=True))
    groups = [
        {"name": str(name), "rows": int(row["rows"]), "value": float(row["accuracy"])}
        | interval_of(truth == guesses, labels == name, seed, share_interval, **drawn)
        for name, row in frame.by_group.iterrows()
    ]
    rates, flags = [], []
    # of two classes one says all about the other
    asked = range(1, 2) if len(classes) == 2 else range(min(len(classes), CLASSES_MAX))
    for number in asked:
        found = of_class(truth == number, guesses == number, labels, seed, **drawn)
        rates.append({"class": classes[number], **found})
        if large and found["difference_low"] > THRESHOLD:
            flags.append(
                f"{classes[number]}: “{found['highest']}” is answered with it more often than "
                f"“{found['lowest']}”, by at least {found['difference_low']:.0%}."
            )
    return {
        "figure": "accuracy",
        "groups": groups,
        "compared": large,
        "rates": rates,
        "flags": flags,
    }


def interval_of(
    values: NDArray[Any],
    is_member: NDArray[np.bool_],
    seed: int,
    method: Callable[..., tuple[float, float]],
    *,
    units: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> dict[str, float]:
    """The bounds of one group's mean."""
    together = None if units is None else units[is_member]
    low, high = method(values[is_member], seed=seed, groups=together, beat=beat)
    return {"low": low, "high": high}


def of_class(
    is_true: NDArray[np.bool_],
    is_said: NDArray[np.bool_],
    labels: NDArray[Any],
    seed: int,
    *,
    units: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> dict[str, Any]:
    """Between the group that is answered with a class most often and least often, of those that are
    compared, or of all where none are.
    """
    names, groups, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    rates = np.bincount(groups, weights=is_said) / sizes
    asked = np.flatnonzero(np.isin(names, of_size(names, sizes) or names))
    most, least = int(asked[rates[asked].argmax()]), int(asked[rates[asked].argmin()])
    is_asked = np.isin(groups, asked)
    told: dict[str, Any] = {
        "y_true": is_true[is_asked],
        "y_pred": is_said[is_asked],
        "sensitive_features": labels[is_asked],
    }
    members = np.stack([groups == most, groups == least], axis=1).astype(np.float64)
    said = members * is_said[:, None]

    def statistic(counts: Counts) -> Numbers:
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = (counts @ said) / (counts @ members)
        return np.asarray(drawn[:, 0] - drawn[:, 1])[:, None]

    low, high = bootstrap(len(labels), statistic, seed=seed, groups=units, beat=beat)[:, 0]
    if not np.isfinite(low):  # all of one group and none of the other, and so in every draw
        low, high = apart(
            *(
                {"value": rates[one]}
                | interval_of(is_said, groups == one, seed, share_interval, units=units, beat=beat)
                for one in (most, least)
            )
        )
    return {
        "highest": str(names[most]),
        "lowest": str(names[least]),
        "rows_of_both": int(min(sizes[most], sizes[least])),
        "selection_rates": {str(n): float(r) for n, r in zip(names, rates, strict=True)},
        "difference": float(demographic_parity_difference(**told)),
        "difference_low": float(low),
        "difference_high": float(high),
        "ratio": float(demographic_parity_ratio(**told)),
        "equalised_odds": float(equalized_odds_difference(**told)),
    }


def apart(most: Mapping[str, float], least: Mapping[str, float]) -> tuple[float, float]:
    """The interval of a difference of two shares, each with its own (Newcombe, 1998, method 10)."""
    difference = most["value"] - least["value"]
    down = np.hypot(most["value"] - most["low"], least["high"] - least["value"])
    up = np.hypot(most["high"] - most["value"], least["value"] - least["low"])
    return float(difference - down), float(difference + up)


def of_values(
    truth: NDArray[Any],
    found: NDArray[Any],
    labels: NDArray[Any],
    seed: int,
    *,
    units: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> dict[str, Any]:
    """Errors of each group. Told to differ where intervals do not meet, by a tenth of the mean."""
    frame = MetricFrame(
        metrics={"rows": count, "error": mean_absolute_error},
        y_true=truth,
        y_pred=found,
        sensitive_features=labels,
    )
    drawn: dict[str, Any] = {"units": units, "beat": beat}
    off = np.abs(truth - found)
    groups: list[dict[str, Any]] = [
        {"name": str(name), "rows": int(row["rows"]), "value": float(row["error"])}
        | interval_of(off, labels == name, seed, mean_interval, **drawn)
        for name, row in frame.by_group.iterrows()
    ]
    large = of_size(*np.unique(labels, return_counts=True))
    flags = []
    if large:
        asked = [group for group in groups if group["name"] in large]
        worst = max(asked, key=lambda group: group["value"])
        best = min(asked, key=lambda group: group["value"])
        if worst["low"] - best["high"] > THRESHOLD * float(np.abs(truth - found).mean()):
            flags.append(f"Errors for “{worst['name']}” are larger than for “{best['name']}”.")
    return {
        "figure": "mean absolute error",
        "groups": groups,
        "compared": large,
        "rates": [],
        "flags": flags,
    }
