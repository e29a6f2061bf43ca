"""What each layer is and takes, one by one: for pictures of a network, and for who is still writing
one.

`layers` tells it of a configuration without mistakes. `written` tells it of the list that a person
is writing, as far as it makes sense: the layers before the first mistake have shapes already.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kernels import ops
from kernels.architecture import (
    DEFAULTS,
    OPTIONS,
    SECOND,
    Written,
    bridge,
    ending_in,
    ends,
    flattened,
    read_word,
)
from kernels.autodiff import gradients
from kernels.config import NetworkConfig
from kernels.data import DataShape
from kernels.fields import Reader
from kernels.graph import Shape, in_order, leaf
from kernels.layers import Chance, Layer, Misfit
from kernels.layers.dense import Dense
from kernels.network import Network, parameter_count
from kernels.optimizers import MOMENTS
from kernels.philox import Purpose
from kernels.placement import is_memory
from kernels.signature import ShapeError

ITEM_BYTES = 4


@dataclass(frozen=True)
class LayerEstimate:
    """One layer, or what one written word means. `start` and `shape` are an example's before and
    after it.

    `flops` are the arithmetic of one example in a training step, forward and backward. `bytes` is
    what training holds of it at a time: weights, their gradient and what the optimiser remembers,
    and its values for every example of a batch. The plan of a run reuses memory between layers, so
    the whole may be less than the sum.
    """

    network: str
    word: str
    values: Mapping[str, Any]
    start: Shape
    shape: Shape
    parameters: int
    flops: int
    bytes: int


def layers(config: NetworkConfig) -> list[LayerEstimate]:
    """Every layer of every network, in order, those that were added to what was written too."""
    rows, moments = config.training.batch_size, len(MOMENTS[config.training.optimizer])
    found = []
    for name, network in config.architecture.networks.items():
        for number, layer in enumerate(network.layers):
            is_first = number == 0
            dtype = config.data.dtype if is_first and network.input == config.data.input else "f4"
            taken = cost(layer, network.shapes[number], dtype, rows, moments, is_first=is_first)
            found.append(replace(taken, network=name))
    return found


def cost(
    layer: Layer, shape: Shape, dtype: str, rows: int, moments: int, *, is_first: bool
) -> LayerEstimate:
    """What a layer takes at examples of this shape. Raises Misfit where they do not fit it."""
    after, wanted = layer.output(shape), layer.parameters(shape)
    x = leaf("x", (1, *shape), dtype)
    weights = {parameter.name: leaf(parameter.name, parameter.shape) for parameter in wanted}
    y = layer.build(x, weights, Chance(0, Purpose.DROPOUT))
    forward = [node for node in in_order([y]) if not is_memory(node)]
    of = [*weights.values(), *(() if is_first else (x,))]
    slopes = list(gradients(y, of, leaf("slope", y.shape or ())).values()) if forward and of else []
    whole = [node for node in in_order([y, *slopes]) if not is_memory(node)]
    parameters = parameter_count(tuple(wanted))
    values = {key: value for key, value in layer.to_json().items() if key != "type"}
    held = sum(node.size_bytes for node in forward)
    return LayerEstimate(
        network="",
        word=layer.word,
        values=values,
        start=shape,
        shape=after,
        parameters=parameters,
        flops=sum(ops.flops(node) for node in whole),
        bytes=ITEM_BYTES * parameters * (2 + moments) + rows * held,
    )


# -------------------------------------------------------------------------- while it is written


def written(
    raw: object, data: DataShape, *, rows: int = 32, optimizer: str = "adam"
) -> dict[str, LayerEstimate]:
    """What is said by each word of an `architecture`, by its path such as
    `architecture.layers[2]`; a word that makes no sense, and all after it, are missing.
    """
    if not isinstance(raw, Mapping):
        return {}
    found = {}
    moments = len(MOMENTS.get(optimizer, ("",)))
    for path, part in parts(raw, data):
        estimate = told(part, rows, moments)
        if estimate is None:
            break
        found[path] = estimate
    return found


@dataclass(frozen=True)
class Part:
    """The layers that one word means where it stands."""

    network: str
    word: Written
    start: Shape
    layers: Sequence[Layer]
    dtype: str
    is_first: bool


def told(part: Part, rows: int, moments: int) -> LayerEstimate | None:
    shape, each = part.start, []
    try:
        for number, layer in enumerate(part.layers):
            first = part.is_first and number == 0
            dtype = part.dtype if number == 0 else "f4"
            each.append(cost(layer, shape, dtype, rows, moments, is_first=first))
            shape = each[-1].shape
    except (Misfit, ShapeError):  # such as tokens, where numbers are wanted
        return None
    return LayerEstimate(
        network=part.network,
        word=part.word.word,
        values=part.word.values,
        start=part.start,
        shape=shape,
        parameters=sum(one.parameters for one in each),
        flops=sum(one.flops for one in each),
        bytes=sum(one.bytes for one in each),
    )


def parts(raw: Mapping[str, Any], data: DataShape) -> Iterator[tuple[str, Part]]:
    kind = raw.get("type")
    second = SECOND.get(kind, "") if isinstance(kind, str) else ""
    listed = words_of(raw.get("layers"), "architecture.layers")
    further = words_of(raw.get(second), f"architecture.{second}") if second else []
    if kind == "gan":
        start = (latent_of(raw),)
        yield from placed("generator", listed, start, "f4", ending_in(data.input))
        yield from placed("discriminator", further, data.input, "f4", [Dense(1, "linear")])
    elif kind == "autoencoder":
        at = code_of(listed)
        doubled = 2 if raw.get("variational") is True else 1
        yield from placed("encoder", listed[: at + 1], data.input, "f4", [], doubled)
        code = listed[at].layers[0] if at < len(listed) else None
        if isinstance(code, Dense):
            end = ending_in(data.input)
            yield from placed("decoder", listed[at + 1 :], (code.units,), "f4", end)
            yield from placed("decoder", further, (code.units,), "f4", end)
    else:
        yield from placed("network", listed, data.input, data.dtype, None, data=data)


def latent_of(raw: Mapping[str, Any]) -> int:
    """How many numbers a picture of a gan is made from."""
    found = raw.get("latent", DEFAULTS["latent"])
    is_wrong = OPTIONS["gan"]["latent"].refusal(found) is not None
    return int(DEFAULTS["latent"] if is_wrong else found)


def words_of(listed: object, path: str) -> list[Written]:
    """The words up to the first that makes no sense."""
    found: list[Written] = []
    for number, raw in enumerate(listed if isinstance(listed, list) else ()):
        word = read_word(Reader(), raw, f"{path}[{number}]")
        if word is None:
            break
        found.append(replace(word, path=f"{path}[{number}]"))
    return found


def code_of(words: Sequence[Written]) -> int:
    """Which word is the code of an autoencoder: the narrowest dense layer, the first of them."""
    firsts = {number: word.layers[0] for number, word in enumerate(words) if word.layers}
    widths = {n: layer.units for n, layer in firsts.items() if isinstance(layer, Dense)}
    return min(widths, key=lambda number: widths[number], default=len(words))


def placed(
    network: str,
    words: Sequence[Written],
    start: Shape,
    dtype: str,
    end: Sequence[Layer] | None,
    doubled: int = 0,
    *,
    data: DataShape | None = None,
) -> Iterator[tuple[str, Part]]:
    """Each word's layers where it stands. An `output` means `end`, or what the data want; the code
    of an autoencoder, `doubled` or not, ends one row of numbers.
    """
    shape, is_first = start, True
    for number, word in enumerate(words):
        is_last = number == len(words) - 1
        try:
            meant = [layer for one in word.layers for layer in one.placed(shape)]
            if is_last and data is not None:
                meant = ended_for(data, word, meant, shape)
            elif is_last and word.word == "output" and end:
                meant = [*flattened(shape, []), *end]
            elif is_last and doubled and meant and isinstance(meant[0], Dense):
                code = replace(meant[0], units=doubled * meant[0].units)
                meant = [*flattened(shape, []), code]
            meant = [decided(layer) for layer in meant]
            after = Network(shape, tuple(meant)).output
        except Misfit:
            return
        yield word.path, Part(network, word, shape, meant, dtype if is_first else "f4", is_first)
        shape, is_first = after, is_first and not meant


def decided(layer: Layer) -> Layer:
    """An `output` in the midst of others may say nothing of its activation: then it has none."""
    if isinstance(layer, Dense) and not layer.activation:
        return Dense(layer.units, "linear")
    return layer


def ended_for(data: DataShape, word: Written, meant: list[Layer], shape: Shape) -> list[Layer]:
    """What the last word of a network means, which must end in what the data want."""
    last = meant[-1] if meant else None
    is_end = word.word == "output" or (isinstance(last, Dense) and last.activation == "softmax")
    if not is_end or not isinstance(last, Dense):
        return meant
    wanted, size, activation = ends(data)
    before = meant[:-1]
    reached = Network(shape, tuple(before)).output
    bridged = bridge(Reader(), word, reached, wanted)
    return [*before, *bridged, Dense(size, last.activation or activation)]
