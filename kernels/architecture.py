"""From the layers that a person wrote to networks: read, placed, and given their ends.

The words a network ends in depend on what is asked of it: where the layers do not end in what the
data want, a last layer is added. Every mistake is named by its path.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels.data import DataShape, Target
from kernels.fields import Choice, Field, Flag, Reader, Real, Whole, join, shown, suggestion
from kernels.graph import Shape, count
from kernels.layers import VOCABULARY, Layer, Misfit, Word
from kernels.layers.dense import UNITS, Dense, Dropout
from kernels.layers.shapes import Flatten, Reshape
from kernels.network import Network

ARCHITECTURES = ("feedforward", "lstm", "gan", "autoencoder", "transformer")
LAYERS_LIMIT = 64
INPUT = Word({"size": UNITS}, lambda size: [])
OPTIONS: dict[str, dict[str, Field]] = {
    "autoencoder": {"variational": Flag(), "noise": Real(0.0, 10.0), "beta": Real(0.0, 100.0)},
    "gan": {"latent": Whole(1, 4_096)},
}
DEFAULTS = {"variational": False, "noise": 0.0, "beta": 1.0, "latent": 16}
SECOND = {"autoencoder": "decoder", "gan": "discriminator"}  # a second list of layers


@dataclass(frozen=True)
class Architecture:
    """Networks by their part: `network`; `encoder` and `decoder`; `generator` and `discriminator`.
    `options` are the architecture's own.
    """

    kind: str
    networks: Mapping[str, Network]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a person would write it; reading it again makes the same networks."""
        lists = [ended(network) for network in self.networks.values()]
        if self.kind == "autoencoder":
            lists[0] = [layer.to_json() for layer in self.networks["encoder"].layers]
            if self.options["variational"]:  # the code is written as wide as it is used
                lists[0][-1]["units"] //= 2
        rest = {SECOND[self.kind]: lists[1]} if len(lists) > 1 else {}
        return {"type": self.kind, "layers": lists[0], **self.options, **rest}


def ended(network: Network) -> list[dict[str, Any]]:
    """The layers, the last dense one as `output`, whose shape the data decide."""
    at = max(i for i, layer in enumerate(network.layers) if isinstance(layer, Dense))
    last = network.layers[at]
    assert isinstance(last, Dense)
    output = {"type": "output", "size": last.units, "activation": last.activation}
    return [*(layer.to_json() for layer in network.layers[:at]), output]


def read_architecture(reader: Reader, raw: Any, data: DataShape) -> Architecture | None:
    draft = read_draft(reader, raw)
    if draft is None:
        return None
    before = len(reader.problems)
    check_tokens(reader, draft.words, data)
    if not draft.is_right or len(reader.problems) > before:
        return None
    listed, further, chosen = draft.listed, draft.further, draft.options
    match draft.kind:
        case "autoencoder":
            networks = autoencoder(reader, listed, further, data, chosen)
        case "gan":
            networks = adversaries(reader, listed, further, data, chosen)
        case _:
            networks = {"network": supervised(reader, listed, data)}
    return Architecture(draft.kind, networks, chosen)


# -------------------------------------------------------------------------------- reading the words


@dataclass(frozen=True)
class Written:
    """A word as it was written, where it stands, and the layers it means."""

    word: str
    layers: Sequence[Layer]
    path: str
    values: Mapping[str, Any]

    @property
    def type_path(self) -> str:
        return f"{self.path.removesuffix('.params')}.type"


@dataclass(frozen=True)
class Draft:
    """An architecture as it was written, before it is placed on data. `further` is its second list
    of layers, where it has one.
    """

    kind: str
    options: Mapping[str, Any]
    listed: Sequence[Written]
    further: Sequence[Written] | None
    is_right: bool

    @property
    def words(self) -> Sequence[Written]:
        return [*self.listed, *(self.further or ())]


