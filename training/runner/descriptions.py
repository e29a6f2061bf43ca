"""What the file of a model says of itself, read from its head alone: its weights stay where they
are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from kernels import forward, modelfile, tensors
from kernels.data import Target
from kernels.fields import Field as Setting
from kernels.fields import Real, Whole
from kernels.graph import Node
from kernels.modelfile import Signature
from kernels.tensors import ModelRefused
from training.runner import answers, blobs
from training.runner.recipes import Recipe, feature_names

LENGTH_BYTES = 8
LARGE = 1_000_000  # a bound from here on tells nobody anything


@dataclass(frozen=True)
class Field:
    """One thing that goes in or comes out: its name, its kind in a word, and which values."""

    name: str
    kind: str
    values: Sequence[str] = ()


@dataclass(frozen=True)
class Description:
    """What a model's file says of itself."""

    signature: Signature
    graph: Mapping[str, Any]
    provenance: Mapping[str, Any]
    config: Mapping[str, Any]
    shapes: tuple[str, str]  # of one row and of its answer

    @property
    def inputs(self) -> list[Field]:
        """What a prediction takes: of what makes examples or writes on the settings, else a row as
        people write it, where the file says so, or as the network takes it.
        """
        if self.makes_examples:
            return asked(answers.SAMPLE_FIELDS)
        if self.writes_on:
            return [*self.row, *asked(answers.TEXT_FIELDS)]
        return self.row

    @property
    def row(self) -> list[Field]:
        recipe, signature = self.recipe, self.signature
        if signature.image_shape:
            height, width = signature.image_shape
            return [Field("picture", f"{height} × {width} pixels")]
        if recipe is not None and recipe.inputs:
            return [Field(c.name, c.kind.value, c.values) for c in recipe.inputs]
        if signature.vocabulary:
            kind = f"{self.shapes[0]} tokens of {len(signature.vocabulary):,}"
            return [Field("text", kind, signature.vocabulary)]
        if signature.features:
            return [Field(name, "number") for name in signature.features]
        return [Field("row", f"{self.shapes[0]} numbers")]

    @property
    def makes_examples(self) -> bool:
        stated = self.config.get("architecture", {})
        return stated.get("type") == "gan" or stated.get("variational") is True

    @property
    def writes_on(self) -> bool:
        return bool(self.config.get("data", {}).get("target") == Target.NEXT)

    @property
    def outputs(self) -> list[Field]:
        if self.makes_examples:
            names = feature_names(self.recipe) if self.recipe else ()
            return [Field("sample", f"{prod(self.config['data']['input'])} numbers", names)]
        if self.writes_on:
            return [Field("text", "goes on from the one that was sent")]
        names = self.signature.classes
        answer = str(self.graph["outputs"][0]["name"]).replace("_", " ")
        if answer == "probabilities" and names:
            return [Field("class", f"one of {len(names)}, with the probability of each", names)]
        if names:
            return [Field(name, "number") for name in names]
        return [Field(answer, f"{self.shapes[1]} numbers")]

    @cached_property
    def recipe(self) -> Recipe | None:
        return Recipe.from_json(self.signature.recipe) if self.signature.recipe else None


def asked(settings: Mapping[str, Setting]) -> list[Field]:
    """What may be set, with its bounds."""
    return [Field(name, told(setting)) for name, setting in settings.items()]


def told(setting: Setting) -> str:
    match setting:
        case Whole(low, high):
            span = f"{low:,} to {high:,}" if high < LARGE else f"from {low:,} on"
            return f"whole number, {span}"
        case Real(low, high):
            return f"number, {low:g} to {high:g}"
    return "value"


def shapes_of(graph: Mapping[str, Any]) -> tuple[str, str]:
    """The shapes of one row and of its answer. Raises GraphRefused for what is no graph."""
    unit = forward.from_json(graph, 1)
    return sides(next(iter(unit.inputs.values()))), sides(next(iter(unit.outputs.values())))


def sides(node: Node) -> str:
    """The shape of one row, as it is read."""
    return " × ".join(f"{side:,}" for side in (node.shape or ())[1:]) or "1"


def describe(sha256: str) -> Description:
    """Raises BlobFault, and ModelRefused, GraphRefused or RecipeRefused for what is no model."""
    with blobs.open_blob(sha256) as file:
        start = file.read(LENGTH_BYTES)
        length = min(int.from_bytes(start, "little"), tensors.HEADER_LIMIT_BYTES)
        texts = tensors.read_header(start + file.read(length)).get("__metadata__", {})
    missing = {"graph", "signature", "provenance"} - set(texts)
    if missing:
        raise ModelRefused(f"{', '.join(sorted(missing))}: missing")
    read = {key: tensors.parse_json(text, key) for key, text in texts.items() if key != "format"}
    return Description(
        signature=modelfile.read_signature(read["signature"]),
        graph=read["graph"],
        provenance=read["provenance"],
        config=read.get("config", {}),
        shapes=shapes_of(read["graph"]),
    )
