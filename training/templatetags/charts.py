"""Charts as server-rendered SVG: complete without JavaScript, printable, clean under the CSP.

A tag computes geometry and hands plain values to a template of its name (`_line_chart.html` …),
where Django escapes every name and label. Across, places are percentages and down they are pixels,
so that a chart fills any width while its text keeps its size. Every chart carries a title, a
description and the same numbers as a table.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django import template
from django.utils.text import slugify

from training.templatetags import scales
from training.templatetags.scales import Point, Tick, number

register = template.Library()

PLOT_HEIGHT = 200
PLOT_UNITS = 1000  # width of a plot's inner coordinates, stretched to the width on the page
LINE_PIXELS = 15  # what one line of text takes

BARS_MAX = 40
LETTERS_MAX = 12  # of a name beside a bar or a row
BAR_PIXELS = 26
ROWS_MAX = 200  # of the table beside a line chart
NUMBERED_CLASSES_MAX = 24
CELL = 36
CLASSES_OF_A_TELEPHONE = 10  # more of them are read by moving the picture
STEEP_FROM = 50  # pixels of the margin from which names over columns are turned
PIXELS_MAX = 64 * 64

Context = dict[str, Any]
Missing = Literal[""] | None  # templates hand on "" where a name is not known


@dataclass(frozen=True)
class Line:
    """A series ready to draw; `values` are its exact points, for the read-out."""

    name: str
    place: int
    points: str
    values: str
    end_x_percent: float
    end_y: float
    label_y: float
    last: str


@dataclass(frozen=True)
class Axis:
    """Ticks, and the label with its unit."""

    label: str
    ticks: list[Tick] = field(default_factory=list)


@register.filter
def figure(value: float | Missing, digits: int = 4) -> str:
    """Write a number for people, and a dash where there is none."""
    return "–" if value is None or value == "" else number(float(value), int(digits))


UNITS = {
    "s": (("s", 1.0), ("ms", 1e3), ("µs", 1e6)),
    "ms": (("s", 1e-3), ("ms", 1.0), ("µs", 1e3)),
    "MB": (("GB", 1e-3), ("MB", 1.0), ("KB", 1e3)),
}


@register.inclusion_tag("_figure.html")
def scaled_figure(label: str, value: float | Missing, unit: str, hint: str = "") -> Context:
    """A key figure of three digits in the largest of its units that it has one of."""
    if value is None or value == "":
        return {"label": label, "value": figure(None), "unit": unit, "hint": hint}
    found = [each for each in UNITS[unit] if float(value) * each[1] >= 1]
    name, factor = (found or UNITS[unit])[0 if found else -1]
    return {"label": label, "value": figure(value * factor, 3), "unit": name, "hint": hint}


@register.filter
def in_percent(share: float | Missing) -> str:
    """Write a share (0 to 1) as a percentage for people, without its sign."""
    return figure(share) if share is None or share == "" else figure(share * 100)


@register.filter
def sure(confidence: float) -> str:
    """Write a confidence (0 to 1) as a percentage without its sign; no network is wholly sure."""
    return "more than 99.9" if confidence > 0.999 else figure(round(confidence * 100, 1))


@register.filter
def percent(share: float) -> str:
    """Write a share (0 to 1) as the percentage that places it, `12.34%`."""
    return f"{share * 100:.2f}%"


@register.filter
def down(share: float) -> str:
    """Write a share of the plot's height, counted from the bottom, as pixels from the top."""
    return f"{(1 - share) * PLOT_HEIGHT:.1f}"


@register.filter
def is_positive(lines: Mapping[str, Sequence[Point]]) -> bool:
    """Whether a logarithmic axis can show all of it."""
    return all(y > 0 for points in lines.values() for _, y in points)


@register.inclusion_tag("_line_chart.html")
def line_chart(
    lines: Mapping[str, Sequence[Point]],
    title: str,
    x_label: str,
    y_label: str,
    y_unit: str = "",
    x_unit: str = "",
    log_y: bool = False,
    chart_id: str = "",
    marks: Mapping[str, float] | None = None,
    zero: bool = False,
    first: int = 1,
) -> Context:
    """Draw named series of (x, y) points over one pair of axes, with named places across marked.

    Points that are not finite (or not above 0 on a logarithmic axis) are left out and counted
    below the chart. A series longer than `scales.POINTS_MAX` keeps its extremes.
    `first` is the first line's colour, so that what is drawn twice looks the same in both.
    """
    drawn = {name: _drawable(points, log_y) for name, points in lines.items()}
    left_out = sum(len(lines[name]) - len(points) for name, points in drawn.items())
    context: Context = {
        "title": title,
        "id": chart_id or f"chart-{slugify(title)}",
        "x": Axis(_with_unit(x_label, x_unit)),
        "y": Axis(_with_unit(y_label, y_unit)),
        "log_y": log_y,
        "left_out": left_out,
        "lines": [],
        "height": PLOT_HEIGHT,
        "units": PLOT_UNITS,
    }
    points = [point for series in drawn.values() for point in series]
    if not points:
        return context
    across = scales.exact_scale([*(x for x, _ in points), *(marks or {}).values()])
    heights = [y for _, y in points] + [0.0] * zero
    upward = scales.log_scale(heights) if log_y else scales.round_scale(heights)
    context["x"] = Axis(context["x"].label, across.ticks())
    context["y"] = Axis(context["y"].label, upward.ticks())
    context["lines"] = _lines({k: v for k, v in drawn.items() if v}, across, upward, first)
    context["rows"] = _rows(drawn)
    context["rows_total"] = len({x for x, _ in points})
    context["mark_places"] = _marks(marks or {}, across)
    return context


