"""What a person may begin a network with: what is known to train well on these data, the best
first, then what suits any data of their shape, and last a network that has nothing but its end.

How long a start trains follows the rows: an epoch of few rows is few steps, and few steps teach
nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kernels.architecture import ends
from kernels.data import DataShape, Target
from training.models import Category, Dataset, Tier
from training.runner.quotes import InvalidConfig
from training.services.compositions import quoted
from training.services.presets import presets_of

BATCH_ROWS = 32
STEPS_LEAST = 1_000
EPOCHS = (20, 200)
PIXELS_TO_MOVE_BY_ONE = 8
LATENT = 8  # numbers that an example is made from

Config = dict[str, Any]
Layers = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Start:
    """Something to begin with, by the name that people choose it by."""

    name: str
    title: str
    config: Config
    dataset: Dataset
    proven: Tier | None = None  # the tier that it is known to train well in

    @property
    def tier(self) -> Tier:
        """Priced for it only once it is chosen: a list of starts shows their titles."""
        return self.proven or tier_for(self.dataset, self.config)


def starting_points(*, dataset: Dataset) -> list[Start]:
    known = presets_of(dataset.slug)
    presets = [
        Start(
            name=preset.name,
            title=f"Preset {preset.name} ({preset.category.label.lower()})",
            config=preset.config,
            dataset=dataset,
            proven=preset.tier,
        )
        for preset in known
    ]
    made = made_for(dataset, {preset.category for preset in known})
    return presets + [
        Start(name=name, title=title, config=config, dataset=dataset)
        for name, title, config in made
    ]


def made_for(dataset: Dataset, known: set[Category]) -> Iterator[tuple[str, str, Config]]:
    """Name, title and network of what any data of this shape can begin with."""
    shape, epochs = dataset.data_shape, epochs_for(dataset.train_rows)
    yield "small", "Small network", small_config(shape, epochs)
    if len(shape.input) in (1, 3) and not shape.vocabulary and shape.target is not Target.ACTIONS:
        if Category.ANOMALY not in known:
            yield "autoencoder", "Autoencoder (what is unusual)", autoencoder_config(shape, epochs)
        if Category.GENERATIVE not in known:
            yield "vae", "Variational autoencoder (new examples)", vae_config(shape, epochs)
            yield "gan", "GAN (new examples)", gan_config(shape, epochs)
    yield "empty", "Empty network", empty_config(shape, epochs)


def tier_for(dataset: Dataset, config: Mapping[str, Any]) -> Tier:
    """The smallest tier that is enough, and the smallest of all where none can be: the preview says
    why.
    """
    try:
        _, fits, _ = quoted(dataset, config, Tier.NANO)
    except InvalidConfig:
        fits = None
    return fits or Tier.NANO


def epochs_for(rows: int) -> int:
    """So many that there are `STEPS_LEAST` steps, within bounds."""
    steps = -(-max(rows, 1) // BATCH_ROWS)
    return min(max(-(-STEPS_LEAST // steps), EPOCHS[0]), EPOCHS[1])


# Networks that learn what was asked


def empty_config(shape: DataShape, epochs: int) -> Config:
    """Nothing but the end that the data want, and before it what tokens and pictures need."""
    flat = flattened(shape) if len(shape.input) == 3 else []
    return composed("feedforward", [*embedding(shape), *flat, *end(shape)], epochs)


def small_config(shape: DataShape, epochs: int) -> Config:
    """A network of a kind that is known to suit data of this shape: blocks of attention for tokens,
    sums of the past for a series, convolutions for pictures, dense layers for tables.
    """
    if shape.vocabulary:
        block = layer("transformer_block", heads=2, ff_dim=64, dropout=0.1)
        return composed("transformer", [*embedding(shape), block, *end(shape)], epochs)
    match len(shape.input):
        case 3:
            return small_for_pictures(shape, epochs)
        case 2 if shape.target is Target.VALUES:
            return small_for_series(shape, epochs)
        case 2:
            return lstm_config(shape, epochs)
    layers = [layer("dense", units=64, activation="relu"), layer("dropout", rate=0.1)]
    return composed("feedforward", [*layers, *end(shape)], epochs, learning_rate=0.003)


def small_for_series(shape: DataShape, epochs: int) -> Config:
    """Sums of the past, without an activation: a series that rises is foretold to be higher than
    all that was seen, which only a sum can be (Zeng and others, "Are Transformers Effective for
    Time Series Forecasting?", 2023).
    """
    layers = [layer("flatten"), layer("dense", units=16, activation="linear"), *end(shape)]
    schedule = {"kind": "cosine"}
    return composed("feedforward", layers, epochs, learning_rate=0.003, schedule=schedule)


def lstm_config(shape: DataShape, epochs: int) -> Config:
    every_step = shape.target is Target.STEP_CLASSES
    layers = [layer("lstm", units=32, return_sequences=every_step), *end(shape)]
    return composed("lstm", layers, epochs, learning_rate=0.003)


def small_for_pictures(shape: DataShape, epochs: int) -> Config:
    """Convolutions, which are shown pictures moved by up to an eighth of their side: four pixels of
    32, as is usual (He and others, "Deep Residual Learning", 2016).
    """
    side = min(shape.input[:2])
    looking = [
        layer("conv2d", filters=8, kernel_size=3, padding="same"),
        layer("maxpool2d", pool_size=2),
    ]
    layers = [*(looking if side > 1 else []), *flattened(shape)]
    found = composed("feedforward", [*layers, *end(shape)], epochs)
    if shape.target is not Target.ACTIONS and side >= PIXELS_TO_MOVE_BY_ONE:
        found["training"]["augmentation"] = {"shift": side // PIXELS_TO_MOVE_BY_ONE}
    return found


# Networks that learn what the rows are like, whatever was asked of them


def autoencoder_config(shape: DataShape, epochs: int) -> Config:
    layers = [
        *flattened(shape),
        layer("dense", units=32, activation="tanh"),
        layer("dense", units=LATENT, activation="linear"),
    ]
    return composed("autoencoder", layers, epochs, learning_rate=0.003)


def vae_config(shape: DataShape, epochs: int) -> Config:
    layers = [
        *flattened(shape),
        layer("dense", units=128, activation="relu"),
        layer("dense", units=64, activation="relu"),
        layer("dense", units=LATENT, activation="linear"),
    ]
    found = composed("autoencoder", layers, 2 * epochs, learning_rate=0.002)
    found["architecture"]["variational"] = True
    return found


def gan_config(shape: DataShape, epochs: int) -> Config:
    layers = [
        layer("dense", units=64, activation="relu"),
        layer("dense", units=128, activation="relu"),
    ]
    found = composed("gan", layers, 3 * epochs, learning_rate=0.0005)
    found["architecture"]["latent"] = 2 * LATENT
    return found


# Their parts


def composed(kind: str, layers: Layers, epochs: int, **more: Any) -> Config:
    training = {
        "epochs": epochs,
        "batch_size": BATCH_ROWS,
        "learning_rate": 0.001,
        "optimizer": "adam",
    }
    return {
        "architecture": {"type": kind, "layers": layers},
        "training": training | more,
        "divergent": {"enabled": False, "pattern": "lateral", "factor": 0.3},
    }


def layer(kind: str, **params: Any) -> dict[str, Any]:
    return {"type": kind, "params": params}


def flattened(shape: DataShape) -> Layers:
    return [layer("flatten")] if len(shape.input) > 1 else []


def embedding(shape: DataShape) -> Layers:
    return [layer("embedding", vocab_size=shape.vocabulary, embed_dim=32)] * bool(shape.vocabulary)


def end(shape: DataShape) -> Layers:
    return [layer("output", size=ends(shape)[1])]
