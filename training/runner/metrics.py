"""How a metric is named and written for people, whatever a job measures beside its loss."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`is_share` values run from 0 to 1 and are read as percentages; `is_low_good` says which
    way is better.
    """

    label: str
    is_share: bool = False
    is_low_good: bool = False


KNOWN = {
    "accuracy": Metric(label="Accuracy", is_share=True),
    "mean_absolute_error": Metric(label="Mean absolute error", is_low_good=True),
    "mean_return": Metric(label="Mean return"),
}
LOW_IS_GOOD = ("loss", "error", "perplexity")


def metric_of(name: str) -> Metric:
    """What is known of a metric, or what its name tells."""
    is_low_good = any(word in name for word in LOW_IS_GOOD)
    return KNOWN.get(name) or Metric(
        label=name.replace("_", " ").capitalize(), is_low_good=is_low_good
    )