def read_draft(reader: Reader, raw: Any) -> Draft | None:
    """What was written, as far as it can be judged without data."""
    kind = raw.get("type") if isinstance(raw, Mapping) else None
    options = OPTIONS.get(kind, {}) if isinstance(kind, str) else {}
    second = SECOND.get(kind) if isinstance(kind, str) else None
    optional = (*options, *([second] if second else ()))
    section = reader.section(raw, "architecture", ("type", "layers"), optional)
    fields = {"type": Choice(ARCHITECTURES)} | options
    values = reader.fields(section, "architecture", fields)
    before = len(reader.problems)
    if "type" not in values or "layers" not in section:
        return None
    chosen = {key: values.get(key, DEFAULTS[key]) for key in options}
    listed = read_list(reader, section["layers"], "architecture.layers")
    further = (
        read_list(reader, section[second], f"architecture.{second}") if second in section else None
    )
    if kind in OPTIONS:
        refuse_classes(reader, [*listed, *(further or ())])
    return Draft(str(kind), chosen, listed, further, is_right=len(reader.problems) == before)


def read_list(reader: Reader, listed: Any, path: str) -> list[Written]:
    if not isinstance(listed, list) or not 1 <= len(listed) <= LAYERS_LIMIT:
        reader.refuse(path, f"must be a list of 1 to {LAYERS_LIMIT} layers")
        return []
    found = [read_word(reader, raw, f"{path}[{number}]") for number, raw in enumerate(listed)]
    words = [written for written in found if written is not None]
    for number, written in enumerate(words):
        check_place(reader, written, is_first=number == 0, is_last=number == len(words) - 1)
    return words


def read_word(reader: Reader, raw: object, path: str) -> Written | None:
    if not isinstance(raw, Mapping):
        reader.refuse(path, f"must be an object with a type, not {shown(raw)}")
        return None
    known, kind = {"input": INPUT} | VOCABULARY, raw.get("type")
    if not isinstance(kind, str) or kind not in known:
        reason = "is required" if kind is None else f"{shown(kind)} is not known"
        reader.refuse(f"{path}.type", reason + suggestion(kind, list(known)))
        return None
    flat = {key: value for key, value in raw.items() if key not in ("type", "params")}
    if "params" in raw and flat:
        reader.refuse(join(path, next(iter(flat))), "must stand in params, with the other values")
    stated, path = (raw["params"], f"{path}.params") if "params" in raw else (flat, path)
    word = known[kind]
    required = [key for key in word.fields if key not in word.defaults]
    before = len(reader.problems)
    section = reader.section(stated, path, required, list(word.defaults))
    values = dict(word.defaults) | reader.fields(section, path, word.fields)
    if len(reader.problems) > before:
        return None
    return Written(kind, word.means(**values), path, values)


def check_place(reader: Reader, written: Written, *, is_first: bool, is_last: bool) -> None:
    if written.word == "input" and not is_first:
        reader.refuse(written.type_path, "'input' must be the first layer")
    if written.word == "output" and not is_last:
        reader.refuse(written.type_path, "'output' must be the last layer")
    if written.values.get("activation") == "softmax" and not is_last:
        reader.refuse(f"{written.path}.activation", "'softmax' belongs to the last layer alone")


def check_tokens(reader: Reader, words: Sequence[Written], data: DataShape) -> None:
    """An embedding wants tokens, and a vector for each that may come."""
    for written in words:
        known = written.values.get("vocab_size")
        if known is not None and not data.vocabulary:
            reason = "'embedding' takes tokens, and the data are numbers; leave it out"
            reader.refuse(written.type_path, reason)
        elif known is not None and known < data.vocabulary:
            reason = f"must be at least {data.vocabulary}, the vocabulary of the data, not {known}"
            reader.refuse(f"{written.path}.vocab_size", reason)


def refuse_classes(reader: Reader, words: Sequence[Written]) -> None:
    """Networks that make examples answer with no class."""
    for written in words:
        if written.values.get("activation") == "softmax":
            reader.refuse(
                f"{written.path}.activation", "'softmax' belongs to classes; take 'linear'"
            )


