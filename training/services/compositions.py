"""What a network that is still being composed is, takes and would cost: all that can be said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernels import outline
from kernels.fields import Problem
from kernels.outline import LayerEstimate
from training.models import Checkpoint, Dataset, Model, Tier
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
    *, dataset: Dataset, config: object, tier: Tier, parent: Model | Checkpoint | None = None
) -> Preview:
    """All that can be said of a job that somebody is composing; a mistake in it is an answer too.
    With a `parent` the job begins from the weights of that model or checkpoint.

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
