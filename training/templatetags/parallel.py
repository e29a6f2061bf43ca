"""Parallel coordinates as server-rendered SVG: one axis a setting, one line a trial.

As in `charts`: geometry is computed here and Django's template escapes every name. Across, places
are percentages and down they are pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import template

from training.models import Trial
from training.runner.trials import Contest
from training.templatetags import scales
from training.templatetags.charts import PLOT_HEIGHT, PLOT_UNITS
from training.templatetags.scales import number

register = template.Library()

LINES_MAX = 200
NAME_ROWS = 2  # names of neighbouring axes stand in two rows, so that they do not meet
Dimensions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Axis:
    """A vertical line: where it stands across, its name, and what stands along it."""

    name: str
    path: str
    x_percent: float
    name_row: int
    anchor: str
    marks: list[tuple[float, str]]  # pixels from the top, text


@register.inclusion_tag("_parallel_coordinates.html")
def parallel_coordinates(
    contest: Contest, paths: Sequence[str], space: Dimensions, objective: str, chart_id: str
) -> dict[str, Any]:
    """Draw the measured trials over the settings that varied and, last, their value."""
    drawn = contest.ranked(contest.trials)[:LINES_MAX]
    context: dict[str, Any] = {"id": chart_id, "lines": [], "axes": [], "height": PLOT_HEIGHT}
    context |= {"units": PLOT_UNITS, "objective": objective, "names_y": PLOT_HEIGHT + 22}
    if len(drawn) < 2:
        return context
    shares = [places(path, drawn, space.get(path, {})) for path in paths]
    found = [float(trial.value or 0) for trial in drawn]
    values = scales.Scale(min(found), max(found), is_log=True) if contest.is_wide else None
    values = values or scales.exact_scale(found)
    shares.append({trial.number: values.share(float(trial.value or 0)) for trial in drawn})
    last = len(paths)
    marks = [along(path, drawn, space.get(path, {})) for path in paths]
    marks.append([(0.0, number(values.low)), (1.0, number(values.high))])
    context["axes"] = [
        Axis(
            name=short(name),
            path=name,
            x_percent=100 * place / last,
            name_row=place % NAME_ROWS * 15,
            anchor="start" if place == 0 else "end" if place == last else "middle",
            marks=[((1 - share) * PLOT_HEIGHT, text) for share, text in marks[place]],
        )
        for place, name in enumerate([*paths, objective])
    ]
    context["lines"] = [
        {
            "points": " ".join(
                f"{PLOT_UNITS * place / last:.1f},{(1 - axis[trial.number]) * PLOT_HEIGHT:.1f}"
                for place, axis in enumerate(shares)
            ),
            "name": f"Trial {trial.number + 1}: {objective} {number(float(trial.value or 0))}",
            "kind": "best"
            if trial == contest.best
            else "good"
            if rank * 3 < len(drawn)
            else "rest",
        }
        for rank, trial in reversed(list(enumerate(drawn)))  # the best is drawn over the others
    ]
    return context


def kind(contest: Contest, trial: Trial, rank: float) -> str:
    """How a line is drawn; `rank` runs from 0, the best value, to 1."""
    if trial == contest.best:
        return "best"
    return "good" if rank < 1 / 3 else "rest"


def places(path: str, drawn: Sequence[Trial], given: Mapping[str, Any]) -> dict[int, float]:
    """The share of the axis, from the bottom, at which each trial stands."""
    if "low" not in given:
        known = steps(path, drawn, given)
        whole = max(len(known) - 1, 1)
        return {trial.number: known.index(trial.params[path]) / whole for trial in drawn}
    scale = scales.Scale(given["low"], given["high"], is_log=bool(given.get("log")))
    return {trial.number: scale.share(trial.params[path]) for trial in drawn}


def along(path: str, drawn: Sequence[Trial], given: Mapping[str, Any]) -> list[tuple[float, str]]:
    """What is written along an axis: its choices, or its two ends."""
    if "low" in given:
        return [(0.0, number(float(given["low"]))), (1.0, number(float(given["high"])))]
    known = steps(path, drawn, given)
    whole = max(len(known) - 1, 1)
    return [(place / whole, str(value)) for place, value in enumerate(known)]


def steps(path: str, drawn: Sequence[Trial], given: Mapping[str, Any]) -> list[Any]:
    """The choices of a setting, or, where it has none, the values that it took."""
    return list(given.get("choices", [])) or sorted({trial.params[path] for trial in drawn})


@register.filter
def short(path: str) -> str:
    """A path as few words: its layer, where it has one, and its last key."""
    keys = path.replace("[", ".").replace("]", "").split(".")
    layer = [f"layer {key}" for key in keys if key.isdigit()][:1]
    return " ".join([*layer, keys[-1].replace("_", " ")])


@register.filter
def setting(trial: Trial, path: str) -> str:
    """What a trial has at a path, as people read it."""
    value = trial.params.get(path)
    if isinstance(value, float):
        return number(value)
    return "–" if value is None else str(value)
