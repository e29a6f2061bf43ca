"""A network as a picture: its layers from top to bottom, each as wide as what leaves it.

Server-rendered SVG like the charts. Widths follow the logarithm of how many numbers an example has
after the layer, so that a bottleneck is seen; colours tell families of layers apart, words say the
same. Beside the picture stands a table with every figure.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django import template

from kernels.graph import Shape, count
from kernels.layers import VOCABULARY, attention, dense, recurrent, sequences, shapes, vision
from kernels.outline import LayerEstimate
from training.templatetags.charts import figure

register = template.Library()

BOX_PIXELS = 42
GAP_PIXELS = 16
NARROWEST_PERCENT = 62
LETTERS = 34  # what fits into the narrowest box of a side column
FAMILIES = (dense, vision, recurrent, attention, sequences, shapes)
SEEN_IN_THE_SHAPE = ("units", "size", "filters", "embed_dim", "vocab_size", "shape")

Context = dict[str, Any]


@dataclass(frozen=True)
class Box:
    """One layer, ready to draw: across in percent, down in pixels."""

    word: str
    details: str
    shape: str
    parameters: int
    flops: int
    family: int
    x: float
    width: float
    y: int


@dataclass(frozen=True)
class Drawing:
    """One network of an architecture."""

    name: str
    boxes: list[Box]
    height: int


@register.inclusion_tag("_architecture.html")
def architecture(layers: Sequence[LayerEstimate], name: str = "architecture") -> Context:
    """Draw what `training.network_layers` found; `name` is the picture's id on its page."""
    drawings = [
        drawing(network, list(of)) for network, of in groupby(layers, key=lambda one: one.network)
    ]
    parameters = sum(layer.parameters for layer in layers)
    return {
        "id": name,
        "drawings": drawings,
        "layers": [(drawing.name, box) for drawing in drawings for box in drawing.boxes],
        "summary": f"{len(layers)} layers, {figure(parameters, 9)} parameters",
        "box_height": BOX_PIXELS,
    }


def drawing(network: str, layers: Sequence[LayerEstimate]) -> Drawing:
    first = layers[0]
    widest = math.log2(1 + max(count(shape) for shape in (first.start, *(x.shape for x in layers))))
    boxes = [box("input", {}, first.start, widest, 0)]
    for place, layer in enumerate(layers, 1):
        drawn = box(layer.word, layer.values, layer.shape, widest, place)
        boxes.append(Box(**vars(drawn) | {"parameters": layer.parameters, "flops": layer.flops}))
    name = "" if network == "network" else network.capitalize()
    return Drawing(name, boxes, len(boxes) * (BOX_PIXELS + GAP_PIXELS) - GAP_PIXELS)


def box(word: str, values: Mapping[str, Any], shape: Shape, widest: float, place: int) -> Box:
    share = math.log2(1 + count(shape)) / widest if widest else 1.0
    width = NARROWEST_PERCENT + (100 - NARROWEST_PERCENT) * share
    return Box(
        word=word,
        details=told(word, values),
        shape=sides(shape),
        parameters=0,
        flops=0,
        family=family(word),
        x=(100 - width) / 2,
        width=width,
        y=place * (BOX_PIXELS + GAP_PIXELS),
    )


def told(word: str, values: Mapping[str, Any]) -> str:
    """What a layer's values say that neither its word nor its shape does: as many as fit in."""
    usual = VOCABULARY[word].defaults if word in VOCABULARY else {}
    said = ""
    for key, value in values.items():
        name = key.replace("_", " ")
        if key in SEEN_IN_THE_SHAPE or value in (None, False, 0, "", "linear"):
            continue
        if isinstance(value, str):
            name = value
        elif usual.get(key) == value:
            continue
        elif value is not True:
            name = f"{name} {value:g}"
        longer = f"{said}, {name}" if said else name
        said = longer if len(word) + len(longer) < LETTERS else said
    return said


@register.filter
def family(word: str) -> int:
    """Which of the six colours the layers of a family have."""
    return next((n for n, of in enumerate(FAMILIES, 1) if word in of.WORDS), len(FAMILIES))


@register.filter
def sides(shape: Shape) -> str:
    """A shape as it is read: 8 × 8 × 1."""
    return " × ".join(f"{side:,}" for side in shape)
