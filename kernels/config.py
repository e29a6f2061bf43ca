"""What a person may write as a network's configuration, and what each mistake is answered.

    {"architecture": {
        "type": "feedforward",
        "layers": [{"type": "dense", "params": {"units": 128, "activation": "relu"}}, ...]},
     "training": {"epochs": 20, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"},
     "divergent": {"enabled": true, "pattern": "lateral", "factor": 0.3}}

A layer's values may stand in `params` or beside its type. Every mistake is found in one pass and
named by its path. Where the layers end without an `output` layer (or a dense one with softmax), one
is added for the classes of the data.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernels.fields import Choice, Field, Problem, Reader, Real, Whole, shown
from kernels.layers import Dense, Layer, check_transformer, feedforward, read_layer

ARCHITECTURES = ("feedforward", "lstm", "gan", "autoencoder", "transformer")
TRAINABLE = ("feedforward",)
OPTIMIZERS = ("adam", "sgd")
PATTERNS = ("lateral", "quantum", "chaotic", "associative", "evolutionary")
AVAILABLE_PATTERNS = ("lateral",)
LAYERS_LIMIT = 64
PARAMETERS_LIMIT = 100_000_000
TRAINING: dict[str, Field] = {
    "epochs": Whole(1, 10_000),
    "batch_size": Whole(1, 4_096),
    "learning_rate": Real(1e-8, 10.0),
    "optimizer": Choice(OPTIMIZERS),
    "momentum": Real(0.0, 0.999),
}
DIVERGENT: dict[str, Field] = {"pattern": Choice(PATTERNS), "factor": Real(0.0, 1.0)}


class ConfigError(ValueError):
    """A configuration that cannot be trained: `problems` holds everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Divergent:
    """Seeded exploration on top of gradient descent, of strength `factor` from 0 to 1."""

    pattern: str
    factor: float


@dataclass(frozen=True)
class NetworkConfig:
    """A configuration without mistakes; its last layer is dense, `classes` wide, with softmax."""

    features: int
    classes: int
    layers: tuple[Layer, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str
    momentum: float = 0.0
    divergent: Divergent | None = None

    def to_json(self) -> dict[str, Any]:
        """The same as a person would write it; `parse` reads it back to an equal configuration."""
        training: dict[str, Any] = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "optimizer": self.optimizer,
        }
        if self.optimizer == "sgd":
            training["momentum"] = self.momentum
        divergent: dict[str, Any] = {"enabled": False}
        if self.divergent is not None:
            divergent = {"enabled": True, **vars(self.divergent)}
        architecture = {"type": "feedforward", "layers": self._layers_to_json()}
        return {"architecture": architecture, "training": training, "divergent": divergent}

    def _layers_to_json(self) -> list[dict[str, Any]]:
        middle = [
            {"type": "dense" if isinstance(layer, Dense) else "dropout", **vars(layer)}
            for layer in self.layers[:-1]
        ]
        last = {"type": "output", "size": self.classes, "activation": "softmax"}
        return [{"type": "input", "size": self.features}, *middle, last]

    def digest(self) -> str:
        """SHA-256 of the configuration, the same however it was written."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def parse(raw: object, *, features: int, classes: int) -> NetworkConfig:
    """The configuration for data of `features` columns and `classes` labels.

    Raises ConfigError with every problem of the configuration.
    """
    reader = Reader()
    root = reader.section(raw, "", ("architecture", "training"), ("divergent",))
    layers: tuple[Layer, ...] = ()
    training: dict[str, Any] = {}
    if "architecture" in root:
        layers = read_architecture(reader, root["architecture"], features, classes)
    if "training" in root:
        training = read_training(reader, root["training"])
    divergent = read_divergent(reader, root.get("divergent", {"enabled": False}))
    refuse_too_large(reader, layers, features)
    if reader.problems:
        raise ConfigError(reader.problems)
    return NetworkConfig(features, classes, layers, divergent=divergent, **training)


def read_architecture(reader: Reader, raw: Any, features: int, classes: int) -> tuple[Layer, ...]:
    architecture = reader.section(raw, "architecture", ("type", "layers"))
    kinds: dict[str, Field] = {"type": Choice(ARCHITECTURES)}
    kind = reader.fields(architecture, "architecture", kinds).get("type")
    if kind is not None and kind not in TRAINABLE:
        can = "', '".join(TRAINABLE)
        reader.refuse("architecture.type", f"'{kind}' cannot be trained here yet; '{can}' can")
    if "layers" not in architecture or kind not in ("feedforward", "transformer"):
        return ()  # the layers of the other architectures have no rules before they can be trained
    listed = architecture["layers"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= LAYERS_LIMIT:
        reader.refuse("architecture.layers", f"must be a list of 1 to {LAYERS_LIMIT} layers")
        return ()
    written = [
        read_layer(reader, layer, f"architecture.layers[{number}]")
        for number, layer in enumerate(listed)
    ]
    if kind == "transformer":
        check_transformer(reader, written)
        return ()
    return feedforward(reader, written, features, classes)


def read_training(reader: Reader, raw: Any) -> dict[str, Any]:
    required = ("epochs", "batch_size", "learning_rate", "optimizer")
    training = reader.section(raw, "training", required, ("momentum",))
    values = reader.fields(training, "training", TRAINING)
    if "momentum" in training and values.get("optimizer") == "adam":
        reader.refuse("training.momentum", "belongs to 'sgd'; 'adam' keeps its own")
    return values


def read_divergent(reader: Reader, raw: Any) -> Divergent | None:
    divergent = reader.section(raw, "divergent", ("enabled",), tuple(DIVERGENT))
    enabled = divergent.get("enabled", False)
    if not isinstance(enabled, bool):
        reader.refuse("divergent.enabled", f"must be true or false, not {shown(enabled)}")
    values = reader.fields(divergent, "divergent", DIVERGENT)
    if enabled is not True:
        return None
    for key in DIVERGENT:
        if key not in divergent:
            reader.refuse(f"divergent.{key}", "is required when enabled is true")
    pattern = values.get("pattern")
    if pattern is not None and pattern not in AVAILABLE_PATTERNS:
        can = "', '".join(AVAILABLE_PATTERNS)
        reader.refuse("divergent.pattern", f"'{pattern}' is not available here yet; '{can}' is")
    return Divergent(pattern or "", values.get("factor", 0.0))


def refuse_too_large(reader: Reader, layers: Sequence[Layer], features: int) -> None:
    total, width = 0, features
    for layer in layers:
        if isinstance(layer, Dense):
            total += (width + 1) * layer.units
            width = layer.units
    if total > PARAMETERS_LIMIT:
        reason = f"{total:,} parameters are more than the {PARAMETERS_LIMIT:,} that can be trained"
        reader.refuse("architecture.layers", reason)
