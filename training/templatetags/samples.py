"""What the page of a dataset shows of its rows: a cell, and how a column is spread."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import template

from training.templatetags.charts import figure

register = template.Library()

EPOCH = date(1970, 1, 1)
WIDTH, HEIGHT, GAP = 200, 56, 1
LEAST = 1.5  # height of a bar that is there at all


@register.filter
def cell(value: float | str | None) -> str:
    """Write a value as its column has it: a number for people, a text as it is."""
    return value if isinstance(value, str) else figure(value, 6)


def day(number: float) -> str:
    """The date so many days after 1970-01-01; far beyond our calendar, the number."""
    try:
        return (EPOCH + timedelta(days=number)).isoformat()
    except OverflowError:
        return figure(number)


@register.inclusion_tag("_distribution.html")
def distribution(
    name: str,
    counts: Sequence[int],
    edges: Sequence[float],
    values: Sequence[str],
    missing: int = 0,
    is_date: bool = False,
) -> dict[str, Any]:
    """Draw a word-sized histogram, or a bar for each of `values` where there are no edges."""
    written = [day(edge) if is_date else figure(edge) for edge in edges]
    most, wide = max(counts, default=0) or 1, WIDTH / max(len(counts), 1)
    spans = [f"{low} to {high}" for low, high in zip(written, written[1:], strict=False)]
    titles = list(values) or spans
    bars = [
        {
            "x": place * wide,
            "width": max(wide - GAP, 1),
            "height": (height := max(count / most * HEIGHT, LEAST) if count else 0),
            "y": HEIGHT - height,
            "title": f"{titles[place]}: {count:,}",
        }
        for place, count in enumerate(counts)
    ]
    commonest = titles[list(counts).index(max(counts))] if counts else "none"
    return {
        "name": name,
        "missing": missing,
        "bars": bars,
        "width": WIDTH,
        "height": HEIGHT,
        "first": values[0] if values else written[0],
        "last": values[-1] if values else written[-1],
        "told": f"{sum(counts):,} values, most of them {commonest}",
    }
