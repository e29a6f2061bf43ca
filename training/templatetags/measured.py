"""What a validation found, ready to be drawn: key figures with what bounds them, lines and bars."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import template
from django.utils.text import slugify

from training.models import Validation
from training.runner.figures import NO_OTHER
from training.templatetags.charts import figure
from training.templatetags.scales import number

register = template.Library()

TOP_COLUMNS = 12

LABELS = {
    "accuracy": "Accuracy",
    "precision": "Precision, macro",
    "recall": "Recall, macro",
    "f1": "F1, macro",
    "precision_weighted": "Precision, weighted",
    "recall_weighted": "Recall, weighted",
    "f1_weighted": "F1, weighted",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "calibration_error": "Calibration error",
    "accuracy_over_majority": "Above the majority",
    "r2": "R²",
    "mean_absolute_error": "Mean absolute error",
    "root_mean_squared_error": "Root mean squared error",
    "mase": "MASE",
    "smape": "sMAPE",
    "frechet_distance": "Fréchet distance",
    "kernel_distance": "Kernel distance, MMD²",
    "sample_confidence": "Confidence in samples",
    "sample_classes": "Classes among samples",
    "perplexity": "Perplexity",
    "reconstruction_error": "Reconstruction error",
    "mean_return": "Mean return",
    "lowest_return": "Lowest return",
}
OF_ANOMALIES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
SHARES = {
    "accuracy",
    "precision",
    "recall",
    "f1",
    "precision_weighted",
    "recall_weighted",
    "f1_weighted",
    "roc_auc",
    "pr_auc",
    "calibration_error",
    "accuracy_over_majority",
    "sample_confidence",
}
CURVES = {
    "noise": ("Noise", "width of the noise, in deviations"),
    "missing": ("Missing values", "share of values missing"),
    "shift": ("Out of range", "shift, in deviations"),
    "adversarial": ("Adversarial (FGSM)", "step, in deviations"),
}


@dataclass(frozen=True)
class KeyFigure:
    """A figure of quality in words."""

    label: str
    text: str
    unit: str
    hint: str


def _in_order(validation: Validation) -> list[str]:
    order = [validation.report.get("primary", ""), *LABELS]
    return sorted(validation.metrics, key=lambda name: order.index(name) if name in order else 99)


@register.filter
def key_figures(validation: Validation) -> list[KeyFigure]:
    """All figures, the first of its kind first; before them those that have no value here, and
    why.
    """
    labels, undefined = labels_of(validation), validation.report.get("undefined", {})
    missing = [
        KeyFigure(figure_label(name), figure(None), "", why) for name, why in undefined.items()
    ]
    return missing + [
        _key_figure(name, validation.metrics[name], labels) for name in _in_order(validation)
    ]


@register.filter
def primary_figure(validation: Validation | None) -> KeyFigure | None:
    """The figure that its kind of model is judged by, if it was measured."""
    return next(iter(key_figures(validation)), None) if validation else None


def labels_of(validation: Validation) -> Mapping[str, str]:
    """Names that mean something else here: of anomalies there is one class, and no mean of many."""
    return OF_ANOMALIES if validation.report.get("primary") == "pr_auc" else {}


@register.filter
def figure_label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " ").capitalize())


def _key_figure(name: str, found: Mapping[str, Any], labels: Mapping[str, str]) -> KeyFigure:
    is_share = name in SHARES
    factor, unit = (100.0, "%") if is_share else (1.0, str(found.get("unit", "")))

    def text(value: float) -> str:
        return figure(value * factor, 3)

    parts = []
    if _is_bounded(found):
        parts.append(f"95 % sure: {text(found['low'])} to {text(found['high'])}")
    elif "low" in found or "no_interval" in found:
        parts.append(f"no interval: {found.get('no_interval', NO_OTHER)}")
    if "baseline" in found:
        named = found.get("baseline_name", "baseline")
        parts.append(f"{text(found['baseline'])} for {named}")
    return KeyFigure(
        labels.get(name) or figure_label(name),
        figure(found["value"] * factor),
        unit,
        " · ".join(parts),
    )


def _is_bounded(found: Mapping[str, Any]) -> bool:
    """Older reports have intervals of width zero, which were none."""
    return bool("low" in found and found["low"] < found["high"])


@register.filter
def share_intervals(validation: Validation) -> list[dict[str, Any]]:
    """The figures between 0 and 1 that have an interval, for `interval_chart`."""
    labels = labels_of(validation)
    return [
        {"name": labels.get(name) or figure_label(name), **validation.metrics[name]}
        for name in _in_order(validation)
        if name in SHARES and _is_bounded(validation.metrics[name])
    ]


@register.filter
def reliability(bins: Sequence[Mapping[str, float]]) -> dict[str, list[tuple[float, float]]]:
    """What was claimed against what was so; on the diagonal a probability means what it says."""
    return {
        "measured": [(row["confidence"], row["accuracy"]) for row in bins],
        "ideal": [(0.0, 0.0), (1.0, 1.0)],
    }


@register.filter
def robustness_curves(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = figure_label(found.get("figure", ""))
    return [
        {
            "id": f"robust-{key}",
            "title": CURVES[key][0],
            "x": CURVES[key][1],
            "y": name,
            "lines": {name: points},
        }
        for key, points in found.get("curves", {}).items()
    ]


@register.filter
def top_columns(permutation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The columns that cost most when they are shuffled, with a deviation to each side."""
    columns = sorted(permutation["columns"], key=lambda column: -float(column["mean"]))
    return [
        {
            "name": column["name"],
            "value": column["mean"],
            "low": column["mean"] - column["sd"],
            "high": column["mean"] + column["sd"],
        }
        for column in columns[:TOP_COLUMNS]
    ]