@register.inclusion_tag("_bar_chart.html")
def bar_chart(
    bars: Mapping[str, float],
    title: str,
    label: str,
    value_label: str,
    unit: str = "",
    decimals: int | None = None,
    full: float | None = None,
    chart_id: str = "",
) -> Context:
    """Draw one horizontal bar per name, from zero, with its value beside it.

    Past `BARS_MAX` names only the largest are drawn; the table has all. Values must not be
    negative: a bar tells an amount. `decimals` fixes how the values beside the bars are written;
    `full` is the value of a bar of full length (such as 1 for shares), by default the largest.
    """
    for name, value in bars.items():
        if not scales.drawable(value) or value < 0:
            raise ValueError(f"bars[{name!r}] is {value!r}; a bar needs a finite amount from 0 up")
    largest = max([*bars.values(), full or 0])
    shown = list(bars.items())
    if len(shown) > BARS_MAX:
        shown = sorted(shown, key=lambda bar: -bar[1])[:BARS_MAX]
    short = scales.shortened([name for name, _ in shown], LETTERS_MAX)
    return {
        "title": title,
        "id": chart_id or f"chart-{slugify(title)}",
        "label": label,
        "value_label": _with_unit(value_label, unit),
        "bars": [
            {
                "name": name,
                "short": short[row],
                "text": number(value) if decimals is None else f"{value:,.{decimals}f}",
                "share": value / (largest or 1),
                "y": row * BAR_PIXELS,
            }
            for row, (name, value) in enumerate(shown)
        ],
        "all": bars,
        "hidden": len(bars) - len(shown),
        "height": len(shown) * BAR_PIXELS,
        "is_short": all(len(name) <= 4 for name in bars),
    }


