"""What a network that is still being composed is, takes and would cost: all that can be said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernels import outline
from kernels.architecture import ends
from kernels.data import DataShape, Target
from kernels.fields import Problem
from kernels.outline import LayerEstimate
from training.models import Dataset, Model, Tier
from training.runner import tiers
from training.runner.lineage import Inheritance
from training.runner.quotes import (
    InvalidConfig,
    Quote,
    TierTooSmall,
    parse_config,
    quote_job,
)
from training.services.finetuning import inherited
from training.services.presets import presets_of


@dataclass(frozen=True, kw_only=True)
class Preview:
    """`words` are the layers as they are written, by path, up to the first mistake; `layers` are
    those of the whole network, once it makes sense. `fits` is the smallest tier that is enough, and
    `seconds` its compute at the speed that prices assume.
    """

    problems: Sequence[Problem] = ()
    tier_problem: str = ""
    quote: Quote | None = None
    fits: Tier | None = None
    words: Mapping[str, LayerEstimate] = field(default_factory=dict)
    layers: Sequence[LayerEstimate] = ()
    inheritance: Inheritance | None = None  # of what is trained further: what it takes over

    @property
    def seconds(self) -> float:
        return self.quote.flops / tiers.NOMINAL_FLOPS if self.quote else 0.0

    @property
    def held_bytes(self) -> int:
        """What all layers hold together, of which each has its share: those that are written, as
        long as nothing more is known.
        """
        return sum(one.bytes for one in self.layers or self.words.values())


def network_layers(*, dataset: Dataset, config: Mapping[str, Any]) -> list[LayerEstimate]:
    """Every layer of a network for this data. Raises InvalidConfig."""
    return outline.layers(parse_config(config, dataset))


def preview_job(
    *, dataset: Dataset, config: object, tier: Tier, parent: Model | None = None
) -> Preview:
    """All that can be said of a job that somebody is composing; a mistake in it is an answer too.
    With a `parent` the job begins from that model's weights.

    Raises NotReady where the data are still being prepared.
    """
    written = words(dataset, config)
    if not isinstance(config, Mapping):
        return Preview(problems=[Problem("config", "must be an object")])
    try:
        layers = network_layers(dataset=dataset, config=config)
        quote, fits, said = quoted(dataset, config, tier)
        found = None if parent is None else inherited(parent, dataset, config)
    except InvalidConfig as refusal:
        return Preview(problems=problems_of(refusal), words=written)
    return Preview(
        words=written, layers=layers, quote=quote, fits=fits, tier_problem=said, inheritance=found
    )


@dataclass(frozen=True, kw_only=True)
class Start:
    """Something to begin with, by the name that people choose it by."""

    name: str
    title: str
    config: dict[str, Any]
    tier: Tier


def starting_points(*, dataset: Dataset) -> list[Start]:
    """What a person may begin with: what is known to train well on this data, the best first, then
    a small network that fits any data of its shape, and one that has nothing but its end.
    """
    shape = dataset.data_shape
    known = [
        Start(
            name=preset.name,
            title=f"Preset {preset.name} ({preset.category.label.lower()})",
            config=preset.config,
            tier=preset.tier,
        )
        for preset in presets_of(dataset.slug)
    ]
    made = {"small": small_config(shape), "empty": empty_config(shape)}
    return known + [
        Start(
            name=name,
            title=f"{name.capitalize()} network",
            config=config,
            tier=tier_for(dataset, config),
        )
        for name, config in made.items()
    ]


def tier_for(dataset: Dataset, config: Mapping[str, Any]) -> Tier:
    """The smallest tier that is enough, and the smallest of all where none can be: the preview says
    why.
    """
    try:
        _, fits, _ = quoted(dataset, config, Tier.NANO)
    except InvalidConfig:
        fits = None
    return fits or Tier.NANO


PIXELS_TO_MOVE_BY_ONE = 8
TRAINING = {"epochs": 20, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"}


def empty_config(shape: DataShape) -> dict[str, Any]:
    """Nothing but the end that the data want, and before it what tokens and pictures need."""
    flat = [{"type": "flatten", "params": {}}] if len(shape.input) == 3 else []
    return composed("feedforward", [*embedding(shape), *flat, *end(shape)])


def small_config(shape: DataShape) -> dict[str, Any]:
    """A network of a kind that is known to suit data of this shape: blocks of attention for tokens,
    an LSTM for sequences, convolutions for pictures, dense layers for tables.
    """
    if shape.vocabulary:
        block = {"type": "transformer_block", "params": {"heads": 2, "ff_dim": 64, "dropout": 0.1}}
        return composed("transformer", [*embedding(shape), block, *end(shape)])
    layers: list[dict[str, Any]]
    match len(shape.input):
        case 3:
            return small_for_pictures(shape)
        case 2:
            every_step = shape.target is Target.STEP_CLASSES
            layers = [{"type": "lstm", "params": {"units": 32, "return_sequences": every_step}}]
            return composed("lstm", [*layers, *end(shape)])
        case _:
            layers = [
                {"type": "dense", "params": {"units": 64, "activation": "relu"}},
                {"type": "dropout", "params": {"rate": 0.1}},
            ]
    return composed("feedforward", [*layers, *end(shape)])


def small_for_pictures(shape: DataShape) -> dict[str, Any]:
    """Convolutions, which are shown pictures moved by up to an eighth of their side: four pixels of
    32, as is usual (He and others, "Deep Residual Learning", 2016).
    """
    side = min(shape.input[:2])
    looking: list[dict[str, Any]] = [
        {"type": "conv2d", "params": {"filters": 8, "kernel_size": 3, "padding": "same"}},
        {"type": "maxpool2d", "params": {"pool_size": 2}},
    ]
    layers = [*(looking if side > 1 else []), {"type": "flatten"}]
    found = composed("feedforward", [*layers, *end(shape)])
    if shape.target is not Target.ACTIONS and side >= PIXELS_TO_MOVE_BY_ONE:
        found["training"]["augmentation"] = {"shift": side // PIXELS_TO_MOVE_BY_ONE}
    return found


def composed(kind: str, layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "architecture": {"type": kind, "layers": layers},
        "training": dict(TRAINING),
        "divergent": {"enabled": False, "pattern": "lateral", "factor": 0.3},
    }


def embedding(shape: DataShape) -> list[dict[str, Any]]:
    params = {"vocab_size": shape.vocabulary, "embed_dim": 32}
    return [{"type": "embedding", "params": params}] if shape.vocabulary else []


def end(shape: DataShape) -> list[dict[str, Any]]:
    return [{"type": "output", "params": {"size": ends(shape)[1]}}]


def words(dataset: Dataset, config: object) -> dict[str, LayerEstimate]:
    """What the layers say as far as they make sense, whatever else is wrong."""
    if not isinstance(config, Mapping):
        return {}
    training = config.get("training")
    settings = training if isinstance(training, Mapping) else {}
    rows, optimizer = settings.get("batch_size"), settings.get("optimizer")
    return outline.written(
        config.get("architecture"),
        dataset.data_shape,
        rows=rows if isinstance(rows, int) and 0 < rows <= dataset.train_rows else 32,
        optimizer=optimizer if isinstance(optimizer, str) else "adam",
    )


def quoted(
    dataset: Dataset, config: Mapping[str, Any], tier: Tier
) -> tuple[Quote | None, Tier | None, str]:
    """The quote for the tier that was asked for, or for the smallest that is enough; which that is;
    and what speaks against the one asked for.
    """
    try:
        quote = quote_job(dataset=dataset, config=config, tier=tier)
    except TierTooSmall as refusal:
        if refusal.fits is None:
            return None, None, str(refusal)
        quote = quote_job(dataset=dataset, config=config, tier=refusal.fits)
        return quote, refusal.fits, str(refusal)
    needs = {"parameters": quote.parameters, "memory_bytes": quote.memory_bytes}
    return quote, tiers.smallest_tier(**needs, flops=quote.flops), ""


def problems_of(refusal: InvalidConfig) -> list[Problem]:
    found = [Problem(each["field"], each["reason"]) for each in refusal.invalid_parameters]
    return found or [Problem("config", str(refusal))]
