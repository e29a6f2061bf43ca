"""How a network is trained: what may be said, and what is meant where nothing is said."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from kernels.data import DataShape, Target, shape_of
from kernels.fields import Choice, Field, Flag, Powers, Reader, Real, Reals, Whole, shown
from kernels.patterns import MODULES

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "adagrad")
SCHEDULES = ("constant", "step", "cosine", "plateau")
PATTERNS = tuple(MODULES)
BATCH_LIMIT = 4_096
LOSSES: Mapping[str, tuple[str, ...]] = {
    Target.CLASSES: ("cross_entropy",),
    Target.STEP_CLASSES: ("cross_entropy",),
    Target.NEXT: ("cross_entropy",),
    Target.VALUES: ("mse", "mae", "huber", "quantile"),
    Target.MARKS: ("bce",),
    Target.ACTIONS: ("reinforce", "dqn"),
    "autoencoder": ("mse", "mae", "huber"),
    "gan": ("bce",),
}
FIELDS: dict[str, Field] = {
    "epochs": Whole(1, 10_000),
    "batch_size": Whole(1, BATCH_LIMIT),
    "learning_rate": Real(1e-8, 10.0),
    "optimizer": Choice(OPTIMIZERS),
    "momentum": Real(0.0, 0.999),
    "nesterov": Flag(),
    "weight_decay": Real(0.0, 1.0),
    "l1": Real(0.0, 1.0),
    "l2": Real(0.0, 1.0),
    "clip_norm": Real(1e-6, 1e6),
    "clip_value": Real(1e-6, 1e6),
    "label_smoothing": Real(0.0, 0.5),
    "class_weights": Reals(Real(1e-6, 1e6), 1_000),
    "delta": Real(1e-6, 1e6),
    "quantile": Real(0.001, 0.999),
    "patience": Whole(1, 10_000),
    "dynamic_batch": Powers(64),
    "shards": Powers(16),
}
SECTIONS = ("schedule", "augmentation")
REQUIRED = ("epochs", "batch_size", "learning_rate", "optimizer")
SCHEDULE: dict[str, Field] = {
    "kind": Choice(SCHEDULES),
    "warmup_steps": Whole(0, 1_000_000),
    "every_epochs": Whole(1, 10_000),
    "factor": Real(1e-4, 1.0),
    "patience": Whole(1, 10_000),
}
AUGMENTATION: dict[str, Field] = {
    "shift": Whole(0, 64),
    "flip": Flag(),
    "contrast": Real(0.0, 0.9),
    "brightness": Real(0.0, 0.9),
}
DIVERGENT: dict[str, Field] = {"pattern": Choice(PATTERNS), "factor": Real(0.0, 1.0)}
FACTOR_LEAST = 1e-6  # logarithms over it are still numbers
# what a setting belongs to: the optimisers or losses that know it
BELONGS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "momentum": ("optimizer", ("sgd", "rmsprop")),
    "nesterov": ("optimizer", ("sgd",)),
    "weight_decay": ("optimizer", ("adamw",)),
    "label_smoothing": ("loss", ("cross_entropy",)),
    "class_weights": ("loss", ("cross_entropy",)),
    "delta": ("loss", ("huber", "dqn")),
    "quantile": ("loss", ("quantile",)),
}


@dataclass(frozen=True)
class Schedule:
    """How the learning rate moves: it rises over `warmup_steps`; then it stays, falls by `factor`
    every so many epochs, along a half cosine to zero, or by `factor` when `patience` epochs brought
    no better validation loss.
    """

    kind: str = "constant"
    warmup_steps: int = 0
    every_epochs: int = 10
    factor: float = 0.1
    patience: int = 5


@dataclass(frozen=True)
class Augmentation:
    """How each picture of a batch is changed at random, anew in every step: moved by up to `shift`
    pixels to each side, mirrored left to right every second time, its contrast and brightness
    changed by up to such shares. Rows that validate or test stay as they are.
    """

    shift: int = 0
    flip: bool = False
    contrast: float = 0.0
    brightness: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """What is done; nothing of what is not."""
        return {key: value for key, value in vars(self).items() if value}


@dataclass(frozen=True)
class Divergent:
    """Seeded exploration on top of gradient descent, of strength `factor` from 0 to 1."""

    pattern: str
    factor: float


@dataclass(frozen=True)
class Settings:
    """A training without mistakes. `patience` is early stopping's, in epochs; 0 means none.
    `dynamic_batch` is how many batches a step may gather at most.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str
    loss: str
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    clip_norm: float = 0.0
    clip_value: float = 0.0
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()
    delta: float = 1.0
    quantile: float = 0.5
    patience: int = 0
    dynamic_batch: int = 1
    shards: int = 1
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()

    def to_json(self) -> dict[str, Any]:
        """What a person would write: the required settings, and those that are not as usual."""
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        found = {k: v for k, v in vars(self).items() if k in (*REQUIRED, "loss") or v != usual[k]}
        if "class_weights" in found:
            found["class_weights"] = list(self.class_weights)
        if "schedule" in found:
            found["schedule"] = vars(self.schedule)
        if "augmentation" in found:
            found["augmentation"] = self.augmentation.to_json()
        return found


