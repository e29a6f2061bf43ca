"""The vocabulary of layers: what each may say, and what a list of them means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels.fields import Choice, Field, Reader, Real, Whole, join, shown, suggestion

ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "linear")
UNITS = Whole(1, 65_536)
RATE = Real(0.0, 0.95)
HIDDEN_ACTIVATION = Choice((*ACTIVATIONS, "softmax"))

# layer type → its values; those in DEFAULTS may be left out
VOCABULARY: dict[str, dict[str, Field]] = {
    "input": {"size": UNITS},
    "dense": {"units": UNITS, "activation": HIDDEN_ACTIVATION},
    "hidden": {"size": UNITS, "activation": HIDDEN_ACTIVATION},
    "output": {"size": UNITS, "activation": Choice(("softmax",))},
    "dropout": {"rate": RATE},
    "feedforward": {"hidden_dim": UNITS, "dropout": RATE},
    "embedding": {"vocab_size": Whole(1, 1_000_000), "embed_dim": UNITS},
    "attention": {"heads": Whole(1, 1_024), "dropout": RATE},
}
DEFAULTS: dict[str, Any] = {"activation": "relu", "dropout": 0.0}


@dataclass(frozen=True)
class Dense:
    """y = activation(x W + b)."""

    units: int
    activation: str


@dataclass(frozen=True)
class Dropout:
    """Each value is dropped with probability `rate` while training, and the others scaled by 1 / (1
    - rate).
    """

    rate: float


Layer = Dense | Dropout


@dataclass(frozen=True)
class Written:
    """A layer as it was written: its type, its values (a refused one is missing), and where those
    stand.
    """

    type: str
    values: Mapping[str, Any]
    path: str
    is_whole: bool


def read_layer(reader: Reader, raw: object, path: str) -> Written:
    if not isinstance(raw, Mapping):
        reader.refuse(path, f"must be an object with a type, not {shown(raw)}")
        return Written("", {}, path, is_whole=False)
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in VOCABULARY:
        reason = "is required" if kind is None else f"{shown(kind)} is not known"
        reader.refuse(f"{path}.type", reason + suggestion(kind, list(VOCABULARY)))
        return Written("", {}, path, is_whole=False)
    flat = {key: value for key, value in raw.items() if key not in ("type", "params")}
    if "params" in raw and flat:
        reader.refuse(join(path, next(iter(flat))), "must stand in params, with the other values")
    stated, path = (raw["params"], f"{path}.params") if "params" in raw else (flat, path)
    kinds = VOCABULARY[kind]
    required = [key for key in kinds if key not in DEFAULTS]
    before = len(reader.problems)
    section = reader.section(stated, path, required, [key for key in kinds if key in DEFAULTS])
    values = reader.fields(section, path, kinds)
    if kind == "output":
        values.setdefault("activation", "softmax")
    defaults = {key: DEFAULTS[key] for key in kinds if key in DEFAULTS}
    return Written(kind, defaults | values, path, is_whole=len(reader.problems) == before)


def feedforward(
    reader: Reader, written: Sequence[Written], features: int, classes: int
) -> tuple[Layer, ...]:
    """The layers of a feedforward classifier; the last is dense, `classes` wide, with softmax."""
    layers: list[Layer] = []
    for number, layer in enumerate(written):
        check_place(reader, layer, is_first=number == 0, is_last=number == len(written) - 1)
        check_sizes(reader, layer, features, classes, is_last=number == len(written) - 1)
        if layer.is_whole:
            layers += meaning(layer)
    if not layers or not (isinstance(layers[-1], Dense) and layers[-1].activation == "softmax"):
        layers.append(Dense(classes, "softmax"))
    return tuple(layers)


def meaning(layer: Written) -> list[Layer]:
    values = layer.values
    match layer.type:
        case "dense":
            return [Dense(values["units"], values["activation"])]
        case "hidden" | "output":
            return [Dense(values["size"], values["activation"])]
        case "dropout":
            return [Dropout(values["rate"])]
        case "feedforward":
            dropped: list[Layer] = [Dropout(values["dropout"])] if values["dropout"] else []
            return [Dense(values["hidden_dim"], "relu"), *dropped]
    return []  # input says only what the data says too


def check_place(reader: Reader, layer: Written, *, is_first: bool, is_last: bool) -> None:
    if layer.type in ("embedding", "attention"):
        reason = f"'{layer.type}' belongs to a transformer, not to a feedforward network"
        reader.refuse(f"{layer.path.removesuffix('.params')}.type", reason)
    if layer.type == "input" and not is_first:
        reader.refuse(
            f"{layer.path.removesuffix('.params')}.type", "'input' must be the first layer"
        )
    if layer.type == "output" and not is_last:
        reader.refuse(
            f"{layer.path.removesuffix('.params')}.type", "'output' must be the last layer"
        )
    if (
        layer.type in ("dense", "hidden")
        and layer.values.get("activation") == "softmax"
        and not is_last
    ):
        reader.refuse(f"{layer.path}.activation", "'softmax' belongs to the last layer alone")


def check_sizes(
    reader: Reader, layer: Written, features: int, classes: int, *, is_last: bool
) -> None:
    """The ends of the network must be as wide as the data."""
    is_softmax = layer.values.get("activation") == "softmax"
    is_head = layer.type == "output" or (is_softmax and is_last)
    key = "units" if layer.type == "dense" else "size"
    width = layer.values.get(key)
    if layer.type == "input" and width not in (None, features):
        reader.refuse(
            f"{layer.path}.size", f"must be {features}, the features of the data, not {width}"
        )
    if is_head and width not in (None, classes):
        reader.refuse(
            f"{layer.path}.{key}", f"must be {classes}, the classes of the data, not {width}"
        )


def check_transformer(reader: Reader, written: Sequence[Written]) -> None:
    """The heads of an attention share the embedding between them, so it must divide evenly."""
    width: int | None = None
    for layer in written:
        if layer.type == "embedding":
            width = layer.values.get("embed_dim")
        heads = layer.values.get("heads")
        if heads is not None and width is not None and width % heads:
            reason = f"must divide embed_dim ({heads} does not divide {width})"
            reader.refuse(f"{layer.path}.heads", reason)
