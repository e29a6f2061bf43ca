"""The score of a validation, the level of its certificate, and what they stand on.

    score = 0.4 · quality + 0.3 · min(1, 100 ms / mean latency) + 0.3 · min(1, 100 MB / peak memory)

Quality is min(1, first figure / what is asked of it), the other way round for errors; for classes
accuracy / 0.85. Each share is held to 1, so that speed does not buy what the answers lack: without
that a model that answers in 10 µs would score 3,000 whatever it says. That number is shown too.

    platinum from 0.95, gold 0.90, silver 0.85, bronze 0.80, else basic; for 30 days
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from training.models import Validation

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


@dataclass(frozen=True)
class Floor:
    """What is asked of the first figure of a model, and why just that."""

    value: float
    reason: str
    lower_is_better: bool = False

    def share(self, value: float) -> float:
        """0 and up; 1 where the figure is what is asked."""
        if not self.lower_is_better:
            return max(0.0, value / self.value)
        return self.value / value if value > 0 else float("inf")


FLOORS = {
    "accuracy": Floor(0.85, "85 % of the rows right"),
    "r2": Floor(0.40, "four tenths of the variance explained"),
    "mase": Floor(0.90, "a tenth better than repeating the last season", True),
    "pr_auc": Floor(0.90, "nine tenths of the area under precision and recall"),
    "mean_return": Floor(195.0, "195 of an episode's steps upright"),
}


def floor_of(primary: str, figure: dict[str, Any]) -> Floor:
    """For what has no scale of its own, its baseline is asked: half of a distance, or counting."""
    if primary in FLOORS:
        return FLOORS[primary]
    base = float(figure.get("baseline", 1.0))
    if primary == "reconstruction_error":
        return Floor(base, "what is had without a network", True)
    if primary == "perplexity":
        return Floor(base, "what counting tokens reaches", True)
    return Floor(base / 2, "half the distance of numbers drawn each for itself", True)


@dataclass(frozen=True)
class Scored:
    score: float
    level: Validation.Certificate
    thresholds: list[dict[str, Any]]
    unlimited: float  # the same sum, with no share held to 1


def certify(*, primary: str, figure: dict[str, Any], latency_ms: float, memory_mb: float) -> Scored:
    """`figure` is that of the name `primary`, as it is stored; latency is the mean of a row."""
    floor = floor_of(primary, figure)
    ratios = {
        "quality": floor.share(float(figure["value"])),
        "latency": LATENCY_MAX_MS / max(latency_ms, 1e-9),
        "memory": MEMORY_MAX_MB / max(memory_mb, 1e-9),
    }
    score = sum(weight * min(1.0, ratios[name]) for name, weight in SHARES.items())
    found = {
        "quality": (primary, float(figure["value"]), floor.value, floor.reason),
        "latency": ("mean latency", latency_ms, LATENCY_MAX_MS, "ms at most"),
        "memory": ("peak memory", memory_mb, MEMORY_MAX_MB, "MB at most"),
    }
    return Scored(
        score=score,
        level=level_of(score),
        thresholds=[
            {
                "name": name,
                "value": value,
                "asked": asked,
                "reason": reason,
                "share": min(1.0, ratios[part]),
                "weight": SHARES[part],
                "is_met": ratios[part] >= 1,
            }
            for part, (name, value, asked, reason) in found.items()
        ],
        unlimited=sum(weight * min(ratios[name], 1e9) for name, weight in SHARES.items()),
    )


def level_of(score: float) -> Validation.Certificate:
    for least, level in LEVELS:
        if score >= least - 1e-12:  # sums of shares are not exact
            return level
    return Validation.Certificate.BASIC