@register.inclusion_tag("_histogram.html")
def histogram(
    counts: Sequence[int],
    edges: Sequence[float],
    title: str,
    x_label: str,
    x_unit: str = "",
    marks: Mapping[str, float] | None = None,
    chart_id: str = "",
    log_x: bool = False,
) -> Context:
    """Draw counts between neighbouring edges, with named marks (such as p50) over them.

    `edges` has one value more than `counts`, ascending: what `numpy.histogram` returns.
    """
    if counts and len(edges) != len(counts) + 1:
        raise ValueError(f"edges has {len(edges)} values; {len(counts)} counts need one more")
    named = dict(marks or {})
    context: Context = {
        "title": title,
        "id": chart_id or f"chart-{slugify(title)}",
        "x": Axis(_with_unit(x_label, x_unit)),
        "y": Axis("count"),
        "total": sum(counts),
        "bins": [],
        "marks": named,
        "height": PLOT_HEIGHT,
    }
    if not counts or edges[0] == edges[-1]:
        return context
    across = (scales.log_scale if log_x else scales.exact_scale)([*edges, *named.values()])
    upward = scales.round_scale([0, *counts])
    context["x"] = Axis(context["x"].label, across.ticks())
    context["y"] = Axis("count", upward.ticks())
    context["bins"] = [
        {
            "low": low,
            "high": high,
            "count": count,
            "left": across.share(low),
            "width": across.share(high) - across.share(low),
            "height": upward.share(count) * PLOT_HEIGHT,
            "top": (1 - upward.share(count)) * PLOT_HEIGHT,
        }
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
    context["mark_places"] = _marks(named, across)
    return context


@register.inclusion_tag("_confusion_matrix.html")
def confusion_matrix(
    matrix: Sequence[Sequence[int]],
    labels: Sequence[str],
    title: str = "Confusion matrix",
    chart_id: str = "",
) -> Context:
    """Draw a heat map of counts: rows are the true classes, columns the predicted ones.

    Shade is the root of the share of the row, so that a single confusion is still seen.
    """
    if len(matrix) != len(labels) or any(len(row) != len(labels) for row in matrix):
        raise ValueError(f"matrix must be square with {len(labels)} rows, one per label")
    short = scales.shortened(labels, LETTERS_MAX)
    total = sum(map(sum, matrix))
    right = sum(row[index] for index, row in enumerate(matrix))
    margin = 30 + min(90, 8 * max((len(label) for label in labels), default=0))
    return {
        "title": title,
        "id": chart_id or f"chart-{slugify(title)}",
        "names": [
            {"label": label, "short": short[index], "middle": margin + index * CELL + CELL / 2}
            for index, label in enumerate(labels)
        ],
        "rows": [
            {"label": label, "counts": row, "total": sum(row), "right": row[index]}
            for index, (label, row) in enumerate(zip(labels, matrix, strict=True))
        ],
        "cells": [
            {
                "x": margin + column * CELL,
                "y": margin + row * CELL,
                "count": count,
                "is_right": row == column,
                "opacity": f"{math.sqrt(count / (sum(counts) or 1)):.2f}",
                "actual": labels[row],
                "predicted": labels[column],
            }
            for row, counts in enumerate(matrix)
            for column, count in enumerate(counts)
        ],
        "numbered": len(labels) <= NUMBERED_CLASSES_MAX,
        "total": total,
        "right": right,
        "margin": margin,
        "cell": CELL,
        "size": margin + len(labels) * CELL + 2,
        # Names over the columns lean to the right, the last of them past its column.
        "width": margin + len(labels) * CELL + (margin // 2 if margin > STEEP_FROM else 2),
        "is_steep": margin > STEEP_FROM,
        "is_large": len(labels) > CLASSES_OF_A_TELEPHONE,
        "middle": margin + len(labels) * CELL / 2,
    }


@register.inclusion_tag("_sparkline.html")
def sparkline(values: Sequence[float], label: str) -> Context:
    """Draw a word-sized line; its label carries the first, last, lowest and highest value."""
    kept = [float(value) for value in values if scales.drawable(value)]
    context: Context = {"label": label, "points": "", "units": 100, "height": 24}
    if not kept:
        return context
    thinned = scales.thin(list(enumerate(kept)))
    across = scales.exact_scale([x for x, _ in thinned])
    upward = scales.exact_scale(kept)
    context["points"] = " ".join(
        f"{across.share(x) * 100:.1f},{22 - upward.share(y) * 20:.1f}" for x, y in thinned
    )
    context |= {"first": kept[0], "last": kept[-1], "lowest": min(kept), "highest": max(kept)}
    context["end_y"] = 22 - upward.share(kept[-1]) * 20
    return context


@register.inclusion_tag("_pixels.html")
def pixels(values: Sequence[float], width: int, height: int, maximum: float, label: str) -> Context:
    """Draw a small grey-scale picture, row by row from 0 to `maximum`, in the page's own ink."""
    if len(values) != width * height or len(values) > PIXELS_MAX:
        raise ValueError(f"values has {len(values)}; {width}×{height} pixels, at most {PIXELS_MAX}")
    runs: dict[int, list[str]] = {}
    for y in range(height):
        x = 0
        while x < width:
            level = _level(values[y * width + x], maximum)
            start = x
            while x < width and _level(values[y * width + x], maximum) == level:
                x += 1
            if level:
                runs.setdefault(level, []).append(f"M{start} {y}h{x - start}v1h-{x - start}z")
    layers = [(f"{level / 16:.4g}", "".join(paths)) for level, paths in sorted(runs.items())]
    return {"layers": layers, "width": width, "height": height, "label": label}


def _level(value: float, maximum: float) -> int:
    """Return which of 16 shades a pixel has; 0 is the bare page."""
    return round(min(max(value / maximum, 0), 1) * 16)


def _drawable(points: Sequence[Point], log_y: bool) -> list[Point]:
    return [(x, y) for x, y in points if scales.drawable(x) and scales.drawable(y, is_log=log_y)]


def _lines(
    drawn: Mapping[str, Sequence[Point]], across: scales.Scale, upward: scales.Scale, first: int
) -> list[Line]:
    ends = [(1 - upward.share(points[-1][1])) * PLOT_HEIGHT for points in drawn.values()]
    places = scales.apart(ends, LINE_PIXELS, PLOT_HEIGHT)
    lines = []
    for place, (name, points) in enumerate(drawn.items()):
        kept = scales.thin(points)
        lines.append(
            Line(
                name=name,
                place=(place + first - 1) % 6 + 1,
                points=" ".join(
                    f"{across.share(x) * PLOT_UNITS:.1f},{(1 - upward.share(y)) * PLOT_HEIGHT:.1f}"
                    for x, y in kept
                ),
                values=" ".join(f"{x:.6g},{y:.6g}" for x, y in kept),
                end_x_percent=across.share(points[-1][0]) * 100,
                end_y=ends[place],
                label_y=places[place],
                last=number(points[-1][1]),
            )
        )
    return lines


def _marks(named: Mapping[str, float], across: scales.Scale) -> list[dict[str, Any]]:
    ordered = sorted(named.items(), key=lambda mark: mark[1])
    return [
        {"name": name, "value": value, "share": across.share(value), "top": row * LINE_PIXELS}
        for row, (name, value) in enumerate(ordered)
    ]


def _rows(drawn: Mapping[str, Sequence[Point]]) -> list[dict[str, Any]]:
    """Return the table beside a line chart: its last `ROWS_MAX` places, one column a series."""
    columns = {name: dict(points) for name, points in drawn.items()}
    places = sorted({x for points in columns.values() for x in points})[-ROWS_MAX:]
    return [
        {"x": number(x, 6), "values": [figure(column.get(x)) for column in columns.values()]}
        for x in places
    ]


def _with_unit(label: str, unit: str) -> str:
    return f"{label} ({unit})" if unit else label