@register.filter
def as_points(values: Iterable[float]) -> list[tuple[int, float]]:
    """Values in a row as points, the first at 1."""
    return list(enumerate(values, start=1))


@register.filter
def horizon_lines(by_horizon: Mapping[str, Sequence[float]]) -> dict[str, list[tuple[int, float]]]:
    return {name: as_points(values) for name, values in by_horizon.items()}


@register.filter
def score_lines(scores: Mapping[str, Sequence[float]]) -> dict[str, list[tuple[float, float]]]:
    """How many usual rows and how many anomalies have which score."""
    edges = scores["edges"]
    middles = [(low + high) / 2 for low, high in zip(edges, edges[1:], strict=False)]
    return {
        name: list(zip(middles, map(float, scores[name]), strict=True))
        for name in ("usual", "anomalies")
    }


@register.filter
def server_intervals(validation: Validation) -> list[dict[str, Any]]:
    """p50 to p99 of single stream and of each load, with p95 between."""
    rows = [("one by one", vars(validation))]
    rows += [(f"{row['load']:.0%} load", row) for row in validation.report.get("server", [])]
    return [
        {
            "name": name,
            "low": row["latency_p50_ms"],
            "value": row["latency_p95_ms"],
            "high": row["latency_p99_ms"],
        }
        for name, row in rows
        if row.get("latency_p99_ms") is not None
    ]


@register.filter
def precision_recall(report: Mapping[str, Any]) -> dict[str, list[list[float]]]:
    """The curve, beside the share of anomalies, which drawing by lot would have at any recall."""
    share = report["share_of_anomalies"]
    return {"model": report["curve"], "by lot": [[0.0, share], [1.0, share]]}


@register.filter
def threshold_marks(report: Mapping[str, Any]) -> dict[str, float]:
    return {"threshold": report["threshold"]}


@register.filter
def recall_marks(validation: Validation) -> dict[str, float]:
    """Where on the curve of precision and recall the threshold stands."""
    return {"threshold": validation.metrics["recall"]["value"]}


@register.filter
def largest_gap(rows: Iterable[Mapping[str, Any]]) -> float:
    """The most that contributions of a row leave unexplained, of the rows that count."""
    return max((abs(row["gap"]) for row in rows if row["counts"]), default=0.0)


@register.filter
def surprise_lines(report: Mapping[str, Any]) -> dict[str, list[list[float]]]:
    return {"model": report["by_place"]}


@register.filter
def fold_bars(folds: Mapping[str, Any]) -> dict[str, float]:
    """A bar cannot show less than nothing; what is below 0 is in the mean."""
    return {f"split {n}": max(0.0, value) for n, value in as_points(folds["values"])}