def place(
    reader: Reader, words: Sequence[Written], shape: Shape, of_data: int | None = None
) -> tuple[list[Layer], Shape | None]:
    """The layers, and the shape after them; None where one does not fit."""
    layers: list[Layer] = []
    at: Shape | None = shape
    for written in words:
        size = written.values.get("size")
        if written.word == "input" and of_data is not None and size != of_data:
            reason = f"must be {of_data}, the features of the data, not {size}"
            reader.refuse(f"{written.path}.size", reason)
        for layer in written.layers:
            for meant in (layer,) if at is None else layer.placed(at):
                layers.append(meant)
                at = None if at is None else shape_after(reader, written, meant, at)
    return layers, at


def shape_after(reader: Reader, written: Written, layer: Layer, shape: Shape) -> Shape | None:
    try:
        return layer.output(shape)
    except Misfit as misfit:
        reader.refuse(written.type_path, f"'{written.word}' {misfit}")
        return None


# ------------------------------------------------------------------------------- the ends they need


def supervised(reader: Reader, words: Sequence[Written], data: DataShape) -> Network:
    """A network that ends in what the data want."""
    layers, shape = place(reader, words, data.input, data.features)
    if data.target is Target.NEXT:
        refuse_foresight(reader, words)
        layers = [turned_to_the_past(layer) for layer in layers]
    if shape is None:
        return Network(data.input, ())
    if data.vocabulary and not any(layer.word == "embedding" for layer in layers[:1]):
        reader.refuse("architecture.layers[0].type", "must be 'embedding': the data are tokens")
        return Network(data.input, ())
    refuse_other_size(reader, words[-1], data)
    wanted, size, activation = ends(data)
    last = layers[-1] if layers else None
    is_end = words[-1].word == "output" or (
        isinstance(last, Dense) and last.activation == "softmax"
    )
    if is_end and isinstance(last, Dense):
        layers, activation = layers[:-1], last.activation or activation
        shape = Network(data.input, tuple(layers)).output
    layers += bridge(reader, words[-1], shape, wanted)
    return Network(data.input, (*layers, Dense(size, activation)))


def ends(data: DataShape) -> tuple[int, int, str]:
    """How many axes the last layer has, how wide it is, and its activation."""
    match data.target:
        case Target.STEP_CLASSES:
            return 2, data.size, "softmax"
        case Target.NEXT:
            return 2, data.vocabulary, "softmax"
        case Target.CLASSES:
            return 1, data.size, "softmax"
    return 1, data.size, "linear"


def refuse_other_size(reader: Reader, written: Written, data: DataShape) -> None:
    values = written.values
    is_end = written.word == "output" or values.get("activation") == "softmax"
    key = "units" if written.word == "dense" else "size"
    wanted, what = ends(data)[1], "classes" if "classes" in data.target else "values"
    if is_end and values.get(key, wanted) != wanted:
        reader.refuse(
            f"{written.path}.{key}", f"must be {wanted}, the {what} of the data, not {values[key]}"
        )
    activation = values.get("activation")
    allowed = ("", "linear") if ends(data)[2] == "linear" else ("", "softmax")
    if is_end and activation not in allowed:
        reader.refuse(
            f"{written.path}.activation",
            f"must be '{allowed[1]}' for {what}, not '{activation}'; or leave it out",
        )


def bridge(reader: Reader, written: Written, shape: Shape, wanted: int) -> list[Layer]:
    """What brings an example to as many axes as its last layer wants: sequences are averaged over
    their steps, pictures flattened."""
    if len(shape) == wanted:
        return []
    if wanted == 1:
        pooling = VOCABULARY.get("global_average_pooling")
        return list(pooling.means()) if pooling and len(shape) == 2 else [Flatten()]
    reason = "must leave a sequence, since each step is asked for a class: return_sequences true"
    reader.refuse(written.type_path, reason)
    return []


def refuse_foresight(reader: Reader, words: Sequence[Written]) -> None:
    """What walks a sequence from its end has seen what it should foretell."""
    for written in words:
        if written.values.get("bidirectional"):
            reason = "must be false, since each step is asked for what comes after it"
            reader.refuse(f"{written.path}.bidirectional", reason)