def read_settings(reader: Reader, raw: Any, kind: str, data: DataShape) -> Settings | None:
    """The settings of a training, or None where something is wrong."""
    losses = LOSSES.get(kind) or LOSSES[data.target]
    before = len(reader.problems)
    values = read_values(reader, raw, losses, usual={"loss": losses[0]})
    refuse_unpictured(reader, values["augmentation"], kind, data)
    weights = values.get("class_weights")
    if weights is not None and len(weights) != data.size:
        reason = f"must be {data.size} numbers, one for each class, not {len(weights)}"
        reader.refuse("training.class_weights", reason)
    if len(reader.problems) > before:
        return None
    values["class_weights"] = tuple(map(float, weights or ()))
    return Settings(**values)


def read_values(
    reader: Reader, raw: Any, losses: Sequence[str], usual: Mapping[str, str]
) -> dict[str, Any]:
    """The settings that are right, as far as they can be judged without data; `usual` is meant
    where nothing is said.
    """
    fields = FIELDS | {"loss": Choice(losses)}
    optional = ("loss", *(key for key in FIELDS if key not in REQUIRED), *SECTIONS)
    section = reader.section(raw, "training", REQUIRED, optional)
    values = {**usual, **reader.fields(section, "training", fields)}
    values["schedule"] = read_schedule(reader, section.get("schedule"))
    values["augmentation"] = read_augmentation(reader, section.get("augmentation"))
    for key, (what, known) in BELONGS.items():
        chosen = values.get(what)
        if key in section and chosen is not None and chosen not in known:
            reader.refuse(f"training.{key}", f"belongs to '{known[0]}', not to '{chosen}'")
    if values.get("batch_size", 0) % values.get("shards", 1):
        reader.refuse("training.batch_size", f"must be a multiple of shards, {values['shards']}")
    return values


def losses_anywhere(kind: str) -> tuple[str, ...]:
    """The losses that this kind of network has for some data."""
    return LOSSES.get(kind) or tuple(dict.fromkeys(chain.from_iterable(LOSSES.values())))


def read_schedule(reader: Reader, raw: Any) -> Schedule:
    if raw is None:
        return Schedule()
    section = reader.section(raw, "training.schedule", ("kind",), tuple(SCHEDULE)[1:])
    values = reader.fields(section, "training.schedule", SCHEDULE)
    return Schedule(**values)


def read_augmentation(reader: Reader, raw: Any) -> Augmentation:
    path = "training.augmentation"
    section = {} if raw is None else reader.section(raw, path, (), tuple(AUGMENTATION))
    return Augmentation(**reader.fields(section, path, AUGMENTATION))


def refuse_unpictured(reader: Reader, found: Augmentation, kind: str, data: DataShape) -> None:
    if found == Augmentation():
        return
    path = "training.augmentation"
    reasons = {
        f"is of pictures, and these rows are {shape_of(data.input)}": len(data.input) != 3,
        "is of pictures that are shown, and these are played": data.target is Target.ACTIONS,
        "would teach a gan to draw what was moved": kind == "gan",
    }
    for reason in [reason for reason, holds in reasons.items() if holds][:1]:
        reader.refuse(path, f"{reason}; leave it out")
        return
    most = min(data.input[:2]) - 1
    if found.shift > most:
        reason = f"would move pictures of {shape_of(data.input[:2])} out of sight; at most {most}"
        reader.refuse(f"{path}.shift", f"{found.shift} {reason}")


def read_divergent(reader: Reader, raw: Any) -> Divergent | None:
    divergent = reader.section(raw, "divergent", ("enabled",), tuple(DIVERGENT))
    enabled = divergent.get("enabled", False)
    if not isinstance(enabled, bool):
        reader.refuse("divergent.enabled", f"must be true or false, not {shown(enabled)}")
    values = reader.fields(divergent, "divergent", DIVERGENT)
    if enabled is not True:
        return None
    pattern, factor = values.get("pattern"), values.get("factor", 0.0)
    if 0 < factor < FACTOR_LEAST:
        reason = f"must be 0 or at least {FACTOR_LEAST:g}, not {factor:g}"
        reader.refuse("divergent.factor", reason)
    for key in DIVERGENT:
        if key not in divergent:
            reader.refuse(f"divergent.{key}", "is required when enabled is true")
    return Divergent(pattern or "", factor)
