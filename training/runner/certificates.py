"""The score of a validation, the level of its certificate, and what they stand on.

    score = 0.4 · quality + 0.3 · min(1, 100 ms / mean latency) + 0.3 · min(1, 100 MB / peak memory)

Quality is min(1, first figure / what is asked of it), the other way round for errors; for classes
accuracy / 0.85. Each share is held to 1, so that speed does not buy what the answers lack: without
that a model that answers in 10 µs would score 3,000 whatever it says. That number is shown too.

    platinum from 0.95, gold 0.90, silver 0.85, bronze 0.80, else basic; for 30 days

Speed and memory alone make 0.6 of a score, so a level above basic asks for two things more: that
the first figure is what is asked of it, and that the answers are better than what is had without a
network, by the whole of their interval.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from training.models import Validation
from training.runner.floors import Floor

VALID = timedelta(days=30)
SHARES = {"quality": 0.4, "latency": 0.3, "memory": 0.3}
LATENCY_MAX_MS = 100.0
MEMORY_MAX_MB = 100.0
LEVELS = (
    (0.95, Validation.Certificate.PLATINUM),
    (0.90, Validation.Certificate.GOLD),
    (0.85, Validation.Certificate.SILVER),
    (0.80, Validation.Certificate.BRONZE),
)


# Of the first figure of each kind of model. What has no scale of its own is held against what is
# had without a network.
FLOORS = {
    floor.metric: floor
    for floor in (
        Floor(metric="accuracy", value=0.85, reason="85 % of the rows right"),
        Floor(metric="r2", value=0.40, reason="four tenths of the variance explained"),
        Floor(
            metric="mase",
            value=0.90,
            reason="a tenth better than repeating the last season",
            lower_is_better=True,
        ),
        Floor(
            metric="pr_auc",
            value=0.90,
            reason="nine tenths of the area under precision and recall",
        ),
        Floor(metric="mean_return", value=195, reason="195 of an episode's steps upright"),
        Floor(
            metric="reconstruction_error",
            value=1,
            reason="what is had without a network",
            lower_is_better=True,
            is_of_baseline=True,
        ),
        Floor(
            metric="perplexity",
            value=1,
            reason="what counting tokens reaches",
            lower_is_better=True,
            is_of_baseline=True,
        ),
        Floor(
            metric="frechet_distance",
            value=0.5,
            reason="half the distance of numbers drawn each for itself",
            lower_is_better=True,
            is_of_baseline=True,
        ),
    )
}


@dataclass(frozen=True)
class Scored:
    score: float
    level: Validation.Certificate
    thresholds: list[dict[str, Any]]
    unlimited: float  # the same sum, with no share held to 1
    held_back: str  # why the level is basic whatever the score, or empty


def certify(*, primary: str, figure: dict[str, Any], latency_ms: float, memory_mb: float) -> Scored:
    """`figure` is that of the name `primary`, as it is stored; latency is the mean of a row."""
    floor = FLOORS[primary]
    ratios = {
        "quality": floor.share(figure),
        "latency": LATENCY_MAX_MS / max(latency_ms, 1e-9),
        "memory": MEMORY_MAX_MB / max(memory_mb, 1e-9),
    }
    score = sum(weight * min(1.0, ratios[name]) for name, weight in SHARES.items())
    found = {
        "quality": (primary, float(figure["value"]), floor.asked(figure), floor.reason),
        "latency": ("mean latency", latency_ms, LATENCY_MAX_MS, "ms at most"),
        "memory": ("peak memory", memory_mb, MEMORY_MAX_MB, "MB at most"),
    }
    held_back = lack_of(floor, figure) or doubt_of(figure)
    return Scored(
        score=score,
        level=Validation.Certificate.BASIC if held_back else level_of(score),
        held_back=held_back,
        thresholds=[
            (doubt_of_floor(floor, figure) if part == "quality" else {})
            | {
                "name": name,
                "value": value,
                "asked": asked,
                "reason": reason,
                "share": min(1.0, ratios[part]),
                "weight": SHARES[part],
                "is_met": floor.is_reached(figure) if part == "quality" else ratios[part] >= 1,
            }
            for part, (name, value, asked, reason) in found.items()
        ],
        unlimited=sum(weight * min(ratios[name], 1e9) for name, weight in SHARES.items()),
    )


def lack_of(floor: Floor, figure: dict[str, Any]) -> str:
    """Why the figure is not what is asked of it, or nothing where it is."""
    if floor.is_reached(figure):
        return ""
    bound = "less than" if floor.lower_is_better else "at least"
    return (
        f"its quality is {figure['value']:.3g}, and {bound} {floor.asked(figure):.3g} is asked, "
        f"{floor.reason}"
    )


def doubt_of_floor(floor: Floor, figure: dict[str, Any]) -> dict[str, float]:
    """Where chance may bring a figure that is what is asked, if it is so far that it is not."""
    end = figure.get("high" if floor.lower_is_better else "low")
    if end is None or not floor.is_reached(figure):
        return {}
    return {} if floor.is_reached(figure | {"value": end}) else {"at_worst": float(end)}


def doubt_of(figure: dict[str, Any]) -> str:
    """Why the figure shows nothing beyond its baseline, or nothing where it does, or has none."""
    baseline, is_error = figure.get("baseline"), bool(figure.get("lower_is_better"))
    if baseline is None:
        return ""
    end = figure.get("high" if is_error else "low")
    if end is None:
        return "nothing is known of how far chance may bring it, since these rows give no interval"
    if end < baseline if is_error else end > baseline:
        return ""
    return (
        f"chance alone may bring it to {end:.3g}, and {baseline:.3g} is had without a network, by "
        f"{figure.get('baseline_name') or 'its baseline'}"
    )


def level_of(score: float) -> Validation.Certificate:
    for least, level in LEVELS:
        if score >= least - 1e-12:  # sums of shares are not exact
            return level
    return Validation.Certificate.BASIC