def turned_to_the_past(layer: Layer) -> Layer:
    """A layer that may not see the steps that it should foretell."""
    has = {field.name for field in dataclasses.fields(layer)}
    return dataclasses.replace(layer, causal=True) if "causal" in has else layer  # type: ignore[call-arg]


# ------------------------------------------------------------------------------------- two networks


def autoencoder(
    reader: Reader,
    words: Sequence[Written],
    further: Sequence[Written] | None,
    data: DataShape,
    options: Mapping[str, Any],
) -> Mapping[str, Network]:
    """Encoder and decoder. The code is the narrowest dense layer: what was written after it is the
    decoder; where there is nothing, the encoder is mirrored.
    """
    layers, shape = place(reader, words, data.input, data.features)
    widths = [layer.units for layer in layers if isinstance(layer, Dense)]
    if data.vocabulary or not widths:
        reason = "needs data of numbers and a dense layer for its code"
        reader.refuse("architecture.layers", reason)
    if reader.problems or shape is None:
        return {"encoder": Network(data.input, ())}
    at = next(i for i, x in enumerate(layers) if isinstance(x, Dense) and x.units == min(widths))
    code, after = layers[at], layers[at + 1 :]
    assert isinstance(code, Dense)
    code = Dense(code.units, code.activation or "linear")  # an `output` may say nothing of it
    encoder = [*flattened(data.input, layers[:at]), code]
    if not after or words[-1].word == "output":
        after = after or mirrored(encoder)
    decoder = place(reader, further, (code.units,))[0] if further is not None else after
    decoder = decoder[: -1 if (further or words)[-1].word == "output" else None]
    if options["variational"]:
        encoder[-1] = Dense(2 * code.units, "linear")  # a mean and a logarithm of a variance each
    try:
        decoder = [*flattened((code.units,), decoder), *ending_in(data.input)]
    except Misfit as misfit:
        reader.refuse("architecture.layers", f"after the code a layer {misfit}; write a decoder")
    return {
        "encoder": Network(data.input, tuple(encoder), "encoder."),
        "decoder": Network((code.units,), tuple(decoder), "decoder."),
    }


def adversaries(
    reader: Reader,
    words: Sequence[Written],
    further: Sequence[Written] | None,
    data: DataShape,
    options: Mapping[str, Any],
) -> Mapping[str, Network]:
    """Generator and discriminator; where the second is not written it mirrors the first."""
    if data.vocabulary:
        reader.refuse("architecture.type", "'gan' needs data of numbers, not tokens")
    latent = (options["latent"],)
    generator, _ = place(reader, words, latent, latent[0])
    if words[-1].word == "output":
        generator = generator[:-1]
    judge = (
        [
            Flatten(),
            *(Dense(x.units, "leaky_relu") for x in generator[::-1] if isinstance(x, Dense)),
        ]
        if further is None
        else place(reader, further, data.input)[0]
    )
    if further is not None and further[-1].word == "output":
        judge = judge[:-1]
    if reader.problems:
        return {"generator": Network(data.input, ())}
    made = [*flattened(latent, generator), *ending_in(data.input)]
    judged = [*flattened(data.input, judge), Dense(1, "linear")]
    return {
        "generator": Network(latent, tuple(made), "generator."),
        "discriminator": Network(data.input, tuple(judged), "discriminator."),
    }


def flattened(start: Shape, layers: Sequence[Layer]) -> list[Layer]:
    """The layers, and what makes one row of what comes out of them. Raises Misfit."""
    is_flat = len(Network(start, tuple(layers)).output) == 1
    return [*layers] if is_flat else [*layers, Flatten()]


def mirrored(encoder: Sequence[Layer]) -> list[Layer]:
    """The dense layers before the code, in reverse."""
    before = [layer for layer in encoder[:-1] if isinstance(layer, Dense | Dropout)]
    return list(before[::-1])


def ending_in(shape: Shape) -> list[Layer]:
    shaped: list[Layer] = [Reshape(shape)] if len(shape) > 1 else []
    return [Dense(count(shape), "linear"), *shaped]
