"""Pictures of what a validation found: values between two ends, points beside a diagonal, made
examples, and where an answer comes from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django import template
from django.utils.text import slugify

from training.runner.tokenizers import PADDING, UNKNOWN
from training.templatetags import scales
from training.templatetags.charts import BAR_PIXELS, PLOT_HEIGHT
from training.templatetags.scales import number

register = template.Library()

TICKS = 4
ROWS_MAX = 24
TABLE_ROWS = 100
COLUMNS_SHOWN = 8
TOKENS_SHOWN = 80
UNKNOWN_SHOWN = "(unknown)"
Context = dict[str, Any]


@register.inclusion_tag("_scatter.html")
def scatter(
    pairs: Sequence[Sequence[float]], title: str, x_label: str, y_label: str, chart_id: str = ""
) -> Context:
    """Draw points (actual, predicted) on equal axes, with the diagonal where both agree."""
    drawn = [(x, y) for x, y in pairs if scales.drawable(x) and scales.drawable(y)]
    context: Context = {
        "title": title,
        "id": chart_id or f"chart-{slugify(title)}",
        "x_label": x_label,
        "y_label": y_label,
        "points": [],
        "total": len(drawn),
        "height": PLOT_HEIGHT,
    }
    if drawn:
        scale = scales.round_scale([value for point in drawn for value in point])
        context["ticks"] = scale.ticks()
        context["points"] = [
            {
                "x": scale.share(x),
                "y": scale.share(y),
                "text": f"{number(y)} where it was {number(x)}",
            }
            for x, y in drawn
        ]
        context["table"] = drawn[:TABLE_ROWS]
    return context


@register.inclusion_tag("training/_samples.html")
def sample_grid(samples: Sequence[Sequence[float]], report: Mapping[str, Any]) -> Context:
    """Draw made examples as pictures where they are, else as numbers."""
    sides = report.get("image_shape")
    is_picture = sides is not None and all(len(row) == sides[0] * sides[1] for row in samples)
    top = max((max(row, default=0.0) for row in samples), default=0.0) or 1.0
    return {
        "samples": samples if is_picture else [row[:COLUMNS_SHOWN] for row in samples],
        "is_picture": is_picture,
        "height": sides[0] if sides else 0,
        "width": sides[1] if sides else 0,
        "top": top,
        "names": report.get("feature_names", [])[:COLUMNS_SHOWN],
    }


@register.inclusion_tag("training/_contributions.html")
def contribution_pictures(why: Mapping[str, Any], report: Mapping[str, Any]) -> Context:
    """Draw where in a picture, or in a text, an answer comes from; of tables the bars say it."""
    sides = report.get("image_shape")
    rows = []
    for row in why["rows"]:
        sizes = [abs(value) for value in row["values"]]
        most = max(sizes, default=0.0) or 1.0
        tokens = [
            {"text": UNKNOWN_SHOWN if token == UNKNOWN else token, "level": round(4 * size / most)}
            for token, size in zip(row.get("tokens", []), sizes, strict=False)
            if token.strip() and token != PADDING
        ]
        rows.append({**row, "sizes": sizes, "most": most, "tokens": tokens[:TOKENS_SHOWN]})
    is_picture = sides is not None and all(len(row["sizes"]) == sides[0] * sides[1] for row in rows)
    return {
        "rows": rows,
        "is_picture": is_picture,
        "is_text": any(row["tokens"] for row in rows),
        "height": sides[0] if sides else 0,
        "width": sides[1] if sides else 0,
    }


@register.inclusion_tag("_interval_chart.html")
def interval_chart(
    rows: Sequence[Mapping[str, Any]],
    title: str,
    label: str,
    value_label: str,
    legend: str = "95 % interval",
    zero: bool = False,
    chart_id: str = "",
) -> Context:
    """Draw for each name a value between its two ends, and a mark at its baseline.

    Each row has `name`, `value`, `low`, `high` and may have `baseline`. `zero` lets the axis begin
    at 0 however far off the values are. Past `ROWS_MAX` the rest is in the table only.
    """
    drawn = [row for row in rows if all(map(scales.drawable, ends_of(row)))]
    context: Context = {
        "title": title,
        "id": chart_id or f"chart-{slugify(title)}",
        "label": label,
        "value_label": value_label,
        "legend": legend,
        "rows": [],
        "all": drawn,
        "hidden": max(0, len(drawn) - ROWS_MAX),
    }
    if not drawn:
        return context
    values = [value for row in drawn for value in ends_of(row)]
    across = scales.round_scale([0.0, *values] if zero else values)
    context["rows"] = [
        {
            "name": row["name"],
            "text": number(row["value"], 3),
            "y": place * BAR_PIXELS,
            "at": across.share(row["value"]),
            "left": across.share(row["low"]),
            "right": across.share(row["high"]),
            "base": None if row.get("baseline") is None else across.share(row["baseline"]),
        }
        for place, row in enumerate(drawn[:ROWS_MAX])
    ]
    context["ticks"] = across.ticks(TICKS)
    context["height"] = len(context["rows"]) * BAR_PIXELS
    context["has_bases"] = any(row["base"] is not None for row in context["rows"])
    return context


def ends_of(row: Mapping[str, Any]) -> list[float]:
    base = row.get("baseline")
    return [row["low"], row["value"], row["high"], *([] if base is None else [base])]
