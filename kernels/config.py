"""What a person may write as a network's configuration, and what each mistake is answered.

    {"architecture": {
        "type": "feedforward",
        "layers": [{"type": "dense", "params": {"units": 128, "activation": "relu"}}, ...]},
     "training": {"epochs": 20, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"},
     "divergent": {"enabled": true, "pattern": "lateral", "factor": 0.3}}

A layer's values may stand in `params` or beside its type. Every mistake is found in one pass and
named by its path. Where the layers end without an `output` layer (or a dense one with softmax), one
is added for what the data ask.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernels.architecture import Architecture, read_architecture, read_draft
from kernels.data import DataShape, Target
from kernels.fields import Problem, Reader
from kernels.layers import Parameter
from kernels.network import parameter_count
from kernels.patterns import EPOCH_ENDS
from kernels.settings import (
    Divergent,
    Settings,
    losses_anywhere,
    read_divergent,
    read_settings,
    read_values,
)

PARAMETERS_LIMIT = 100_000_000


class ConfigError(ValueError):
    """A configuration that cannot be trained: `problems` holds everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class NetworkConfig:
    """A configuration without mistakes, for data of one shape."""

    data: DataShape
    architecture: Architecture
    training: Settings
    divergent: Divergent | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The trained arrays of all networks, in the order in which they lie in memory."""
        networks = self.architecture.networks.values()
        return tuple(parameter for network in networks for parameter in network.parameters())

    def to_json(self) -> dict[str, Any]:
        """The same as a person would write it; `parse` reads it back to an equal configuration."""
        divergent: dict[str, Any] = {"enabled": False}
        if self.divergent is not None:
            divergent = {"enabled": True, **vars(self.divergent)}
        return {
            "architecture": self.architecture.to_json(),
            "training": self.training.to_json(),
            "divergent": divergent,
        }

    def digest(self) -> str:
        """SHA-256 of the configuration and the data's shape, the same however it was written."""
        whole = {"data": self.data.to_json(), **self.to_json()}
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def parse(raw: object, data: DataShape) -> NetworkConfig:
    """The configuration for data of this shape.

    Raises ConfigError with every problem of the configuration.
    """
    reader = Reader()
    root = reader.section(raw, "", ("architecture", "training"), ("divergent",))
    architecture = settings = None
    if "architecture" in root:
        architecture = read_architecture(reader, root["architecture"], data)
    if architecture is not None and not reader.problems:
        refuse_too_large(reader, architecture)
    if "training" in root:
        kind = architecture.kind if architecture is not None else ""
        settings = read_settings(reader, root["training"], kind, data)
    divergent = read_divergent(reader, root.get("divergent", {"enabled": False}))
    if architecture is not None and settings is not None:
        refuse_misfits(reader, architecture.kind, settings, divergent, data)
    if reader.problems or architecture is None or settings is None:
        raise ConfigError(reader.problems)
    return NetworkConfig(data, architecture, settings, divergent)


def judge(raw: object) -> None:
    """ConfigError with what is wrong with a configuration whatever its data are: words that are not
    known, values that are missing or out of range.
    """
    reader = Reader()
    root = reader.section(raw, "", ("architecture", "training"), ("divergent",))
    draft = read_draft(reader, root["architecture"]) if "architecture" in root else None
    if "training" in root:
        losses = losses_anywhere(draft.kind if draft is not None else "")
        read_values(reader, root["training"], losses, usual={})
    read_divergent(reader, root.get("divergent", {"enabled": False}))
    if reader.problems:
        raise ConfigError(reader.problems)


def refuse_misfits(
    reader: Reader, kind: str, settings: Settings, divergent: Divergent | None, data: DataShape
) -> None:
    """Settings that are good ones, but not together or not for these data."""
    if settings.dynamic_batch > 1 and kind == "gan":
        reason = "a gan's two networks move in turn and gather nothing; leave it out"
        reader.refuse("training.dynamic_batch", reason)
    pattern = "" if divergent is None else divergent.pattern
    if pattern in EPOCH_ENDS and kind == "gan":
        reason = f"'{pattern}' chooses by the validation loss, and a gan's two losses pull apart"
        reader.refuse("divergent.pattern", f"{reason}; take 'lateral' or 'chaotic'")
    if pattern == "associative":
        refuse_unmixable(reader, kind, settings, data)


def refuse_unmixable(reader: Reader, kind: str, settings: Settings, data: DataShape) -> None:
    reasons = {
        "tokens cannot be mixed": bool(data.vocabulary),
        "actions cannot be mixed": data.target is Target.ACTIONS,
        "a gan has no targets to mix": kind == "gan",
    }
    for reason in [reason for reason, holds in reasons.items() if holds][:1]:
        reason = f"'associative' mixes examples, and {reason}; take 'lateral' or 'chaotic'"
        reader.refuse("divergent.pattern", reason)
    if settings.class_weights:
        reason = "a mixed example has several classes; leave them out with 'associative'"
        reader.refuse("training.class_weights", reason)


def refuse_too_large(reader: Reader, architecture: Architecture) -> None:
    total = sum(parameter_count(n.parameters()) for n in architecture.networks.values())
    if total > PARAMETERS_LIMIT:
        reason = f"{total:,} parameters are more than the {PARAMETERS_LIMIT:,} that can be trained"
        reader.refuse("architecture.layers", reason)