@register.filter
def top_bars(means: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(means.items(), key=lambda row: -row[1])[:TOP_COLUMNS])


@register.filter
def group_rows(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each with how many rows it has; a group that gives no interval is a mark alone."""
    found = []
    for group in groups:
        name, value = f"{group['name']} ({group['rows']})", group["value"]
        is_bounded = group["low"] is not None
        ends = {} if is_bounded else {"low": value, "high": value}
        note = "" if is_bounded else ", no interval"
        found.append({**group, **ends, "name": name + note})
    return found


@register.filter
def group_id(column: str) -> str:
    return f"groups-{slugify(column)}"


@register.filter
def levels_hint(certificate: Mapping[str, Any]) -> str:
    return ", ".join(f"{level} from {least:.2f}" for least, level in certificate["levels"])


@register.filter
def next_level(validation: Validation) -> str:
    """What keeps a model from the level above its own, the costliest first."""
    certificate, score = validation.report["certificate"], validation.score
    above = [(least, level) for least, level in certificate["levels"] if score < least - 1e-12]
    if not above:
        return "There is no higher level."
    least, level = min(above)
    lost = [
        (part["weight"] * (1 - part["share"]), part)
        for part in certificate["thresholds"]
        if not part["is_met"]
    ]
    losses = "; ".join(
        f"{figure_label(part['name'])} is {number(part['value'], 3)} where "
        f"{number(part['asked'], 3)} is asked, which costs {loss:.3f}"
        for loss, part in sorted(lost, key=lambda each: -each[0])
    )
    return f"To {level} {least - score:.3f} is missing. {losses}."


@register.filter
def threshold_hint(part: Mapping[str, Any]) -> str:
    """What was asked, whether it is met, and what it gives to the score."""
    met = "met" if part["is_met"] else "not met"
    if "at_worst" in part:
        met += f", though chance alone may bring it to {number(part['at_worst'], 3)}"
    comma = "" if threshold_unit(part) else ","
    return (
        f"asked: {number(part['asked'], 3)}{comma} {part['reason']}; {met}, "
        f"{part['weight']} · {number(part['share'], 3)} of the score"
    )


@register.filter
def threshold_unit(part: Mapping[str, Any]) -> str:
    """Of what is bounded above, which are milliseconds and megabytes."""
    unit, is_bound, _ = part["reason"].partition(" at most")
    return unit if is_bound else ""


@register.filter
def map_label(found: Mapping[str, Any]) -> str:
    return f"Attention of layer {found['layer'] + 1} over {found['steps']} steps"


@register.filter
def largest(values: Sequence[float]) -> float:
    """The largest size, for `pixels`; 1 where all are 0."""
    return max((abs(value) for value in values), default=0.0) or 1.0


@register.filter
def uncompared(column: Mapping[str, Any]) -> list[str]:
    """The groups beside those that were compared; none where none were, as is said elsewhere."""
    compared = column.get("compared", ())  # older reports compared all
    return [
        group["name"] for group in column["groups"] if compared and group["name"] not in compared
    ]


@register.filter
def unflagged(column: Mapping[str, Any], fair: Mapping[str, Any]) -> str:
    """What it says that no groups of a column were told to differ: often, that none could be."""
    least, points = fair["rows_least"], 100 * fair["threshold"]
    large = sum(group["rows"] >= least for group in column["groups"])
    tested = sum(rate["rows_of_both"] >= least for rate in column["rates"])
    if large < 2:
        return (
            f"Nothing was tested: no two groups have {least} rows among those of the test, and a "
            "difference between fewer may be chance. Bring more rows of each."
        )
    if column["rates"] and not tested:  # as in older reports, which asked groups of any size
        return (
            f"Nothing was tested: of the two groups that differ most, one has fewer than {least} "
            "rows, and that may be chance. Bring more rows of it."
        )
    asked = f" for {tested} of {len(column['rates'])} classes" if column["rates"] else ""
    asked = "" if tested == len(column["rates"]) else asked
    return (
        f"No difference above {points:g} {'points' if column['rates'] else '% of the mean error'} "
        f"shows{asked} between groups of {least} rows or more. That proves no fairness: it is one "
        "question of many."
    )
