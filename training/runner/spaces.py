"""The space of a hyper-parameter search: which settings of a configuration vary, and how far.

    {"training.learning_rate": {"low": 0.0001, "high": 0.1, "log": true},
     "training.batch_size": {"choices": [16, 32, 64]},
     "architecture.layers.1.params.size": {"low": 16, "high": 256, "step": 16}}

A path names a place of the configuration by keys and, in lists, by places counted from 0, as
`layers.1` or `layers[1]`. Two whole
ends mean whole numbers. Every mistake is found in one pass and named by its path.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels.fields import Problem, shown

PATHS_MAX = 12
CHOICES_MAX = 20
PATH_LENGTH_MAX = 200
KEYS = {"low", "high", "log", "step", "choices"}
ROOTS = ("architecture", "training", "divergent")
EPOCHS = "training.epochs"
PROPOSED_MAX = 4

Choice = bool | int | float | str
Config = Mapping[str, Any]


class SpaceRefused(ValueError):
    """A space that cannot be searched: `problems` holds everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class Misplaced(ValueError):
    """A path that leads nowhere in a configuration; the text says how far it came."""


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One setting: numbers from `low` to `high`, or one of `choices`."""

    path: str
    low: float = 0
    high: float = 0
    step: float | None = None
    is_log: bool = False
    is_whole: bool = False
    choices: tuple[Choice, ...] = ()

    @property
    def ends(self) -> tuple[Choice, ...]:
        """The values at which a configuration is tried before anything is paid."""
        return self.choices or (self.low, self.high)


def parse(raw: object, config: Config) -> list[Dimension]:
    """The dimensions of a space over this configuration, by path. Raises SpaceRefused."""
    if not isinstance(raw, Mapping) or not raw:
        reason = 'must be an object such as {"training.learning_rate": {"low": 0.001, "high": 0.1}}'
        raise SpaceRefused([Problem("space", reason)])
    if len(raw) > PATHS_MAX:
        reason = f"has {len(raw)} settings; at most {PATHS_MAX} can be searched at once"
        raise SpaceRefused([Problem("space", reason)])
    problems: list[Problem] = []
    found = []
    for path, given in sorted(raw.items(), key=lambda item: str(item[0])):
        try:
            place(config, str(path)[:PATH_LENGTH_MAX])
            found.append(read(str(path), given))
        except ValueError as error:
            problems.append(Problem(f"space.{str(path)[:PATH_LENGTH_MAX]}", str(error)))
    if problems:
        raise SpaceRefused(problems)
    return found


def read(path: str, given: object) -> Dimension:
    if not isinstance(given, Mapping):
        raise ValueError('must be an object with "low" and "high", or with "choices"')
    unknown = sorted(str(key) for key in given if key not in KEYS)
    if unknown:
        raise ValueError(f"{shown(unknown[0])} is not known here; take {', '.join(sorted(KEYS))}")
    if "choices" in given:
        if len(given) > 1:
            raise ValueError("has choices and a range; keep one of the two")
        return Dimension(path=path, choices=read_choices(given["choices"]))
    return read_range(path, given)


def read_choices(given: object) -> tuple[Choice, ...]:
    if not isinstance(given, list) or not 2 <= len(given) <= CHOICES_MAX:
        raise ValueError(f"choices: must be a list of 2 to {CHOICES_MAX} values")
    for value in given:
        if not isinstance(value, bool | int | float | str) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise ValueError(f"choices: {shown(value)} is no number, text, true or false")
    if len({(type(value), value) for value in given}) < len(given):
        raise ValueError("choices: one value stands twice")
    return tuple(given)


def read_range(path: str, given: Mapping[str, Any]) -> Dimension:
    numbers = {key: read_number(key, given.get(key)) for key in ("low", "high")}
    low, high = numbers["low"], numbers["high"]
    if low >= high:
        raise ValueError(f"low: {low:g} is not below high, {high:g}")
    is_log = given.get("log", False)
    if not isinstance(is_log, bool):
        raise ValueError(f"log: must be true or false, not {shown(is_log)}")
    if is_log and low <= 0:
        raise ValueError(f"low: {low:g} has no logarithm; take a number above 0, or log: false")
    step = None if given.get("step") is None else read_number("step", given["step"])
    if step is not None and (is_log or not 0 < step <= high - low):
        raise ValueError("step: must be above 0, at most high - low, and without log")
    is_whole = all(isinstance(value, int) for value in (low, high, step or 0))
    return Dimension(path=path, low=low, high=high, step=step, is_log=is_log, is_whole=is_whole)


def read_number(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: must be a number, not {shown(value)}")
    if not math.isfinite(value):
        raise ValueError(f"{key}: must be a finite number")
    return value


def place(config: Config, path: str) -> tuple[Any, str | int]:
    """What holds the last key of a path, and that key. A last key may be new in its object."""
    *way, last = path.replace("[", ".").replace("]", "").split(".")
    if not way or way[0] not in ROOTS:
        raise Misplaced("must begin with architecture., training. or divergent.")
    here: Any = config
    for depth, key in enumerate(way):
        here = here[key_in(here, key, way[:depth])]
    return here, key_in(here, last, way, may_be_new=True)


def key_in(here: Any, key: str, way: Sequence[str], *, may_be_new: bool = False) -> str | int:
    """The key as `here` takes it, or Misplaced; `way` is how it was reached."""
    where = ".".join(way)
    if isinstance(here, list):
        if key.isascii() and key.isdigit() and int(key) < len(here):
            return int(key)
        has = f"with places 0 to {len(here) - 1}" if here else "without entries"
        raise Misplaced(f"{where} is a list {has}, not {shown(key)}")
    if not isinstance(here, Mapping):
        raise Misplaced(f"{where} is a value, so nothing lies in it")
    if key not in here and not may_be_new:
        raise Misplaced(f"the configuration has no {'.'.join([*way, key])}")
    return key


def applied(config: Config, params: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with these values at their paths."""
    changed: dict[str, Any] = copy.deepcopy(dict(config))
    for path, value in params.items():
        holder, key = place(changed, path)
        holder[key] = value
    return changed


def proposed(config: Config) -> dict[str, Any]:
    """A space to start from: around the learning rate, the batch and the sizes of hidden layers."""
    space: dict[str, Any] = {}
    training = config.get("training", {})
    rate, batch = training.get("learning_rate"), training.get("batch_size")
    if isinstance(rate, int | float) and not isinstance(rate, bool):
        space["training.learning_rate"] = {
            "low": max(float(f"{rate / 10:.3g}"), 1e-8),
            "high": min(float(f"{rate * 10:.3g}"), 10.0),
            "log": True,
        }
    if isinstance(batch, int) and batch >= 4:
        space["training.batch_size"] = {"choices": [batch // 2, batch, batch * 2]}
    layers = config.get("architecture", {}).get("layers", [])
    for index, layer in enumerate(layers if isinstance(layers, list) else []):
        path, size = size_of(layer)
        if size and len(space) < PROPOSED_MAX and layer.get("type") not in ("input", "output"):
            space[f"architecture.layers.{index}.{path}"] = {"choices": [size // 2, size, size * 2]}
    return space


def size_of(layer: Any) -> tuple[str, int]:
    """Where a layer says how wide it is, however it is spelled; 0 where it does not."""
    if not isinstance(layer, Mapping):
        return "", 0
    inner = layer.get("params")
    params: Mapping[str, Any] = inner if isinstance(inner, Mapping) else {}
    for key in ("units", "size", "filters"):
        for prefix, holder in (("params.", params), ("", layer)):
            value = holder.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and value >= 4:
                return f"{prefix}{key}", value
    return "", 0
