"""The arithmetic under the charts: round ticks, linear and logarithmic scales, thinning of long
series and the writing of numbers. No markup and no Django, so that it can be tested by itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]

# Outside these, differences of values overflow or vanish; nothing we measure comes near.
LARGEST = 1e300
SMALLEST = 1e-300

_BUCKETS = 250
POINTS_MAX = 4 * _BUCKETS
_POWERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis; `share` runs from 0 (the low end) to 1 (the high end)."""

    value: float
    share: float
    label: str


@dataclass(frozen=True)
class Scale:
    """Where values stand between the two ends of an axis."""

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False  # epochs, steps and tokens have nothing between two of them

    def share(self, value: float) -> float:
        """Return the place of `value` as a share of the axis, 0 to 1."""
        if self.is_log:
            low, high = math.log10(self.low), math.log10(self.high)
            return (math.log10(value) - low) / (high - low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, wanted: int = 5) -> list[Tick]:
        """Return about `wanted` ticks at round values inside the axis."""
        if self.is_log:
            values = _log_values(self)
        else:
            values = _round_values(self.low, self.high, wanted, least=1 if self.is_whole else 0)
        step = values[1] - values[0] if len(values) > 1 else 0.0
        return [Tick(value, self.share(value), tick_label(value, step)) for value in values]


def drawable(value: float, is_log: bool = False) -> bool:
    """Say whether a linear or logarithmic axis can place `value`."""
    return math.isfinite(value) and (SMALLEST if is_log else -LARGEST) <= value <= LARGEST


def exact_scale(values: Sequence[float]) -> Scale:
    """Return the scale from the smallest to the largest value; a single value stands mid-way."""
    low, high = min(values), max(values)
    if high - low < SMALLEST:
        room = abs(low) / 2 if abs(low) > SMALLEST else 0.5
        return Scale(low - room, high + room)
    return Scale(low, high, is_whole=all(float(value).is_integer() for value in values))


def round_scale(values: Sequence[float]) -> Scale:
    """Return a scale that holds all values and ends on round numbers."""
    low, high = min(values), max(values)
    if high - low < SMALLEST:
        room = abs(low) / 10
        low, high = (
            (low - room, high + room) if room > SMALLEST else (min(low, 0.0), max(high, 1.0))
        )
    step = _round_step(low, high, 4)
    # Multiplying back may round to just inside a value; the value then is the end.
    low, high = min(low, math.floor(low / step) * step), max(high, math.ceil(high / step) * step)
    return Scale(low, high)


def log_scale(values: Sequence[float]) -> Scale:
    """Return a logarithmic scale that ends on 1, 2 or 5 times a power of ten.

    Every value must lie between `SMALLEST` and `LARGEST`.
    """
    low, high = min(values), max(values)
    below = [step for step in _log_steps(low) if step <= low]
    above = [step for step in _log_steps(high) if step >= high]
    return Scale(below[-1], above[0] if above[0] > below[-1] else below[-1] * 10, is_log=True)


def thin(points: Sequence[Point]) -> list[Point]:
    """Return at most `POINTS_MAX` points that draw the same line.

    Of each run of neighbours the first, lowest, highest and last stay (the M4 aggregation of
    Jugel et al., 2014), so that no spike disappears however long the series is.
    """
    if len(points) <= POINTS_MAX:
        return list(points)
    kept: list[Point] = []
    for bucket in range(_BUCKETS):
        start = bucket * len(points) // _BUCKETS
        end = (bucket + 1) * len(points) // _BUCKETS
        run = range(start, end)
        lowest = min(run, key=lambda index: points[index][1])
        highest = max(run, key=lambda index: points[index][1])
        kept += [points[index] for index in sorted({start, lowest, highest, end - 1})]
    return kept


def apart(places: Sequence[float], distance: float, limit: float) -> list[float]:
    """Move places down, then up, until neighbours are `distance` apart and none passes `limit`."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for upper, lower in zip(order, order[1:], strict=False):
        moved[lower] = max(moved[lower], moved[upper] + distance)
    ceiling = limit
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - distance
    return moved


def shortened(names: Sequence[str], length: int) -> list[str]:
    """Cut names to this length: at the end, or in the middle where that tells them apart."""
    begun = [name if len(name) <= length else f"{name[: length - 1]}…" for name in names]
    return [
        short if begun.count(short) == 1 else f"{name[:3]}…{name[4 - length :]}"
        for name, short in zip(names, begun, strict=True)
    ]


def number(value: float, digits: int = 4) -> str:
    """Write a value for people: `digits` significant digits, thousands apart, a real minus."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        text = f"{_trimmed(mantissa)}e{int(exponent)}"
    elif value == int(value):
        text = f"{int(value):,}"
    else:
        decimals = max(0, digits - 1 - math.floor(math.log10(size)))
        text = _trimmed(f"{value:,.{decimals}f}")
    return text.replace("-", "\N{MINUS SIGN}")


def tick_label(value: float, step: float) -> str:
    """Write the label of a tick with no more decimals than the step between ticks needs."""
    size = abs(value)
    if 1e4 <= size < 1e15:
        unit, letter = next((unit, letter) for unit, letter in _POWERS if size >= unit)
        if step == 0 or step / unit >= 0.01:
            return f"{number(value / unit, 5)}{letter}"
    return number(value, 6)


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _round_step(low: float, high: float, wanted: int) -> float:
    """Return the largest of 1, 2, 2.5 or 5 times a power of ten that gives `wanted` steps."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)


def _round_values(low: float, high: float, wanted: int, least: float = 0) -> list[float]:
    """Return the multiples of a round step; with `least` 1 the step is a whole number."""
    step = max(_round_step(low, high, wanted), least)
    if least and not float(step).is_integer():
        step = math.ceil(step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # A span of a few units in the last place rounds neighbours together; keep each value once.
    values = sorted(
        {
            round(index * step, 12) if step > 1e-9 else index * step
            for index in range(first, last + 1)
        }
    )
    return [min(max(value, low), high) for value in values]


def _log_values(scale: Scale) -> list[float]:
    """Return the 1, 2, 5 series on short axes and powers of ten on long ones."""
    first, last = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    if last - first <= 3:
        steps = {step for power in range(first, last + 1) for step in _log_steps(10.0**power)}
        return sorted(step for step in steps if scale.low <= step <= scale.high)
    stride = math.ceil((last - first) / 6)
    powers = [float(f"1e{power}") for power in range(first, last + 1, stride)]
    return [power for power in powers if scale.low <= power <= scale.high]


def _log_steps(value: float) -> list[float]:
    """Return the 1, 2, 5 series around a value, ascending.

    Steps are read from decimal text, since 2 * 10.0**-3 is not the float that 0.002 is.
    """
    power = math.floor(math.log10(value))
    return [
        float(f"{factor}e{near}") for near in (power - 1, power, power + 1) for factor in (1, 2, 5)
    ]
